use record_callback_core::{EventKind, Fidelity};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};

pub(crate) async fn capabilities_never_change(bench: &Bench<'_>) -> Result<(), Failure> {
    let before = bench.capabilities().clone();
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    bench.create(&config).await?;
    bench.update(&config).await?;
    bench.delete(&config.key()).await?;
    let after = bench.capabilities();
    check!(before == *after, "expected {before:?}, found {after:?} after a few calls");
    Ok(())
}

/// Whatever is wished, at whatever fidelity: asking the capabilities and calling give one answer.
pub(crate) async fn capabilities_agree_with_create(bench: &Bench<'_>) -> Result<(), Failure> {
    let capabilities = bench.capabilities().clone();
    let mut drafts = vec![
        bench.draft(ANY, "plain"),
        bench.draft("live", "named"),
        bench.full_draft(ANY, "full")?,
        bench.greedy_draft(ANY, "greedy")?,
    ];
    drafts.extend(EventKind::known().map(|kind| bench.draft(ANY, "one").events([kind])));
    for draft in drafts {
        let config = bench.build(draft)?;
        for fidelity in [Fidelity::Exact, Fidelity::Widen, Fidelity::BestEffort] {
            let expected = capabilities.fit(&config, fidelity);
            let found = bench.provider.create(&config, fidelity).await;
            let case = format!("create ({fidelity}) of {config:?}");
            match (expected, found) {
                (Ok(fitted), Ok(applied)) => {
                    let agree = fitted.effective == applied.effective;
                    check!(agree, "{case}: expected {:?}, found {:?}", fitted.effective, applied.effective);
                    bench.shows(&fitted.effective).await?;
                    bench.delete(&config.key()).await?;
                }
                (Err(expected), found) => {
                    refused(&case, found, expected.kind())?;
                }
                (Ok(_), Err(error)) => return Err(Failure::new(format!("{case}: {error}"))),
            }
        }
    }
    Ok(())
}

/// What is refused, and as what, is up to other behaviours.
pub(crate) async fn refusals_name_the_vendor_and_the_domain(bench: &Bench<'_>) -> Result<(), Failure> {
    let provider = &bench.provider;
    let config = bench.plain(ANY, "recorded")?;
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    let mut refusals = vec![
        provider.get(&bench.key("live")).await.err(),
        provider.update(&config, Fidelity::Exact).await.err(),
        provider.update(&greedy, Fidelity::Exact).await.err(),
        provider.delete(&config.key()).await.err(),
    ];
    bench.create(&config).await?;
    for again in [&config, &greedy] {
        refusals.push(provider.create(again, Fidelity::Exact).await.err());
    }
    let (vendor, domain) = (provider.vendor(), bench.domain.as_str());
    for error in refusals.into_iter().flatten() {
        check!(error.vendor() == Some(vendor), "expected the vendor `{vendor}` in: {error}");
        check!(error.domain() == Some(domain), "expected the domain `{domain}` in: {error}");
    }
    Ok(())
}
