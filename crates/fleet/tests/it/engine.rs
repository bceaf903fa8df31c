//! Whatever is declared, whatever dies when and whatever others do meanwhile: no callback is ever without a config, what is
//! not ours is not touched, and the same command ends where it should.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::generate::{Case, Round, case};
use crate::model::Model;
use crate::settled::settle;
use crate::world::{Fault, Things};

async fn carry_out(case: &Case) -> Model {
    let mut model = Model::new(case);
    for (i, Round { edits, outside, runs, settles }) in case.rounds.iter().enumerate() {
        model.edit(if i == 0 { &[] } else { edits });
        for what in outside {
            model.outside(*what).await;
        }
        for run in runs {
            model.run(run).await;
        }
        if *settles {
            settle(&model, false).await;
        }
    }
    settle(&model, true).await;
    model.count_abandoned();
    let notes = serde_json::to_string(&model.world.things().records).unwrap();
    model.no_secret(&notes);
    model.no_secret(&format!("{:?}", model.state()));
    model
}

/// What a run of many cases came to, to see that they are of all kinds.
#[derive(Debug, Default)]
struct Totals {
    cases: usize,
    writes: usize,
    notes: usize,
    failed_before: usize,
    failed_after: usize,
    ignored: usize,
    crashed_before: usize,
    crashed_after: usize,
    meddled: usize,
    abandoned: usize,
    refused: usize,
}

impl Totals {
    fn add(&mut self, things: &Things) {
        let injected = |fault| things.injected.iter().filter(|one| **one == fault).count();
        self.cases += 1;
        self.writes += things.writes;
        self.notes += things.records.len();
        self.refused += things.refused;
        self.failed_before += injected(Fault::FailBefore);
        self.failed_after += injected(Fault::FailAfter);
        self.ignored += injected(Fault::Ignored);
        self.crashed_before += injected(Fault::CrashBefore);
        self.crashed_after += injected(Fault::CrashAfter);
        self.meddled += things.meddled;
        self.abandoned += things.abandoned;
    }
}

/// For minutes instead of seconds: `PROPTEST_CASES=20000`.
#[test]
fn no_callback_is_ever_bare_nothing_foreign_is_touched_and_all_ends_as_declared() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    config.cases *= 2;
    let totals = RefCell::new(Totals::default());
    let result = TestRunner::new(config).run(&case(), |case| {
        let model = runtime.block_on(carry_out(&case));
        let things = model.world.things();
        totals.borrow_mut().add(&things);
        prop_assert!(things.violations.is_empty(), "{}", things.trace.join("\n"));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let totals = totals.into_inner();
    let Totals {
        cases,
        failed_before,
        failed_after,
        ignored,
        crashed_before,
        crashed_after,
        meddled,
        refused,
        ..
    } = totals;
    let rarest = [failed_before, failed_after, ignored, crashed_before, crashed_after, meddled, refused]
        .into_iter()
        .min();
    assert!(rarest >= Some(cases / 20), "too little happens: {totals:?}");
    // So rare that only many cases tell.
    if cases >= 4_000 {
        assert!(totals.abandoned >= cases / 400, "too little is left to others: {totals:?}");
    }
}
