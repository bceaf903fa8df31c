//! Neutral to wire and back; the only file that knows both.

pub(crate) mod callback;

use std::sync::LazyLock;

use record_callback_core::{
    AppSelector, CallbackKey, Capabilities, ConfigId, DomainName, DomainRole, EventKind, EventSet,
    EventSupport, Fidelity, Field, Fitted, InvalidConfig, OnDemandSupport, RecordCallbackConfig, Result,
    SigningKey, SigningScheme, SigningSupport, StoredCallback, StoredKey, StoredSigning,
};
use secrecy::ExposeSecret;

use crate::wire::{self, RecordCallbackConfigAnswer, RecordCallbackConfigRequest};

/// The events and their names on the wire.
const EVENTS: [(EventKind, &str); 5] = [
    (EventKind::RecordingStarted, wire::START),
    (EventKind::RecordingEnded, wire::OVER),
    (EventKind::RecordingFailed, wire::FAILED),
    (EventKind::FileStarted, wire::NEW_FILE_START),
    (EventKind::FileCompleted, wire::FILE_COMPLETE),
];

/// Largest page of a list.
pub(crate) const PAGE_SIZE: u32 = 100;

/// What Huawei Cloud Live can express.
///
/// One config for each ingest domain and app, `*` for the apps without one. Events are subscribed one by one.
/// Keys are at least 32 letters and digits
/// (page `iLive-live/live_01_0011` of 2025-11-21; the upper limit is ours, the vendor's UNVERIFIED) and are never
/// shown.
pub static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| Capabilities {
    domain_role: DomainRole::Ingest,
    named_apps: true,
    events: EventSupport {
        always: EventSet::default(),
        selectable: EVENTS.into_iter().map(|(kind, _)| kind).collect(),
        groups: Vec::new(),
        vendor_named: true,
    },
    signing: SigningSupport {
        schemes: vec![SigningScheme::Md5, SigningScheme::HmacSha256],
        key_length: 32..=128,
        key_readable: false,
    },
    on_demand_url: OnDemandSupport::Undocumented,
    ids: true,
    list_page: Some(PAGE_SIZE),
});

/// The request that stores `config`, and how it deviates from it.
pub(crate) fn translate(
    config: &RecordCallbackConfig,
    fidelity: Fidelity,
) -> Result<(RecordCallbackConfigRequest, Fitted)> {
    for kind in config.events() {
        if let EventKind::Vendor(name) = kind
            && let Some((neutral, _)) = EVENTS.into_iter().find(|(_, known)| known == name)
        {
            let problem = format!("`{kind}` has a neutral name");
            return Err(InvalidConfig::new(Field::Events, problem, format!("write `{neutral}`")).into());
        }
    }
    let fitted = CAPABILITIES.fit(config, fidelity)?;
    let effective = &fitted.effective;
    let sign_type = effective.signing().scheme().map(|scheme| match scheme {
        SigningScheme::Md5 => wire::SIGN_MD5,
        _ => wire::SIGN_HMAC_SHA256,
    });
    let request = RecordCallbackConfigRequest {
        publish_domain: effective.domain().as_str().to_owned(),
        app: effective.app().as_str().to_owned(),
        notify_callback_url: Some(effective.notify_url().as_str().to_owned()),
        notify_event_subscription: Some(effective.events().iter().map(event_name).collect()),
        on_demand_callback_url: effective.on_demand_url().map(|url| url.as_str().to_owned()),
        sign_type: sign_type.map(str::to_owned),
        key: effective.signing().key().map(|key| key.expose().into()),
    };
    Ok((request, fitted))
}

fn event_name(kind: &EventKind) -> String {
    match kind {
        EventKind::Vendor(name) => name.clone(),
        known => EVENTS.iter().find(|(kind, _)| kind == known).map_or("", |(_, name)| name).to_owned(),
    }
}

