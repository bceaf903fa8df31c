//! The changes that a command makes to one config: shown before it does, and reported after.

use anstyle::{AnsiColor, Style};
use record_callback::text::{one_line, without_query};
use record_callback::{CallbackKey, RecordCallbackConfig, StoredCallback, StoredKey, StoredSigning, Vendor};

use crate::output;

const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();

/// A config as it is and as it is to be.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) vendor: Vendor,
    pub(crate) key: &'a CallbackKey,
    /// As the cloud has it.
    pub(crate) before: Option<&'a StoredCallback>,
    pub(crate) after: Option<&'a StoredCallback>,
}

/// `config` as a cloud that shows everything would report it.
pub(crate) fn planned(config: &RecordCallbackConfig, before: Option<&StoredCallback>) -> StoredCallback {
    StoredCallback {
        key: config.key(),
        id: before.and_then(|before| before.id.clone()),
        notify_url: Some(config.notify_url().as_str().to_owned()),
        on_demand_url: config.on_demand_url().map(|url| url.as_str().to_owned()),
        events: config.events().clone(),
        signing: StoredSigning {
            scheme: config.signing().scheme(),
            key: config.signing().key().cloned().map_or(StoredKey::NotSet, StoredKey::Known),
        },
        created_at: before.and_then(|before| before.created_at),
        updated_at: before.and_then(|before| before.updated_at),
    }
}

impl Change<'_> {
    /// Tells if nothing that exists is changed or lost.
    pub(crate) fn only_adds(&self) -> bool {
        match (self.before, self.after) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => {
                let adds = |one: &Option<String>, other| one.is_none() || one == other;
                adds(&before.notify_url, &after.notify_url)
                    && adds(&before.on_demand_url, &after.on_demand_url)
                    && before.events.without(&after.events).is_empty()
                    && before.signing == after.signing
            }
        }
    }

    /// The fields before and after, with colours that [`anstream`] takes away where nobody sees them. A key is never
    /// shown, and neither is a query.
    pub(crate) fn text(&self) -> String {
        let (style, sign, verb) = match (self.before, self.after) {
            (None, _) => (GREEN, "+", "create"),
            (Some(_), Some(_)) => (YELLOW, "~", "update"),
            (Some(_), None) => (RED, "-", "delete"),
        };
        let key = self.key.to_string();
        let mut text =
            format!("{style}{sign} {verb}{style:#} {BOLD}{} {}{BOLD:#}\n", self.vendor, one_line(&key));
        for (label, [before, after]) in self.fields() {
            if before == after {
                line(&mut text, Style::new(), ' ', label, before.as_deref());
            } else {
                line(&mut text, RED, '-', label, before.as_deref());
                line(&mut text, GREEN, '+', label, after.as_deref());
            }
        }
        text
    }

    fn fields(&self) -> [(&'static str, [Option<String>; 2]); 4] {
        let sides = [self.before, self.after];
        let url = |of: fn(&StoredCallback) -> &Option<String>| {
            let [before, after] = sides.map(|side| side.and_then(|side| of(side).clone()));
            let shown = [&before, &after].map(|url| url.as_deref().map(without_query));
            match shown {
                [Some(one), Some(other)] if one == other && before != after => {
                    [Some(one), Some(format!("{other} (another query)"))]
                }
                shown => shown,
            }
        };
        [
            ("notify url", url(|side| &side.notify_url)),
            ("on-demand url", url(|side| &side.on_demand_url)),
            ("events", sides.map(|side| side.map(|side| side.events.to_string()))),
            ("signing", self.signing()),
        ]
    }

    fn signing(&self) -> [Option<String>; 2] {
        let before = self.before.map(output::signing);
        let after = self.after.map(|after| match (self.before, after.signing.scheme) {
            (Some(before), _) if before.signing == after.signing => output::signing(after),
            (_, Some(scheme)) => format!("{scheme} (the given key)"),
            (_, None) => "disabled".to_owned(),
        });
        [before, after]
    }
}

