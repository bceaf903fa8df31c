//! Whatever callbacks are sent to: a server that records what arrives and answers as the test says.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) enum Reaction {
    Answer(u16, String),
    Redirect(String),
    /// Never answers; the connection stays open as long as the sender likes.
    Hold,
}

impl Reaction {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, r#"{"Code":0,"Msg":"Success"}"#.to_owned())
    }
}

pub(crate) struct Receiver {
    addr: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Acknowledges everything.
    pub(crate) async fn start() -> Self {
        Self::reacting(|_, _| Reaction::status(200)).await
    }

    /// Reacts to a request by how many came before and what it is.
    pub(crate) async fn reacting(
        react: impl Fn(usize, &Received) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (log, react) = (Arc::clone(&received), Arc::new(react));
        let router = Router::new().fallback(move |request: Request| {
            let (log, react) = (Arc::clone(&log), Arc::clone(&react));
            async move {
                let request = read(request).await;
                let reaction = {
                    let mut log = log.lock().unwrap();
                    log.push(request.clone());
                    react(log.len() - 1, &request)
                };
                respond(reaction).await
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, received, task }
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// What arrived, which has to be one request.
    pub(crate) fn only(&self) -> Received {
        let [one] = self.received().try_into().unwrap();
        one
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(request: Request) -> Received {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Received {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn respond(reaction: Reaction) -> Response {
    match reaction {
        Reaction::Answer(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Reaction::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Reaction::Hold => pending().await,
    }
}
