//! Neutral to wire and back; the only file that knows both.

pub(crate) mod callback;

use std::sync::LazyLock;

use record_callback_core::{
    AppSelector, CallbackKey, CallbackSigning, Capabilities, DomainName, DomainRole, EventKind, EventSet,
    EventSupport, Fidelity, Fitted, OnDemandSupport, RecordCallbackConfig, Result, SigningKey, SigningScheme,
    SigningSupport, StoredCallback, StoredKey, StoredSigning,
};
use secrecy::ExposeSecret;

use crate::wire::{self, RecordNotifyConfig};

/// What Aliyun Live can express.
///
/// One config for each streaming domain, without apps and ids. Completed files are always reported;
/// one switch brings all status events
/// (<https://www.alibabacloud.com/help/en/live/user-guide/callbacks-for-live-stream-recording>).
/// Keys are 16–32 letters and digits and are shown in clear text.
pub static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| Capabilities {
    domain_role: DomainRole::Streaming,
    named_apps: false,
    events: EventSupport {
        always: EventSet::from([EventKind::FileCompleted]),
        selectable: EventSet::default(),
        groups: vec![status_events()],
        vendor_named: false,
    },
    signing: SigningSupport { schemes: vec![SigningScheme::Md5], key_length: 16..=32, key_readable: true },
    on_demand_url: OnDemandSupport::Documented,
    ids: false,
    list_page: None,
});

/// The status events and their names on the wire. Of a completed file there is none.
const EVENTS: [(EventKind, &str); 6] = [
    (EventKind::RecordingStarted, wire::callback::STARTED),
    (EventKind::RecordingPaused, wire::callback::PAUSED),
    (EventKind::RecordingResumed, wire::callback::RESUMED),
    (EventKind::RecordingFailed, wire::callback::ERROR),
    (EventKind::TranscodeFailed, wire::callback::TRANSFORMAT_ERROR),
    (EventKind::TranscodeFailed, wire::callback::FORCE_TRANSCODE_FAIL),
];

fn status_events() -> EventSet {
    EVENTS.into_iter().map(|(kind, _)| kind).collect()
}

/// The request that stores `config`, and how it deviates from it.
pub(crate) fn translate(
    config: &RecordCallbackConfig,
    fidelity: Fidelity,
) -> Result<(RecordNotifyConfig, Fitted)> {
    let fitted = CAPABILITIES.fit(config, fidelity)?;
    let effective = &fitted.effective;
    let key = match effective.signing() {
        CallbackSigning::Md5(key) => Some(key.expose().into()),
        _ => None,
    };
    let request = RecordNotifyConfig {
        domain_name: effective.domain().as_str().to_owned(),
        notify_url: Some(effective.notify_url().as_str().to_owned()),
        on_demand_url: effective.on_demand_url().map(|url| url.as_str().to_owned()),
        need_status_notify: Some(effective.events().intersects(&status_events())),
        notify_req_auth: Some(key.is_some()),
        notify_auth_key: key,
    };
    Ok((request, fitted))
}

/// What a described config says in neutral words.
pub(crate) fn stored(config: RecordNotifyConfig) -> StoredCallback {
    let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    let notify_url = not_empty(config.notify_url);
    let file_events = notify_url.iter().map(|_| EventKind::FileCompleted);
    let status = if config.need_status_notify == Some(true) { status_events() } else { EventSet::default() };
    let events = file_events.chain(status).collect();
    let key = config.notify_auth_key.filter(|key| !key.expose_secret().is_empty());
    let signing = match (config.notify_req_auth, key) {
        (Some(true), Some(key)) => StoredSigning {
            scheme: Some(SigningScheme::Md5),
            key: StoredKey::Known(SigningKey::reported(key.expose_secret())),
        },
        // An example in the documents shows signing on and no key: there must be one we are not told.
        (Some(true), None) => StoredSigning { scheme: Some(SigningScheme::Md5), key: StoredKey::Hidden },
        // A key may be left over from when signing was on.
        (_, Some(key)) => {
            StoredSigning { scheme: None, key: StoredKey::Known(SigningKey::reported(key.expose_secret())) }
        }
        (_, None) => StoredSigning { scheme: None, key: StoredKey::NotSet },
    };
    StoredCallback {
        key: CallbackKey::new(DomainName::reported(&config.domain_name), AppSelector::Any),
        id: None,
        notify_url,
        on_demand_url: not_empty(config.on_demand_url),
        events,
        signing,
        created_at: None,
        updated_at: None,
    }
}

/// The kind of a status event that was delivered; `None` for a name no vendor's event can have.
fn delivered_kind(name: &str) -> Option<EventKind> {
    match EVENTS.into_iter().find(|(_, known)| *known == name) {
        Some((kind, _)) => Some(kind),
        None => format!("vendor:{name}").parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{DeviationKind, ErrorKind, Field};

    use super::*;

    fn config(events: EventSet, signing: CallbackSigning) -> RecordCallbackConfig {
        RecordCallbackConfig::builder("live.example.com", "http://cb.example.com/n")
            .on_demand_url("http://cb.example.com/od")
            .events(events)
            .signing(signing)
            .build()
            .unwrap()
    }

    #[test]
    fn what_was_translated_reads_back_without_differences() {
        let key = SigningKey::new("testkeyyourkey12").unwrap();
        let all = status_events().union(&EventSet::from([EventKind::FileCompleted]));
        for config in [
            config(all, CallbackSigning::Md5(key)),
            config(EventSet::from([EventKind::FileCompleted]), CallbackSigning::Disabled),
        ] {
            let (request, fitted) = translate(&config, Fidelity::Exact).unwrap();
            assert_eq!(fitted.deviations, []);
            assert_eq!(stored(request).differences(&config), []);
        }
    }

    #[test]
    fn one_status_event_widens_to_all_and_unknown_ones_are_dropped() {
        let config = config(
            EventSet::from([EventKind::RecordingFailed, EventKind::RecordingEnded]),
            CallbackSigning::HmacSha256(SigningKey::new("a".repeat(32)).unwrap()),
        );
        let error = translate(&config, Fidelity::Exact).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let (request, fitted) = translate(&config, Fidelity::BestEffort).unwrap();
        let found: Vec<_> = fitted.deviations.iter().map(|d| (d.field, d.kind)).collect();
        assert_eq!(
            found,
            [
                (Field::Events, DeviationKind::Dropped),
                (Field::Events, DeviationKind::Widened),
                (Field::Signing, DeviationKind::Dropped),
            ]
        );
        assert_eq!((request.need_status_notify, request.notify_req_auth), (Some(true), Some(true)));
    }

    #[test]
    fn signing_without_a_shown_key_is_hidden_and_a_left_over_key_signs_nothing() {
        let base = RecordNotifyConfig { domain_name: "live.example.com".into(), ..Default::default() };
        let on = RecordNotifyConfig { notify_req_auth: Some(true), ..base.clone() };
        assert_eq!(stored(on).signing.key, StoredKey::Hidden);
        let left_over =
            RecordNotifyConfig { notify_auth_key: Some("testkeyyourkey12".into()), ..base.clone() };
        let left_over = stored(left_over).signing;
        assert_eq!(left_over.scheme, None);
        assert!(matches!(left_over.key, StoredKey::Known(_)));
        assert!(stored(base).events.is_empty());
    }
}
