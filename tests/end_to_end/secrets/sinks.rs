//! Sinks that send events on, to who answers what nobody should.

use futures_util::future::join_all;
use record_callback::receiver::{EventSink, SinkError};
use record_callback_receiver::{ForwardSink, ForwardSinkBuilder, RedisOptions, RedisSink};

use super::receiving::{Receiving, received};
use super::*;

pub(crate) fn webhook_secret(key: &str) -> String {
    format!("whsec_{}", base64(key.as_bytes()))
}

/// A sink that sends to a URL which is secret but for its host.
fn forward_to(address: SocketAddr) -> ForwardSinkBuilder {
    let user = percent_encoded(PASSWORD);
    let url = format!("http://user:{user}@{address}/{URL_SECRET}/hook?token={URL_SECRET}#{URL_SECRET}");
    ForwardSink::builder(url, webhook_secret(WEBHOOK_KEY).into())
        .and_secret(webhook_secret(OTHER_WEBHOOK_KEY).into())
        .deadline(Duration::from_millis(150))
        .attempt_timeout(Duration::from_millis(100))
}

/// A port on which nobody listens while the socket is there.
pub(crate) fn unused() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Does all a sink can, which has to fail to keep anything unless it `works`.
async fn use_up(sink: Arc<dyn EventSink>, works: bool, shown: &mut Shown, secrets: &mut Secrets) {
    shown.debug("a sink", &sink);
    let receiving = Receiving::start(Arc::clone(&sink), shown).await;
    receiving.deliver(if works { 200 } else { 503 }, shown, secrets).await;
    receiving.watch(shown).await;
    for is_open in [true, false] {
        let kept = sink.keep(received(secrets, shown)).await;
        assert_eq!(kept.is_ok(), works && is_open, "{kept:?}");
        show(&kept, shown);
        show(&sink.check().await, shown);
        show(&sink.depth().await, shown);
        sink.close().await;
    }
}

fn show<T: Debug>(result: &Result<T, SinkError>, shown: &mut Shown) {
    shown.debug("a sink's result", result);
    if let Err(error) = result {
        shown.error("a sink's error", error);
    }
}

#[test]
fn nothing_is_shown_by_a_sink_that_sends_events_on() {
    let expected = ["record_callback_receiver::", "event not kept", "will be tried again"];
    watched_with(&expected, async |shown, secrets| {
        let kinds: [Kind; 10] = [
            ("taken", |_| answer("204 No Content", "", "")),
            ("nothing", |_| Vec::new()),
            ("not HTTP", |request| format!("220 {}\r\n\r\n", request.whole).into()),
            ("a header that is none", |request| {
                format!("HTTP/1.1 200 OK\r\n{}\0: x\r\n\r\n", request.target).into()
            }),
            ("500", |request| answer("500 Oh No", JSON, &request.whole)),
            ("400", |request| answer("400 Bad Request", JSON, &request.body)),
            ("429", |request| {
                let after = format!("Retry-After: {}\r\n", request.target);
                answer("429 Too Many Requests", &after, &request.whole)
            }),
            ("a reason", |request| answer(&format!("500 {}", request.target), "", &request.body)),
            ("redirect", |request| {
                let location = format!("Location: http://127.0.0.1:1{}\r\n", request.target);
                answer("307 Temporary Redirect", &location, &request.whole)
            }),
            ("short body", |request| {
                let whole = answer("502 Bad Gateway", JSON, &request.whole);
                whole[..whole.len() - 10].into()
            }),
        ];
        for (name, answer) in kinds {
            let server = Server::start(answer).await;
            let builder = forward_to(server.address);
            shown.debug("a sink's builder", &builder);
            use_up(Arc::new(builder.build().unwrap()), name == "taken", shown, secrets).await;
            let sent = server.learn(secrets);
            let basic = base64(format!("user:{PASSWORD}").as_bytes());
            for secret in ["webhook-signature: v1,", "\\\"auth_sign\\\"", RAW, URL_SECRET, &basic] {
                assert!(sent.contains(secret), "{name}: {secret} was not sent: {sent}");
            }
            let (_, signature) = sent.split_once("webhook-signature: v1,").unwrap();
            assert!(secrets.find(&signature[..44]).is_some_and(|(whose, ..)| whose == "signature"));
        }
        let (_socket, address) = unused();
        use_up(Arc::new(forward_to(address).build().unwrap()), false, shown, secrets).await;
    });
}

#[test]
fn nothing_is_shown_by_a_sink_that_cannot_send_events_on() {
    let (mut shown, secrets) = (Shown::default(), canaries());
    let whole = webhook_secret(WEBHOOK_KEY);
    let url = format!("https://h/{URL_SECRET}?token={URL_SECRET}");
    for secret in [
        WEBHOOK_KEY.to_owned(),
        whole[6..].to_owned(),
        whole[..20].to_owned(),
        whole.replace("whsec_", "whsec-"),
        format!("{whole}\n"),
        format!("{whole}?"),
        format!("whsec_{WEBHOOK_KEY}?"),
        webhook_secret(&WEBHOOK_KEY[..20]),
        webhook_secret(&WEBHOOK_KEY.repeat(3)),
    ] {
        let first = ForwardSink::builder(url.as_str(), secret.as_str().into());
        let second = ForwardSink::builder(url.as_str(), whole.as_str().into()).and_secret(secret.into());
        for builder in [first, second] {
            shown.debug("a sink's builder", &builder);
            shown.error("a bad secret", &builder.build().unwrap_err());
        }
    }
    for url in [
        String::new(),
        URL_SECRET.to_owned(),
        format!("/{URL_SECRET}"),
        format!("ftp://h/{URL_SECRET}"),
        format!("{URL_SECRET}:h"),
        format!("http://user:{URL_SECRET}@h.example.com/{URL_SECRET}?{URL_SECRET}"),
        format!("https://h:{URL_SECRET}/"),
        format!("https://[{URL_SECRET}]/"),
        format!("https://:{URL_SECRET}@/"),
        format!("https://{URL_SECRET} h/"),
    ] {
        let builder = ForwardSink::builder(url, whole.as_str().into());
        shown.debug("a sink's builder", &builder);
        shown.error("a bad URL", &builder.build().unwrap_err());
    }
    shown.assert_hides(&secrets);
}

