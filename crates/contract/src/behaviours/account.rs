use std::sync::Arc;

use record_callback_core::{AccountId, Fidelity, RecordCallbackProvider};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check};

pub(crate) async fn the_account_is_the_same_each_time(bench: &Bench<'_>) -> Result<(), Failure> {
    let before = bench.provider.account().await?;
    let config = bench.plain(ANY, "recorded")?;
    bench.create(&config).await?;
    let after = bench.provider.account().await?;
    check!(before == after, "expected the account {}, found {}", named(before), named(after));
    bench.still_shows(&config).await
}

pub(crate) async fn another_account_is_told_apart(bench: &Bench<'_>) -> Result<(), Failure> {
    let (ours, theirs) = (bench.provider.account().await?, other(bench)?.account().await?);
    check!(ours.is_none() || ours != theirs, "both accounts are called {}", named(ours));
    Ok(())
}

/// An error says that they cannot be seen as well as an answer without them.
pub(crate) async fn another_account_sees_none_of_our_configs(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "recorded")?;
    bench.create(&config).await?;
    let other = other(bench)?;
    let key = config.key();
    let read = other.get(&key).await.ok().flatten();
    check!(read.is_none(), "another account reads our config of {key}");
    for domain in [None, Some(&key.domain)] {
        let listed = other.list(domain).await.unwrap_or_default();
        check!(listed.iter().all(|stored| stored.key != key), "another account lists our config of {key}");
    }
    Ok(())
}

pub(crate) async fn another_account_changes_none_of_our_configs(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "recorded")?;
    bench.create(&config).await?;
    let other = other(bench)?;
    let theirs = bench.build(bench.draft(ANY, "theirs"))?;
    check!(other.update(&theirs, Fidelity::BestEffort).await.is_err(), "another account's update is done");
    check!(other.delete(&config.key()).await.is_err(), "another account's delete is done");
    bench.still_shows(&config).await
}

fn other(bench: &Bench<'_>) -> Result<Arc<dyn RecordCallbackProvider>, Failure> {
    bench.harness.other_account().ok_or_else(Failure::not_applicable)
}

fn named(account: Option<AccountId>) -> String {
    account.map_or_else(|| "nothing".to_owned(), |account| account.to_string())
}