/// A field that is there.
fn line(text: &mut String, style: Style, sign: char, label: &str, value: Option<&str>) {
    if let Some(value) = value {
        text.push_str(format!("{style}  {sign} {label:<13} {}", one_line(value)).trim_end());
        text.push_str(&style.render_reset().to_string());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use record_callback::{CallbackSigning, EventKind, SigningKey};

    use super::*;

    const KEY: &str = "Abcdefgh12345678Abcdefgh12345678";

    fn stored(signing: CallbackSigning) -> StoredCallback {
        let config =
            RecordCallbackConfig::builder("live.example.com", "http://cb.example.com/n?token=s3cr3t")
                .on_demand_url("http://cb.example.com/ask")
                .signing(signing);
        planned(&config.build().unwrap(), None)
    }

    fn signed() -> StoredCallback {
        stored(CallbackSigning::Md5(SigningKey::new(KEY).unwrap()))
    }

    fn change<'a>(before: Option<&'a StoredCallback>, after: Option<&'a StoredCallback>) -> Change<'a> {
        let key = &before.or(after).unwrap().key;
        Change { vendor: Vendor::new("acme"), key, before, after }
    }

    #[test]
    fn a_change_shows_each_field_before_and_after() {
        let before = signed();
        let mut after = before.clone();
        after.notify_url = Some("http://cb.example.com/n?token=an0ther".into());
        after.on_demand_url = None;
        after.events = after.events.union(&[EventKind::RecordingFailed].into());
        let text = change(Some(&before), Some(&after)).text();
        assert_eq!(
            strip_str(&text).to_string(),
            "~ update acme live.example.com/*\n\
             \x20 - notify url    http://cb.example.com/n?…\n\
             \x20 + notify url    http://cb.example.com/n?… (another query)\n\
             \x20 - on-demand url http://cb.example.com/ask\n\
             \x20 - events        file_completed\n\
             \x20 + events        recording_failed, file_completed\n\
             \x20   signing       md5 (key known)\n"
        );
        let created = change(None, Some(&before)).text();
        assert!(strip_str(&created).to_string().contains("+ signing       md5 (the given key)"), "{created}");
        let deleted = change(Some(&before), None).text();
        assert!(strip_str(&deleted).to_string().starts_with("- delete acme"), "{deleted}");
        for shown in [&text, &created, &deleted] {
            assert!(
                shown.contains("\u{1b}[3") && !shown.contains("token") && !shown.contains(KEY),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_stored_cannot_act_on_a_terminal() {
        let mut odd = signed();
        odd.notify_url = Some("http://cb.example.com/\n  + \u{202e}\u{1b}[2J".into());
        let text = strip_str(&change(Some(&odd), None).text()).to_string();
        assert!(text.contains(r"http://cb.example.com/\n  + \u{202e}\u{1b}[2J"), "{text}");
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn only_what_keeps_all_there_is_counts_as_an_addition() {
        let before = signed();
        let edited = |edit: fn(&mut StoredCallback)| {
            let mut after = before.clone();
            edit(&mut after);
            change(Some(&before), Some(&after)).only_adds()
        };
        assert!(change(None, Some(&before)).only_adds());
        assert!(!change(Some(&before), None).only_adds());
        assert!(edited(|after| after.events = after.events.union(&[EventKind::FileStarted].into())));
        assert!(!edited(|after| after.events = [EventKind::FileStarted].into()));
        assert!(!edited(|after| after.notify_url = Some("http://cb.example.com".into())));
        assert!(!edited(|after| after.on_demand_url = None));
        assert!(!edited(|after| after.signing.key = StoredKey::NotSet));
        let mut hidden = signed();
        hidden.signing.key = StoredKey::Hidden;
        assert!(!change(Some(&hidden), Some(&before)).only_adds());
    }
}
