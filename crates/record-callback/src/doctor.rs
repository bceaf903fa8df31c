use std::sync::Arc;
use std::time::Duration;

use record_callback_core::{DomainName, Error};
use record_callback_http::doctor::{Check, Finding, Verdict};
use record_callback_http::{Env, OsEnv, RetryPolicy};
use serde::Serialize;

use crate::provider_config::ProviderConfig;

/// The finding that there is no setting, rather than a bad one: a cloud without a default address has none, and no region.
const NO_ADDRESS: &str = "endpoint";
/// The finding that no source has a key; the others are about one source each.
const ALL_SOURCES: &str = "all sources";

/// What was found out about one way to a cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The vendor.
    pub vendor: &'static str,
    /// Which cloud it is, as [`ProviderConfig::place_in`] says it.
    pub place: String,
    /// What was found, in the order it was looked at. What could not be looked at is not there.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether nothing failed.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Failed)
    }

    /// Whether there are settings and credentials at all, good ones or bad.
    pub fn is_set_up(&self) -> bool {
        let of = |check| self.findings.iter().filter(move |finding| finding.check == check);
        if let Some(settings) = of(Check::Config).next() {
            return settings.subject != NO_ADDRESS;
        }
        let tells = |source: &Finding| match source.verdict {
            Verdict::Open => false,
            Verdict::Failed => source.subject != ALL_SOURCES,
            _ => true,
        };
        of(Check::Credentials).any(tells)
    }
}

impl ProviderConfig {
    /// Looks at everything between here and the cloud, with defaults from this process's environment: where credentials
    /// come from, endpoints, the clock, the caller's rights and, if one is given, whether a domain is of the kind that
    /// callbacks are configured for. Nothing is changed, and no error ends it.
    ///
    /// ```
    /// use record_callback::ProviderConfig;
    /// use record_callback::http::FixedEnv;
    /// use record_callback::http::doctor::{Check, Verdict};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let cloud = record_callback_mock::MockAliyun::builder().start().await?;
    /// let config: ProviderConfig =
    ///     toml::from_str(&format!("vendor = 'aliyun'\nendpoint = '{}'", cloud.endpoint()))?;
    /// let env = FixedEnv::from_iter([
    ///     ("ALIBABA_CLOUD_CREDENTIALS_URI", cloud.credentials_uri()),
    ///     ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true".to_owned()),
    /// ]);
    ///
    /// let diagnosis = config.examine_in(env, None).await;
    /// assert!(diagnosis.is_well());
    /// let found = |check| diagnosis.findings.iter().filter(move |finding| finding.check == check);
    /// let used = found(Check::Credentials).find(|finding| finding.verdict == Verdict::Ok).ok_or("none")?;
    /// assert_eq!(used.subject, "credentials URI");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn examine(&self, domain: Option<&DomainName>) -> Diagnosis {
        self.examine_in(OsEnv, domain).await
    }

    /// The same, with defaults from `env`.
    pub async fn examine_in(&self, env: impl Env, domain: Option<&DomainName>) -> Diagnosis {
        let env: Arc<dyn Env> = Arc::new(env);
        let place = self.place_in(Arc::clone(&env));
        let findings = match self.client(env, self.quotas(), retry(), None) {
            Ok(client) => client.examine(domain).await,
            Err(error) => {
                // An address that is nowhere given is the only one it can be about.
                let is_missing = !self.has_endpoint() && is_about(&error, NO_ADDRESS);
                let subject = if is_missing { NO_ADDRESS } else { "settings" };
                vec![Finding::failed(Check::Config, subject, &error)]
            }
        };
        Diagnosis { vendor: self.vendor().as_str(), place, findings }
    }
}

impl ProviderConfig {
    fn has_endpoint(&self) -> bool {
        match self {
            Self::Aliyun(config) => config.endpoint.is_some(),
            Self::Huaweicloud(config) => config.endpoint.is_some(),
        }
    }
}

/// Whoever looks wants to know now: 2 attempts of at most 5 s each, 15 s in all.
fn retry() -> RetryPolicy {
    let (attempt, all) = (Duration::from_secs(5), Duration::from_secs(15));
    RetryPolicy::default().attempts(2).attempt_timeout(attempt).deadline(all)
}

