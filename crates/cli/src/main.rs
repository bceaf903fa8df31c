//! `record-callback`: recording callbacks of Aliyun Live and Huawei Cloud Live from the command line.
//!
//! Data goes to stdout, everything else to stderr. Exit codes are in [`failure`].

mod args;
mod change;
mod commands;
mod consent;
mod failure;
mod fleet;
mod log;
mod output;
mod owners;
mod reader;
mod receiver_file;
mod reload;
mod shape;
mod stop;
mod terminal_lines;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(error),
    };
    log::to_stderr(arguments.verbose);
    match run(arguments.command).await {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Get(command) => commands::get::run(command).await?,
        Command::List(command) => commands::list::run(command).await?,
        Command::Put(command) => return commands::put::run(*command).await,
        Command::Delete(command) => return commands::delete::run(command).await,
        Command::Plan(command) => return commands::plan::run(command).await,
        Command::Apply(command) => return commands::apply::run(command).await,
        Command::Destroy(command) => return commands::destroy::run(command).await,
        Command::Drift(command) => return commands::drift::run(command).await,
        Command::Switch(command) => return commands::switch::run(command).await,
        Command::Import(command) => commands::import::run(command).await?,
        Command::Status(command) => commands::status::run(&command)?,
        Command::Schema => commands::schema::run()?,
        Command::Receive(command) => commands::receive::run(command).await?,
        Command::Events(command) => commands::events::run(command).await?,
        Command::Explain(command) => commands::explain::run(command).await?,
        Command::Trigger(command) => commands::trigger::run(command).await?,
        Command::Doctor(command) => return commands::doctor::run(*command).await,
        Command::Policy(command) => commands::policy::run(&command)?,
        Command::Mock(command) => commands::mock::run(command).await?,
        Command::Demo(command) => commands::demo::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
