//! Every fault in every operation of both vendors; the table at the end has the counts.
//!
//! A test stands for one trouble. Of each call is checked: it ends, in the wanted state or with the kind of error the
//! trouble has to have; what it says was not done was not done; nothing is created twice; no redirect is followed; no
//! secret is in the error, in any `Debug`, or in the log of client and mock.

mod table;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use libtest_mimic::{Arguments, Failed, Trial};
use record_callback_tests::fault_matrix::{Cell, Ended, canaries, cells};
use record_callback_tests::secrets::watched;

use crate::table::Table;

/// What cells ended like, for the table.
type Results = Arc<Mutex<Vec<(Cell, Ended)>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let results = Results::default();
    let mut trials: Vec<Trial> = Vec::new();
    let mut cells = cells();
    while let Some(first) = cells.first() {
        let name = first.trouble.name.clone();
        let (of_trouble, others) = cells.into_iter().partition(|cell| cell.trouble.name == name);
        cells = others;
        trials.push(trial(name, of_trouble, Arc::clone(&results)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print!("{}", Table::of(&results.lock().unwrap()));
    }
    conclusion.exit_code()
}

fn trial(name: String, cells: Vec<Cell>, results: Results) -> Trial {
    Trial::test(name, move || {
        let mut failures = Vec::new();
        watched(canaries(), async |shown, secrets| {
            let ended = join_all(cells.iter().map(Cell::run)).await;
            for (cell, ended) in cells.iter().zip(ended) {
                match ended {
                    Ok(ended) => {
                        secrets.add_used(&ended.received);
                        shown.text("Debug", &ended.debug);
                        if let Err(error) = &ended.result {
                            shown.error("the error", error);
                        }
                        results.lock().unwrap().push((cell.clone(), ended));
                    }
                    Err(problem) => failures.push(format!("{cell}: {problem}")),
                }
            }
        });
        if failures.is_empty() { Ok(()) } else { Err(Failed::from(failures.join("\n"))) }
    })
}
