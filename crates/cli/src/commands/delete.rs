//! `record-callback delete`

use std::process::ExitCode;

use record_callback::{AppSelector, CallbackKey, DomainName, StoredCallback};
use serde::Serialize;

use super::existing;
use crate::args::DeleteArguments;
use crate::change::Change;
use crate::consent::Consent;
use crate::failure::Failure;
use crate::{output, owners};

#[derive(Serialize)]
struct Deleted<'a> {
    action: &'static str,
    /// Nothing was deleted: this is what would be.
    dry_run: bool,
    domain: &'a DomainName,
    app: &'a AppSelector,
    before: &'a StoredCallback,
}

pub(crate) async fn run(arguments: DeleteArguments) -> Result<ExitCode, Failure> {
    let DeleteArguments { cloud, key, consent, output } = arguments;
    let provider = cloud.connect()?;
    let key = CallbackKey::from(key);
    let before = existing(&*provider, &key).await?;
    let change = Change { vendor: provider.vendor(), key: &key, before: Some(&before), after: None };
    let deleted = Deleted {
        action: "deleted",
        dry_run: consent.dry_run,
        domain: &key.domain,
        app: &key.app,
        before: &before,
    };
    owners::warn(provider.vendor(), &key)?;
    if consent.dry_run {
        output::print(output.output, &deleted, |_| change.text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = match consent.ask(&change, &change.text(), output.output)? {
        Consent::Refused => return Ok(ExitCode::FAILURE),
        Consent::Answered => {
            super::check_unchanged(&*provider, &key, Some(&before)).await?;
            String::new()
        }
        Consent::Given => change.text(),
    };
    provider.delete(&key).await?;
    output::print(output.output, &deleted, |_| format!("{shown}deleted {}", output::escaped(&key)))?;
    Ok(ExitCode::SUCCESS)
}
