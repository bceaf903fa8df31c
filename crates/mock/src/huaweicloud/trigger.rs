//! Events that happen in the mock cloud.

use super::{
    event::HuaweicloudEvent,
    live::Live,
    sender::{HuaweicloudSender, SignType},
    server::MockHuaweicloud,
    state::HuaweicloudConfig,
};
use crate::{delivery::TriggerOutcome, lock::lock};

impl MockHuaweicloud {
    /// Lets an event happen in the default project: delivers it to the callback URL configured for its domain and
    /// app, signed if the configuration has a key.
    ///
    /// The configuration of the exact app counts, otherwise the one for `*`; the two are never merged. One without a
    /// callback URL asks for nothing.
    pub async fn trigger(&self, event: HuaweicloudEvent) -> TriggerOutcome {
        self.live.trigger(self.project_id(), event).await
    }
}

impl Live {
    pub(super) async fn trigger(&self, project: &str, event: HuaweicloudEvent) -> TriggerOutcome {
        let Some(config) = self.config_for(project, &event) else { return TriggerOutcome::NoConfig };
        let subscribed = config.notify_event_subscription.iter().any(|name| name == event.event_type());
        match config.notify_callback_url.as_deref() {
            Some(url) if subscribed => {
                let sender = self.sender(url, &config).project_id(project);
                TriggerOutcome::Delivered(sender.send(&event).await)
            }
            _ => TriggerOutcome::NotSubscribed,
        }
    }

    fn config_for(&self, project: &str, event: &HuaweicloudEvent) -> Option<HuaweicloudConfig> {
        let (domain, app) = (event.text("publish_domain")?, event.text("app")?);
        let state = lock(&self.state);
        let of = |app: &str| {
            let is_it = |config: &&HuaweicloudConfig| config.publish_domain == domain && config.app == app;
            state.project(project).iter().find(is_it)
        };
        of(app).or_else(|| of("*")).cloned()
    }

    fn sender(&self, url: &str, config: &HuaweicloudConfig) -> HuaweicloudSender {
        let sender = HuaweicloudSender::over(self.http.clone(), url)
            .sign_type(SignType::of(&config.sign_type))
            .policy(self.delivery.clone())
            .clock(self.clock.clone())
            .dialect(self.dialect.clone());
        match config.key.as_deref().filter(|key| !key.is_empty()) {
            Some(key) => sender.key(key),
            None => sender,
        }
    }
}
