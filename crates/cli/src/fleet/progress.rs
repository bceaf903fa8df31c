//! What an apply says on stderr while it runs.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use record_callback::fleet::{Fate, Name, Progress};

use super::show;

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
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}");
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
