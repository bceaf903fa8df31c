//! Creates whose answer is lost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error as _;
use std::time::Duration;

use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{RetryPolicy, Seen, create_settled, read_settled};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A cloud that answers by a script: once it is over, creates succeed and reads find nothing.
#[derive(Default)]
struct Cloud {
    creates: RefCell<VecDeque<Result<&'static str>>>,
    reads: RefCell<VecDeque<Result<Seen<&'static str>>>>,
    /// How long a create and a read take.
    taking: (Duration, Duration),
    created: Cell<usize>,
    read: Cell<usize>,
}

impl Cloud {
    fn new(
        creates: impl IntoIterator<Item = Result<&'static str>>,
        reads: impl IntoIterator<Item = Result<Seen<&'static str>>>,
    ) -> Self {
        let (creates, reads) = (creates.into_iter().collect(), reads.into_iter().collect());
        Self { creates: RefCell::new(creates), reads: RefCell::new(reads), ..Self::default() }
    }

    fn taking(mut self, create: Duration, read: Duration) -> Self {
        self.taking = (create, read);
        self
    }

    async fn settle(&self, policy: &RetryPolicy) -> Result<&'static str> {
        let create = || async {
            self.created.set(self.created.get() + 1);
            sleep(self.taking.0).await;
            self.creates.borrow_mut().pop_front().unwrap_or(Ok("after the script"))
        };
        let read = || async {
            self.read.set(self.read.get() + 1);
            sleep(self.taking.1).await;
            self.reads.borrow_mut().pop_front().unwrap_or(Ok(Seen::Nothing))
        };
        create_settled(policy, create, read).await
    }

    /// How often it was asked to create and to read.
    fn calls(&self) -> (usize, usize) {
        (self.created.get(), self.read.get())
    }
}

fn lost() -> Result<&'static str> {
    Err(Error::new(ErrorKind::Unavailable, "lost").with_maybe_applied())
}

fn exists() -> Result<&'static str> {
    Err(Error::new(ErrorKind::AlreadyExists, "there is one"))
}

