use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use record_callback_core::{Error, ErrorKind, Result};
use tracing::{info, warn};

use super::{AccessKey, CredentialProvider, kind_of_credentials};

/// One of the places a chain looks for an access key.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync + 'static {
    /// What errors and reports call it, such as `environment`.
    fn name(&self) -> String;

    /// The key to sign with now. Called before every attempt: cache what is costly, see [`Renewed`](super::Renewed).
    async fn find(&self) -> Result<Arc<AccessKey>, Miss>;
}

/// Why a source has no key.
#[derive(Debug)]
pub enum Miss {
    /// Nobody set it up: what is not there.
    NotConfigured(String),
    /// It is set up and does not work.
    Failed(Error),
    /// It was chosen by name, or is what the vendor's tools would go by, and cannot be used: nobody else is to call instead.
    Refused(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(what) => f.write_str(what),
            Self::Failed(error) | Self::Refused(error) => error.fmt(f),
        }
    }
}

/// What a source said when it was asked.
#[derive(Debug)]
pub struct SourceReport {
    /// The source's name.
    pub name: String,
    /// Its key, or why it has none; `None` when an earlier one had a key, or was [refused](Miss::Refused).
    pub result: Option<Result<Arc<AccessKey>, Miss>>,
}

/// Sources asked one after the other until one has a key, which is asked first from then on.
///
/// A source that fails hides none behind it; that it failed is logged. One that is [refused](Miss::Refused) ends the search.
/// If none has a key, the error says why. Once a source had a key, its failures are failures: only when it is no longer
/// set up are the others asked.
///
/// ```
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use record_callback_http::{AccessKey, CredentialChain, CredentialProvider, CredentialSource, Miss};
///
/// #[derive(Debug)]
/// struct Vault(Option<Arc<AccessKey>>);
///
/// #[async_trait]
/// impl CredentialSource for Vault {
///     fn name(&self) -> String {
///         "vault".into()
///     }
///
///     async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
///         self.0.clone().ok_or_else(|| Miss::NotConfigured("there is no vault".into()))
///     }
/// }
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let key = Arc::new(AccessKey::new("id", "secret"));
/// let chain = CredentialChain::new(vec![Box::new(Vault(None)), Box::new(Vault(Some(key)))]);
/// assert_eq!(chain.access_key().await?.id(), "id");
/// # Ok::<(), record_callback_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CredentialChain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Vec<Box<dyn CredentialSource>>,
    /// The thing to do if none is set up.
    advice: Option<&'static str>,
    /// The one that had a key last.
    last: AtomicUsize,
}

impl CredentialChain {
    /// A chain of `sources`, in their order.
    pub fn new(sources: Vec<Box<dyn CredentialSource>>) -> Self {
        Self::with(sources, None)
    }

    /// The same, whose error where none of them is set up is what to do first, and not what each of them lacks.
    pub fn advising(sources: Vec<Box<dyn CredentialSource>>, advice: &'static str) -> Self {
        Self::with(sources, Some(advice))
    }

    fn with(sources: Vec<Box<dyn CredentialSource>>, advice: Option<&'static str>) -> Self {
        Self(Arc::new(Inner { sources, advice, last: AtomicUsize::new(usize::MAX) }))
    }
}

#[async_trait]
impl CredentialProvider for CredentialChain {
    async fn access_key(&self) -> Result<Arc<AccessKey>> {
        let Inner { sources, advice, last } = &*self.0;
        let before = last.load(Ordering::Relaxed);
        let (mut misses, mut lost) = (Vec::new(), None);
        if let Some(source) = sources.get(before) {
            match source.find().await {
                Ok(key) => return Ok(key),
                // The next one's key may be another account's: a moment's failure is no reason to become somebody else.
                Err(Miss::Failed(error) | Miss::Refused(error)) => return Err(ended(&**source, &error)),
                Err(miss) => {
                    lost = Some(format!("{}: {miss}", source.name()));
                    misses.push((source.name(), miss));
                }
            }
        }
        for (at, source) in sources.iter().enumerate().filter(|(at, _)| *at != before) {
            match source.find().await {
                Ok(key) => {
                    last.store(at, Ordering::Relaxed);
                    for (name, miss) in &misses {
                        if let Miss::Failed(error) = miss {
                            warn!(source = name, %error, "a source of credentials failed, the next is used");
                        }
                    }
                    info!(source = source.name(), origin = key.origin(), "found credentials");
                    return Ok(key);
                }
                Err(Miss::Refused(error)) => return Err(ended(&**source, &error)),
                Err(miss) => misses.push((source.name(), miss)),
            }
        }
        Err(none_found(&misses, *advice, lost.as_deref()))
    }

