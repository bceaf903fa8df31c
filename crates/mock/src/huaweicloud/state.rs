//! What the mock cloud remembers.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;

use crate::credentials::random_hex;

/// A recording-callback configuration as the mock stores it.
///
/// `Debug` does not print the key.
#[derive(Clone, PartialEq, Eq)]
pub struct HuaweicloudConfig {
    /// The configuration's id.
    pub id: String,
    /// The ingest domain.
    pub publish_domain: String,
    /// The application, or `*` for any.
    pub app: String,
    /// Where events go.
    pub notify_callback_url: Option<String>,
    /// Where on-demand recording is asked for.
    pub on_demand_callback_url: Option<String>,
    /// The events sent.
    pub notify_event_subscription: Vec<String>,
    /// `MD5` or `HMACSHA256`.
    pub sign_type: String,
    /// The key callbacks are signed with, which answers do not show.
    pub key: Option<String>,
    /// When the configuration was created. The mock sets it when it stores a new one.
    pub create_time: Timestamp,
    /// When the configuration was last changed. The mock sets it when it stores one.
    pub update_time: Timestamp,
}

impl HuaweicloudConfig {
    /// A configuration with a new id and the documented defaults.
    pub fn new(publish_domain: impl Into<String>, app: impl Into<String>) -> Self {
        Self {
            id: random_hex(),
            publish_domain: publish_domain.into(),
            app: app.into(),
            notify_callback_url: None,
            on_demand_callback_url: None,
            notify_event_subscription: vec!["RECORD_FILE_COMPLETE".to_owned()],
            sign_type: "HMACSHA256".to_owned(),
            key: None,
            create_time: Timestamp::UNIX_EPOCH,
            update_time: Timestamp::UNIX_EPOCH,
        }
    }
}

impl fmt::Debug for HuaweicloudConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuaweicloudConfig")
            .field("id", &self.id)
            .field("publish_domain", &self.publish_domain)
            .field("app", &self.app)
            .field("notify_callback_url", &self.notify_callback_url)
            .field("on_demand_callback_url", &self.on_demand_callback_url)
            .field("notify_event_subscription", &self.notify_event_subscription)
            .field("sign_type", &self.sign_type)
            .field("key", &self.key.as_ref().map(|_| "[redacted]"))
            .field("create_time", &self.create_time)
            .field("update_time", &self.update_time)
            .finish()
    }
}

/// The configurations of each project, in the order they were created.
#[derive(Debug, Clone, Default)]
pub(super) struct State(HashMap<String, Vec<HuaweicloudConfig>>);

impl State {
    pub(super) fn project(&self, id: &str) -> &[HuaweicloudConfig] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    /// Stores a configuration under its id: at the place of the one that has it, otherwise at the end.
    pub(super) fn put(
        &mut self,
        project: &str,
        mut config: HuaweicloudConfig,
        now: Timestamp,
    ) -> &HuaweicloudConfig {
        let configs = self.0.entry(project.to_owned()).or_default();
        config.update_time = now;
        let index = configs.iter().position(|other| other.id == config.id).unwrap_or(configs.len());
        if let Some(stored) = configs.get_mut(index) {
            config.create_time = stored.create_time;
            *stored = config;
        } else {
            config.create_time = now;
            configs.push(config);
        }
        &configs[index]
    }

    pub(super) fn remove(&mut self, project: &str, id: &str) -> Option<HuaweicloudConfig> {
        let configs = self.0.get_mut(project)?;
        let index = configs.iter().position(|config| config.id == id)?;
        Some(configs.remove(index))
    }
}
