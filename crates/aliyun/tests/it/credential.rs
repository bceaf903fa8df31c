//! Where access keys come from, against the mock cloud: every source gives a key the cloud takes.

mod chain;
mod choice;
mod logins;
mod messages;
mod metadata;
mod profiles;
mod renewal;
mod rotation;
#[cfg(unix)]
mod uri;
mod variables;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use record_callback_aliyun::{AliyunClient, default_chain, environment, from_env, profile};
use record_callback_core::{Error, Result};
use record_callback_http::{
    AccessKey, Clock, CredentialProvider, FixedEnv, Miss, RetryPolicy, SourceContext, SourceReport,
    StaticCredentials,
};
use record_callback_mock::{
    AliyunConfig, Clock as MockClock, MockAliyun, MockAliyunBuilder, ReceivedRequest,
};
use tempfile::TempDir;

const DOMAIN: &str = "live.example.com";
/// In every secret of these tests.
const CANARY: &str = "s3cr3tc4n4ry";
const SECRET: &str = "s3cr3tc4n4ry0123456789";
const KEY_ID: &str = "LTAI5tMockMockMock";

const CLI_FILE: &str = ".aliyun/config.json";
const INI_FILE: &str = ".alibabacloud/credentials.ini";

/// The mock's clock, by which the client lives, too, or is off by so much.
#[derive(Debug)]
struct Shared {
    clock: MockClock,
    ahead: SignedDuration,
}

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.ahead
    }
}

/// A machine with a home directory and an environment, and the cloud it talks to.
struct Machine {
    cloud: MockAliyun,
    home: TempDir,
    env: BTreeMap<String, String>,
    ahead: SignedDuration,
}

impl Machine {
    async fn new() -> Self {
        Self::with(|cloud| cloud).await
    }

