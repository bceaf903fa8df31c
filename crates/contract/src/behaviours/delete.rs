use record_callback_core::ErrorKind;

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, refused};

pub(crate) async fn delete_removes_the_config_and_it_can_be_created_again(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.build(bench.full_draft(ANY, "first")?)?).await?;
    bench.delete(&bench.key(ANY)).await?;
    bench.still_absent(&bench.key(ANY)).await?;
    bench.lists(Some(&bench.domain), &[]).await?;
    // Nothing of the old config may be left in the new one.
    bench.create(&bench.plain(ANY, "second")?).await.map(drop)
}

pub(crate) async fn delete_of_a_missing_config_is_not_found(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "recorded")?;
    refused("delete of nothing", bench.provider.delete(&config.key()).await, ErrorKind::NotFound)?;
    bench.create(&config).await?;
    bench.delete(&config.key()).await?;
    refused("a second delete", bench.provider.delete(&config.key()).await, ErrorKind::NotFound).map(drop)
}

pub(crate) async fn delete_that_lost_its_answer_is_done(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "recorded")?;
    bench.create(&config).await?;
    bench.harness.faults().ok_or_else(Failure::not_applicable)?.lose_next_answer().await;
    bench.delete(&config.key()).await?;
    bench.still_absent(&config.key()).await
}

pub(crate) async fn delete_leaves_other_domains_alone(bench: &Bench<'_>) -> Result<(), Failure> {
    let (here, there) = (bench.plain(ANY, "here")?, bench.plain_elsewhere("there")?);
    bench.create(&here).await?;
    bench.create(&there).await?;
    bench.delete(&here.key()).await?;
    bench.still_shows(&there).await
}

pub(crate) async fn delete_leaves_other_configs_of_the_domain_alone(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let (any, live, vod) =
        (bench.plain(ANY, "any")?, bench.plain("live", "live")?, bench.plain("vod", "vod")?);
    for config in [&any, &live, &vod] {
        bench.create(config).await?;
    }
    bench.delete(&live.key()).await?;
    bench.lists(Some(&bench.domain), &[&any, &vod]).await?;
    bench.delete(&any.key()).await?;
    bench.still_shows(&vod).await?;
    bench.lists(Some(&bench.domain), &[&vod]).await.map(drop)
}

pub(crate) async fn delete_does_not_fall_back_to_another_app(bench: &Bench<'_>) -> Result<(), Failure> {
    for (there, missing) in [(ANY, "live"), ("live", ANY), ("live", "live2")] {
        let config = bench.plain(there, "there")?;
        bench.create(&config).await?;
        let result = bench.provider.delete(&bench.key(missing)).await;
        refused(&format!("delete of `{missing}` beside `{there}`"), result, ErrorKind::NotFound)?;
        bench.still_shows(&config).await?;
        bench.delete(&config.key()).await?;
    }
    Ok(())
}

pub(crate) async fn delete_of_a_named_app_is_unsupported_where_only_the_wildcard_exists(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let any = bench.plain(ANY, "any")?;
    bench.create(&any).await?;
    let result = bench.provider.delete(&bench.key("live")).await;
    refused("delete of a named app", result, ErrorKind::Unsupported)?;
    bench.still_shows(&any).await
}
