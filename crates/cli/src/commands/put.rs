//! `record-callback put`

use record_callback::http::TokioTimer;
use record_callback::{
    CallbackSigning, Deviation, Ensured, Error, Field, PutAction, ReadBack, RecordCallbackConfig,
    RecordCallbackProviderExt, SigningScheme, StoredCallback,
};
use serde::Serialize;

use super::signing_key;
use crate::args::{PutArguments, SchemeName};
use crate::failure::Failure;
use crate::output;

#[derive(Serialize)]
struct Report {
    action: PutAction,
    #[serde(flatten)]
    stored: StoredCallback,
    deviations: Vec<Deviation>,
    unconfirmed: Vec<Field>,
}

pub(crate) async fn run(arguments: PutArguments) -> Result<(), Failure> {
    let config = config(&arguments)?;
    let provider = arguments.cloud.connect()?;
    let ensured = provider.ensure(&config, arguments.fidelity, &ReadBack::new(TokioTimer)).await?;
    let Ensured { action, stored, deviations, unconfirmed } = ensured;
    let report = Report { action, stored, deviations, unconfirmed };
    Ok(output::print(arguments.output.output, &report, text)?)
}

fn config(arguments: &PutArguments) -> Result<RecordCallbackConfig, Error> {
    let mut builder = RecordCallbackConfig::builder(arguments.key.domain.as_str(), &arguments.notify_url)
        .app(arguments.key.app.as_str())
        .signing(signing(arguments)?);
    if let Some(url) = &arguments.on_demand_url {
        builder = builder.on_demand_url(url);
    }
    if !arguments.events.is_empty() {
        builder = builder.events(arguments.events.clone());
    }
    Ok(builder.build()?)
}

fn signing(arguments: &PutArguments) -> Result<CallbackSigning, Error> {
    let (Some(scheme), Some(name)) = (arguments.sign, &arguments.key_env) else {
        return Ok(CallbackSigning::Disabled);
    };
    let scheme = match scheme {
        SchemeName::Md5 => SigningScheme::Md5,
        SchemeName::HmacSha256 => SigningScheme::HmacSha256,
    };
    Ok(CallbackSigning::with(scheme, signing_key(name)?))
}

fn text(report: &Report) -> String {
    let action = match report.action {
        PutAction::Created => "created",
        PutAction::Replaced => "replaced",
    };
    let mut lines = vec![action.to_owned(), output::details(&report.stored)];
    lines.extend(report.deviations.iter().map(|deviation| format!("deviation      {deviation}")));
    lines.extend(
        report.unconfirmed.iter().map(|field| format!("unconfirmed    {field}: cannot be read back")),
    );
    lines.join("\n")
}
