use record_callback_core::{
    AppSelector, CallbackKey, DomainName, Error, ErrorKind, Fidelity, RecordCallbackConfig,
    RecordCallbackProviderExt,
};

use crate::bench::{ANY, Bench};
use crate::failure::{Failure, check};
use crate::wishes;

pub(crate) async fn a_domain_in_another_spelling_is_the_same_domain(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let spelled = DomainName::reported(&format!("{}.", bench.domain.as_str().to_uppercase()));
    let key = CallbackKey::new(spelled.clone(), AppSelector::reported(ANY));
    let config = bench.plain(ANY, "recorded")?;
    bench.create(&config).await?;
    let found = bench.provider.get(&key).await?;
    check!(
        found.is_some_and(|found| found.key == config.key()),
        "get of `{}` found nothing",
        spelled.spelling()
    );
    bench.lists(Some(&spelled), &[&config]).await?;
    bench.delete(&key).await?;
    bench.gone(&config.key()).await
}

/// A cloud that does not say which it is may call that a missing permission, but never a missing config.
pub(crate) async fn a_domain_the_account_lacks_is_an_error_of_every_call(
    bench: &Bench<'_>,
) -> Result<(), Failure> {
    let domain = bench.harness.foreign_domain().ok_or_else(Failure::not_applicable)?;
    let key = CallbackKey::any_app(domain.clone());
    let config = RecordCallbackConfig::builder(domain.as_str(), "https://cb.example.com/foreign")
        .events(wishes::few_events(bench.capabilities()).iter().cloned())
        .build()?;
    let provider = &bench.provider;
    let lacks = |call: &str, result: Result<(), Error>| match result {
        Err(error) if matches!(error.kind(), ErrorKind::DomainNotFound | ErrorKind::PermissionDenied) => {
            Ok(())
        }
        Err(error) => Err(Failure::new(format!("{call} on a domain the account lacks: {error}"))),
        Ok(()) => Err(Failure::new(format!("{call} on a domain the account lacks succeeded"))),
    };
    lacks("get", provider.get(&key).await.map(drop))?;
    lacks("list", provider.list(Some(&domain)).await.map(drop))?;
    lacks("create", provider.create(&config, Fidelity::Exact).await.map(drop))?;
    lacks("update", provider.update(&config, Fidelity::Exact).await.map(drop))?;
    lacks("delete", provider.delete(&key).await)?;
    lacks("put", provider.put(&config, Fidelity::Exact).await.map(drop))?;
    lacks("ensure_absent", provider.ensure_absent(&key, &bench.read_back()).await.map(drop))
}
