//! How it is confirmed that a callback works in its new place, before the old one goes.

mod metrics;

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use record_callback::fleet::{Confirmation, Name, Slot};
use tokio::process::Command;
use tokio::time::timeout;

use self::metrics::NewEvent;
use crate::args::fleet::SwitchArguments;
use crate::failure::Failure;

/// What was asked to confirm by, if anything was. Reads the receiver's counter as it is before anything is written.
pub(crate) async fn confirmation(
    arguments: &SwitchArguments,
) -> Result<Option<Arc<dyn Confirmation>>, Failure> {
    let limit = Duration::from_secs(arguments.confirm_timeout.get().into());
    if let (Some(url), Some(source)) = (&arguments.confirm_url, &arguments.confirm_source) {
        return Ok(Some(Arc::new(NewEvent::after_now(url, source, limit).await?)));
    }
    let command = arguments.confirm_command.clone();
    Ok(command.map(|command| Arc::new(ByCommand { command, limit }) as Arc<dyn Confirmation>))
}

/// Confirmed by the exit code of a command.
#[derive(Debug)]
struct ByCommand {
    command: String,
    limit: Duration,
}

#[async_trait]
impl Confirmation for ByCommand {
    async fn confirm(&self, name: &Name, from: &[Slot], to: &Slot) -> Result<(), String> {
        let from = from.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let mut command = Command::new("sh");
        command
            .args(["-c", &self.command])
            .env("RECORD_CALLBACK_NAME", name.as_str())
            .env("RECORD_CALLBACK_TO_PROVIDER", to.provider.as_str())
            .env("RECORD_CALLBACK_TO_DOMAIN", to.key.domain.as_str())
            .env("RECORD_CALLBACK_TO_APP", to.key.app.as_str())
            .env("RECORD_CALLBACK_FROM", from)
            .stdin(Stdio::null())
            // Ours is for the report.
            .stdout(io::stderr())
            .kill_on_drop(true);
        match timeout(self.limit, command.status()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the command ended with {status}")),
            Ok(Err(error)) => Err(format!("the command could not be run: {error}")),
            Err(_) => Err(format!("the command did not end within {} s", self.limit.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn slot(provider: &str, domain: &str) -> Slot {
        serde_json::from_value(serde_json::json!({ "provider": provider, "domain": domain, "app": "*" }))
            .unwrap()
    }

    async fn by(command: &str, seconds: u64) -> Result<(), String> {
        let command = ByCommand { command: command.to_owned(), limit: Duration::from_secs(seconds) };
        let from = [slot("ali", "live.example.com"), slot("old", "live.example.com")];
        command.confirm(&Name::new("matches").unwrap(), &from, &slot("hw", "push.example.com")).await
    }

    #[tokio::test]
    async fn a_command_confirms_by_its_exit_code_and_knows_the_places() {
        let to = "test \"$RECORD_CALLBACK_NAME $RECORD_CALLBACK_TO_PROVIDER $RECORD_CALLBACK_TO_DOMAIN \
                  $RECORD_CALLBACK_TO_APP\" = 'matches hw push.example.com *'";
        assert_eq!(by(to, 10).await, Ok(()));
        let from = "test \"$RECORD_CALLBACK_FROM\" = 'ali live.example.com/*\nold live.example.com/*'";
        assert_eq!(by(from, 10).await, Ok(()));
        assert_eq!(by("exit 3", 10).await.unwrap_err(), "the command ended with exit status: 3");
    }

    #[tokio::test]
    async fn a_command_has_a_limit() {
        let begun = Instant::now();
        assert_eq!(by("exec sleep 60", 1).await.unwrap_err(), "the command did not end within 1 s");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
