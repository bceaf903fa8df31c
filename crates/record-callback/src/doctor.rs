use record_callback_core::DomainName;
use record_callback_http::doctor::{Check, Finding, Verdict};
use record_callback_http::{Env, OsEnv};
use serde::Serialize;

use crate::provider_config::ProviderConfig;

/// What was found out about one way to a cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The vendor.
    pub vendor: &'static str,
    /// Which cloud it is, as [`ProviderConfig::place`] says it.
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
        let has_key = of(Check::Credentials).any(|finding| finding.verdict == Verdict::Ok);
        // The last one says that there are none.
        let fails = of(Check::Credentials).filter(|finding| finding.verdict == Verdict::Failed).count() > 1;
        of(Check::Config).next().is_none() && (has_key || fails)
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
        let quotas = self.quotas();
        let findings = match self {
            Self::Aliyun(config) => match config.client(env, quotas) {
                Ok(client) => client.examine(domain).await,
                Err(error) => vec![Finding::failed(Check::Config, "settings", &error)],
            },
            Self::Huaweicloud(config) => match config.client(env, quotas) {
                Ok(client) => client.examine(domain).await,
                Err(error) => vec![Finding::failed(Check::Config, "settings", &error)],
            },
        };
        Diagnosis { vendor: self.vendor().as_str(), place: self.place(), findings }
    }
}
