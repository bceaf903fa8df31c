use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A TCP relay to a server that can lose an answer: the request arrives, its answer does not.
#[derive(Debug)]
pub struct LossyWire {
    address: SocketAddr,
    loss: Arc<Loss>,
    relay: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Loss {
    next: AtomicBool,
    lost: AtomicUsize,
}

impl LossyWire {
    /// A relay to `server`, such as `http://127.0.0.1:8080`.
    pub async fn to(server: &str) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().expect("a loopback endpoint");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let loss = Arc::new(Loss::default());
        let relay = tokio::spawn({
            let loss = Arc::clone(&loss);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(relay(client, server, Arc::clone(&loss)));
                }
            }
        });
        Self { address, loss, relay }
    }

    /// The relay's own address, as an endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the next answer and closes its connection.
    pub fn lose_next_answer(&self) {
        self.loss.next.store(true, Ordering::SeqCst);
    }

    /// How many answers were lost so far.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.loss.lost.load(Ordering::SeqCst)
    }
}

impl Drop for LossyWire {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn relay(client: TcpStream, server: SocketAddr, loss: Arc<Loss>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let answers = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            if loss.next.swap(false, Ordering::SeqCst) {
                loss.lost.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    // Whichever side ends first ends both: dropping the halves closes the connections.
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}
