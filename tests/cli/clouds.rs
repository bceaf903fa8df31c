//! Clouds to talk to: `record-callback mock` as a process, or the mocks in this process, which tell what they saw.

use record_callback_mock::{MockAliyun, MockAliyunBuilder, MockHuaweicloud, MockHuaweicloudBuilder};
use record_callback_tests::{Ended, Process};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::program::Program;

pub(crate) const ALIYUN_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
pub(crate) const ALIYUN_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
pub(crate) const ALIYUN_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";
pub(crate) const HUAWEICLOUD_ID: &str = "HUAWEICLOUD_SDK_AK";
pub(crate) const HUAWEICLOUD_SECRET: &str = "HUAWEICLOUD_SDK_SK";
pub(crate) const HUAWEICLOUD_TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";
pub(crate) const HUAWEICLOUD_PROJECT: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
pub(crate) const HUAWEICLOUD_IAM: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";

/// The program for Aliyun at `endpoint`, with a key in the environment.
pub(crate) fn aliyun(endpoint: &str, id: &str, secret: &str) -> Program {
    Program::default()
        .options(&["--vendor", "aliyun", "--endpoint", endpoint])
        .var(ALIYUN_ID, id)
        .secret(ALIYUN_SECRET, secret)
}

/// The program for Huawei Cloud at `endpoint`, with a key in the environment and no project.
pub(crate) fn huaweicloud(endpoint: &str, access_key: &str, secret_key: &str) -> Program {
    Program::default()
        .options(&["--vendor", "huaweicloud", "--endpoint", endpoint])
        .var(HUAWEICLOUD_ID, access_key)
        .secret(HUAWEICLOUD_SECRET, secret_key)
}

/// A process of `record-callback mock`; killed when dropped, unless it has ended.
pub(crate) struct MockProcess {
    process: Process,
    ready_line: String,
    ready: Value,
}

impl MockProcess {
    /// Starts it and waits for the ready line.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut mock = Self::spawn(arguments);
        mock.ready_line = mock.process.line();
        mock.ready = serde_json::from_str(&mock.ready_line).expect("JSON");
        mock
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(arguments: &[&str]) -> Self {
        let process = Process::spawn(Program::default().command(&[&["mock"], arguments].concat()));
        Self { process, ready_line: String::new(), ready: Value::Null }
    }

    /// The ready line as it was printed.
    pub(crate) fn ready_line(&self) -> &str {
        &self.ready_line
    }

    /// A text of the ready line, such as `/aliyun/endpoint`.
    #[track_caller]
    pub(crate) fn ready(&self, pointer: &str) -> &str {
        self.ready.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}"))
    }

    /// The program with all it needs to use the mock Aliyun.
    pub(crate) fn aliyun(&self) -> Program {
        let [endpoint, id, secret] = ["endpoint", "access_key_id", "access_key_secret"]
            .map(|name| self.ready(&format!("/aliyun/{name}")));
        aliyun(endpoint, id, secret)
    }

    /// The program with all it needs to use the mock Huawei Cloud.
    pub(crate) fn huaweicloud(&self) -> Program {
        let [endpoint, access_key, secret_key, project] =
            ["endpoint", "access_key", "secret_key", "project_id"]
                .map(|name| self.ready(&format!("/huaweicloud/{name}")));
        huaweicloud(endpoint, access_key, secret_key).options(&["--project-id", project])
    }

    /// Sends `signal`, such as `TERM`, and waits for the end.
    pub(crate) fn stop(self, signal: &str) -> Ended {
        self.process.stop(signal)
    }

    /// Waits for the end.
    pub(crate) fn end(self) -> Ended {
        self.process.end()
    }
}

/// Both mock clouds in this process.
pub(crate) struct Clouds {
    pub(crate) aliyun: MockAliyun,
    pub(crate) huaweicloud: MockHuaweicloud,
    /// After the mocks: they run on it.
    _runtime: Runtime,
}

impl Clouds {
    /// Any domain, one permanent key each.
    pub(crate) fn start() -> Self {
        Self::start_as(MockAliyun::builder(), MockHuaweicloud::builder())
    }

    pub(crate) fn start_as(aliyun: MockAliyunBuilder, huaweicloud: MockHuaweicloudBuilder) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (aliyun, huaweicloud) = runtime
            .block_on(async { tokio::try_join!(aliyun.start(), huaweicloud.start()) })
            .expect("free ports");
        Self { aliyun, huaweicloud, _runtime: runtime }
    }

    /// The program with all it needs to use the mock Aliyun.
    pub(crate) fn aliyun(&self) -> Program {
        aliyun(self.aliyun.endpoint(), self.aliyun.access_key_id(), self.aliyun.access_key_secret())
    }

    /// The program with all it needs to use the mock Huawei Cloud but a project.
    pub(crate) fn huaweicloud_without_project(&self) -> Program {
        let mock = &self.huaweicloud;
        huaweicloud(mock.endpoint(), mock.access_key(), mock.secret_key())
    }

    /// The program with all it needs to use the mock Huawei Cloud.
    pub(crate) fn huaweicloud(&self) -> Program {
        self.huaweicloud_without_project().options(&["--project-id", self.huaweicloud.project_id()])
    }

    /// Asserts that nobody called.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        let calls = (self.aliyun.requests(), self.huaweicloud.requests(), self.huaweicloud.iam_requests());
        assert!(calls.0.is_empty() && calls.1.is_empty() && calls.2.is_empty(), "{calls:?}");
    }
}