    async fn with(set_up: impl FnOnce(MockAliyunBuilder) -> MockAliyunBuilder) -> Self {
        let clock = MockClock::fixed("2026-01-02T03:04:05Z".parse().unwrap());
        let cloud = MockAliyun::builder().access_key(KEY_ID, SECRET).clock(clock);
        let cloud = set_up(cloud).start().await.unwrap();
        cloud.put_config(AliyunConfig::new(DOMAIN, "http://cb.example.com/n"));
        let home = tempfile::tempdir().unwrap();
        let mut machine = Self { home, env: BTreeMap::new(), ahead: SignedDuration::ZERO, cloud };
        let home = machine.home.path().display().to_string();
        machine.set("HOME", home.as_str());
        machine.set("USERPROFILE", home);
        machine.set("RECORD_CALLBACK_ALIYUN_STS_ENDPOINT", machine.cloud.sts_endpoint().to_owned());
        machine.set("RECORD_CALLBACK_ALIYUN_METADATA_ENDPOINT", machine.cloud.metadata_endpoint().to_owned());
        machine
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    fn unset(&mut self, name: &str) {
        self.env.remove(name);
    }

    /// Writes a file in the home directory and returns its path.
    fn write(&self, path: &str, text: impl AsRef<str>) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text.as_ref()).unwrap();
        path
    }

    /// Writes the command line's file with these profiles, the first of which is the current one.
    fn write_profiles(&self, profiles: &[(&str, &str)]) {
        let all: Vec<_> =
            profiles.iter().map(|(name, fields)| format!(r#"{{"name":"{name}",{fields}}}"#)).collect();
        let text = format!(r#"{{"current":"{}","profiles":[{}]}}"#, profiles[0].0, all.join(",\n"));
        self.write(CLI_FILE, text);
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.home.path().join(path)).unwrap();
    }

    fn context(&self) -> SourceContext {
        SourceContext {
            env: Arc::new(FixedEnv::from_iter(self.env.clone())),
            clock: Arc::new(self.clock()),
            retry: RetryPolicy::none(),
            ..SourceContext::default()
        }
    }

    fn clock(&self) -> Shared {
        Shared { clock: self.cloud.clock().clone(), ahead: self.ahead }
    }

    fn pass(&self, minutes: i64) {
        self.cloud.clock().advance(SignedDuration::from_mins(minutes));
    }

    /// Makes a call of the API with the credentials.
    async fn call(&self, credentials: impl CredentialProvider) -> Result<()> {
        self.client(credentials).describe_live_record_notify_config(DOMAIN).await.map(drop)
    }

    fn client(&self, credentials: impl CredentialProvider) -> AliyunClient {
        AliyunClient::builder()
            .endpoint(self.cloud.endpoint())
            .credentials(credentials)
            .env(FixedEnv::default())
            .retry(RetryPolicy::none())
            .clock(self.clock())
            .build()
            .unwrap()
    }

    /// Where the chain's key is from, after a call with it.
    async fn origin(&self) -> Result<String> {
        let chain = default_chain(&self.context());
        self.call(chain.clone()).await?;
        let key = chain.access_key().await?;
        let last = self.cloud.requests().pop().unwrap();
        assert_eq!(param(&last, "AccessKeyId"), key.id());
        // Files are named without the directory they happen to be in.
        let home = format!("{}{}", self.home.path().display(), std::path::MAIN_SEPARATOR);
        Ok(key.origin().unwrap().replace(&home, "~/"))
    }

    /// The words of each source of the chain, none of which has a key.
    async fn said(&self) -> String {
        let mut said = Vec::new();
        let chain = default_chain(&self.context());
        assert!(chain.access_key().await.is_err());
        for SourceReport { name, result } in chain.examine().await {
            match result {
                Some(Err(Miss::Failed(error) | Miss::Refused(error))) => {
                    said.push(format!("{name}: {}", self.shown(&error)));
                }
                Some(Err(miss)) => said.push(format!("{name}: {miss}")),
                Some(Ok(_)) | None => {}
            }
        }
        let home = format!("{}{}", self.home.path().display(), std::path::MAIN_SEPARATOR);
        said.join("; ").replace(&home, "~/") + ";"
    }

    /// What is said of the profile `name`, which does not work.
    async fn refusal(&self, name: &str) -> String {
        let error = profile(&self.context(), name).access_key().await.unwrap_err();
        self.shown(&error)
    }

    /// An error's text, after a look that no secret is anywhere in it.
    fn shown(&self, error: &Error) -> String {
        let mut all = format!("{error}\n{error:?}\n{error:#?}\n");
        let mut source = error.source();
        while let Some(cause) = source {
            writeln!(all, "{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
        assert!(!all.contains(CANARY), "{all}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
        let home = format!("{}{}", self.home.path().display(), std::path::MAIN_SEPARATOR);
        error.to_string().replace(&home, "~/")
    }

    /// The environment, file and identity provider of an OIDC role.
    fn with_oidc(&mut self) -> PathBuf {
        let token = self.write("token", self.cloud.issue_oidc_token());
        self.set("ALIBABA_CLOUD_ROLE_ARN", self.cloud.role_arn().to_owned());
        self.set("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", self.cloud.oidc_provider_arn().to_owned());
        self.set("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.display().to_string());
        token
    }

    /// The operations STS was asked for, and with which key.
    fn sts(&self) -> Vec<(String, String)> {
        let said = |request: &ReceivedRequest| {
            (request.operation().unwrap_or_default().to_owned(), param(request, "AccessKeyId"))
        };
        self.cloud.sts_requests().iter().map(said).collect()
    }
}

/// A parameter of a request, from query or form; empty if it is not there.
fn param(request: &ReceivedRequest, name: &str) -> String {
    let body = String::from_utf8_lossy(request.body());
    let pairs = request.query().split('&').chain(body.split('&'));
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(other, _)| *other == name);
    let value = value.map(|(_, value)| percent_encoding::percent_decode_str(value).decode_utf8().unwrap());
    value.unwrap_or_default().into_owned()
}

/// The fields of the account's own key, in a profile.
fn own_key() -> String {
    format!(r#""access_key_id":"{KEY_ID}","access_key_secret":"{SECRET}""#)
}
