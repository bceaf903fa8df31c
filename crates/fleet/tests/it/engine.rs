//! Whatever is declared, whatever dies when and whatever others do meanwhile: no callback is ever without a config, what is
//! not ours is not touched, and the same command ends where it should.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::generate::{Case, Round, case};
use crate::model::Model;
use crate::settled::settle;

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
    let notes = serde_json::to_string(&model.world.things().records).unwrap();
    model.no_secret(&notes);
    model.no_secret(&format!("{:?}", model.state()));
    model
}

#[test]
fn no_callback_is_ever_bare_nothing_foreign_is_touched_and_all_ends_as_declared() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    let totals = RefCell::new([0_u64; 6]);
    let result = TestRunner::new(config).run(&case(), |case| {
        let model = runtime.block_on(carry_out(&case));
        let things = model.world.things();
        let counts = things.injected.into_iter().chain([things.writes as u64, things.records.len() as u64]);
        for (total, count) in totals.borrow_mut().iter_mut().zip(counts) {
            *total += count;
        }
        prop_assert!(things.violations.is_empty(), "{}", things.trace.join("\n"));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let [fail_before, fail_after, crash_before, crash_after, writes, notes] = totals.into_inner();
    // Shown with --nocapture.
    let _ = writes + notes + fail_before + fail_after + crash_before + crash_after;
}
