//! `record-callback`: recording callbacks of Aliyun Live and Huawei Cloud Live from the command line.
//!
//! Data goes to stdout, everything else to stderr. Exit codes are in [`failure`].

mod args;
mod commands;
mod failure;
mod output;
mod receiver_file;
mod stop;

use std::process::ExitCode;

use clap::Parser;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::args::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(arguments.verbose);
    let result = match arguments.command {
        Command::Get(command) => commands::get::run(command).await,
        Command::List(command) => commands::list::run(command).await,
        Command::Put(command) => commands::put::run(command).await,
        Command::Delete(command) => commands::delete::run(command).await,
        Command::Receive(command) => commands::receive::run(command).await,
        Command::Events(command) => commands::events::run(command).await,
        Command::Trigger(command) => commands::trigger::run(command).await,
        Command::Mock(command) => commands::mock::run(command).await,
        Command::Demo(command) => commands::demo::run(command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Logs of this project only: what HTTP libraries trace may hold signed URLs.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("record_callback", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(ours);
    tracing_subscriber::registry().with(layer).init();
}
