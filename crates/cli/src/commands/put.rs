//! `record-callback put`

use std::process::ExitCode;

use record_callback::http::TokioTimer;
use record_callback::{
    CallbackKey, CallbackSigning, CallbackUrl, Deviation, Error, ErrorKind, EventKind, Field, PutAction,
    ReadBack, RecordCallbackConfig, RecordCallbackProviderExt, SigningScheme, StoredCallback, StoredKey,
};
use serde::Serialize;

use super::signing_key;
use crate::args::{PutArguments, SchemeName};
use crate::change::{Change, planned};
use crate::consent::Consent;
use crate::failure::Failure;
use crate::{output, owners};

#[derive(Serialize)]
struct Report {
    action: Action,
    /// Nothing was written: this is what would be.
    dry_run: bool,
    before: Option<StoredCallback>,
    after: StoredCallback,
    deviations: Vec<Deviation>,
    unconfirmed: Vec<Field>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Action {
    Created,
    Updated,
    Unchanged,
}

pub(crate) async fn run(arguments: PutArguments) -> Result<ExitCode, Failure> {
    let edit = Edit::of(&arguments)?;
    let PutArguments { cloud, fidelity, consent, output, .. } = arguments;
    let provider = cloud.connect()?;
    if let Some(signing) = &edit.signing {
        let checked = provider.capabilities().check_signing(signing);
        checked
            .map_err(|error| error.with_domain(edit.key.domain.as_str()).with_vendor(provider.vendor()))?;
    }
    let before = provider.get(&edit.key).await?;
    let wanted = edit.wanted(before.as_ref())?;
    let fitted = provider.capabilities().fit(&wanted, fidelity);
    let fitted = fitted.map_err(|error| error.with_vendor(provider.vendor()))?;
    let after = planned(&fitted.effective, before.as_ref());
    let mut report = Report {
        action: match &before {
            None => Action::Created,
            Some(before) if before.differences(&fitted.effective).is_empty() => Action::Unchanged,
            Some(_) => Action::Updated,
        },
        dry_run: consent.dry_run,
        before,
        after,
        deviations: fitted.deviations,
        unconfirmed: Vec::new(),
    };
    let change = Change {
        vendor: provider.vendor(),
        key: &edit.key,
        before: report.before.as_ref(),
        after: Some(&report.after),
    };
    let diff = lines(change.text(), &report.deviations);
    if report.action == Action::Unchanged {
        output::print(output.output, &report, |_| format!("unchanged {}", shown(&edit.key)))?;
        return Ok(ExitCode::SUCCESS);
    }
    owners::warn(provider.vendor(), &edit.key)?;
    if consent.dry_run {
        output::print(output.output, &report, |_| diff.clone())?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown_before = match consent.ask(&change, &diff, output.output)? {
        Consent::Refused => return Ok(ExitCode::FAILURE),
        Consent::Answered => {
            super::check_unchanged(&*provider, &edit.key, report.before.as_ref()).await?;
            true
        }
        Consent::Given => false,
    };
    let ensured = provider.ensure(&wanted, fidelity, &ReadBack::new(TokioTimer)).await.map_err(creating)?;
    report.action = match ensured.action {
        PutAction::Created => Action::Created,
        PutAction::Replaced => Action::Updated,
    };
    (report.after, report.unconfirmed) = (ensured.stored, ensured.unconfirmed);
    let found: Vec<_> =
        ensured.deviations.iter().filter(|one| !report.deviations.contains(one)).cloned().collect();
    report.deviations = ensured.deviations;
    output::print(output.output, &report, |report| {
        let verb = if report.action == Action::Created { "created" } else { "updated" };
        let id = report.after.id.as_ref().map(|id| format!(" as id {}", output::escaped(id)));
        let mut text = if shown_before { String::new() } else { diff.clone() };
        text.push_str(&lines(format!("{verb} {}{}\n", shown(&edit.key), id.unwrap_or_default()), &found));
        let unseen = |field: &Field| format!("unconfirmed    {field}: cannot be read back\n");
        text.extend(report.unconfirmed.iter().map(unseen));
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn shown(key: &CallbackKey) -> String {
    output::escaped(key)
}

fn lines(text: String, deviations: &[Deviation]) -> String {
    deviations.iter().fold(text, |text, one| format!("{text}deviation      {}\n", output::escaped(one)))
}

/// There is nothing to create first where it is being created.
fn creating(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => {
            let hint = "check that the domain is one of this account's, and is spelled as the cloud has it";
            Failure::Advised { error, hint: hint.to_owned() }
        }
        _ => error.into(),
    }
}

/// The parts of a config that the command line names.
struct Edit {
    key: CallbackKey,
    notify_url: Option<String>,
    on_demand_url: Option<String>,
    no_on_demand_url: bool,
    added: Vec<EventKind>,
    removed: Vec<EventKind>,
    signing: Option<CallbackSigning>,
}

impl Edit {
    /// Refuses what is wrong whatever the cloud has.
    fn of(arguments: &PutArguments) -> Result<Self, Error> {
        let key = CallbackKey::from(arguments.key.clone());
        for (field, url) in
            [(Field::NotifyUrl, &arguments.notify_url), (Field::OnDemandUrl, &arguments.on_demand_url)]
        {
            url.as_deref().map(|url| CallbackUrl::new(field, url)).transpose()?;
        }
        Ok(Self {
            key,
            notify_url: arguments.notify_url.clone(),
            on_demand_url: arguments.on_demand_url.clone(),
            no_on_demand_url: arguments.no_on_demand_url,
            added: arguments.events.clone(),
            removed: arguments.no_events.clone(),
            signing: signing(arguments)?,
        })
    }

    /// The config to write: what is there with what is named, or a new one.
    fn wanted(&self, before: Option<&StoredCallback>) -> Result<RecordCallbackConfig, Failure> {
        let mut builder = match (before, &self.notify_url) {
            (Some(before), _) if before.signing.key == StoredKey::Hidden && self.signing.is_none() => {
                return Err(self.key_is_hidden());
            }
            (Some(before), _) => before.to_builder(self.signing.clone())?,
            (None, Some(url)) => {
                let builder =
                    RecordCallbackConfig::builder(self.key.domain.as_str(), url).app(self.key.app.as_str());
                let builder = if self.added.is_empty() { builder } else { builder.events([]) };
                builder.signing(self.signing.clone().unwrap_or_default())
            }
            (None, None) => {
                return Err(Failure::Misused {
                    problem: format!(
                        "there is no config for {}, and a new one needs a URL",
                        shown(&self.key)
                    ),
                    hint: "say with `--notify-url` where events are sent".to_owned(),
                });
            }
        };
        if let (Some(url), Some(_)) = (&self.notify_url, before) {
            builder = builder.notify_url(url);
        }
        if let Some(url) = &self.on_demand_url {
            builder = builder.on_demand_url(url);
        } else if self.no_on_demand_url {
            builder = builder.no_on_demand_url();
        }
        let builder =
            builder.add_events(self.added.iter().cloned()).remove_events(self.removed.iter().cloned());
        Ok(builder.build()?)
    }

    /// The key cannot be kept by writing it again, and whether there is one cannot be told.
    fn key_is_hidden(&self) -> Failure {
        Failure::Misused {
            problem: format!(
                "this cloud shows neither the signing key of {} nor whether there is one, so it cannot be kept; nothing \
                 was changed",
                shown(&self.key)
            ),
            hint: "give the key again with `--sign SCHEME --key-env NAME`, or say with `--unsigned` that there is none"
                .to_owned(),
        }
    }
}

fn signing(arguments: &PutArguments) -> Result<Option<CallbackSigning>, Error> {
    if arguments.unsigned {
        return Ok(Some(CallbackSigning::Disabled));
    }
    let (Some(scheme), Some(name)) = (arguments.sign, &arguments.key_env) else { return Ok(None) };
    let scheme = match scheme {
        SchemeName::Md5 => SigningScheme::Md5,
        SchemeName::HmacSha256 => SigningScheme::HmacSha256,
    };
    Ok(Some(CallbackSigning::with(scheme, signing_key(name)?)))
}
