use record_callback_core::StoredCallback;

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check};

pub(crate) async fn list_of_a_domain_without_configs_is_empty(bench: &Bench<'_>) -> Result<(), Failure> {
    bench.create(&bench.plain_elsewhere("neighbour")?).await?;
    bench.lists(Some(&bench.domain), &[]).await.map(drop)
}

pub(crate) async fn list_of_a_domain_has_its_configs_only(bench: &Bench<'_>) -> Result<(), Failure> {
    let (here, there) = (bench.plain(ANY, "here")?, bench.plain_elsewhere("there")?);
    bench.create(&here).await?;
    bench.create(&there).await?;
    bench.lists(Some(&bench.domain), &[&here]).await?;
    bench.lists(Some(&bench.other_domain), &[&there]).await.map(drop)
}

pub(crate) async fn list_of_everything_has_the_configs_of_every_domain(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let (here, there) = (bench.plain(ANY, "here")?, bench.plain_elsewhere("there")?);
    bench.create(&here).await?;
    bench.create(&there).await?;
    bench.lists(None, &[&here, &there]).await.map(drop)
}

pub(crate) async fn list_shows_what_get_shows(bench: &Bench<'_>) -> Result<(), Failure> {
    // Times are left out: a cloud may tell them in one answer and not in the other.
    let without_times =
        |stored: StoredCallback| StoredCallback { created_at: None, updated_at: None, ..stored };
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    bench.create(&config).await?;
    let got = without_times(bench.shows(&config).await?);
    for scope in [Some(&bench.domain), None] {
        for listed in bench.lists(scope, &[&config]).await? {
            let listed = without_times(listed);
            check!(listed == got, "get shows {got:?}, the list has {listed:?}");
        }
    }
    Ok(())
}

pub(crate) async fn list_reads_all_pages_and_has_each_config_once(bench: &Bench<'_>) -> Result<(), Failure> {
    let mut created = vec![bench.plain(ANY, "any")?];
    for i in 1..bench.harness.more_than_a_page() {
        created.push(bench.plain(&format!("app-{i}"), &format!("app-{i}"))?);
    }
    for config in &created {
        bench.create(config).await?;
    }
    let created: Vec<_> = created.iter().collect();
    bench.lists(Some(&bench.domain), &created).await?;
    bench.lists(None, &created).await.map(drop)
}
