//! How much of an account's quota applying takes, in virtual time: nothing here depends on the machine's speed.

use std::num::NonZeroU32;
use std::time::Duration;

use record_callback::http::{Quota, Quotas};
use record_callback::{aliyun, huaweicloud};
use tokio::time::Instant;

use crate::simulated::{Calls, ROUND_TRIP, Simulated};
use crate::support::{Fleet, clouds, manifest};

const CALLBACKS: usize = 10_000;

fn n(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).expect("not zero")
}

/// How long applying `fleet` takes, in virtual time.
async fn time_to_apply(fleet: &mut Fleet, cloud: &Simulated) -> Duration {
    let clouds = clouds(cloud.clone());
    let plan = fleet.plan(&clouds).await;
    let before = Instant::now();
    let report = fleet.apply(plan, &clouds).await;
    let took = before.elapsed();
    assert!(report.is_done(), "{:?}", report.outcomes.first());
    assert!(fleet.plan(&clouds).await.is_clean());
    took
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_changes_take_the_quota_of_writes_and_no_call_is_throttled() {
    let quotas = Quotas::new([("write", Quota::per_second(n(30))), ("read", Quota::per_second(n(50)))]);
    let cloud = Simulated::per_second(&aliyun::CAPABILITIES, quotas, 30, 50);
    let mut fleet = Fleet::new(manifest(CALLBACKS, Some("md5"), "one"));
    let ideal = Duration::from_secs(1) * u32::try_from(CALLBACKS).expect("few") / 30;
    let limit = ideal.mul_f64(1.02) + ROUND_TRIP;
    let created = time_to_apply(&mut fleet, &cloud).await;
    assert_eq!(cloud.calls().writes, CALLBACKS);
    fleet.declare(manifest(CALLBACKS, Some("md5"), "two"));
    let updated = time_to_apply(&mut fleet, &cloud).await;
    fleet.declare(manifest(0, Some("md5"), "none"));
    let deleted = time_to_apply(&mut fleet, &cloud).await;
    // Each is read once more before it is deleted: two reads for each, of which the cloud takes 50 a second.
    let limit_of_deletes = Duration::from_secs(1) * u32::try_from(CALLBACKS).expect("few") * 2 / 50;
    let limit_of_deletes = limit_of_deletes.mul_f64(1.02) + ROUND_TRIP;
    println!("ideal {ideal:?}, created in {created:?}, updated in {updated:?}, deleted in {deleted:?}");
    assert!(created <= limit && updated <= limit, "{created:?} {updated:?}");
    assert!(deleted <= limit_of_deletes, "{deleted:?}");
    assert_eq!((cloud.calls().writes, cloud.calls().throttled), (3 * CALLBACKS, 0));
}

/// Here reads count as writes do: verifying one by one would double the time.
#[tokio::test(start_paused = true)]
async fn where_reads_count_too_verifying_takes_a_few_lists() {
    let quotas = Quotas::new([("write", Quota::per_minute(n(300)))]);
    let cloud = Simulated::per_minute(&huaweicloud::CAPABILITIES, quotas, 300);
    let mut fleet = Fleet::new(manifest(CALLBACKS, Some("hmac_sha256"), "one"));
    let created = time_to_apply(&mut fleet, &cloud).await;
    let calls @ Calls { writes, reads, throttled } = cloud.calls();
    println!("{calls:?} in {created:?}");
    assert_eq!((writes, throttled), (CALLBACKS, 0));
    // The plan before and the one after list everything, too.
    assert!(reads * 100 <= 4 * CALLBACKS, "{calls:?}");
}
