//! An HTTP server that answers by a function, one connection for each request.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) target: String,
    pub(crate) head: String,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    date: Option<&'static str>,
    body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, date: None, body: body.into() }
    }

    /// No answer: the connection closes.
    pub(crate) fn lost() -> Self {
        Self::new(0, "")
    }

    pub(crate) fn dated(self, date: &'static str) -> Self {
        Self { date: Some(date), ..self }
    }
}

/// The server, and what it was asked.
#[derive(Debug)]
pub(crate) struct Cloud {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Cloud {
    pub(crate) fn start(mut answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let Some(request) = read(&mut socket) else { continue };
                let reply = answer(&request);
                log.lock().unwrap().push(request);
                if reply.status > 0 {
                    let date = reply.date.map(|date| format!("Date: {date}\r\n")).unwrap_or_default();
                    let (status, length) = (reply.status, reply.body.len());
                    let head = format!(
                        "HTTP/1.1 {status} Status\r\nConnection: close\r\n{date}Content-Length: {length}\r\n\r\n"
                    );
                    let _ = socket.write_all(format!("{head}{}", reply.body).as_bytes());
                }
            }
        });
        Self { port, asked }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// The next request, which has no body; `None` if the client thought better of it.
fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let mut piece = [0; 4096];
        let length = socket.read(&mut piece).ok().filter(|length| *length > 0)?;
        head.push_str(str::from_utf8(&piece[..length]).unwrap());
    }
    let target = head.split(' ').nth(1).unwrap().to_owned();
    Some(Asked { target, head })
}