/// What a config of the cloud says in neutral words.
pub(crate) fn stored(answer: RecordCallbackConfigAnswer) -> StoredCallback {
    let (created_at, updated_at) = (answer.created_at(), answer.updated_at());
    let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    let events = answer.notify_event_subscription.unwrap_or_default();
    let scheme = match answer.sign_type.unwrap_or_default().to_ascii_uppercase().as_str() {
        wire::SIGN_MD5 => Some(SigningScheme::Md5),
        wire::SIGN_HMAC_SHA256 => Some(SigningScheme::HmacSha256),
        _ => None,
    };
    let key = match answer.key.as_ref().map(ExposeSecret::expose_secret) {
        Some(key) if !key.is_empty() => StoredKey::Known(SigningKey::reported(key)),
        _ => StoredKey::Hidden,
    };
    StoredCallback {
        key: CallbackKey::new(
            DomainName::reported(&answer.publish_domain.unwrap_or_default()),
            AppSelector::reported(&answer.app.unwrap_or_default()),
        ),
        id: answer.id.map(ConfigId::new),
        notify_url: not_empty(answer.notify_callback_url),
        on_demand_url: not_empty(answer.on_demand_callback_url),
        events: events.into_iter().map(event_kind).collect(),
        signing: StoredSigning { scheme, key },
        created_at,
        updated_at,
    }
}

fn event_kind(name: String) -> EventKind {
    match EVENTS.into_iter().find(|(_, known)| *known == name) {
        Some((kind, _)) => kind,
        None => EventKind::Vendor(name),
    }
}

/// The kind of an event that was delivered; `None` for a name no vendor's event can have.
fn delivered_kind(name: &str) -> Option<EventKind> {
    match EVENTS.into_iter().find(|(_, known)| *known == name) {
        Some((kind, _)) => Some(kind),
        None => format!("vendor:{name}").parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::{CallbackSigning, DifferenceKind};

    use super::*;

    const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

    fn answer_to(request: RecordCallbackConfigRequest) -> RecordCallbackConfigAnswer {
        RecordCallbackConfigAnswer {
            id: Some("id-1".into()),
            publish_domain: Some(request.publish_domain),
            app: Some(request.app),
            notify_callback_url: request.notify_callback_url,
            notify_event_subscription: request.notify_event_subscription,
            on_demand_callback_url: request.on_demand_callback_url,
            sign_type: request.sign_type,
            ..Default::default()
        }
    }

    #[test]
    fn what_was_translated_reads_back_but_for_the_key() {
        let config = RecordCallbackConfig::builder("push.example.com", "http://cb.example.com/n")
            .app("live")
            .on_demand_url("http://cb.example.com/od")
            .events([EventKind::RecordingStarted, EventKind::Vendor("RECORD_LATER".into())])
            .signing(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
            .build()
            .unwrap();
        let (request, fitted) = translate(&config, Fidelity::Exact).unwrap();
        assert_eq!(fitted.deviations, []);
        assert_eq!(request.notify_event_subscription.as_ref().unwrap(), &["RECORD_START", "RECORD_LATER"]);
        let stored = stored(answer_to(request));
        assert_eq!(stored.key, config.key());
        let differences = stored.differences(&config);
        assert_eq!(differences.len(), 1);
        assert_eq!(
            (differences[0].field, differences[0].kind),
            (Field::SigningKey, DifferenceKind::CannotBeReadBack)
        );
    }

    #[test]
    fn a_vendor_name_of_a_neutral_event_is_refused() {
        let config = RecordCallbackConfig::builder("push.example.com", "http://cb.example.com/n")
            .events([EventKind::Vendor("RECORD_OVER".into())])
            .build()
            .unwrap();
        let error = translate(&config, Fidelity::Exact).unwrap_err().to_string();
        assert!(
            error.contains("`vendor:RECORD_OVER` has a neutral name (rule: write `recording_ended`)"),
            "{error}"
        );
    }

    #[test]
    fn every_wire_event_has_one_neutral_name() {
        for (kind, name) in EVENTS {
            assert_eq!(event_kind(event_name(&kind)), kind);
            assert_eq!(event_kind(name.to_owned()), kind);
        }
    }

    #[test]
    fn odd_configs_of_others_are_shown_as_they_are() {
        let odd = RecordCallbackConfigAnswer {
            publish_domain: Some("Push_1.example.com".into()),
            app: Some("**".into()),
            sign_type: Some("SM3".into()),
            key: Some("echoed".into()),
            ..Default::default()
        };
        let stored = stored(odd);
        assert_eq!(stored.key.to_string(), "push_1.example.com/**");
        assert!(stored.events.is_empty() && stored.notify_url.is_none());
        assert_eq!(stored.signing.scheme, None);
        assert!(matches!(stored.signing.key, StoredKey::Known(_)));
    }
}
