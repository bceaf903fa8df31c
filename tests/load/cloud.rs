use std::sync::Arc;
use std::time::Duration;

use record_callback::RecordCallbackProvider;
use record_callback::aliyun::{AliyunClient, AliyunProvider};
use record_callback::http::{AccessKey, Quotas, RetryPolicy, StaticCredentials};
use record_callback::huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
use record_callback_tests::{Process, command};
use serde_json::{Value, json};

pub(crate) const CLOUDS: [&str; 2] = ["aliyun", "huaweicloud"];

/// Each is half a percent of all exchanges, ten of them five percent.
const RATE: f64 = 0.005;

/// The mock clouds, in a process of their own.
pub(crate) struct Clouds {
    _process: Process,
    ready: Value,
    http: reqwest::Client,
}

impl Clouds {
    pub(crate) fn start() -> Self {
        let mut mock = command();
        mock.args(["mock", "--admin-addr", "127.0.0.1:0"]);
        let mut process = Process::spawn(mock);
        let ready = serde_json::from_str(&process.line()).expect("JSON");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { _process: process, ready, http }
    }

    fn text(&self, pointer: &str) -> &str {
        self.ready.pointer(pointer).and_then(Value::as_str).expect("a text of the ready line")
    }

    fn faults(&self, cloud: &str) -> String {
        format!("{}/{cloud}/faults", self.text("/admin/endpoint"))
    }

    /// Ten kinds of faults from now on.
    pub(crate) async fn script(&self, cloud: &str) {
        let kinds = [
            json!({"fault": "reset"}),
            json!({"fault": "reset", "when": "after"}),
            json!({"fault": "status", "status": 503}),
            json!({"fault": "status", "status": 502, "when": "after"}),
            json!({"fault": "page", "status": 200}),
            json!({"fault": "throttled"}),
            json!({"fault": "unavailable"}),
            json!({"fault": "truncate"}),
            json!({"fault": "close_in_answer"}),
            json!({"fault": "stall", "when": "after"}),
        ];
        let faults: Vec<Value> = kinds
            .into_iter()
            .map(|mut fault| {
                fault["times"] = Value::Null;
                fault["rate"] = json!(RATE);
                fault
            })
            .collect();
        let answer = self.http.post(self.faults(cloud)).body(json!(faults).to_string()).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    /// No faults from now on.
    pub(crate) async fn calm(&self, cloud: &str) {
        let answer = self.http.delete(self.faults(cloud)).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    /// How many requests there were, and how many of them had a fault.
    pub(crate) async fn requests(&self, cloud: &str) -> (u64, u64) {
        let url = format!("{}/{cloud}", self.text("/admin/endpoint"));
        let answer = self.http.get(url).send().await.expect("an answer").bytes().await.expect("a body");
        let counts: Value = serde_json::from_slice(&answer).expect("JSON");
        let count = |name: &str| counts[name].as_u64().expect("a count");
        (count("requests"), count("struck"))
    }

    pub(crate) fn provider(&self, cloud: &str) -> Arc<dyn RecordCallbackProvider> {
        let retry = RetryPolicy::default()
            .delays(Duration::from_millis(5), Duration::from_millis(50))
            .attempt_timeout(Duration::from_secs(1))
            .deadline(Duration::from_secs(30))
            .attempts(5);
        let at = |name: &str| self.text(&format!("/{cloud}/{name}"));
        let key = |id: &str, secret: &str| StaticCredentials::new(AccessKey::new(at(id), at(secret)));
        if cloud == "aliyun" {
            let client = AliyunClient::builder()
                .endpoint(at("endpoint"))
                .credentials(key("access_key_id", "access_key_secret"))
                .quotas(Quotas::unlimited())
                .retry(retry);
            Arc::new(AliyunProvider::new(client.build().expect("the options are right")))
        } else {
            let client = HuaweicloudClient::builder()
                .endpoint(at("endpoint"))
                .iam_endpoint(at("iam_endpoint"))
                .project_id(at("project_id"))
                .credentials(key("access_key", "secret_key"))
                .quotas(Quotas::unlimited())
                .retry(retry);
            Arc::new(HuaweicloudProvider::new(client.build().expect("the options are right")))
        }
    }
}
