use record_callback_core::ErrorKind;
use record_callback_http::Network;
use record_callback_mock::{Fault, FaultKind};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

use super::*;

const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// The mock's address such that it is not taken for loopback, though it is.
fn elsewhere(uri: &str) -> String {
    uri.replace("127.0.0.1", "0.0.0.0")
}

/// A machine without other sources.
async fn machine() -> Machine {
    let mut machine = Machine::new().await;
    machine.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    machine
}

/// What sources of the machine work with where the way to others is `proxy`.
fn behind(proxy: &TcpListener, machine: &Machine) -> SourceContext {
    let proxy = format!("http://{}", proxy.local_addr().unwrap());
    let network = Network::from_env(&FixedEnv::from_iter([("ALL_PROXY", proxy)]));
    SourceContext { network, ..machine.context() }
}

#[tokio::test]
async fn an_address_in_plain_http_is_a_neighbours_and_no_proxy_hears_of_it() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut machine = machine().await;
    machine.set(URI, elsewhere(&machine.cloud.credentials_uri()));
    // The proxy accepts nobody: who goes there gets nothing.
    let key = default_chain(&behind(&proxy, &machine)).access_key().await.unwrap();
    assert_eq!(key.origin(), Some("environment variable ALIBABA_CLOUD_CREDENTIALS_URI"));
}

#[tokio::test]
async fn an_address_in_https_is_reached_by_the_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut machine = machine().await;
    machine.set(URI, "https://0.0.0.0:1/credentials");
    let chain = default_chain(&behind(&proxy, &machine));
    let asked = async {
        let (stream, _) = proxy.accept().await.unwrap();
        BufReader::new(stream).lines().next_line().await.unwrap()
    };
    let (asked, key) = tokio::join!(asked, chain.access_key());
    assert!(key.is_err());
    assert_eq!(asked.as_deref(), Some("CONNECT 0.0.0.0:1 HTTP/1.1"));
}

#[tokio::test]
async fn a_neighbour_that_stays_silent_is_given_ten_seconds() {
    let mut machine = machine().await;
    machine.set(URI, machine.cloud.credentials_uri());
    machine.cloud.metadata_faults().add(Fault::new(FaultKind::Stall).until_cleared());
    let chain = default_chain(&SourceContext { retry: RetryPolicy::default(), ..machine.context() });
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let error = chain.access_key().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(before.elapsed().as_secs(), 10);
}
