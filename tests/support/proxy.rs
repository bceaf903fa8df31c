use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An HTTP proxy that tunnels, and leads the names it knows to servers of the test. It goes nowhere else.
#[derive(Debug)]
pub struct TunnelProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepting: JoinHandle<()>,
}

/// What a proxy was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where to: host and port.
    pub target: String,
    /// By whom, in the words of the header.
    pub authorization: Option<String>,
}

impl TunnelProxy {
    /// A proxy for everybody that knows `routes`, from host and port.
    pub async fn start<'a>(routes: impl IntoIterator<Item = (&'a str, SocketAddr)>) -> Self {
        Self::for_user(None, routes).await
    }

    /// A proxy for those who authorize themselves so.
    pub async fn for_user<'a>(
        authorization: Option<&str>,
        routes: impl IntoIterator<Item = (&'a str, SocketAddr)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let routes = routes.into_iter().map(|(target, server)| (target.to_owned(), server)).collect();
        let rules = Arc::new(Rules { authorization: authorization.map(str::to_owned), routes });
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let accepting = tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(serve(client, Arc::clone(&rules), Arc::clone(&asked)));
                }
            }
        });
        Self { address, asked, accepting }
    }

    /// Where it listens: host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Where it was asked to lead so far.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

impl Drop for TunnelProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Rules {
    authorization: Option<String>,
    routes: HashMap<String, SocketAddr>,
}

async fn serve(client: TcpStream, rules: Arc<Rules>, asked: Arc<Mutex<Vec<Asked>>>) {
    let mut client = BufStream::new(client);
    let Some(request) = read(&mut client).await else { return };
    let server = rules.routes.get(&request.target).copied();
    let known = rules.authorization.is_none() || request.authorization == rules.authorization;
    asked.lock().expect("no panic").push(request);
    let status = match server {
        _ if !known => "407 Proxy Authentication Required",
        None => "502 Bad Gateway",
        Some(_) => "200 Connection Established",
    };
    let answer = format!("HTTP/1.1 {status}\r\n\r\n");
    if client.write_all(answer.as_bytes()).await.is_err() || client.flush().await.is_err() || !known {
        return;
    }
    let Some(server) = server else { return };
    if let Ok(mut server) = TcpStream::connect(server).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// The head of a `CONNECT`.
async fn read(client: &mut BufStream<TcpStream>) -> Option<Asked> {
    let mut target = None;
    let mut authorization = None;
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some(Asked { target: target?, authorization });
        }
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            target = rest.split(' ').next().map(str::to_owned);
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("proxy-authorization")
        {
            authorization = Some(value.to_owned());
        }
    }
}
