use std::ops::RangeInclusive;

use crate::app::AppSelector;
use crate::config::{CallbackKey, RecordCallbackConfig};
use crate::error::{Error, ErrorKind, Field, InvalidConfig, Result};
use crate::event::{EventKind, EventSet};
use crate::fidelity::{Deviation, DeviationKind, Fidelity, Fitted};
use crate::signing::{CallbackSigning, SigningScheme, scheme_name};
use crate::text::without_query;

/// What a provider can express, as data.
///
/// The same data decides what [`fit`](Self::fit) refuses, so asking first and
/// calling give one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Which of a stream's two domains configs are keyed by.
    pub domain_role: DomainRole,
    /// Whether a config can be for one app; `*` always works.
    pub named_apps: bool,
    /// Which events can be had, and in what combinations.
    pub events: EventSupport,
    /// How callbacks can be signed.
    pub signing: SigningSupport,
    /// Whether the vendor can ask before it records.
    pub on_demand_url: OnDemandSupport,
    /// Whether configs have ids.
    pub ids: bool,
    /// How many configs a call brings when all are listed; `None` where listing asks domain by domain.
    pub list_page: Option<u32>,
}

/// Which of a stream's two domains a vendor keys its configs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DomainRole {
    /// The domain viewers play from.
    Streaming,
    /// The domain streams are pushed to.
    Ingest,
}

/// Which events a vendor delivers, and how they are switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSupport {
    /// Delivered whatever is asked.
    pub always: EventSet,
    /// Switched one by one.
    pub selectable: EventSet,
    /// Switched together: asking for one of a group brings all of it.
    pub groups: Vec<EventSet>,
    /// Whether [`EventKind::Vendor`] names are passed on.
    pub vendor_named: bool,
}

impl EventSupport {
    /// What is delivered when `wanted` is asked for.
    pub fn delivered(&self, wanted: &EventSet) -> EventSet {
        let passes = |kind: &&EventKind| {
            self.selectable.contains(kind) || (self.vendor_named && matches!(kind, EventKind::Vendor(_)))
        };
        let single = self.always.iter().chain(wanted.iter().filter(passes)).cloned().collect::<EventSet>();
        self.groups
            .iter()
            .filter(|group| group.intersects(wanted))
            .fold(single, |all, group| all.union(group))
    }
}

/// How a vendor can sign callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSupport {
    /// The schemes, strongest last.
    pub schemes: Vec<SigningScheme>,
    /// Lengths of key the vendor takes, in characters.
    pub key_length: RangeInclusive<usize>,
    /// Whether the vendor shows a stored key.
    pub key_readable: bool,
}

/// Whether a vendor can ask before it records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnDemandSupport {
    /// Yes, by its current documents.
    Documented,
    /// By old documents only: sent when set, and only reading back tells whether it was kept.
    Undocumented,
    /// No.
    Unsupported,
}

impl Capabilities {
    /// Refuses a key the vendor has no place for: a named app where only `*` exists.
    pub fn check_key(&self, key: &CallbackKey) -> Result<()> {
        match &key.app {
            AppSelector::Named(name) if !self.named_apps => Err(Error::new(
                ErrorKind::Unsupported,
                format!("app: `{name}` cannot have a config of its own here; only `*` can"),
            )
            .with_domain(key.domain.as_str())),
            _ => Ok(()),
        }
    }

