use record_callback_core::{
    Applied, CallbackSigning, DeviationKind, ErrorKind, Fidelity, Field, RecordCallbackConfig, SigningScheme,
    StoredKey,
};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};
use crate::wishes;

/// Builds a config with this signing.
fn signed(bench: &Bench<'_>, signing: CallbackSigning) -> Result<RecordCallbackConfig, Failure> {
    bench.build(bench.draft(ANY, "signed").signing(signing))
}

/// Builds a config signed as strongly as can be, with a key of `letter`.
fn signed_with_key(bench: &Bench<'_>, letter: char) -> Result<RecordCallbackConfig, Failure> {
    signed(bench, wishes::signing(bench.capabilities(), letter)?)
}

pub(crate) async fn every_scheme_is_stored_with_keys_of_the_shortest_and_longest_length(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    for scheme in bench.capabilities().signing.schemes.clone() {
        for length in wishes::key_lengths(bench.capabilities()) {
            let key = wishes::key_of_length('k', length)?;
            let config = signed(bench, CallbackSigning::with(scheme, key))?;
            bench.create(&config).await?;
            bench.delete(&config.key()).await?;
        }
    }
    Ok(())
}

pub(crate) async fn a_key_of_a_length_the_vendor_refuses_is_invalid_and_stores_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let capabilities = bench.capabilities();
    let scheme = *capabilities.signing.schemes.last().ok_or_else(Failure::not_applicable)?;
    let length = wishes::refused_key_length(capabilities).ok_or_else(Failure::not_applicable)?;
    let config = signed(bench, CallbackSigning::with(scheme, wishes::key_of_length('k', length)?))?;
    for fidelity in [Fidelity::Exact, Fidelity::BestEffort] {
        let what = format!("create ({fidelity}) with a key of {length} characters");
        refused(&what, bench.provider.create(&config, fidelity).await, ErrorKind::InvalidConfig)?;
    }
    bench.still_absent(&config.key()).await?;

    let before = signed_with_key(bench, 'a')?;
    bench.create(&before).await?;
    let what = format!("update with a key of {length} characters");
    refused(&what, bench.provider.update(&config, Fidelity::Exact).await, ErrorKind::InvalidConfig)?;
    bench.still_shows(&before).await
}

pub(crate) async fn a_missing_scheme_falls_back_to_the_strongest_and_never_to_unsigned(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let missing = wishes::missing_scheme(bench.capabilities()).ok_or_else(Failure::not_applicable)?;
    let key = wishes::key(bench.capabilities(), 'k')?;
    let config = signed(bench, CallbackSigning::with(missing, key))?;
    let strongest = bench.capabilities().signing.schemes.last().copied();
    let applied = bench.provider.create(&config, Fidelity::BestEffort).await?;
    let found = applied.effective.signing().scheme();
    check!(found == strongest, "expected signing with {strongest:?}, found {found:?}");
    let told =
        applied.deviations.iter().any(|d| d.field == Field::Signing && d.kind == DeviationKind::Dropped);
    check!(told, "expected a dropped deviation of `signing`, found {:?}", applied.deviations);
    bench.still_shows(&applied.effective).await
}

pub(crate) async fn signing_is_unsupported_where_callbacks_cannot_be_signed(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let key = wishes::key_of_length('k', 32)?;
    for scheme in [SigningScheme::Md5, SigningScheme::HmacSha256] {
        let config = signed(bench, CallbackSigning::with(scheme, key.clone()))?;
        for fidelity in [Fidelity::Exact, Fidelity::BestEffort] {
            let what = format!("create ({fidelity}) with {scheme}");
            refused(&what, bench.provider.create(&config, fidelity).await, ErrorKind::Unsupported)?;
        }
    }
    bench.still_absent(&bench.key(ANY)).await
}

pub(crate) async fn a_readable_key_is_known_and_confirmed(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = signed_with_key(bench, 'a')?;
    let applied = bench.create(&config).await?;
    check!(
        !leaves_key_open(&applied),
        "the key can be read back, but create calls it unconfirmed: {:?}",
        applied.unconfirmed
    );
    let stored = bench.shows(&config).await?;
    let known = matches!(&stored.signing.key, StoredKey::Known(key) if Some(key) == config.signing().key());
    check!(known, "expected the stored key to be known and the given one, found it {}", stored.signing.key);
    Ok(())
}

pub(crate) async fn a_hidden_key_is_never_known_and_never_confirmed(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let steps = [signed_with_key(bench, 'a')?, signed_with_key(bench, 'b')?, bench.plain(ANY, "unsigned")?];
    for (i, config) in steps.iter().enumerate() {
        let applied = if i == 0 { bench.create(config).await? } else { bench.update(config).await? };
        check!(
            leaves_key_open(&applied),
            "the key cannot be read back, but step {i} does not call it unconfirmed: {:?}",
            applied.unconfirmed
        );
        let key = bench.shows(config).await?.signing.key;
        let known = matches!(key, StoredKey::Known(_)) || (key == StoredKey::NotSet && i < 2);
        check!(!known, "expected the key to be hidden after step {i}, found it {key}");
    }
    Ok(())
}

/// Whether it is left open if the signing took effect.
fn leaves_key_open(applied: &Applied) -> bool {
    applied.unconfirmed.iter().any(|field| matches!(field, Field::Signing | Field::SigningKey))
}

pub(crate) async fn no_signing_key_shows_in_errors_or_debug(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = signed_with_key(bench, 's')?;
    let key = config.signing().key().ok_or_else(Failure::not_applicable)?;
    bench.create(&config).await?;
    let stored = bench.shows(&config).await?;
    let mut texts = vec![
        ("the Debug of the provider", format!("{:?}", bench.provider)),
        ("the Debug of the stored config", format!("{stored:?}")),
    ];
    if let Err(error) = bench.provider.create(&config, Fidelity::Exact).await {
        texts.extend([("the error", error.to_string()), ("the Debug of the error", format!("{error:?}"))]);
    }
    for (what, text) in texts {
        check!(!text.contains(key.expose()), "{what} shows the signing key");
    }
    Ok(())
}