/// Answers each command as a function makes it of the command's text, as long as there is an answer.
async fn redis_that(answer: fn(&str) -> String) -> (SocketAddr, Arc<Mutex<String>>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, sent) = (listener.local_addr().unwrap(), Arc::<Mutex<String>>::default());
    let log = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    log.lock().unwrap().push_str(&text);
                    // A command begins with the number of its parts.
                    for command in text.split('*').skip(1) {
                        let answer = answer(&command.split_whitespace().collect::<Vec<_>>().join(" "));
                        if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, sent, task)
}

/// A server that takes every command but those with events, of which it repeats everything.
fn echoes_events(command: &str) -> String {
    let is_event = command.contains("EVAL") || command.contains("SCRIPT");
    if is_event { format!("-ERR what is {command}\r\n") } else { harmless(command) }
}

/// Likewise, all of it as what should be the kind of error.
fn echoes_events_as_code(command: &str) -> String {
    let code = command.replace(|c: char| !c.is_ascii_alphanumeric(), "");
    if echoes_events(command).starts_with("-ERR") { format!("-{code} what\r\n") } else { harmless(command) }
}

fn harmless(command: &str) -> String {
    if command.contains("CONFIG") { "-NOPERM not for you\r\n".to_owned() } else { "+OK\r\n".to_owned() }
}

#[test]
fn nothing_is_shown_by_a_sink_that_cannot_reach_redis() {
    watched_with(&["record_callback_receiver::"], async |shown, secrets| {
        let (_socket, nobody) = unused();
        let mut urls = vec![
            format!("redis://:{REDIS_PASSWORD}@{nobody}"),
            format!("redis+unix:///nowhere/redis.sock?pass={REDIS_PASSWORD}"),
            String::new(),
            REDIS_PASSWORD.to_owned(),
            format!(":{REDIS_PASSWORD}@127.0.0.1"),
            format!("redis://:{REDIS_PASSWORD}@"),
            format!("redis://:{REDIS_PASSWORD}@127.0.0.1:x"),
            format!("redis://:{REDIS_PASSWORD}@127.0.0.1/{REDIS_PASSWORD}"),
            format!("rediss://:{REDIS_PASSWORD}@127.0.0.1"),
            format!("http://:{REDIS_PASSWORD}@127.0.0.1"),
            format!("redis://:{REDIS_PASSWORD}%ff@127.0.0.1:1"),
            format!("redis://:{REDIS_PASSWORD}@127.0.0.1:1?protocol={REDIS_PASSWORD}"),
        ];
        let mut servers = Vec::new();
        for (name, answer) in REDIS {
            let (address, sent, task) = redis_that(answer).await;
            urls.extend(
                ["", "?protocol=resp2"]
                    .map(|protocol| format!("redis://user:{REDIS_PASSWORD}@{address}{protocol}")),
            );
            servers.push((name, sent, task));
        }
        // The library makes several attempts, with pauses, before it says why.
        let options = RedisOptions::default();
        shown.debug("options", &options);
        let connecting = urls.iter().map(async |url| {
            let connected = RedisSink::connect(&url.as_str().into(), options.clone()).await;
            assert!(connected.is_err(), "{url}");
            connected
        });
        for refused in join_all(connecting).await {
            show(&refused, shown);
        }
        for (name, sent, task) in servers {
            task.abort();
            let sent = sent.lock().unwrap();
            assert!(sent.contains(REDIS_PASSWORD), "{name}: {sent}");
        }

        // Connected, and then refused the events.
        let options = options.timeout(Duration::from_millis(200));
        for answer in [echoes_events as fn(&str) -> String, echoes_events_as_code] {
            let (address, sent, task) = redis_that(answer).await;
            let url = format!("redis://user:{REDIS_PASSWORD}@{address}?protocol=resp2");
            let sink = RedisSink::connect(&url.into(), options.clone()).await.unwrap();
            use_up(Arc::new(sink), false, shown, secrets).await;
            task.abort();
            let sent = sent.lock().unwrap();
            for secret in [REDIS_PASSWORD, RAW, "auth_sign"] {
                assert!(sent.contains(secret), "{secret} was not sent: {sent}");
            }
        }
    });
}

type RedisKind = (&'static str, fn(&str) -> String);

const REDIS: [RedisKind; 8] = [
    ("a wrong password", |_| "-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_owned()),
    ("a wrong password that is repeated", |command| format!("-WRONGPASS {command}\r\n")),
    ("an unknown command", |command| {
        format!("-ERR unknown command, with args beginning with: {command}\r\n")
    }),
    ("a code", |command| format!("-{} refused\r\n", secret_of(command))),
    ("a big error", |command| format!("!{}\r\n{command}\r\n", command.len())),
    ("a text", |command| format!("+{command}\r\n")),
    ("no RESP", |command| format!("HTTP/1.1 400 {command}\r\n\r\n")),
    ("nothing", |_| String::new()),
];

/// The password, if the command has it.
fn secret_of(command: &str) -> &str {
    if command.contains(REDIS_PASSWORD) { REDIS_PASSWORD } else { "ERR" }
}