    /// Refuses a signing that no fidelity makes possible: none is to be had here, or the key is of a length the vendor
    /// refuses.
    pub fn check_signing(&self, signing: &CallbackSigning) -> Result<()> {
        let Some(key) = signing.key() else { return Ok(()) };
        if self.signing.schemes.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "signing: callbacks cannot be signed here"));
        }
        let (shortest, longest) = (self.signing.key_length.start(), self.signing.key_length.end());
        if !self.signing.key_length.contains(&key.length()) {
            let rule = format!("{shortest} to {longest} letters and digits for this vendor");
            let problem = format!("has {} characters", key.length());
            return Err(InvalidConfig::new(Field::SigningKey, problem, rule).into());
        }
        Ok(())
    }

    /// Cuts `config` to what the vendor can do, as far as `fidelity` accepts.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a named app where only `*` exists, for deviations that
    /// `fidelity` does not accept (all named, also in [`Error::deviations`]), and when no wanted event
    /// would be delivered or no callback can be signed. [`ErrorKind::InvalidConfig`] for a key of a length the vendor refuses.
    pub fn fit(&self, config: &RecordCallbackConfig, fidelity: Fidelity) -> Result<Fitted> {
        let in_context = |error: Error| error.with_domain(config.domain.as_str());
        self.check_key(&config.key())?;
        let mut fitted = Fitted { effective: config.clone(), deviations: Vec::new() };
        self.fit_events(&mut fitted);
        self.fit_on_demand_url(&mut fitted);
        self.fit_signing(&mut fitted).map_err(in_context)?;

        let unsupported = |message: String, deviations| {
            Err(in_context(Error::new(ErrorKind::Unsupported, message).with_deviations(deviations)))
        };
        if fitted.effective.events.is_empty() {
            let message = format!("events: none of {} is delivered here", config.events);
            return unsupported(message, Vec::new());
        }
        let refused: Vec<_> =
            fitted.deviations.iter().filter(|d| !fidelity.accepts(d.kind)).cloned().collect();
        if !refused.is_empty() {
            let list = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return unsupported(format!("{list} (fidelity is {fidelity})"), refused);
        }
        Ok(fitted)
    }

    fn fit_events(&self, fitted: &mut Fitted) {
        let wanted = &fitted.effective.events;
        let delivered = self.events.delivered(wanted);
        let (lost, extra) = (wanted.without(&delivered), delivered.without(wanted));
        if !lost.is_empty() {
            fitted.deviations.push(Deviation {
                field: Field::Events,
                requested: lost.to_string(),
                effective: "none of them".into(),
                kind: DeviationKind::Dropped,
            });
        }
        if !extra.is_empty() {
            fitted.deviations.push(Deviation {
                field: Field::Events,
                requested: wanted.to_string(),
                effective: format!("{extra} as well"),
                kind: DeviationKind::Widened,
            });
        }
        fitted.effective.events = delivered;
    }

    fn fit_on_demand_url(&self, fitted: &mut Fitted) {
        if self.on_demand_url == OnDemandSupport::Unsupported
            && let Some(url) = fitted.effective.on_demand_url.take()
        {
            fitted.deviations.push(Deviation {
                field: Field::OnDemandUrl,
                requested: without_query(url.as_str()),
                effective: "no on-demand requests".into(),
                kind: DeviationKind::Dropped,
            });
        }
    }

    /// A missing scheme falls back to the strongest one there is with the same key, never to unsigned.
    fn fit_signing(&self, fitted: &mut Fitted) -> Result<()> {
        let signing = &fitted.effective.signing;
        self.check_signing(signing)?;
        let (Some(scheme), Some(key), Some(fallback)) =
            (signing.scheme(), signing.key(), self.signing.schemes.last().copied())
        else {
            return Ok(());
        };
        if !self.signing.schemes.contains(&scheme) {
            fitted.deviations.push(Deviation {
                field: Field::Signing,
                requested: scheme.to_string(),
                effective: scheme_name(Some(fallback)).into(),
                kind: DeviationKind::Dropped,
            });
            fitted.effective.signing = CallbackSigning::with(fallback, key.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::SigningKey;

    const STATUS: [EventKind; 2] = [EventKind::RecordingFailed, EventKind::RecordingPaused];

    fn limited() -> Capabilities {
        Capabilities {
            domain_role: DomainRole::Streaming,
            named_apps: false,
            events: EventSupport {
                always: EventSet::from([EventKind::FileCompleted]),
                selectable: EventSet::default(),
                groups: vec![EventSet::from(STATUS)],
                vendor_named: false,
            },
            signing: SigningSupport {
                schemes: vec![SigningScheme::Md5],
                key_length: 16..=32,
                key_readable: true,
            },
            on_demand_url: OnDemandSupport::Unsupported,
            ids: false,
            list_page: None,
        }
    }

    fn config(events: impl IntoIterator<Item = EventKind>) -> RecordCallbackConfig {
        RecordCallbackConfig::builder("live.example.com", "http://cb.example.com")
            .events(events)
            .build()
            .unwrap()
    }

    #[test]
    fn what_fits_is_left_alone() {
        let config = config(STATUS.into_iter().chain([EventKind::FileCompleted]));
        let fitted = limited().fit(&config, Fidelity::Exact).unwrap();
        assert_eq!(fitted, Fitted { effective: config, deviations: vec![] });
    }

    #[test]
    fn exact_names_every_deviation_and_widen_still_refuses_loss() {
        let config = config([EventKind::RecordingFailed, EventKind::FileStarted]);
        let error = limited().fit(&config, Fidelity::Exact).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.deviations().len(), 2);
        let text = error.to_string();
        assert!(text.contains("events dropped: asked for file_started, gets none of them"), "{text}");
        assert!(text.contains("recording_paused, file_completed as well"), "{text}");
        let error = limited().fit(&config, Fidelity::Widen).unwrap_err();
        assert!(error.deviations().iter().all(|d| d.kind == DeviationKind::Dropped));
    }

    #[test]
    fn best_effort_reports_what_is_lost_and_what_comes_on_top() {
        let config = config([EventKind::RecordingFailed, EventKind::FileStarted]);
        let fitted = limited().fit(&config, Fidelity::BestEffort).unwrap();
        assert_eq!(fitted.deviations.len(), 2);
        let expected = EventSet::from(STATUS).union(&EventSet::from([EventKind::FileCompleted]));
        assert_eq!(*fitted.effective.events(), expected);
    }

    #[test]
    fn best_effort_never_ends_in_nothing_and_never_in_unsigned() {
        let mut none = limited();
        none.events.always = EventSet::default();
        let error = none.fit(&config([EventKind::FileStarted]), Fidelity::BestEffort).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);

        let mut signed = config([EventKind::FileCompleted]);
        signed.signing = CallbackSigning::HmacSha256(SigningKey::new("a".repeat(32)).unwrap());
        let fitted = limited().fit(&signed, Fidelity::BestEffort).unwrap();
        assert_eq!(fitted.effective.signing.scheme(), Some(SigningScheme::Md5));
        assert_eq!(fitted.deviations[0].to_string(), "signing dropped: asked for hmac_sha256, gets md5");

        signed.signing = CallbackSigning::Md5(SigningKey::new("a".repeat(33)).unwrap());
        let error = limited().fit(&signed, Fidelity::BestEffort).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("signing.key: has 33 characters"), "{error}");
    }

    #[test]
    fn a_named_app_is_refused_whatever_the_fidelity() {
        let config = RecordCallbackConfig::builder("live.example.com", "http://cb.example.com")
            .app("live")
            .build()
            .unwrap();
        let error = limited().fit(&config, Fidelity::BestEffort).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().starts_with("live.example.com: app: `live`"), "{error}");
    }
}
