use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::app::AppSelector;
use crate::callback_url::CallbackUrl;
use crate::domain::DomainName;
use crate::error::{Field, InvalidConfig};
use crate::event::{EventKind, EventSet};
use crate::signing::{CallbackSigning, SigningKey};
use crate::text::without_query;

/// The identity of a callback config: one per domain and app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallbackKey {
    /// The domain, in the role the vendor keys by; see [`DomainRole`](crate::DomainRole).
    pub domain: DomainName,
    /// The app or `*`.
    pub app: AppSelector,
}

impl CallbackKey {
    /// The key of `app` on `domain`.
    pub fn new(domain: DomainName, app: AppSelector) -> Self {
        Self { domain, app }
    }

    /// The key of `*` on `domain`.
    pub fn any_app(domain: DomainName) -> Self {
        Self::new(domain, AppSelector::Any)
    }
}

impl fmt::Display for CallbackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.app)
    }
}

/// The id a vendor gave a config. Opaque; not every vendor has one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigId(String);

impl ConfigId {
    /// Wraps an id as the vendor gave it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where one domain's recording callbacks go, for which events, signed how.
///
/// Made with [`RecordCallbackConfig::builder`] or deserialised; either way every
/// field has been checked. Unknown fields are refused.
///
/// ```
/// use record_callback_core::RecordCallbackConfig;
///
/// let config: RecordCallbackConfig = toml::from_str(r#"
///     domain = "live.example.com"
///     app = "*"
///     notify_url = "https://cb.example.com/recorded"
///     events = ["file_completed", "recording_failed"]
///     signing = { scheme = "md5", key = "Abcdefgh12345678Abcdefgh12345678" }
/// "#)?;
///
/// // Serialising hides the key unless it is asked for by name.
/// assert!(toml::to_string(&config)?.contains("[redacted]"));
/// let text = toml::to_string(&config.with_exposed_key())?;
/// assert_eq!(toml::from_str::<RecordCallbackConfig>(&text)?, config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawConfig")]
pub struct RecordCallbackConfig {
    pub(crate) domain: DomainName,
    pub(crate) app: AppSelector,
    pub(crate) notify_url: CallbackUrl,
    pub(crate) on_demand_url: Option<CallbackUrl>,
    pub(crate) events: EventSet,
    pub(crate) signing: CallbackSigning,
}

impl RecordCallbackConfig {
    /// Starts a config for every app of `domain`, for completed files, unsigned.
    pub fn builder(domain: impl Into<String>, notify_url: impl Into<String>) -> RecordCallbackConfigBuilder {
        RecordCallbackConfigBuilder {
            domain: domain.into(),
            app: AppSelector::Any.into(),
            notify_url: notify_url.into(),
            on_demand_url: None,
            events: EventSet::from([EventKind::FileCompleted]),
            signing: CallbackSigning::Disabled,
        }
    }

    /// Domain and app.
    pub fn key(&self) -> CallbackKey {
        CallbackKey::new(self.domain.clone(), self.app.clone())
    }

    /// The domain.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The app or `*`.
    pub fn app(&self) -> &AppSelector {
        &self.app
    }

    /// Where events are sent.
    pub fn notify_url(&self) -> &CallbackUrl {
        &self.notify_url
    }

    /// Who is asked whether a stream is to be recorded, if anyone.
    pub fn on_demand_url(&self) -> Option<&CallbackUrl> {
        self.on_demand_url.as_ref()
    }

    /// The subscribed events; never empty.
    pub fn events(&self) -> &EventSet {
        &self.events
    }

    /// Whether and how callbacks are signed.
    pub fn signing(&self) -> &CallbackSigning {
        &self.signing
    }

    /// The same config for another domain: clouds key by different domains of one stream.
    pub fn on_domain(mut self, domain: &str) -> Result<Self, InvalidConfig> {
        self.domain = DomainName::new(domain)?;
        Ok(self)
    }

    /// The same config with another callback URL: a receiver has a path for each vendor.
    pub fn notifying(mut self, notify_url: &str) -> Result<Self, InvalidConfig> {
        self.notify_url = CallbackUrl::new(Field::NotifyUrl, notify_url)?;
        Ok(self)
    }

    /// Starts from this config, to change some of it.
    pub fn to_builder(&self) -> RecordCallbackConfigBuilder {
        RecordCallbackConfigBuilder {
            domain: self.domain.as_str().to_owned(),
            app: self.app.as_str().to_owned(),
            notify_url: self.notify_url.as_str().to_owned(),
            on_demand_url: self.on_demand_url.as_ref().map(|url| url.as_str().to_owned()),
            events: self.events.clone(),
            signing: self.signing.clone(),
        }
    }

    /// A view that serialises with the signing key in clear text.
    pub fn with_exposed_key(&self) -> ExposedConfig<'_> {
        ExposedConfig(self)
    }

