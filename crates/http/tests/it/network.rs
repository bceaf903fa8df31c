//! Proxies, over real sockets. The clouds' certificates are looked at where the clouds are: in the workspace's tests.

use std::error::Error as _;
use std::iter::successors;
use std::process::Command;

use record_callback_core::{Error, ErrorKind, Result};
use record_callback_http::{FixedEnv, Network, Quotas, RetryPolicy, Safety};
use tokio::net::TcpSocket;

use crate::logs;
use crate::server::{Server, Step};
use crate::vendor::{Caller, PATH, SECRET, quick};

const PLAIN: &str = "http://live.example.com";
const TLS: &str = "https://live.example.com";
const PASSWORD: &str = "pa55:w0rd";
/// The same in a URL, and with its user as a proxy is told it.
const IN_URL: &str = "pa55%3Aw0rd";
const IN_HEADER: &str = "dXNlcjpwYTU1OncwcmQ=";

fn caller(endpoint: &str, variables: &[(&str, &str)]) -> Result<Caller> {
    let network = Network::from_env(&variables.iter().copied().collect::<FixedEnv>());
    Caller::through(&network, endpoint, Quotas::unlimited(), RetryPolicy::none())
}

/// What comes of a call to `endpoint`.
async fn call(endpoint: &str, variables: &[(&str, &str)]) -> Result<String> {
    caller(endpoint, variables).unwrap().call(Safety::Once).await
}

/// The error with all its causes, in words and as `Debug` shows it.
fn whole(error: &Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(format!("{error} {error:?}"), |text, cause| format!("{text} {cause} {cause:?}"))
}

fn assert_shows_no_secret(text: &str) {
    for secret in [PASSWORD, IN_URL, IN_HEADER, SECRET] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// An address of this machine that nothing knows as one, and that is reached without a name.
#[cfg(unix)]
fn elsewhere(server: &Server) -> String {
    format!("http://0.0.0.0:{}", server.port())
}

#[tokio::test]
async fn plain_http_is_asked_of_the_proxy() {
    let proxy = Server::start([Step::ok("done")]).await;
    let address = format!("http://user:{IN_URL}@127.0.0.1:{}", proxy.port());
    let caller = caller(PLAIN, &[("HTTP_PROXY", &address)]).unwrap();
    assert_eq!(caller.call(Safety::Once).await.unwrap(), "done");
    let head = &proxy.requests()[0];
    assert!(head.starts_with(&format!("GET {PLAIN}{PATH}?")), "{head}");
    assert_eq!(proxy.header("host"), ["live.example.com"]);
    assert_eq!(proxy.header("proxy-authorization"), [format!("Basic {IN_HEADER}")]);
    assert_shows_no_secret(&format!("{:?}", caller.pipeline));
    assert_shows_no_secret(&logs::taken());
}

#[tokio::test]
async fn https_is_a_tunnel_of_the_proxy() {
    for (variable, user, expected) in [
        ("HTTPS_PROXY", String::new(), ""),
        ("ALL_PROXY", format!("user:{IN_URL}@"), IN_HEADER),
        ("https_proxy", "user@".to_owned(), "dXNlcjo="),
    ] {
        let proxy = Server::start([Step::status(403)]).await;
        let address = format!("http://{user}127.0.0.1:{}", proxy.port());
        let error = call(TLS, &[(variable, &address)]).await.unwrap_err();
        let shown =
            format!("the proxy `127.0.0.1:{}` refuses to connect to `live.example.com`", proxy.port());
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, shown.as_str()));
        assert!(!error.maybe_applied());
        assert!(proxy.requests()[0].starts_with("CONNECT live.example.com:443 "), "{:?}", proxy.requests());
        let basic = if expected.is_empty() { String::new() } else { format!("Basic {expected}") };
        let headers = [proxy.header("proxy-authorization"), proxy.header("Proxy-Authorization")];
        assert!(headers.iter().any(|values| *values == [basic.as_str()]), "{headers:?}");
        assert_shows_no_secret(&whole(&error));
        assert_shows_no_secret(&logs::taken());
    }
}

