//! `record-callback receive`

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use tokio::net::TcpListener;

use crate::args::ReceiveArguments;
use crate::failure::Failure;
use crate::output;
use crate::receiver_file::TlsConfig;
use crate::reload::{Hangup, Reload};
use crate::stop::Stop;

/// The first line on stdout, which says that clouds can send.
#[derive(Serialize)]
struct ReadyLine<'a> {
    ready: bool,
    addr: String,
    sources: BTreeMap<&'a str, String>,
}

pub(crate) async fn run(arguments: ReceiveArguments) -> Result<(), Failure> {
    let (stop, hangup) = (Stop::listen()?, Hangup::listen()?);
    let reload = Reload::read(&arguments.config, arguments.addr)?;
    let file = reload.file();
    // What is wrong with it is said before a sink creates files.
    let tls = file.tls.as_ref().map(TlsConfig::tls).transpose()?;
    let receiver = file.receiver().await?;
    let addr = file.addr;
    let listener = TcpListener::bind(addr).await;
    let listener = listener.map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let addr = format!("{scheme}://{}", listener.local_addr()?);
    let sources = file.paths().map(|(name, path)| (name, format!("{addr}{path}"))).collect();
    output::ready(&ReadyLine { ready: true, addr, sources })?;
    let serving = async {
        match &tls {
            Some(tls) => receiver.serve_tls(listener, tls, stop.wait()).await,
            None => receiver.serve(listener, stop.wait()).await,
        }
    };
    tokio::select! {
        () = serving => Ok(()),
        () = reload.run(receiver.clone(), tls.clone(), hangup) => Ok(()),
    }
}
