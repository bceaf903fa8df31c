//! Both mock clouds, and manifests for the program to use them.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use record_callback_mock::{
    AliyunConfig, HuaweicloudConfig, MockAliyun, MockAliyunBuilder, MockHuaweicloud, MockHuaweicloudBuilder,
};
use tempfile::TempDir;

use crate::process::command;

/// The key that callbacks are signed with.
pub const CALLBACK_KEY: &str = "Abcdefgh12345678Abcdefgh12345678";
/// The environment variable with that key.
const KEY_VARIABLE: &str = "CALLBACK_KEY";

/// Where a callback is and what it is there, of what matters to somebody who waits for events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedConfig {
    /// What the manifest calls the cloud.
    pub provider: &'static str,
    /// The domain.
    pub domain: String,
    /// `*` for every app.
    pub app: String,
    /// Where events go.
    pub notify_url: String,
    /// What they are signed with; empty if they are not.
    pub key: String,
}

impl PlacedConfig {
    /// A config for every app, signed with the key of the tests.
    #[must_use]
    pub fn new(provider: &'static str, domain: &str, notify_url: &str) -> Self {
        let (domain, app) = (domain.to_owned(), "*".to_owned());
        Self { provider, domain, app, notify_url: notify_url.to_owned(), key: CALLBACK_KEY.to_owned() }
    }
}

/// Two clouds, called `ali` and `hw`, and a directory with a manifest.
#[derive(Debug)]
pub struct FleetClouds {
    /// `ali`
    pub aliyun: MockAliyun,
    /// `hw`
    pub huaweicloud: MockHuaweicloud,
    /// With the manifest, and what is kept beside it.
    pub directory: TempDir,
}

impl FleetClouds {
    /// Both take any domain.
    pub async fn start() -> Self {
        Self::start_as(MockAliyun::builder(), MockHuaweicloud::builder()).await
    }

    /// The given mocks.
    pub async fn start_as(aliyun: MockAliyunBuilder, huaweicloud: MockHuaweicloudBuilder) -> Self {
        Self {
            aliyun: aliyun.start().await.expect("the mock starts"),
            huaweicloud: huaweicloud.start().await.expect("the mock starts"),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Where the manifest is.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.directory.path().join("fleet.toml")
    }

    /// A manifest with these callbacks, with quotas that hold nobody up. Credentials come from
    /// [the environment](Self::environment).
    #[must_use]
    pub fn manifest_of(&self, callbacks: &str) -> String {
        let (aliyun, huaweicloud) = (&self.aliyun, &self.huaweicloud);
        format!(
            r#"[providers.ali]
vendor = "aliyun"
endpoint = "{}"
calls_per_second = 100000

[providers.hw]
vendor = "huaweicloud"
endpoint = "{}"
project_id = "{}"
calls_per_minute = 6000000

[defaults]
signing = {{ scheme = {{ ali = "md5", hw = "hmac_sha256" }}, key = {{ env = "{KEY_VARIABLE}" }} }}

{callbacks}"#,
            aliyun.endpoint(),
            huaweicloud.endpoint(),
            huaweicloud.project_id(),
        )
    }

    /// Writes a manifest with these callbacks.
    pub fn declare(&self, callbacks: &str) {
        fs::write(self.manifest(), self.manifest_of(callbacks)).expect("a writable directory");
    }

    /// What manifests refer to, and the credentials.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 7] {
        let (aliyun, huaweicloud) = (&self.aliyun, &self.huaweicloud);
        [
            (KEY_VARIABLE, CALLBACK_KEY),
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", aliyun.access_key_id()),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", aliyun.access_key_secret()),
            ("HUAWEICLOUD_SDK_AK", huaweicloud.access_key()),
            ("HUAWEICLOUD_SDK_SK", huaweicloud.secret_key()),
            ("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", aliyun.sts_endpoint()),
            ("HUAWEICLOUD_SDK_STS_ENDPOINT", huaweicloud.sts_endpoint()),
        ]
    }

    /// Everything that is configured, in order.
    #[must_use]
    pub fn configs(&self) -> Vec<PlacedConfig> {
        let aliyun = self.aliyun.configs().into_iter().map(|config: AliyunConfig| PlacedConfig {
            provider: "ali",
            domain: config.domain_name,
            app: "*".to_owned(),
            notify_url: config.notify_url,
            key: config.notify_auth_key.unwrap_or_default(),
        });
        let huaweicloud =
            self.huaweicloud.configs().into_iter().map(|config: HuaweicloudConfig| PlacedConfig {
                provider: "hw",
                domain: config.publish_domain,
                app: config.app,
                notify_url: config.notify_callback_url.unwrap_or_default(),
                key: config.key.unwrap_or_default(),
            });
        let mut configs: Vec<_> = aliyun.chain(huaweicloud).collect();
        configs.sort();
        configs
    }

    /// Runs the program on the manifest, with `variables` in addition.
    #[must_use]
    pub fn run(&self, arguments: &[&str], variables: &[(&str, String)]) -> Output {
        let mut command = command();
        command.args(arguments).arg("--manifest").arg(self.manifest()).envs(self.environment());
        command.envs(variables.iter().cloned()).output().expect("the program runs")
    }

    /// Runs the program, which has to succeed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) {
        let output = self.run(arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
    }
}

/// How a run ended and what it said, for failed assertions.
#[must_use]
pub fn shown(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{stdout}\n{stderr}", output.status)
}
