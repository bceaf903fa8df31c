//! `record-callback delete`

use record_callback::{AppSelector, CallbackKey, DomainName};
use serde::Serialize;

use crate::args::OneArguments;
use crate::failure::Failure;
use crate::output;

#[derive(Serialize)]
struct Deleted {
    action: &'static str,
    domain: DomainName,
    app: AppSelector,
}

pub(crate) async fn run(arguments: OneArguments) -> Result<(), Failure> {
    let provider = arguments.cloud.connect()?;
    let key = CallbackKey::from(arguments.key);
    provider.delete(&key).await?;
    let deleted = Deleted { action: "deleted", domain: key.domain, app: key.app };
    Ok(output::print(arguments.output.output, &deleted, |done| {
        format!("deleted {}/{}", done.domain, done.app)
    })?)
}
