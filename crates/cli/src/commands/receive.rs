//! `record-callback receive`

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use serde::Serialize;
use tokio::net::{TcpListener, TcpSocket};

use crate::args::ReceiveArguments;
use crate::failure::Failure;
use crate::output;
use crate::receiver_file::TlsConfig;
use crate::reload::{Hangup, Reload};
use crate::stop::Stop;
use crate::terminal_lines::TerminalLines;

/// Connections that may wait to be accepted, as many as the system allows by default.
const BACKLOG: u32 = 4096;

/// The first line on stdout, which says that clouds can send.
#[derive(Serialize)]
struct ReadyLine<'a> {
    ready: bool,
    addr: String,
    /// The address of `/healthz`, `/readyz` and `/metrics`.
    admin: String,
    sources: BTreeMap<&'a str, String>,
}

pub(crate) async fn run(arguments: ReceiveArguments) -> Result<(), Failure> {
    let (stop, hangup) = (Stop::listen()?, Hangup::listen()?);
    outlive_file_limit()?;
    let reload = Reload::read(&arguments.config, arguments.addr)?;
    let file = reload.file();
    // What is wrong with it is said before a sink creates files.
    let tls = file.tls.as_ref().map(TlsConfig::tls).transpose()?;
    let receiver = file.receiver(&TerminalLines::start()?).await?;
    let listener = listen(file.addr, "addr")?;
    let admin_listener = listen(file.admin.addr, "[admin] addr")?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let addr = format!("{scheme}://{}", listener.local_addr()?);
    let sources = file.paths().map(|(name, path)| (name, format!("{addr}{path}"))).collect();
    let admin = format!("http://{}", admin_listener.local_addr()?);
    output::ready(&ReadyLine { ready: true, addr, admin, sources })?;
    let serving = async {
        match &tls {
            Some(tls) => receiver.serve_tls(listener, tls, stop.wait()).await,
            None => receiver.serve(listener, stop.wait()).await,
        }
    };
    tokio::select! {
        () = serving => Ok(()),
        // Answers until the last delivery is finished: a load balancer asks meanwhile.
        () = receiver.serve_admin(admin_listener, pending()) => Ok(()),
        () = reload.run(receiver.clone(), tls.clone(), hangup) => Ok(()),
    }
}

/// Listens with room for connections that come faster than they are accepted: one that finds none is tried again by its
/// system a second later.
fn listen(addr: SocketAddr, setting: &str) -> io::Result<TcpListener> {
    let listen = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{setting} {addr}: {error}")))
}

/// Has a file that may not grow further (`ulimit -f`) be an error, as a full disk is. The system would end the process.
#[cfg(unix)]
fn outlive_file_limit() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // Heard once is heard for good.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
fn outlive_file_limit() -> io::Result<()> {
    Ok(())
}