    fn serialize_key<S: Serializer>(&self, exposed: bool, serializer: S) -> Result<S::Ok, S::Error> {
        struct Signing<'a>(&'a CallbackSigning, bool);
        impl Serialize for Signing<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize_key(self.1, serializer)
            }
        }
        let mut fields = serializer.serialize_struct("RecordCallbackConfig", 6)?;
        fields.serialize_field("domain", &self.domain)?;
        fields.serialize_field("app", &self.app)?;
        fields.serialize_field("notify_url", self.notify_url.as_str())?;
        match &self.on_demand_url {
            Some(url) => fields.serialize_field("on_demand_url", url.as_str())?,
            None => fields.skip_field("on_demand_url")?,
        }
        fields.serialize_field("events", &self.events)?;
        fields.serialize_field("signing", &Signing(&self.signing, exposed))?;
        fields.end()
    }
}

impl Serialize for RecordCallbackConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_key(false, serializer)
    }
}

/// A config that serialises with its signing key; see [`RecordCallbackConfig::with_exposed_key`].
#[derive(Debug, Clone, Copy)]
pub struct ExposedConfig<'a>(&'a RecordCallbackConfig);

impl Serialize for ExposedConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_key(true, serializer)
    }
}

/// Collects the fields of a config; [`build`](Self::build) judges them.
#[derive(Clone)]
#[must_use]
pub struct RecordCallbackConfigBuilder {
    domain: String,
    app: String,
    notify_url: String,
    on_demand_url: Option<String>,
    events: EventSet,
    signing: CallbackSigning,
}

/// URLs without their query, which may hold a secret.
impl fmt::Debug for RecordCallbackConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, app, notify_url, on_demand_url, events, signing } = self;
        f.debug_struct("RecordCallbackConfigBuilder")
            .field("domain", domain)
            .field("app", app)
            .field("notify_url", &without_query(notify_url))
            .field("on_demand_url", &on_demand_url.as_deref().map(without_query))
            .field("events", events)
            .field("signing", signing)
            .finish()
    }
}

impl RecordCallbackConfigBuilder {
    /// The app, or `*` (default) for every app without a config of its own.
    pub fn app(mut self, app: impl Into<String>) -> Self {
        self.app = app.into();
        self
    }

    /// Sets the URL that events are sent to.
    pub fn notify_url(mut self, url: impl Into<String>) -> Self {
        self.notify_url = url.into();
        self
    }

    /// Who is asked, stream by stream, whether to record. Default: nobody.
    pub fn on_demand_url(mut self, url: impl Into<String>) -> Self {
        self.on_demand_url = Some(url.into());
        self
    }

    /// Nobody is asked whether to record.
    pub fn no_on_demand_url(mut self) -> Self {
        self.on_demand_url = None;
        self
    }

    /// The events to send; at least one. Default: [`EventKind::FileCompleted`].
    pub fn events(mut self, events: impl IntoIterator<Item = EventKind>) -> Self {
        self.events = events.into_iter().collect();
        self
    }

    /// Sends these events, too.
    pub fn add_events(mut self, events: impl IntoIterator<Item = EventKind>) -> Self {
        self.events = self.events.union(&events.into_iter().collect());
        self
    }

    /// Sends these events no more.
    pub fn remove_events(mut self, events: impl IntoIterator<Item = EventKind>) -> Self {
        self.events = self.events.without(&events.into_iter().collect());
        self
    }

    /// Whether and how callbacks are signed. Default: [`CallbackSigning::Disabled`].
    pub fn signing(mut self, signing: CallbackSigning) -> Self {
        self.signing = signing;
        self
    }

