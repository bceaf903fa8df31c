use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{AccessKey, Clock, CredentialProvider, Lease, Miss, Renewed, kind_of_credentials};

/// How long before its end a key is renewed, as the vendor's SDKs do.
const AHEAD: SignedDuration = SignedDuration::from_mins(15);

/// Who gives keys for a time.
#[async_trait]
pub(super) trait Issuer: fmt::Debug + Send + Sync + 'static {
    /// A new key.
    async fn issue(&self) -> Result<Lease<AccessKey>, Miss>;

    /// What to say before an error, such as which role was not given.
    fn complaint(&self) -> Option<String> {
        None
    }
}

/// The keys of one issuer, renewed shortly before their end.
#[derive(Debug)]
pub(super) struct Issued {
    origin: Arc<str>,
    issuer: Box<dyn Issuer>,
    renewed: Renewed<AccessKey>,
}

impl Issued {
    /// Keys of `issuer`. Reports and errors name `origin`, which is no secret.
    pub(super) fn new(clock: Arc<dyn Clock>, origin: impl Into<Arc<str>>, issuer: impl Issuer) -> Self {
        Self { origin: origin.into(), issuer: Box::new(issuer), renewed: Renewed::new(clock, AHEAD) }
    }

    /// The key to sign with now, or whether anybody set up who issues it.
    pub(super) async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
        self.renewed.get(|| self.fetch()).await.map_err(|error| match error.kind() {
            NOT_CONFIGURED => Miss::NotConfigured(error.message().to_owned()),
            _ => Miss::Failed(error),
        })
    }

    async fn fetch(&self) -> Result<Lease<AccessKey>> {
        match self.issuer.issue().await {
            Ok(Lease { value, expires_at, issued_at }) => {
                let value = value.from_origin(Arc::clone(&self.origin));
                Ok(Lease { value, expires_at, issued_at })
            }
            Err(Miss::NotConfigured(what)) => Err(Error::new(NOT_CONFIGURED, what)),
            Err(Miss::Failed(error) | Miss::Refused(error)) => Err(match self.issuer.complaint() {
                Some(complaint) => of_credentials(&format!("{}: {complaint}", self.origin), error),
                None => of_credentials(&self.origin, error),
            }),
        }
    }
}

/// Marks that nobody set the issuer up, on the way through the cache. [`of_credentials`] makes none of this kind.
const NOT_CONFIGURED: ErrorKind = ErrorKind::NotFound;

#[async_trait]
impl CredentialProvider for Issued {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        self.find().await.map_err(|miss| demanded(&self.origin, miss))
    }
}

/// The error where a source that was asked for by name has no key.
pub(super) fn demanded(origin: &str, miss: Miss) -> Error {
    match miss {
        Miss::NotConfigured(what) => Error::new(ErrorKind::Unauthenticated, format!("{origin}: {what}")),
        Miss::Failed(error) | Miss::Refused(error) => error,
    }
}

/// An error of getting a key, such that nobody takes it for one of the call that is to be signed: of no kind that says
/// something about a config, and with code and status in its text only.
pub(super) fn of_credentials(origin: &str, error: Error) -> Error {
    let message = match error.vendor() {
        // The cloud's words, with code and request id.
        Some(_) => format!("{origin}: {error}"),
        None => format!("{origin}: {}", error.message()),
    };
    Error::new(kind_of_credentials(&error), message).with_source(error)
}

#[cfg(test)]
mod tests {
    use record_callback_http::SystemClock;

    use super::*;

    #[derive(Debug)]
    struct Fails(fn() -> Miss);

    #[async_trait]
    impl Issuer for Fails {
        async fn issue(&self) -> Result<Lease<AccessKey>, Miss> {
            Err((self.0)())
        }
    }

    fn failing(miss: fn() -> Miss) -> Issued {
        Issued::new(Arc::new(SystemClock), "somewhere", Fails(miss))
    }

    /// A provider that reads `NotFound` creates; one that reads `InvalidConfig` may send less.
    #[tokio::test]
    async fn no_error_of_credentials_is_taken_for_one_of_the_call() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::DomainNotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::Conflict,
            ErrorKind::InvalidConfig,
            ErrorKind::Unsupported,
            ErrorKind::NotApplied,
        ] {
            let error =
                of_credentials("somewhere", Error::new(kind, "is wrong").with_code("C").with_status(400));
            assert_eq!(
                (error.kind(), error.code(), error.status()),
                (ErrorKind::Unauthenticated, None, None)
            );
            assert_eq!(error.message(), "somewhere: is wrong");
        }
        let missing = failing(|| Error::new(ErrorKind::NotFound, "no such role").into());
        assert!(matches!(missing.find().await, Err(Miss::Failed(_))));
        assert_eq!(missing.access_key().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }

    #[tokio::test]
    async fn what_nobody_set_up_is_a_failure_only_where_it_is_demanded() {
        let absent = failing(|| Miss::NotConfigured("nobody answers".into()));
        assert!(matches!(absent.find().await, Err(Miss::NotConfigured(_))));
        let error = absent.access_key().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Unauthenticated, "somewhere: nobody answers")
        );
    }
}
