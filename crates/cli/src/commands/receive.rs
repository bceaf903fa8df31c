//! `record-callback receive`

use std::collections::BTreeMap;
use std::io;

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
    let addr = arguments.addr.unwrap_or(file.addr);
    let listener = TcpListener::bind(addr).await;
    let listener = listener.map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))?;
    let addr = format!("http://{}", listener.local_addr()?);
    let sources = file.paths().map(|(name, path)| (name, format!("{addr}{path}"))).collect();
    output::ready(&ReadyLine { ready: true, addr, sources })?;
    receiver.serve(listener, stop.wait()).await;
    Ok(())
}
