//! What an apply says on stderr while it runs.

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use record_callback::fleet::{Fate, Name, Progress};
use record_callback::http::Turns;

use super::show;

const MOMENT: Duration = Duration::from_millis(250);
/// So many moments are worth a line where there is no bar.
const LONG: u32 = 8;

/// A bar on terminals, which failures are printed above; elsewhere a line for each callback.
#[derive(Debug)]
pub(crate) struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    /// Begins to show how `total` callbacks come along.
    pub(crate) fn begin(total: usize) -> Self {
        if total == 0 || !io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.tick();
        Self { bar: Some(bar) }
    }

    /// Something to be told while it goes on.
    pub(crate) fn tell(&self, line: &str) {
        // Nobody is left to tell when stderr is closed.
        let tell = || drop(writeln!(anstream::stderr(), "{line}"));
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    /// Says every moment how many writes wait for the quota; for as long as this is polled.
    pub(crate) async fn tell_waiting(&self, turns: &Turns) -> Infallible {
        let mut is_told = false;
        let mut waited = 0;
        loop {
            tokio::time::sleep(MOMENT).await;
            let waiting = turns.waiting();
            waited = if waiting > 0 { waited + 1 } else { 0 };
            let line = match waiting {
                0 => String::new(),
                1 => "1 write waits for the quota".to_owned(),
                waiting => format!("{waiting} writes wait for the quota"),
            };
            match &self.bar {
                Some(bar) => bar.set_message(line),
                // Once, and not of a wait that is over in a moment.
                None if waited == LONG && !is_told => {
                    is_told = true;
                    self.tell(&format!("Waiting: {line}."));
                }
                None => {}
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Shown {
    fn ended(&self, name: &Name, action: &str, fate: &Fate) {
        let is_told = match fate {
            // The plan has said it.
            Fate::Blocked { .. } if action == "blocked" => false,
            Fate::Failed(_) | Fate::Blocked { .. } => true,
            Fate::Done => self.bar.is_none(),
            // All the rest of an interrupted run, which the report counts.
            Fate::Unfinished => false,
        };
        if is_told {
            self.tell(&show::fate(name, fate));
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}