    async fn examine(&self) -> Vec<SourceReport> {
        let mut reports: Vec<SourceReport> = Vec::new();
        for source in &self.0.sources {
            let ends = |report: &SourceReport| matches!(report.result, Some(Ok(_) | Err(Miss::Refused(_))));
            let result = if reports.iter().any(ends) { None } else { Some(source.find().await) };
            reports.push(SourceReport { name: source.name(), result });
        }
        reports
    }
}

/// The error of a source that nobody stands in for.
fn ended(source: &dyn CredentialSource, error: &Error) -> Error {
    let name = source.name();
    // What the cloud said has a code and a request id behind its message.
    let message = match error.vendor() {
        Some(_) => format!("{name}: {error}"),
        None => format!("{name}: {}", error.message()),
    };
    Error::new(error.kind(), message)
}

/// One error of all; of the kind of the first failure, which may be gone the next time. Where something is set up and fails,
/// why the others are not set up is left out.
///
/// If none is set up and there is an `advice`, it is said instead, and what became of the one that had a key before.
fn none_found(misses: &[(String, Miss)], advice: Option<&str>, lost: Option<&str>) -> Error {
    let (mut said, mut failure) = (Vec::new(), None);
    for (name, miss) in misses {
        if let Miss::Failed(error) | Miss::Refused(error) = miss {
            said.push(format!("{name}: {error}"));
            failure.get_or_insert(match error.kind() {
                ErrorKind::Protocol => kind_of_credentials(error),
                kind => kind,
            });
        }
    }
    let absent = misses.iter().filter_map(|(name, miss)| match miss {
        Miss::NotConfigured(what) => Some((name.as_str(), what)),
        Miss::Failed(_) | Miss::Refused(_) => None,
    });
    if failure.is_none() {
        if let Some(advice) = advice {
            let lost = lost.map(|what| format!("{what}; ")).unwrap_or_default();
            let message = format!("no credentials were found: {lost}{advice}");
            return Error::new(ErrorKind::Unauthenticated, message);
        }
        said.extend(absent.map(|(name, what)| format!("{name}: {what}")));
    } else {
        let names: Vec<_> = absent.map(|(name, _)| name).collect();
        said.extend((!names.is_empty()).then(|| format!("not set up: {}", names.join(", "))));
    }
    let message = format!("no credentials were found ({})", said.join("; "));
    Error::new(failure.unwrap_or(ErrorKind::Unauthenticated), message)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Has a key, is not configured, or fails: as told last.
    #[derive(Debug, Clone)]
    struct Told(&'static str, Arc<Mutex<(Saying, u32)>>);

    #[derive(Debug, Clone, Copy)]
    enum Saying {
        Key,
        Nothing,
        Failure(ErrorKind),
        Refusal,
    }

    impl Told {
        fn new(name: &'static str, saying: Saying) -> Self {
            Self(name, Arc::new(Mutex::new((saying, 0))))
        }

        fn say(&self, saying: Saying) {
            self.1.lock().unwrap().0 = saying;
        }

        fn asked(&self) -> u32 {
            std::mem::take(&mut self.1.lock().unwrap().1)
        }
    }

    #[async_trait]
    impl CredentialSource for Told {
        fn name(&self) -> String {
            self.0.into()
        }

        async fn find(&self) -> Result<Arc<AccessKey>, Miss> {
            let mut told = self.1.lock().unwrap();
            told.1 += 1;
            match told.0 {
                Saying::Key => Ok(Arc::new(AccessKey::new(self.0, "s3cr3t"))),
                Saying::Nothing => Err(Miss::NotConfigured("is not there".into())),
                Saying::Failure(kind) => Err(Error::new(kind, "is broken").into()),
                Saying::Refusal => {
                    Err(Miss::Refused(Error::new(ErrorKind::Unauthenticated, "cannot be had")))
                }
            }
        }
    }

    fn chain(sources: &[Told]) -> CredentialChain {
        CredentialChain::new(sources.iter().map(|source| Box::new(source.clone()) as _).collect())
    }

    #[tokio::test]
    async fn the_first_that_has_a_key_is_remembered_and_asked_first() {
        let sources = [
            Told::new("a", Saying::Failure(ErrorKind::Timeout)),
            Told::new("b", Saying::Key),
            Told::new("c", Saying::Key),
        ];
        let chain = chain(&sources);
        for asked in [[1, 1, 0], [0, 1, 0]] {
            assert_eq!(chain.access_key().await.unwrap().id(), "b");
            assert_eq!(sources.each_ref().map(Told::asked), asked);
        }
        // What fails for a moment is not replaced by somebody else's key.
        sources[1].say(Saying::Failure(ErrorKind::Unavailable));
        let error = chain.access_key().await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "b: is broken"));
        assert_eq!(sources.each_ref().map(Told::asked), [0, 1, 0]);
        sources[1].say(Saying::Nothing);
        assert_eq!(chain.access_key().await.unwrap().id(), "c");
        assert_eq!(sources.each_ref().map(Told::asked), [1, 1, 1]);
        sources[0].say(Saying::Key);
        sources[2].say(Saying::Nothing);
        assert_eq!(chain.access_key().await.unwrap().id(), "a");
    }

    #[tokio::test]
    async fn when_none_has_a_key_the_error_says_why() {
        let sources = [
            Told::new("a", Saying::Nothing),
            Told::new("b", Saying::Failure(ErrorKind::Timeout)),
            Told::new("c", Saying::Failure(ErrorKind::Protocol)),
        ];
        let error = chain(&sources).access_key().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(
            error.message(),
            "no credentials were found (b: is broken (timed out); c: is broken (protocol error); not set up: a)"
        );
        sources[1].say(Saying::Nothing);
        let error = chain(&sources[..2]).access_key().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(error.message(), "no credentials were found (a: is not there; b: is not there)");
        let all = || sources[..2].iter().map(|source| Box::new(source.clone()) as _).collect();
        let error = CredentialChain::advising(all(), "set KEY").access_key().await.unwrap_err();
        assert_eq!(error.message(), "no credentials were found: set KEY");
        sources[0].say(Saying::Failure(ErrorKind::Timeout));
        let error = CredentialChain::advising(all(), "set KEY").access_key().await.unwrap_err();
        assert_eq!(error.message(), "no credentials were found (a: is broken (timed out); not set up: b)");
    }

    #[tokio::test]
    async fn who_was_chosen_and_is_refused_is_replaced_by_nobody() {
        let sources =
            [Told::new("a", Saying::Nothing), Told::new("b", Saying::Refusal), Told::new("c", Saying::Key)];
        let chain = chain(&sources);
        let error = chain.access_key().await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unauthenticated, "b: cannot be had"));
        let said = chain.examine().await;
        assert!(
            matches!(said[1].result, Some(Err(Miss::Refused(_)))) && said[2].result.is_none(),
            "{said:?}"
        );
        assert_eq!(sources[2].asked(), 0);
    }

    #[tokio::test]
    async fn an_examination_asks_no_further_than_a_key() {
        let sources =
            [Told::new("a", Saying::Nothing), Told::new("b", Saying::Key), Told::new("c", Saying::Key)];
        let reports = chain(&sources).examine().await;
        let said = |report: &SourceReport| match &report.result {
            Some(Ok(key)) => key.id().to_owned(),
            Some(Err(miss)) => miss.to_string(),
            None => "was not asked".into(),
        };
        let said: Vec<_> = reports.iter().map(|report| (report.name.as_str(), said(report))).collect();
        let said: Vec<_> = said.iter().map(|(name, said)| (*name, said.as_str())).collect();
        assert_eq!(said, [("a", "is not there"), ("b", "b"), ("c", "was not asked")]);
    }
}
