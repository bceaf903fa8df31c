use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{AccessKey, Clock, Lease, Miss, SourceContext};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::cli_profile::{FILES, PROFILE};
use super::env::VARIABLES;
use super::issued::Issuer;
use super::oidc::{PROVIDER_ARN, ROLE_ARN, TOKEN_FILE};
use super::role::EXTERNAL_ID;
use super::sts::HOST;
use crate::region::VARIABLES as REGIONS;
use crate::wire::credential::{PrintedKey, mode};

/// How long a program may take, as in the vendor's SDKs.
const PATIENCE: Duration = Duration::from_secs(60);
/// No key is longer.
const LONGEST: u64 = 64 * 1024;
/// How long a key without an end is kept. Such keys are renewed after two thirds of it, after five minutes.
const KEPT: SignedDuration = SignedDuration::from_secs(7 * 60 + 30);

/// Switches off, in the vendor's command line, what gives keys from elsewhere: programs and addresses of profiles.
pub(super) const DISABLED: &str = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS";

/// Tells if it says so, by the command line's rule.
pub(super) fn is_disabled(context: &SourceContext) -> bool {
    context.is_true(DISABLED) || context.var(DISABLED).as_deref() == Some("1")
}

/// The variables by which programs are found, find files, put files, speak a language and reach others. All else of the
/// environment is none of theirs: there may be other clouds' keys in it.
const OF_THE_SYSTEM: [&str; 36] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    // Elsewhere than on Unix.
    "SYSTEMROOT",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "TEMP",
    "TMP",
];

/// The variables a program gets, with their values: the system's, and those of the vendor that say who calls and where.
fn environment(context: &SourceContext) -> Vec<(&'static str, SecretString)> {
    let keys = VARIABLES.iter().flat_map(|set| [set.id, set.secret, set.security_token]);
    let several = [PROFILE, FILES, ROLE_ARN, PROVIDER_ARN, TOKEN_FILE, EXTERNAL_ID];
    let vendors = several.into_iter().flatten().copied().chain([HOST]).chain(REGIONS).chain(keys);
    let names = OF_THE_SYSTEM.into_iter().chain(vendors);
    names.filter_map(|name| Some((name, context.env.var(name)?.into()))).collect()
}

/// Keys a program prints. Neither its arguments nor what it prints is ever shown: secrets may be among it.
pub(super) struct External {
    program: String,
    arguments: Vec<SecretString>,
    environment: Vec<(&'static str, SecretString)>,
    clock: Arc<dyn Clock>,
}

impl External {
    /// `command` is split as a shell does, and no shell runs it: `$`, `|` and `>` mean nothing. `None` if a quote is
    /// open, or if there is nothing in it.
    pub(super) fn new(context: &SourceContext, command: &str) -> Option<Self> {
        let mut words = shlex::split(command)?.into_iter();
        let program = words.next()?;
        let arguments = words.map(SecretString::from).collect();
        Some(Self {
            program,
            arguments,
            environment: environment(context),
            clock: Arc::clone(&context.clock),
        })
    }

    async fn run(&self) -> Result<Vec<u8>> {
        let failed = |kind, what: &str| Error::new(kind, format!("the program {what}"));
        let unavailable = |what: &str| failed(ErrorKind::Unavailable, what);
        let mut child = Command::new(&self.program)
            .args(self.arguments.iter().map(ExposeSecret::expose_secret))
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value.expose_secret())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Whoever stops waiting, stops it.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(ErrorKind::Unauthenticated, "cannot be started").with_source(error))?;
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(LONGEST + 1).read_to_end(&mut output).await;
            read.map_err(|error| unavailable("cannot be read from").with_source(error))?;
        }
        if output.len() as u64 > LONGEST {
            return Err(unavailable("prints more than 64 KiB"));
        }
        let status = child.wait().await.map_err(|error| unavailable("was lost").with_source(error))?;
        if !status.success() {
            // By the system: `exit status: 1`, or the signal it was ended by.
            return Err(unavailable(&format!("failed ({status}); run it by hand to see why")));
        }
        Ok(output)
    }
}

#[async_trait]
impl Issuer for External {
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
        let output = timeout(PATIENCE, self.run()).await.map_err(|_| {
            let message = format!("the program did not end within {} s", PATIENCE.as_secs());
            Error::new(ErrorKind::Timeout, message)
        })??;
        Ok(read(&output, self.clock.now())?)
    }
}

/// The key that was printed.
fn read(output: &[u8], now: Timestamp) -> Result<Lease<AccessKey>> {
    let mistake =
        |what: &str| Error::new(ErrorKind::Unauthenticated, format!("the program did not print {what}"));
    let printed: PrintedKey = serde_json::from_slice(output).map_err(|_| {
        mistake(
            "JSON with access_key_id, access_key_secret and, for temporary keys, sts_token and expiration",
        )
    })?;
    let mut key = AccessKey::new(&printed.access_key_id, printed.access_key_secret.expose_secret());
    let token = printed.sts_token.as_ref().map(ExposeSecret::expose_secret);
    let token = token.filter(|token| !token.trim().is_empty());
    match (printed.mode.as_deref(), token) {
        (Some(mode::STS_TOKEN), None) => return Err(mistake("the sts_token of a key of mode StsToken")),
        (None | Some("" | mode::AK | mode::STS_TOKEN), _) => {}
        // What other modes stand for is not the key that is printed with them.
        _ => return Err(mistake("a key of mode AK or StsToken")),
    }
    if let Some(token) = token {
        key = key.with_security_token(token);
    }
    let expiration = printed.expiration.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let expires_at = match expiration {
        Some(text) => {
            let expires_at =
                text.parse().map_err(|_| mistake("an expiration such as 2026-01-02T03:04:05Z"))?;
            key = key.with_expiry(expires_at);
            expires_at
        }
        None => now.saturating_add(KEPT).unwrap_or(Timestamp::MAX),
    };
    Ok(Lease { value: key, expires_at: Some(expires_at), issued_at: None })
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