#[tokio::test]
async fn a_proxy_that_asks_who_asks_says_so() {
    for endpoint in [PLAIN, TLS] {
        for (user, problem) in [
            (String::new(), "asks for a user and a password (407): put user:password@ before its host"),
            (format!("user:{IN_URL}@"), "does not accept the user and password in its variable (407)"),
        ] {
            let proxy = Server::start([Step::status(407)]).await;
            let address = format!("{user}127.0.0.1:{}", proxy.port());
            let error = call(endpoint, &[("ALL_PROXY", &address)]).await.unwrap_err();
            let expected = format!("the proxy `127.0.0.1:{}` {problem}", proxy.port());
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, expected.as_str()));
            assert!(!error.maybe_applied(), "{endpoint}");
            assert_shows_no_secret(&whole(&error));
            assert_shows_no_secret(&logs::taken());
        }
    }
}

#[tokio::test]
async fn without_a_proxy_a_407_is_the_clouds() {
    let server = Server::start([Step::status(407)]).await;
    let error = Caller::to(&server, quick()).call(Safety::Once).await.unwrap_err();
    assert_eq!(error.message(), "not what was wanted");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    // Bound but not listening: nobody else gets the port, and connecting is refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    for endpoint in [PLAIN, TLS] {
        let error = call(endpoint, &[("ALL_PROXY", &address)]).await.unwrap_err();
        let expected = format!("no connection to `live.example.com` by way of the proxy `{address}`");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, expected.as_str()));
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    // Longer than names can be, so nobody is asked for it.
    let label = "a".repeat(64);
    let host = format!("{label}.example.com");
    let error = call(&format!("http://{host}"), &[]).await.unwrap_err();
    let expected = format!("no address for the name `{host}`");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, expected.as_str()));
    assert_shows_no_secret(&whole(&error));
    for endpoint in [PLAIN, TLS] {
        let error = call(endpoint, &[("ALL_PROXY", &host)]).await.unwrap_err();
        assert_eq!(error.message(), format!("no address for the name of the proxy `{host}`"));
    }
}

#[tokio::test]
async fn a_proxy_that_is_none_is_refused_where_it_is_needed() {
    let variables = [("ALL_PROXY", "socks5://user:pa55:w0rd@127.0.0.1:1")];
    let error = caller(TLS, &variables).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().starts_with("ALL_PROXY: is not an HTTP proxy"), "{error}");
    assert_shows_no_secret(&whole(&error));
    let server = Server::start([Step::ok("done")]).await;
    let endpoint = format!("http://127.0.0.1:{}", server.port());
    assert_eq!(call(&endpoint, &variables).await.unwrap(), "done");
}

#[cfg(unix)]
#[tokio::test]
async fn no_proxy_leaves_the_proxy_out() {
    let [proxy, server] =
        [Server::start([Step::ok("proxy")]).await, Server::start([Step::ok("server")]).await];
    let endpoint = elsewhere(&server);
    let address = format!("127.0.0.1:{}", proxy.port());
    let with = |no_proxy| [("HTTP_PROXY", address.as_str()), ("NO_PROXY", no_proxy)];
    assert_eq!(call(&endpoint, &with("example.com,10.0.0.0/8")).await.unwrap(), "proxy");
    assert_eq!(call(&endpoint, &with("example.com,0.0.0.0/8")).await.unwrap(), "server");
    assert!(server.requests()[0].starts_with(&format!("GET {PATH}?")), "{:?}", server.requests());
}

#[tokio::test]
async fn loopback_is_never_asked_of_a_proxy() {
    let [proxy, server] = [Server::start([]).await, Server::start([Step::ok("server")]).await];
    let address = format!("127.0.0.1:{}", proxy.port());
    let endpoint = format!("http://127.0.0.1:{}", server.port());
    assert_eq!(call(&endpoint, &[("ALL_PROXY", &address)]).await.unwrap(), "server");
    assert_eq!(proxy.connections(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn without_variables_there_is_no_proxy() {
    let server = Server::start([Step::ok("done")]).await;
    assert_eq!(call(&elsewhere(&server), &[]).await.unwrap(), "done");
}

/// The test above, in a process that has the variables.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_variables_of_the_process_are_not_looked_at() {
    let proxy = Server::start([]).await;
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "network::without_variables_there_is_no_proxy"]);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        test.env(variable, &address);
    }
    let output = test.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
    assert_eq!(proxy.connections(), 0);
}
