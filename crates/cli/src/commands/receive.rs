//! `record-callback receive`

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::net::TcpListener;

use crate::args::ReceiveArguments;
use crate::failure::Failure;
use crate::output;
use crate::receiver_file::ReceiverFile;
use crate::stop::Stop;

/// The first line on stdout, which says that clouds can send.
#[derive(Serialize)]
struct ReadyLine<'a> {
    ready: bool,
    addr: String,
    sources: BTreeMap<&'a str, String>,
}

pub(crate) async fn run(arguments: ReceiveArguments) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let file = ReceiverFile::read(&arguments.config)?;
    let receiver = file.receiver().await?;
    let listener = TcpListener::bind(arguments.addr.unwrap_or(file.addr)).await?;
    let addr = format!("http://{}", listener.local_addr()?);
    let sources = file.paths().map(|(name, path)| (name, format!("{addr}{path}"))).collect();
    output::ready(&ReadyLine { ready: true, addr, sources })?;
    receiver.serve(listener, stop.wait()).await;
    Ok(())
}
