use record_callback_core::{
    AppName, DeviationKind, ErrorKind, Fidelity, Field, PutAction, RecordCallbackConfig,
    RecordCallbackProviderExt,
};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};

pub(crate) async fn put_creates_then_replaces_and_is_idempotent(bench: &Bench<'_>) -> Result<(), Failure> {
    let (first, second) = (bench.plain(ANY, "first")?, bench.build(bench.full_draft(ANY, "second")?)?);
    for (config, expected) in
        [(&first, PutAction::Created), (&second, PutAction::Replaced), (&second, PutAction::Replaced)]
    {
        let report = bench.provider.put(config, Fidelity::Exact).await?;
        check!(report.action == expected, "expected put to have {expected:?}, found {:?}", report.action);
        bench.still_shows(config).await?;
        bench.lists(Some(&bench.domain), &[config]).await?;
    }
    Ok(())
}

pub(crate) async fn ensure_shows_what_was_asked(bench: &Bench<'_>) -> Result<(), Failure> {
    for config in [bench.plain(ANY, "first")?, bench.build(bench.full_draft(ANY, "second")?)?] {
        let ensured = bench.provider.ensure(&config, Fidelity::Exact, &bench.read_back()).await?;
        let stored = bench.shows(&config).await?;
        check!(ensured.stored == stored, "ensure shows {:?}, get shows {stored:?}", ensured.stored);
        check!(ensured.deviations.is_empty(), "expected no deviations, found {:?}", ensured.deviations);
    }
    Ok(())
}

/// Kept or not: it must not go unsaid.
pub(crate) async fn ensure_tells_whether_an_undocumented_on_demand_url_was_kept(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let draft = bench.draft(ANY, "recorded").on_demand_url("https://od.example.com/ask");
    let config = bench.build(draft)?;
    let ensured = bench.provider.ensure(&config, Fidelity::BestEffort, &bench.read_back()).await?;
    let dropped = |field, kind| field == Field::OnDemandUrl && kind == DeviationKind::Dropped;
    let told = ensured.deviations.iter().any(|d| dropped(d.field, d.kind));
    if ensured.stored.on_demand_url.is_some() {
        check!(!told, "the on-demand URL was kept, but is reported as dropped");
        return bench.shows(&config).await.map(drop);
    }
    check!(told, "the on-demand URL was ignored, but is not reported as dropped");
    let result = bench.provider.ensure(&config, Fidelity::Exact, &bench.read_back()).await;
    let error = refused("ensure (exact)", result, ErrorKind::NotApplied)?;
    let named = error.differences().iter().any(|difference| difference.field == Field::OnDemandUrl);
    check!(named, "expected the error to name `on_demand_url`, found {:?}", error.differences());
    Ok(())
}

pub(crate) async fn ensure_absent_says_whether_the_config_was_there(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "recorded")?).await?;
    for expected in [true, false] {
        let found = bench.provider.ensure_absent(&bench.key(ANY), &bench.read_back()).await?;
        check!(found == expected, "expected ensure_absent to say {expected}, found {found}");
        bench.still_absent(&bench.key(ANY)).await?;
    }
    Ok(())
}

/// Checks which of the configs governs streams of app `live`.
async fn check_resolves(bench: &Bench<'_>, expected: Option<&RecordCallbackConfig>) -> Result<(), Failure> {
    let found = bench.provider.resolve(&bench.domain, &AppName::new("live")?).await?;
    let (expected, found) =
        (expected.map(RecordCallbackConfig::key), found.as_ref().map(|stored| stored.key.clone()));
    check!(expected == found, "expected streams of `live` to be governed by {expected:?}, found {found:?}");
    Ok(())
}

pub(crate) async fn resolve_prefers_the_exact_app_then_the_wildcard_and_never_merges(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    check_resolves(bench, None).await?;
    let any = bench.build(bench.full_draft(ANY, "any")?)?;
    bench.create(&any).await?;
    bench.create(&bench.plain("vod", "vod")?).await?;
    check_resolves(bench, Some(&any)).await?;
    let live = bench.plain("live", "live")?;
    bench.create(&live).await?;
    check_resolves(bench, Some(&live)).await?;
    // Nothing of the wildcard's fields shows in it.
    bench.still_shows(&live).await
}

pub(crate) async fn resolve_takes_the_wildcard_where_there_is_nothing_else(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    check_resolves(bench, None).await?;
    let any = bench.plain(ANY, "any")?;
    bench.create(&any).await?;
    check_resolves(bench, Some(&any)).await
}
