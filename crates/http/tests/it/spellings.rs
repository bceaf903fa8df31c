use std::cell::Cell;
use std::time::Duration;

use record_callback_core::{DomainName, Error, ErrorKind, Result};
use record_callback_http::Spellings;

const CANONICAL: &str = "push.example.com";

fn name(text: &str) -> DomainName {
    DomainName::reported(text)
}

/// A list of domains, and how often it was asked for.
#[derive(Default)]
struct Lists(Cell<u32>);

impl Lists {
    fn of(&self, answer: Result<&[&str]>) -> impl Future<Output = Result<Vec<DomainName>>> {
        let answer = answer.map(|names| names.iter().map(|text| name(text)).collect());
        async move {
            self.0.set(self.0.get() + 1);
            std::future::ready(answer).await
        }
    }
}

#[test]
fn what_was_shown_in_another_form_is_asked_for_in_it() {
    let spellings = Spellings::default();
    assert_eq!(spellings.of(&name(CANONICAL)), [CANONICAL]);
    // Another cloud's form says nothing of this one.
    assert_eq!(spellings.of(&name("PUSH.example.com")), [CANONICAL]);
    spellings.learn(&name("PUSH.Example.com"));
    assert_eq!(spellings.of(&name(CANONICAL)), ["PUSH.Example.com"]);
    spellings.learn(&name(CANONICAL));
    assert_eq!(spellings.of(&name(CANONICAL)), [CANONICAL, "PUSH.Example.com"]);
    assert_eq!(spellings.best(&name(CANONICAL)), CANONICAL);
}

#[tokio::test(start_paused = true)]
async fn names_are_listed_once_in_five_minutes() {
    let (spellings, lists) = (Spellings::default(), Lists::default());
    let listed = async |domain: &str| {
        spellings
            .listed(&name(domain), lists.of(Ok(&["PUSH.example.com", "live.example.com"])))
            .await
            .unwrap()
    };
    assert_eq!(listed(CANONICAL).await, Some(true));
    assert_eq!(listed("other.example.com").await, Some(false));
    assert_eq!((spellings.of(&name(CANONICAL)), lists.0.get()), (vec!["PUSH.example.com".to_owned()], 1));
    spellings.found(&name("other.example.com")).await;
    assert_eq!((listed("other.example.com").await, lists.0.get()), (Some(true), 1));
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_eq!((listed("other.example.com").await, lists.0.get()), (Some(false), 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_for_a_moment_is_asked_for_again() {
    let (spellings, lists) = (Spellings::default(), Lists::default());
    let domain = name(CANONICAL);
    for kind in [ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::Timeout, ErrorKind::Unauthenticated]
    {
        let failed = lists.of(Err(Error::new(kind, "no")));
        assert_eq!(spellings.listed(&domain, failed).await.unwrap_err().kind(), kind);
    }
    for kind in [ErrorKind::PermissionDenied, ErrorKind::Unsupported, ErrorKind::NotFound] {
        let (spellings, lists) = (Spellings::default(), Lists::default());
        for _ in 0..2 {
            let refused = lists.of(Err(Error::new(kind, "no")));
            assert_eq!(spellings.listed(&domain, refused).await.unwrap(), None, "{kind}");
        }
        assert_eq!(lists.0.get(), 1, "{kind}");
    }
    assert_eq!(lists.0.get(), 4);
}
