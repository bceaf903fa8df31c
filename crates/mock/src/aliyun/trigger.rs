//! Events that happen in the mock cloud.

use super::{
    event::AliyunEvent,
    on_demand::{OnDemandReply, OnDemandRequest},
    sender::{AliyunSender, CONTENT_TYPE},
    server::{Cloud, MockAliyun},
    state::{AliyunConfig, AliyunNotifyRecord},
};
use crate::{
    delivery::{DeliveryReport, TriggerOutcome},
    lock::lock,
};

impl MockAliyun {
    /// Lets an event happen: delivers it to the callback URL configured for its domain, signed if the configuration
    /// says so, and adds the delivery to what `DescribeLiveRecordNotifyRecords` lists.
    ///
    /// File events are sent to everybody with a callback URL, status events only where they are asked for. A changed
    /// key holds at once, while the cloud signs with the old one until a stream is pushed again.
    pub async fn trigger(&self, event: AliyunEvent) -> TriggerOutcome {
        self.cloud.trigger(event).await
    }

    /// Lets a stream begin that is recorded on demand: asks the on-demand URL configured for its domain. `None` when
    /// there is no configuration, or none with such a URL.
    pub async fn ask_on_demand(&self, request: &OnDemandRequest) -> Option<OnDemandReply> {
        let config = self.config(request.domain())?;
        let url = config.on_demand_url.as_deref().filter(|url| !url.is_empty())?;
        Some(self.cloud.sender(url, &config).ask_on_demand(request).await)
    }
}

impl Cloud {
    pub(super) async fn trigger(&self, event: AliyunEvent) -> TriggerOutcome {
        let config = event.text("domain").and_then(|name| lock(&self.state).configs.get(name).cloned());
        let Some(config) = config else { return TriggerOutcome::NoConfig };
        if config.notify_url.is_empty() || event.is_status() && !config.need_status_notify {
            return TriggerOutcome::NotSubscribed;
        }
        let notify_time = self.clock.now();
        let report = self.sender(&config.notify_url, &config).send(&event).await;
        let text = |field| event.text(field).unwrap_or_default().to_owned();
        let record = AliyunNotifyRecord {
            app_name: text("app"),
            stream_name: text("stream"),
            notify_type: event.notify_type().to_owned(),
            notify_content: event.body().to_string(),
            notify_header: format!(r#"{{"Content-Type":["{CONTENT_TYPE}"]}}"#),
            notify_response: report.last().map(|attempt| attempt.body.clone()).unwrap_or_default(),
            succeeded: report.is_acknowledged(),
            description: description(&report),
            ..AliyunNotifyRecord::new(config.domain_name, config.notify_url, notify_time)
        };
        lock(&self.state).records.push(record);
        TriggerOutcome::Delivered(report)
    }

    fn sender(&self, url: &str, config: &AliyunConfig) -> AliyunSender {
        let sender = AliyunSender::over(self.http.clone(), url)
            .policy(self.delivery.clone())
            .clock(self.clock.clone())
            .dialect(self.dialect.clone());
        match config.notify_auth_key.as_deref().filter(|key| config.notify_req_auth && !key.is_empty()) {
            Some(key) => sender.key(key),
            None => sender,
        }
    }
}

fn description(report: &DeliveryReport) -> String {
    match report.last() {
        Some(attempt) if attempt.is_acknowledged() => "success".to_owned(),
        Some(attempt) => match (&attempt.problem, attempt.status) {
            (Some(problem), _) => problem.clone(),
            (None, Some(status)) => format!("the status is {status}, not 200"),
            (None, None) => String::new(),
        },
        None => String::new(),
    }
}
