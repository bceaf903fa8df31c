use futures_util::future;
use record_callback_core::{ErrorKind, Fidelity};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};

pub(crate) async fn create_never_replaces_an_existing_config(bench: &Bench<'_>) -> Result<(), Failure> {
    let first = bench.plain(ANY, "first")?;
    bench.create(&first).await?;
    let second = bench.build(bench.full_draft(ANY, "second")?)?;
    for fidelity in [Fidelity::Exact, Fidelity::BestEffort] {
        let result = bench.provider.create(&second, fidelity).await;
        refused("a second create", result, ErrorKind::AlreadyExists)?;
    }
    bench.still_shows(&first).await?;
    bench.lists(Some(&bench.domain), &[&first]).await.map(drop)
}

pub(crate) async fn create_refuses_an_identical_config_too(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "same")?;
    bench.create(&config).await?;
    let result = bench.provider.create(&config, Fidelity::Exact).await;
    refused("a second create", result, ErrorKind::AlreadyExists)?;
    bench.still_shows(&config).await
}

pub(crate) async fn create_reports_what_it_stored(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    let applied = bench.create(&config).await?;
    check!(applied.effective == config, "expected {config:?}, found {:?}", applied.effective);
    check!(applied.deviations.is_empty(), "expected no deviations, found {:?}", applied.deviations);
    Ok(())
}

pub(crate) async fn of_two_concurrent_creates_exactly_one_wins(bench: &Bench<'_>) -> Result<(), Failure> {
    let (one, two) = (bench.plain(ANY, "one")?, bench.plain(ANY, "two")?);
    let (first, second) = future::join(
        bench.provider.create(&one, Fidelity::Exact),
        bench.provider.create(&two, Fidelity::Exact),
    )
    .await;
    let (winner, loser) = match (first, second) {
        (Ok(_), second) => (&one, second),
        (first, Ok(_)) => (&two, first),
        (Err(first), Err(_)) => return Err(first.into()),
    };
    refused("the create that came second", loser, ErrorKind::AlreadyExists)?;
    bench.still_shows(winner).await?;
    bench.lists(Some(&bench.domain), &[winner]).await.map(drop)
}

pub(crate) async fn create_of_a_named_app_leaves_the_wildcard_alone(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let (any, live) = (bench.plain(ANY, "any")?, bench.build(bench.full_draft("live", "live")?)?);
    bench.create(&any).await?;
    bench.create(&live).await?;
    bench.still_shows(&any).await?;
    bench.lists(Some(&bench.domain), &[&any, &live]).await.map(drop)
}

pub(crate) async fn create_of_a_named_app_is_unsupported_where_only_the_wildcard_exists(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let live = bench.plain("live", "live")?;
    for fidelity in [Fidelity::Exact, Fidelity::Widen, Fidelity::BestEffort] {
        let result = bench.provider.create(&live, fidelity).await;
        refused("create of a named app", result, ErrorKind::Unsupported)?;
    }
    bench.still_absent(&bench.key(ANY)).await
}

pub(crate) async fn create_settles_a_lost_answer_by_reading_back(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    bench.harness.faults().ok_or_else(Failure::not_applicable)?.lose_next_answer().await;
    let applied = bench.create(&config).await?;
    check!(applied.effective == config, "expected {config:?}, found {:?}", applied.effective);
    let stored = bench.shows(&config).await?;
    check!(applied.id == stored.id, "create gave the id {:?}, reading shows {:?}", applied.id, stored.id);
    bench.lists(Some(&bench.domain), &[&config]).await.map(drop)
}

pub(crate) async fn create_that_is_throttled_is_made_again(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    bench.harness.faults().ok_or_else(Failure::not_applicable)?.throttle_next_call().await;
    bench.create(&config).await?;
    bench.lists(Some(&bench.domain), &[&config]).await.map(drop)
}

pub(crate) async fn create_that_is_denied_is_refused_and_creates_nothing(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let config = bench.plain(ANY, "recorded")?;
    bench.harness.faults().ok_or_else(Failure::not_applicable)?.deny_next_call().await;
    let result = bench.provider.create(&config, Fidelity::Exact).await;
    refused("a create without permission", result, ErrorKind::PermissionDenied)?;
    bench.still_absent(&bench.key(ANY)).await
}

pub(crate) async fn create_stores_an_on_demand_url(bench: &Bench<'_>) -> Result<(), Failure> {
    let draft = bench.draft(ANY, "recorded").on_demand_url("https://od.example.com/ask");
    bench.create(&bench.build(draft)?).await.map(drop)
}

pub(crate) async fn create_exact_refuses_an_on_demand_url_where_there_are_none(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let draft = bench.draft(ANY, "recorded").on_demand_url("https://od.example.com/ask");
    let result = bench.provider.create(&bench.build(draft)?, Fidelity::Exact).await;
    refused("create with an on-demand URL", result, ErrorKind::Unsupported)?;
    bench.still_absent(&bench.key(ANY)).await
}
