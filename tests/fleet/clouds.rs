//! Both mock clouds, and manifests for the program to use them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use record_callback_mock::{AliyunConfig, HuaweicloudConfig, MockAliyun, MockHuaweicloud};
use tempfile::TempDir;

use crate::support::KEY;

/// Where a callback is and what it is there, of what matters to somebody who waits for events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Config {
    pub(crate) provider: &'static str,
    pub(crate) domain: String,
    pub(crate) app: String,
    pub(crate) notify_url: String,
    pub(crate) key: String,
}

impl Config {
    /// A config for every app, signed with the key of the tests.
    pub(crate) fn new(provider: &'static str, domain: &str, notify_url: &str) -> Self {
        let (domain, app) = (domain.to_owned(), "*".to_owned());
        Self { provider, domain, app, notify_url: notify_url.to_owned(), key: KEY.to_owned() }
    }
}

/// Two clouds, called `ali` and `hw`, and a directory with a manifest.
#[derive(Debug)]
pub(crate) struct Clouds {
    pub(crate) aliyun: MockAliyun,
    pub(crate) huaweicloud: MockHuaweicloud,
    pub(crate) directory: TempDir,
}

impl Clouds {
    pub(crate) async fn start() -> Self {
        Self {
            aliyun: MockAliyun::builder().start().await.expect("the mock starts"),
            huaweicloud: MockHuaweicloud::builder().start().await.expect("the mock starts"),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.directory.path().join("fleet.toml")
    }

    /// Writes a manifest with these callbacks.
    pub(crate) fn declare(&self, callbacks: &str) {
        let mut text = String::new();
        let (aliyun, huaweicloud) = (&self.aliyun, &self.huaweicloud);
        write!(
            text,
            r#"[providers.ali]
vendor = "aliyun"
endpoint = "{}"
calls_per_second = 100000
credentials = {{ source = "access_key", id = "{}", secret = "{}" }}

[providers.hw]
vendor = "huaweicloud"
endpoint = "{}"
project_id = "{}"
calls_per_minute = 6000000
credentials = {{ source = "access_key", id = "{}", secret = "{}" }}

[defaults]
signing = {{ scheme = {{ ali = "md5", hw = "hmac_sha256" }}, key = {{ env = "CALLBACK_KEY" }} }}

{callbacks}"#,
            aliyun.endpoint(),
            aliyun.access_key_id(),
            aliyun.access_key_secret(),
            huaweicloud.endpoint(),
            huaweicloud.project_id(),
            huaweicloud.access_key(),
            huaweicloud.secret_key(),
        )
        .expect("text grows");
        fs::write(self.manifest(), text).expect("a writable directory");
    }

    /// Everything that is configured, in order.
    pub(crate) fn configs(&self) -> Vec<Config> {
        let aliyun = self.aliyun.configs().into_iter().map(|config: AliyunConfig| Config {
            provider: "ali",
            domain: config.domain_name,
            app: "*".to_owned(),
            notify_url: config.notify_url,
            key: config.notify_auth_key.unwrap_or_default(),
        });
        let huaweicloud = self.huaweicloud.configs().into_iter().map(|config: HuaweicloudConfig| Config {
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

    /// Runs the program on the manifest, with `variables` beside the signing key.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, String)]) -> Output {
        let mut command = record_callback_tests::command();
        command.args(arguments).arg("--manifest").arg(self.manifest()).env("CALLBACK_KEY", KEY);
        command.envs(variables.iter().cloned()).output().expect("the program runs")
    }

    /// Runs the program, which has to succeed.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

pub(crate) fn shown(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{stdout}\n{stderr}", output.status)
}
