//! `record-callback list`

use record_callback::StoredCallback;

use crate::args::ListArguments;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(arguments: ListArguments) -> Result<(), Failure> {
    let provider = arguments.cloud.connect()?;
    let mut configs = provider.list(arguments.domain.as_ref()).await?;
    configs.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(output::print(arguments.output.output, &configs, |configs| rows(configs))?)
}

fn rows(configs: &[StoredCallback]) -> String {
    let rows = configs.iter().map(|stored| {
        [
            stored.key.domain.to_string(),
            stored.key.app.to_string(),
            stored.notify_url.clone().unwrap_or_else(|| "-".into()),
            stored.events.to_string(),
            output::signing(stored),
        ]
    });
    output::table(&["DOMAIN", "APP", "NOTIFY URL", "EVENTS", "SIGNING"], rows)
}