    /// Checks every field.
    pub fn build(self) -> Result<RecordCallbackConfig, InvalidConfig> {
        if self.events.is_empty() {
            return Err(InvalidConfig::new(Field::Events, "is empty", "at least one event"));
        }
        // Neither a vendor's event name nor a reported key has been checked yet.
        for kind in &self.events {
            kind.to_string().parse::<EventKind>()?;
        }
        if let Some(key) = self.signing.key() {
            SigningKey::new(key.expose())?;
        }
        Ok(RecordCallbackConfig {
            domain: DomainName::new(&self.domain)?,
            app: self.app.parse()?,
            notify_url: CallbackUrl::new(Field::NotifyUrl, &self.notify_url)?,
            on_demand_url: self
                .on_demand_url
                .map(|url| CallbackUrl::new(Field::OnDemandUrl, &url))
                .transpose()?,
            events: self.events,
            signing: self.signing,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    domain: String,
    app: Option<String>,
    notify_url: String,
    on_demand_url: Option<String>,
    events: Option<EventSet>,
    signing: Option<CallbackSigning>,
}

impl TryFrom<RawConfig> for RecordCallbackConfig {
    type Error = InvalidConfig;

    fn try_from(raw: RawConfig) -> Result<Self, InvalidConfig> {
        let mut builder = Self::builder(raw.domain, raw.notify_url);
        builder.on_demand_url = raw.on_demand_url;
        if let Some(app) = raw.app {
            builder.app = app;
        }
        if let Some(events) = raw.events {
            builder.events = events;
        }
        builder.signing(raw.signing.unwrap_or_default()).build()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signing() -> impl Strategy<Value = CallbackSigning> {
        let key = || "[A-Za-z0-9]{16,128}".prop_map(|text| SigningKey::new(text).unwrap());
        prop_oneof![
            Just(CallbackSigning::Disabled),
            key().prop_map(CallbackSigning::Md5),
            key().prop_map(CallbackSigning::HmacSha256),
        ]
    }

    fn events() -> impl Strategy<Value = EventSet> {
        let known: Vec<_> = EventKind::known().collect();
        let kind =
            prop_oneof![prop::sample::select(known), "[A-Za-z0-9_.-]{1,64}".prop_map(EventKind::Vendor),];
        prop::collection::btree_set(kind, 1..6).prop_map(|kinds| kinds.into_iter().collect())
    }

    prop_compose! {
        fn config()(
            domain in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.[a-z]{2,10}",
            app in prop_oneof![Just("*".to_owned()), "[^*\\s\\p{C}]{1,128}"],
            // `"`, `\\` and non-ASCII characters must survive both formats.
            path in "[^\\s\\p{C}?#]{0,40}",
            on_demand in prop::option::of("https://od\\.example\\.com/[a-zA-Z0-9%&=?'\"\\\\]{0,40}"),
            events in events(),
            signing in signing(),
        ) -> RecordCallbackConfig {
            let mut builder = RecordCallbackConfig::builder(domain, format!("http://cb.example.com:81/{path}"))
                .app(app)
                .events(events)
                .signing(signing);
            builder.on_demand_url = on_demand;
            builder.build().unwrap()
        }
    }

    proptest! {
        #[test]
        fn a_config_round_trips_through_json_and_toml(config in config()) {
            let json = serde_json::to_string(&config.with_exposed_key()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<RecordCallbackConfig>(&json).unwrap(), &config);
            let toml = toml::to_string(&config.with_exposed_key()).unwrap();
            prop_assert_eq!(&toml::from_str::<RecordCallbackConfig>(&toml).unwrap(), &config);
        }

        #[test]
        fn only_exposed_serialising_and_nothing_else_shows_the_key(config in config()) {
            if let Some(key) = config.signing().key() {
                let shown = [
                    serde_json::to_string(&config).unwrap(),
                    toml::to_string(&config).unwrap(),
                    format!("{config:?}"),
                    format!("{:?}", config.with_exposed_key()),
                    format!("{:?}", config.to_builder()),
                ];
                prop_assert!(shown.iter().all(|text| !text.contains(key.expose())));
            }
        }
    }

    #[test]
    fn defaults_are_every_app_completed_files_and_no_signing() {
        let config: RecordCallbackConfig =
            toml::from_str("domain = 'a.example.com'\nnotify_url = 'http://cb.example.com'").unwrap();
        assert_eq!(
            config,
            RecordCallbackConfig::builder("a.example.com", "http://cb.example.com").build().unwrap()
        );
        assert_eq!(*config.app(), AppSelector::Any);
        assert_eq!(*config.events(), EventSet::from([EventKind::FileCompleted]));
        assert_eq!(*config.signing(), CallbackSigning::Disabled);
    }

    #[test]
    fn what_was_reported_is_checked_before_it_is_written() {
        let builder = || RecordCallbackConfig::builder("a.example.com", "http://cb.example.com");
        let short = CallbackSigning::Md5(SigningKey::reported("short"));
        assert!(builder().signing(short).build().unwrap_err().to_string().starts_with("signing.key: has 5"));
        let odd = builder().events([EventKind::Vendor("a b".into())]).build().unwrap_err();
        assert_eq!(odd.field(), "events");
        assert!(builder().build().unwrap().on_domain("a b").is_err());
        assert!(builder().build().unwrap().notifying("ftp://cb.example.com").is_err());
    }

    #[test]
    fn refusals_name_the_field() {
        let base = r#"domain = "a.example.com""#;
        let url = r#"notify_url = "http://cb.example.com""#;
        for (text, problem) in [
            (format!("{base}\n{url}\nevents = []"), "events: is empty (rule: at least one event)"),
            (format!("{base}\n{url}\nevents = [\"file_done\"]"), "`file_done` is not an event"),
            (format!("{base}\n{url}\nnotify = 1"), "unknown field `notify`"),
            (format!("{base}\n{url}\napp = \"**\""), "app: is `**`"),
            (format!("{base}\n{url}\non_demand_url = \"ftp://x\""), "on_demand_url: the scheme is `ftp`"),
            (format!("{base}\nnotify_url = \"cb.example.com\""), "notify_url: is not a URL"),
            (base.to_owned(), "missing field `notify_url`"),
        ] {
            let error = toml::from_str::<RecordCallbackConfig>(&text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}\n{error}");
        }
    }
}
