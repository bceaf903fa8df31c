use record_callback_core::{
    Applied, Deviation, DeviationKind, Error, ErrorKind, EventSet, Fidelity, Field, RecordCallbackConfig,
};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};
use crate::wishes;

/// What deviates and how; how that is worded is up to the provider.
fn outline(deviations: &[Deviation]) -> Vec<(Field, DeviationKind)> {
    let mut outline: Vec<_> = deviations.iter().map(|deviation| (deviation.field, deviation.kind)).collect();
    outline.sort_by_key(|(field, kind)| (*field, *kind == DeviationKind::Dropped));
    outline
}

/// Checks that `error` names what the capabilities say is wrong with `config`.
fn check_named(
    bench: &Bench<'_>,
    config: &RecordCallbackConfig,
    fidelity: Fidelity,
    error: &Error,
) -> Result<(), Failure> {
    let fitted = bench.capabilities().fit(config, Fidelity::BestEffort)?;
    let refusable: Vec<_> =
        fitted.deviations.into_iter().filter(|deviation| !fidelity.accepts(deviation.kind)).collect();
    let (expected, found) = (outline(&refusable), outline(error.deviations()));
    check!(expected == found, "expected the deviations {expected:?} to be named, found {found:?}");
    Ok(())
}

/// Checks that `applied` reports what the capabilities say, and that this is what is stored.
async fn check_applied(
    bench: &Bench<'_>,
    config: &RecordCallbackConfig,
    applied: &Applied,
) -> Result<(), Failure> {
    let fitted = bench.capabilities().fit(config, Fidelity::BestEffort)?;
    let (expected, found) = (outline(&fitted.deviations), outline(&applied.deviations));
    check!(expected == found, "expected the deviations {expected:?}, found {found:?}");
    check!(
        applied.effective == fitted.effective,
        "expected to be told {:?} is stored, found {:?}",
        fitted.effective,
        applied.effective
    );
    bench.still_shows(&fitted.effective).await
}

async fn check_create_refused(
    bench: &Bench<'_>,
    config: &RecordCallbackConfig,
    fidelity: Fidelity,
) -> Result<(), Failure> {
    let result = bench.provider.create(config, fidelity).await;
    let error = refused(&format!("create ({fidelity})"), result, ErrorKind::Unsupported)?;
    check_named(bench, config, fidelity, &error)?;
    bench.still_absent(&config.key()).await
}

pub(crate) async fn create_exact_refuses_with_every_deviation_named_and_stores_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    check_create_refused(bench, &greedy, Fidelity::Exact).await
}

pub(crate) async fn create_widen_refuses_loss_and_stores_nothing(bench: &Bench<'_>) -> Result<(), Failure> {
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    check_create_refused(bench, &greedy, Fidelity::Widen).await
}

pub(crate) async fn create_best_effort_reports_every_loss_and_stores_the_rest(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    let applied = bench.provider.create(&greedy, Fidelity::BestEffort).await?;
    check_applied(bench, &greedy, &applied).await
}

pub(crate) async fn create_exact_takes_everything_where_every_wish_can_be_fulfilled(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    let applied = bench.create(&greedy).await?;
    check_applied(bench, &greedy, &applied).await
}

/// Builds a config that asks for an event that never comes alone.
fn widened(bench: &Bench<'_>) -> Result<RecordCallbackConfig, Failure> {
    let event = wishes::widened_event(bench.capabilities());
    bench.build(bench.draft(ANY, "widened").events(event))
}

pub(crate) async fn create_widen_accepts_more_events_and_reports_them(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let config = widened(bench)?;
    let applied = bench.provider.create(&config, Fidelity::Widen).await?;
    check_applied(bench, &config, &applied).await
}

pub(crate) async fn create_exact_refuses_more_events_and_stores_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    check_create_refused(bench, &widened(bench)?, Fidelity::Exact).await
}

pub(crate) async fn create_exact_takes_each_event_alone_where_each_is_switched_alone(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let events = wishes::all_events(bench.capabilities());
    for (i, event) in events.iter().enumerate() {
        let config = bench.build(bench.draft(ANY, "alone").events([event.clone()]))?;
        if i == 0 {
            bench.create(&config).await?;
        } else {
            bench.update(&config).await?;
        }
    }
    Ok(())
}

pub(crate) async fn create_never_stores_a_config_without_events(bench: &Bench<'_>) -> Result<(), Failure> {
    let capabilities = bench.capabilities();
    // What is lost, if anything is: a wish that may leave nothing at all.
    let event = wishes::lost_event(capabilities).into_iter().collect::<EventSet>();
    let events = if event.is_empty() { wishes::few_events(capabilities) } else { event };
    let config = bench.build(bench.draft(ANY, "nothing").events(events.iter().cloned()))?;
    let result = bench.provider.create(&config, Fidelity::BestEffort).await;
    if capabilities.events.delivered(&events).is_empty() {
        refused("create without a deliverable event", result, ErrorKind::Unsupported)?;
        bench.still_absent(&config.key()).await
    } else {
        check_applied(bench, &config, &result?).await
    }
}

pub(crate) async fn update_exact_refuses_with_every_deviation_named_and_changes_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let before = bench.plain(ANY, "before")?;
    bench.create(&before).await?;
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    let result = bench.provider.update(&greedy, Fidelity::Exact).await;
    let error = refused("update (exact)", result, ErrorKind::Unsupported)?;
    check_named(bench, &greedy, Fidelity::Exact, &error)?;
    bench.still_shows(&before).await
}

pub(crate) async fn update_best_effort_reports_every_loss_and_stores_the_rest(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "before")?).await?;
    let greedy = bench.build(bench.greedy_draft(ANY, "greedy")?)?;
    let applied = bench.provider.update(&greedy, Fidelity::BestEffort).await?;
    check_applied(bench, &greedy, &applied).await
}
