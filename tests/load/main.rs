//! One client of each cloud at full speed, with faults in every twentieth exchange. Every call ends; what calls say adds
//! up to what the cloud has; memory stays.
//!
//! `LOAD_SECONDS` says how long, 5 unless given. The mock clouds run in a process of their own, so that the memory
//! watched is that of the clients.

#![cfg(unix)]

mod cloud;
mod memory;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use record_callback::RecordCallbackProvider;
use record_callback::http::{Env, OsEnv};

use crate::cloud::{CLOUDS, Clouds};
use crate::memory::Memory;
use crate::worker::{Counts, worker};

/// Callers of each client.
const WORKERS: usize = 16;

fn main() -> ExitCode {
    let seconds = OsEnv.var("LOAD_SECONDS").map_or(5, |text| text.parse().expect("a number of seconds"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let problems = runtime.block_on(run(Duration::from_secs(seconds)));
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is not as it should be.
async fn run(time: Duration) -> Vec<String> {
    let clouds = Clouds::start();
    let mut problems = Vec::new();
    let running = Arc::new(AtomicBool::new(true));
    let mut workers = Vec::new();
    for cloud in CLOUDS {
        clouds.script(cloud).await;
        let provider = clouds.provider(cloud);
        let of_cloud = (0..WORKERS).map(|n| {
            let worker = worker(n, cloud, Arc::clone(&provider), Arc::clone(&running));
            tokio::spawn(worker)
        });
        workers.push((cloud, Arc::clone(&provider), of_cloud.collect::<Vec<_>>()));
    }
    let began = Instant::now();
    let memory = Memory::watch(time).await;
    running.store(false, Ordering::Relaxed);

    for (cloud, provider, workers) in workers {
        let (mut counts, mut expected) = (Counts::default(), Vec::new());
        for worker in workers {
            match worker.await {
                Ok(ended) => {
                    counts.add(&ended.counts);
                    expected.extend(ended.left);
                }
                Err(error) => problems.push(format!("{cloud}: a worker did not end well: {error}")),
            }
        }
        let elapsed = began.elapsed();
        clouds.calm(cloud).await;
        problems.extend(left_over(cloud, &*provider, expected).await);
        let (requests, struck) = clouds.requests(cloud).await;
        println!("{cloud}: {}", counts.line(elapsed, requests, struck));
        problems.extend(counts.problem(requests, struck).map(|problem| format!("{cloud}: {problem}")));
    }
    println!("{memory}");
    problems.extend(memory.problem());
    problems
}

/// Whether the cloud has what the workers believe it has.
async fn left_over(
    cloud: &str,
    provider: &dyn RecordCallbackProvider,
    mut expected: Vec<(String, String)>,
) -> Option<String> {
    let found = match provider.list(None).await {
        Ok(found) => found,
        Err(error) => return Some(format!("{cloud}: the list at the end failed: {error}")),
    };
    let mut found: Vec<_> = found
        .into_iter()
        .map(|stored| (stored.key.domain.to_string(), stored.notify_url.unwrap_or_default()))
        .collect();
    found.sort();
    expected.sort();
    (found != expected).then(|| format!("{cloud}: expected {expected:?}, found {found:?}"))
}
