use record_callback_core::{CallbackSigning, ErrorKind, Fidelity};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};
use crate::wishes;

pub(crate) async fn update_of_a_missing_config_is_not_found_and_creates_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.plain_elsewhere("neighbour")?).await?;
    let result = bench.provider.update(&bench.plain(ANY, "missing")?, Fidelity::Exact).await;
    refused("update of a missing config", result, ErrorKind::NotFound)?;
    bench.still_absent(&bench.key(ANY)).await?;
    bench.lists(Some(&bench.domain), &[]).await.map(drop)
}

pub(crate) async fn update_replaces_every_field(bench: &Bench<'_>) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "before")?).await?;
    bench.update(&bench.build(bench.full_draft(ANY, "after")?)?).await?;
    let again = bench.full_draft(ANY, "at-last")?.signing(wishes::signing(bench.capabilities(), 'b')?);
    let again = bench.build(again)?;
    bench.update(&again).await?;
    bench.lists(Some(&bench.domain), &[&again]).await.map(drop)
}

pub(crate) async fn update_clears_fields_the_new_config_does_not_set(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.build(bench.full_draft(ANY, "full")?)?).await?;
    // The same URL: on-demand URL, events and signing are all that changes.
    bench.update(&bench.plain(ANY, "full")?).await.map(drop)
}

pub(crate) async fn update_switches_signing_on_and_to_another_key_and_off(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let unsigned = bench.plain(ANY, "signed")?;
    bench.create(&unsigned).await?;
    for scheme in bench.capabilities().signing.schemes.clone() {
        for letter in ['a', 'b'] {
            let key = wishes::key(bench.capabilities(), letter)?;
            let signing = CallbackSigning::with(scheme, key);
            bench.update(&bench.build(bench.draft(ANY, "signed").signing(signing))?).await?;
        }
    }
    bench.update(&unsigned).await.map(drop)
}

pub(crate) async fn update_is_idempotent(bench: &Bench<'_>) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "before")?).await?;
    let after = bench.build(bench.full_draft(ANY, "after")?)?;
    let first = bench.update(&after).await?;
    let second = bench.update(&after).await?;
    check!(first == second, "the same update reported {first:?}, then {second:?}");
    bench.still_shows(&after).await?;
    bench.lists(Some(&bench.domain), &[&after]).await.map(drop)
}

pub(crate) async fn update_reports_what_it_stored(bench: &Bench<'_>) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "before")?).await?;
    let after = bench.build(bench.full_draft(ANY, "after")?)?;
    let applied = bench.update(&after).await?;
    let stored = bench.shows(&after).await?;
    check!(applied.effective == after, "expected {after:?}, found {:?}", applied.effective);
    check!(applied.deviations.is_empty(), "expected no deviations, found {:?}", applied.deviations);
    check!(applied.id == stored.id, "update gave the id {:?}, reading shows {:?}", applied.id, stored.id);
    Ok(())
}

pub(crate) async fn update_leaves_other_domains_alone(bench: &Bench<'_>) -> Result<(), Failure> {
    let (here, there) = (bench.plain(ANY, "here")?, bench.plain_elsewhere("there")?);
    bench.create(&here).await?;
    bench.create(&there).await?;
    bench.update(&bench.build(bench.full_draft(ANY, "changed")?)?).await?;
    bench.still_shows(&there).await
}

pub(crate) async fn update_leaves_other_configs_of_the_domain_alone(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let (any, live, vod) =
        (bench.plain(ANY, "any")?, bench.plain("live", "live")?, bench.plain("vod", "vod")?);
    for config in [&any, &live, &vod] {
        bench.create(config).await?;
    }
    let changed_live = bench.build(bench.full_draft("live", "changed")?)?;
    bench.update(&changed_live).await?;
    bench.lists(Some(&bench.domain), &[&any, &changed_live, &vod]).await?;
    let changed_any = bench.build(bench.full_draft(ANY, "changed")?)?;
    bench.update(&changed_any).await?;
    bench.lists(Some(&bench.domain), &[&changed_any, &changed_live, &vod]).await.map(drop)
}

pub(crate) async fn update_does_not_fall_back_to_another_app(bench: &Bench<'_>) -> Result<(), Failure> {
    for (there, missing) in [(ANY, "live"), ("live", ANY), ("live", "live2")] {
        let config = bench.plain(there, "there")?;
        bench.create(&config).await?;
        let result = bench.provider.update(&bench.plain(missing, "missing")?, Fidelity::Exact).await;
        refused(&format!("update of `{missing}` beside `{there}`"), result, ErrorKind::NotFound)?;
        bench.still_shows(&config).await?;
        bench.lists(Some(&bench.domain), &[&config]).await?;
        bench.delete(&config.key()).await?;
    }
    Ok(())
}

pub(crate) async fn update_of_a_named_app_is_unsupported_where_only_the_wildcard_exists(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let any = bench.plain(ANY, "any")?;
    bench.create(&any).await?;
    for fidelity in [Fidelity::Exact, Fidelity::Widen, Fidelity::BestEffort] {
        let result = bench.provider.update(&bench.plain("live", "live")?, fidelity).await;
        refused("update of a named app", result, ErrorKind::Unsupported)?;
    }
    bench.still_shows(&any).await
}