#[tokio::test(start_paused = true)]
async fn create_that_succeeds_is_not_read_back() {
    let cloud = Cloud::new([Ok("made")], []);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "made");
    assert_eq!(cloud.calls(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn clean_refusals_pass_through_unread() {
    for kind in [
        ErrorKind::AlreadyExists,
        ErrorKind::InvalidConfig,
        ErrorKind::Throttled,
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
    ] {
        let cloud = Cloud::new([Err(Error::new(kind, "no"))], []);
        let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, "no"));
        assert!(!error.maybe_applied());
        assert_eq!(cloud.calls(), (1, 0), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_after_a_lost_answer_counts_as_created() {
    let cloud = Cloud::new([lost()], [Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_shows_late_counts_as_created() {
    let cloud = Cloud::new([lost()], [Ok(Seen::Nothing), Ok(Seen::Nothing), Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn nothing_in_any_read_means_creating_again() {
    let cloud = Cloud::new([lost(), Ok("made")], []);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "made");
    assert_eq!(cloud.calls(), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn create_again_that_finds_the_first_settled_counts_as_created() {
    let nothing = [(); 4].map(|()| Ok(Seen::Nothing));
    let cloud = Cloud::new([lost(), exists()], nothing.into_iter().chain([Ok(Seen::Wanted("found"))]));
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn another_config_in_its_place_is_a_conflict_caused_by_the_lost_answer() {
    let cloud = Cloud::new([lost()], [(); 4].map(|()| Ok(Seen::Other)));
    let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.source().unwrap().to_string().contains("lost"), "{error:?}");
    // It may be ours, stored differently.
    assert!(error.maybe_applied());
    assert!(error.message().contains("a config that differs from the wanted one is there now"), "{error}");
    assert_eq!(cloud.calls(), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_before_may_show_for_a_while() {
    let cloud = Cloud::new([lost()], [Ok(Seen::Other), Ok(Seen::Nothing), Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_for_a_while_are_repeated_but_not_taken_for_nothing() {
    let down = || Err(Error::new(ErrorKind::Unavailable, "down"));
    let cloud = Cloud::new([lost()], [down(), down(), Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    let cloud = Cloud::new([lost()], [(); 9].map(|()| down()));
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap_err().message(), "lost");
    assert_eq!(cloud.calls(), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn what_exists_by_the_second_create_is_looked_for_longer() {
    for late in [5, 8, 12] {
        let nothing = (0..late).map(|_| Ok(Seen::Nothing));
        let cloud = Cloud::new([lost(), exists()], nothing.chain([Ok(Seen::Wanted("found"))]));
        assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found", "{late}");
        assert_eq!(cloud.calls(), (2, late + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_create_refused_for_another_reason_is_read_back_too() {
    let throttled = Err(Error::new(ErrorKind::Throttled, "slow down"));
    let nothing = [(); 4].map(|()| Ok(Seen::Nothing));
    let cloud = Cloud::new([lost(), throttled], nothing.into_iter().chain([Ok(Seen::Wanted("found"))]));
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn creating_again_waits_as_long_as_told_or_is_given_up() {
    let told =
        |wait| Err(Error::new(ErrorKind::Unavailable, "lost").with_retry_after(wait).with_maybe_applied());
    let begin = Instant::now();
    let cloud = Cloud::new([told(20 * SECOND), Ok("made")], []);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "made");
    assert!(begin.elapsed() >= 20 * SECOND);
    for wait in [60 * SECOND, Duration::MAX] {
        let cloud = Cloud::new([told(wait), Ok("made")], []);
        assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap_err().message(), "lost");
        assert_eq!(cloud.calls(), (1, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn all_ends_one_attempt_after_the_deadline() {
    let policy = RetryPolicy::default().deadline(10 * SECOND).attempt_timeout(3 * SECOND);
    let day = Duration::from_secs(86_400);
    for (create, read) in [(SECOND, day), (9 * SECOND, day), (day, SECOND), (4 * SECOND, SECOND)] {
        let cloud = Cloud::new([(); 99].map(|()| lost()), []).taking(create, read);
        let begin = Instant::now();
        assert!(cloud.settle(&policy).await.unwrap_err().maybe_applied());
        assert!(begin.elapsed() <= 13 * SECOND + Duration::from_millis(10), "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn failing_to_read_leaves_the_error_of_the_create() {
    let failed = Err(Error::new(ErrorKind::PermissionDenied, "may not read"));
    let cloud = Cloud::new([lost()], [Ok(Seen::Nothing), failed]);
    let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "lost"));
    assert!(error.maybe_applied());
    assert_eq!(cloud.calls(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn success_nobody_understands_is_read_back_and_created_again_if_nothing_shows() {
    let garbage = || Err(Error::new(ErrorKind::Protocol, "what?").with_status(200).with_maybe_applied());
    let cloud = Cloud::new([garbage(), Ok("made")], []);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "made");
    assert_eq!(cloud.calls(), (2, 4));

    let cloud = Cloud::new([garbage()], [Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
    assert_eq!(cloud.calls(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn redirect_is_read_back_but_not_created_again() {
    let garbage = || Err(Error::new(ErrorKind::Protocol, "what?").with_status(302).with_maybe_applied());
    let cloud = Cloud::new([garbage()], []);
    let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Protocol, "what?"));
    assert_eq!(cloud.calls(), (1, 4));

    let cloud = Cloud::new([garbage()], [Ok(Seen::Wanted("found"))]);
    assert_eq!(cloud.settle(&RetryPolicy::default()).await.unwrap(), "found");
}

#[tokio::test(start_paused = true)]
async fn conflict_nobody_can_see_stays_a_conflict() {
    let cloud = Cloud::new([lost(), exists()], []);
    let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::AlreadyExists, "there is one"));
    let (creates, reads) = cloud.calls();
    assert!(creates == 2 && (8..=20).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn a_clean_refusal_does_not_hide_that_an_earlier_create_may_have_been_applied() {
    for second in [exists(), Err(Error::new(ErrorKind::InvalidConfig, "no"))] {
        let cloud = Cloud::new([lost(), second], []);
        let error = cloud.settle(&RetryPolicy::default()).await.unwrap_err();
        assert!(error.maybe_applied(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn creates_that_stay_lost_end_at_the_deadline() {
    let policy = RetryPolicy::default().deadline(10 * SECOND);
    let cloud = Cloud::new([(); 99].map(|()| lost()), []);
    let begin = Instant::now();
    let error = cloud.settle(&policy).await.unwrap_err();
    assert_eq!(error.message(), "lost");
    assert!(begin.elapsed() <= 10 * SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn create_that_used_up_the_deadline_is_read_back_but_not_repeated() {
    let policy = RetryPolicy::default().deadline(10 * SECOND);
    let cloud = Cloud::new([lost()], []).taking(10 * SECOND, Duration::ZERO);
    assert_eq!(cloud.settle(&policy).await.unwrap_err().message(), "lost");
    assert_eq!(cloud.calls(), (1, 1));

    let cloud = Cloud::new([lost()], [Ok(Seen::Wanted("found"))]).taking(10 * SECOND, Duration::ZERO);
    assert_eq!(cloud.settle(&policy).await.unwrap(), "found");
}

#[tokio::test(start_paused = true)]
async fn reads_that_used_up_the_deadline_are_not_followed_by_a_create() {
    let policy = RetryPolicy::default().attempts(2).deadline(10 * SECOND);
    let cloud = Cloud::new([lost()], []).taking(Duration::ZERO, 6 * SECOND);
    assert_eq!(cloud.settle(&policy).await.unwrap_err().message(), "lost");
    assert_eq!(cloud.calls(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_one_attempt_creates_once() {
    let cloud = Cloud::new([(); 99].map(|()| lost()), []);
    let result = cloud.settle(&RetryPolicy::none()).await;
    assert_eq!(cloud.calls(), (1, 1));
    assert_eq!(result.unwrap_err().message(), "lost");
}

#[tokio::test(start_paused = true)]
async fn policy_without_limits_is_no_panic() {
    let cloud = Cloud::new([lost(), Ok("made")], []);
    let policy = RetryPolicy::default().deadline(Duration::MAX);
    assert_eq!(cloud.settle(&policy).await.unwrap(), "made");
}

#[tokio::test(start_paused = true)]
async fn reads_go_on_until_what_was_written_shows_or_the_delays_are_over() {
    let reads = Cell::new(0);
    let read = || async {
        reads.set(reads.get() + 1);
        Ok(reads.get())
    };
    let policy = RetryPolicy::default();
    assert_eq!(read_settled(&policy, read, |found| *found == 3).await.unwrap(), 3);
    reads.set(0);
    assert_eq!(read_settled(&policy, read, |_| false).await.unwrap(), 4);
    let begin = Instant::now();
    read_settled(&policy.delays(SECOND, SECOND).attempts(99).deadline(5 * SECOND), read, |_| false)
        .await
        .unwrap();
    assert!(begin.elapsed() <= 5 * SECOND);
}
