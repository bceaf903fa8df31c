use std::collections::BTreeSet;

use record_callback_core::{CallbackKey, ErrorKind, OnDemandSupport};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check, refused};

/// Characters that get lost where URLs are decoded, encoded or normalised once too often.
/// There is no query: not every vendor takes one.
const AWKWARD_PATH: &str = "录制/a%2Fb%20c/+~;x=1,2/%E7%9B%B4";
/// App names that collapse into one another where names are encoded or decoded carelessly.
const AWKWARD_APPS: [&str; 6] = ["live-1_2.3", "a+b", "a%2Bb", "a&b=c", "直播", "%E7%9B%B4%E6%92%AD"];

pub(crate) async fn get_of_a_missing_config_is_none(bench: &Bench<'_>) -> Result<(), Failure> {
    for domain in [&bench.domain, &bench.other_domain] {
        let found = bench.provider.get(&CallbackKey::any_app(domain.clone())).await?;
        check!(found.is_none(), "expected no config of {domain}, found one");
    }
    // With a neighbour in place there is something a careless lookup could find.
    bench.create(&bench.plain_elsewhere("neighbour")?).await?;
    bench.still_absent(&bench.key(ANY)).await
}

pub(crate) async fn get_shows_every_field(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.build(bench.full_draft(ANY, "recorded")?)?;
    bench.create(&config).await.map(drop)
}

pub(crate) async fn get_shows_urls_exactly_as_written(bench: &Bench<'_>) -> Result<(), Failure> {
    let mut draft = bench.draft(ANY, AWKWARD_PATH);
    if bench.capabilities().on_demand_url == OnDemandSupport::Documented {
        draft = draft.on_demand_url(format!("http://OD.example.com:8080/{AWKWARD_PATH}"));
    }
    bench.create(&bench.build(draft)?).await.map(drop)
}

pub(crate) async fn get_of_a_named_app_does_not_fall_back_to_the_wildcard(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.plain(ANY, "any")?).await?;
    bench.still_absent(&bench.key("live")).await
}

pub(crate) async fn get_of_the_wildcard_does_not_fall_back_to_a_named_app(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    bench.create(&bench.plain("live", "live")?).await?;
    bench.still_absent(&bench.key(ANY)).await
}

pub(crate) async fn get_tells_similar_app_names_apart(bench: &Bench<'_>) -> Result<(), Failure> {
    let mut created = Vec::new();
    for (i, app) in AWKWARD_APPS.into_iter().enumerate() {
        bench.still_absent(&bench.key(app)).await?;
        let config = bench.plain(app, &format!("app-{i}"))?;
        bench.create(&config).await?;
        created.push(config);
    }
    for config in &created {
        bench.shows(config).await?;
    }
    bench.lists(Some(&bench.domain), &created.iter().collect::<Vec<_>>()).await.map(drop)
}

pub(crate) async fn get_of_a_named_app_is_unsupported_where_only_the_wildcard_exists(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let named = bench.key("live");
    refused("get of a named app", bench.provider.get(&named).await, ErrorKind::Unsupported)?;
    bench.create(&bench.plain(ANY, "any")?).await?;
    let found = bench.provider.get(&named).await;
    refused("get of a named app beside the wildcard", found, ErrorKind::Unsupported).map(drop)
}

pub(crate) async fn each_config_has_an_id_of_its_own(bench: &Bench<'_>) -> Result<(), Failure> {
    let mut ids = BTreeSet::new();
    for config in [bench.plain(ANY, "one")?, bench.plain_elsewhere("two")?] {
        let applied = bench.create(&config).await?;
        let stored = bench.shows(&config).await?;
        let Some(id) = stored.id else {
            return Err(Failure::new(format!("expected an id of {}, found none", stored.key)));
        };
        check!(!id.as_str().is_empty(), "expected an id of {}, found an empty one", stored.key);
        check!(
            applied.id.as_ref() == Some(&id),
            "create gave {} the id {:?}, reading shows {id}",
            stored.key,
            applied.id
        );
        check!(ids.insert(id.clone()), "two configs have the id {id}");
    }
    Ok(())
}

pub(crate) async fn no_config_has_an_id_where_the_vendor_has_none(bench: &Bench<'_>) -> Result<(), Failure> {
    let config = bench.plain(ANY, "one")?;
    let applied = bench.create(&config).await?;
    check!(applied.id.is_none(), "expected no id from create, found {:?}", applied.id);
    let stored = bench.shows(&config).await?;
    check!(stored.id.is_none(), "expected no id in a stored config, found {:?}", stored.id);
    Ok(())
}