/// Whether a value was refused that is called `field`.
fn is_about(error: &Error, field: &str) -> bool {
    error.message().strip_prefix(field).is_some_and(|rest| rest.starts_with(": "))
}

#[cfg(test)]
mod tests {
    use record_callback_http::FixedEnv;
    use record_callback_mock::{Fault, FaultKind, MockAliyun};

    use super::*;

    async fn examined(toml: &str, variables: &[(&str, &str)]) -> Diagnosis {
        let config: ProviderConfig = toml::from_str(toml).unwrap();
        let mut env = vec![("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
        env.extend_from_slice(variables);
        config.examine_in(FixedEnv::from_iter(env), None).await
    }

    #[tokio::test]
    async fn settings_that_are_bad_are_settings() {
        let nowhere = "/nowhere/ca.pem";
        for (toml, variables, is_set_up) in [
            ("vendor = 'huaweicloud'", &[][..], false),
            ("vendor = 'huaweicloud'\nproject_id = 'p1'", &[], false),
            ("vendor = 'huaweicloud'", &[("HW_REGION_NAME", "mars-1")], true),
            ("vendor = 'huaweicloud'\nregion = 'mars-1'", &[], true),
            ("vendor = 'huaweicloud'\nendpoint = 'http://live.example.com'", &[], true),
            ("vendor = 'huaweicloud'\nca_bundle = '/nowhere/ca.pem'", &[], true),
            ("vendor = 'aliyun'", &[("ALIBABA_CLOUD_CA_BUNDLE", nowhere)], true),
            ("vendor = 'aliyun'\nregion = 'mars-1'", &[], true),
        ] {
            let diagnosis = examined(toml, variables).await;
            assert_eq!(diagnosis.findings.len(), 1, "{diagnosis:#?}");
            assert_eq!(diagnosis.findings[0].check, Check::Config);
            assert!(!diagnosis.is_well());
            assert_eq!(diagnosis.is_set_up(), is_set_up, "{diagnosis:#?}");
        }
    }

    #[tokio::test]
    async fn a_source_that_fails_is_set_up_and_none_at_all_is_not() {
        let mock = MockAliyun::builder().start().await.unwrap();
        let toml = format!("vendor = 'aliyun'\nendpoint = '{}'", mock.endpoint());
        assert!(!examined(&toml, &[]).await.is_set_up());
        let half = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")];
        assert!(examined(&toml, &half).await.is_set_up());
        // The other vendor's key is found, and is of no use.
        let foreign = [
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", "HPUAABCDEFGH12345678"),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ];
        let diagnosis = examined(&toml, &foreign).await;
        assert!(diagnosis.is_set_up() && !diagnosis.is_well(), "{diagnosis:#?}");
    }

    #[tokio::test]
    async fn the_place_is_where_the_environment_leads() {
        let variables = [
            ("HW_REGION_NAME", "cn-north-4"),
            ("HUAWEICLOUD_SDK_REGION_LIVE_CN_NORTH_4", "http://127.0.0.1:9"),
        ];
        let metadata = ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", "http://127.0.0.1:9");
        let diagnosis = examined("vendor = 'huaweicloud'", &[variables[0], variables[1], metadata]).await;
        assert_eq!(diagnosis.place, "huaweicloud http://127.0.0.1:9");
    }

    #[tokio::test]
    async fn nobody_waits_for_more_than_a_second_attempt() {
        let mock = MockAliyun::builder().start().await.unwrap();
        let operation = "DescribeLiveUserDomains";
        mock.faults().add(Fault::new(FaultKind::Unavailable).operation(operation).until_cleared());
        let (id, secret) = (mock.access_key_id(), mock.access_key_secret());
        let key = [("ALIBABA_CLOUD_ACCESS_KEY_ID", id), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret)];
        let toml = format!("vendor = 'aliyun'\nendpoint = '{}'", mock.endpoint());
        assert!(!examined(&toml, &key).await.is_well());
        let requests = mock.requests();
        assert_eq!(requests.iter().filter(|one| one.operation() == Some(operation)).count(), 2);
    }
}
