//! No secret is shown: not by an error or its causes, not by `Debug`, not by `Serialize`, not in the log.
//!
//! Every secret is a canary. Whatever can be shown while requests succeed and fail is collected, and then searched for
//! pieces of the canaries, and of what was derived from them (signatures, issued tokens), in every usual encoding.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error as StdError;
use std::fmt::{Debug, Write as _};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use record_callback::aliyun::{
    self, AliyunClient, AliyunProvider, HttpMethod, RecordNotifyConfig, Signature,
};
use record_callback::http::header::{HeaderMap, HeaderValue};
use record_callback::http::{
    AccessKey, Answer, CredentialProvider, EnvCredentials, FixedEnv, Quotas, RetryPolicy, StaticCredentials,
    StatusCode, TokioTimer,
};
use record_callback::huaweicloud::{
    self, HuaweicloudClient, HuaweicloudProvider, Login, RecordCallbackConfigAnswer,
    RecordCallbackConfigRequest,
};
use record_callback::{
    AppName, CallbackKey, CallbackSigning, DomainName, Error, ErrorKind, EventKind, Fidelity, ProviderConfig,
    ReadBack, RecordCallbackConfig, RecordCallbackProvider, RecordCallbackProviderExt, SigningKey,
    StoredCallback, StoredKey,
};
use record_callback_mock::{HuaweicloudDialect, MockAliyun, MockHuaweicloud, ReceivedRequest};
use record_callback_tests::Cloud;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

const SECRET: &str = "dBk2SX2LCqOfMZojpXnnPnyg185QyVE";
const TEMPORARY_SECRET: &str = "ZpJOaZLSUYJNWUa66APoAWOvLucxNI";
const SECURITY_TOKEN: &str = "CAIS7q+YILPE84rspnGl/krRDyZBj6bzcBgs7mS7==";
const GIVEN_TOKEN: &str = "MIIbFI99l3fVAbkXp1dt71tu+IXkPFxN9Puzdm==";
const PASSWORD: &str = "RXwDXc5U SjÄk5EXvWUXBF4721lu%OZ";
const KEY: &str = "XXmzWnTQNOMzaJURHl5F7XqUrrwTNqn1";
const OTHER_KEY: &str = "ibu607vJ3kdHhEIXAkOsHRUPj8BKiRo6";
/// No cloud takes all lengths: too long for Aliyun, too short for Huawei Cloud.
const LONG_KEY: &str = "g1sElzLcjFDHtWS0KtN6KpIy94CWAPqwb4YB59hu";
const SHORT_KEY: &str = "oSTyidhH8B756QTDx6Bk";
/// The secret of somebody else: requests signed with ours are refused, and echoed.
const NOT_OURS: &str = "3qbHKHItMWvetMmjRhlXcjsp";
/// A key that a careless JSON writer makes a number of.
const NUMERIC_KEY: &str = "7315904826153709";
const NUMERIC: &str = "numeric signing key";

const DOMAIN: &str = "live.example.com";
const ID: &str = "LTAIexample";

// ---- the search ----

/// Letters and digits of a secret that count as a leak: nothing shorter is worth guessing from.
const PIECE: usize = 10;

/// Pieces of secrets in the encodings they may be shown in, lower case: whose they are, and how encoded.
#[derive(Default)]
struct Secrets {
    pieces: HashMap<[u8; PIECE], (&'static str, &'static str)>,
    /// How pieces begin, to skip most of a text quickly.
    beginnings: HashSet<[u8; 2]>,
    known: HashSet<String>,
}

impl Secrets {
    fn canaries() -> Self {
        let mut secrets = Self::default();
        for (name, secret) in [
            ("access key secret", SECRET),
            ("temporary access key secret", TEMPORARY_SECRET),
            ("security token", SECURITY_TOKEN),
            ("given token", GIVEN_TOKEN),
            ("password", PASSWORD),
            ("signing key", KEY),
            ("other signing key", OTHER_KEY),
            ("long signing key", LONG_KEY),
            ("short signing key", SHORT_KEY),
            ("mock's secret", NOT_OURS),
            (NUMERIC, NUMERIC_KEY),
        ] {
            secrets.add(name, secret);
        }
        secrets
    }

    /// Makes pieces of `secret` as it is, with a gap anywhere, and encoded.
    fn add(&mut self, name: &'static str, secret: &str) {
        let encoded = percent_encoded(secret);
        let bytes: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
        let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        self.add_form(name, "percent-encoded twice", &percent_encoded(&encoded));
        self.add_form(name, "in hexadecimal", &hex);
        self.add_form(name, "byte by byte", &bytes.join(", "));
        // What stands before it shifts the secret's place in groups of three bytes.
        for before in 0..3 {
            let base64 = base64(&[&vec![0; before], secret.as_bytes()].concat());
            self.add_form(name, "in base64", &base64[before + usize::from(before > 0)..base64.len() - 4]);
        }
        self.add_form(name, "percent-encoded", &encoded);
        self.add_form(name, "itself", secret);
    }

    fn add_form(&mut self, name: &'static str, form: &'static str, text: &str) {
        for text in [squeezed(text), spaced(text)] {
            for piece in text.windows(PIECE) {
                // A run of digits is anything, unless the secret is a number.
                if name == NUMERIC || !piece.iter().all(u8::is_ascii_digit) {
                    let piece: [u8; PIECE] = piece.try_into().unwrap();
                    self.beginnings.insert([piece[0], piece[1]]);
                    self.pieces.insert(piece, (name, form));
                }
            }
        }
    }

    /// Adds what authorised the requests a mock received.
    fn add_used(&mut self, requests: &[ReceivedRequest]) {
        for request in requests {
            let headers = request.headers().iter();
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            self.add_used_by(
                request.query(),
                headers.map(|(name, value)| (name.as_str().to_owned(), text(value))),
            );
        }
    }

    fn add_used_by(&mut self, query: &str, headers: impl Iterator<Item = (String, String)>) {
        let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        for (_, signature) in parameters.filter(|(name, _)| *name == "Signature") {
            self.add_form("signature", "percent-encoded", signature);
            self.add_form("signature", "itself", &percent_decoded(signature));
        }
        for (name, value) in headers {
            match (name.as_str(), value.split_once("Signature=")) {
                ("authorization", Some((_, signature))) => self.add_form("signature", "itself", signature),
                // Issued tokens are long; nothing shows an end of one and not its beginning.
                ("x-auth-token", _) if value != GIVEN_TOKEN && self.known.insert(value.clone()) => {
                    self.add("issued token", &value[..value.len().min(200)]);
                }
                _ => {}
            }
        }
    }

    /// The last piece of a secret in `text`: whose, how encoded, and where.
    fn find(&self, text: &str) -> Option<(&'static str, &'static str, String)> {
        [squeezed(text), spaced(text)].iter().rev().find_map(|text| {
            let at = text.windows(PIECE).rposition(|piece| self.is_piece(piece))?;
            let (name, form) = self.pieces[&text[at..at + PIECE]];
            let around = &text[at.saturating_sub(60)..text.len().min(at + 60)];
            Some((name, form, String::from_utf8_lossy(around).into_owned()))
        })
    }

    fn is_piece(&self, piece: &[u8]) -> bool {
        self.beginnings.contains(&piece[..2]) && self.pieces.contains_key(piece)
    }
}

/// Lower case, with a single space for white space of any kind.
fn spaced(text: &str) -> Vec<u8> {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").to_ascii_lowercase().into()
}

/// Letters and digits only, in lower case: finds what was split by anything.
fn squeezed(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                decoded.extend(&part.as_bytes()[2..]);
            }
            None => decoded.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

// ---- the collection ----

/// What could be shown, and what shows it.
#[derive(Default)]
struct Shown(HashSet<(String, String)>);

impl Shown {
    fn text(&mut self, what: &str, text: impl Into<String>) {
        self.0.insert((what.to_owned(), text.into()));
    }

    fn debug(&mut self, what: &str, value: &(impl Debug + ?Sized)) {
        self.text(what, format!("{value:?}"));
        self.text(what, format!("{value:#?}"));
    }

    fn error(&mut self, what: &str, error: &(dyn StdError + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.text(what, error.to_string());
            self.debug(what, error);
            next = error.source();
        }
    }

    fn result<T: Debug>(&mut self, what: &str, result: Result<T, Error>) -> Option<T> {
        self.debug(what, &result);
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(what, &error);
                self.debug(what, error.deviations());
                self.debug(what, error.differences());
                for deviation in error.deviations() {
                    self.text(what, deviation.to_string());
                }
                for difference in error.differences() {
                    self.text(what, difference.to_string());
                }
                None
            }
        }
    }

    fn stored(&mut self, what: &str, stored: &StoredCallback, wanted: &RecordCallbackConfig) {
        self.text(what, serde_json::to_string(stored).unwrap());
        self.text(what, toml::to_string(stored).unwrap());
        let differences = stored.differences(wanted);
        self.debug(what, &differences);
        for difference in &differences {
            self.text(what, difference.to_string());
        }
    }

    /// What shows which secret, with one example each.
    fn leaks(&self, secrets: &Secrets) -> Vec<String> {
        let leaks: BTreeMap<_, _> = self
            .0
            .iter()
            .filter_map(|(what, text)| {
                let (whose, form, around) = secrets.find(text)?;
                Some(((what, whose, form), around))
            })
            .collect();
        let line = |((what, whose, form), around)| format!("{what} shows the {whose} {form}: {around}");
        leaks.into_iter().map(line).collect()
    }

    fn assert_hides(&self, secrets: &Secrets) {
        assert!(!self.0.is_empty());
        let leaks = self.leaks(secrets);
        let first: Vec<_> = leaks.iter().take(40).map(String::as_str).collect();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), first.join("\n"));
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `scenario` and adds all that anybody logged meanwhile, servers included.
fn watched(scenario: impl AsyncFnOnce(&mut Shown, &mut Secrets)) {
    let (mut shown, mut secrets) = (Shown::default(), Secrets::canaries());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scenario(&mut shown, &mut secrets));
    });
    let bytes = log.0.lock().unwrap();
    let log = str::from_utf8(&bytes).unwrap();
    for target in ["record_callback_http::", "operation="] {
        assert!(log.contains(target), "nothing was logged by {target}");
    }
    for line in log.lines() {
        shown.text("the log", line);
    }
    shown.assert_hides(&secrets);
}

// ---- clients ----

fn few_attempts() -> RetryPolicy {
    let moment = Duration::from_millis(1);
    RetryPolicy::default().attempts(2).delays(moment, moment).attempt_timeout(Duration::from_secs(5))
}

fn access_key(temporary: bool) -> AccessKey {
    if temporary {
        AccessKey::new("STS.example", TEMPORARY_SECRET).with_security_token(SECURITY_TOKEN)
    } else {
        AccessKey::new(ID, SECRET)
    }
}

fn is_temporary(way: Cloud) -> bool {
    matches!(way, Cloud::AliyunRpcTemporary | Cloud::AliyunAcs3Temporary | Cloud::HuaweicloudTemporaryKey)
}

fn is_aliyun(way: Cloud) -> bool {
    way.name().starts_with("aliyun")
}

/// A provider that authorises with canaries; everything it is made of is shown.
fn connect(
    way: Cloud,
    endpoint: &str,
    iam: &str,
    token: &str,
    shown: &mut Shown,
) -> Arc<dyn RecordCallbackProvider> {
    let credentials = StaticCredentials::new(access_key(is_temporary(way)));
    shown.debug("credentials", &credentials);
    let provider: Arc<dyn RecordCallbackProvider> = if is_aliyun(way) {
        let acs3 = matches!(way, Cloud::AliyunAcs3 | Cloud::AliyunAcs3Temporary);
        let builder = AliyunClient::builder()
            .endpoint(endpoint)
            .signature(if acs3 { Signature::Acs3 } else { Signature::Rpc })
            .method(if is_temporary(way) { HttpMethod::Get } else { HttpMethod::Post })
            .credentials(credentials)
            .quotas(Quotas::unlimited())
            .retry(few_attempts());
        shown.debug("a builder", &builder);
        let client = builder.build().unwrap();
        shown.debug("a client", &client);
        Arc::new(AliyunProvider::new(client))
    } else {
        let builder = HuaweicloudClient::builder()
            .endpoint(endpoint)
            .iam_endpoint(iam)
            .region("cn-north-4")
            .quotas(Quotas::unlimited())
            .retry(few_attempts());
        let builder = match way {
            Cloud::HuaweicloudToken => builder.project_id(PROJECT).token(token),
            Cloud::HuaweicloudPassword => {
                let login = Login::new("account", "user", PASSWORD);
                shown.debug("a login", &login);
                builder.login(login)
            }
            _ => builder.credentials(credentials),
        };
        shown.debug("a builder", &builder);
        let client = builder.build().unwrap();
        shown.debug("a client", &client);
        Arc::new(HuaweicloudProvider::new(client))
    };
    shown.debug("a provider", &provider);
    provider
}

const PROJECT: &str = "0123456789abcdef0123456789abcdef";

fn signed_with(key: &str) -> RecordCallbackConfig {
    RecordCallbackConfig::builder(DOMAIN, "https://cb.example.com/recorded")
        .on_demand_url("https://cb.example.com/ask")
        .events([EventKind::FileCompleted, EventKind::RecordingFailed, EventKind::FileStarted])
        .signing(CallbackSigning::HmacSha256(SigningKey::new(key).unwrap()))
        .build()
        .unwrap()
}

/// Calls everything a provider has, in an order that succeeds and is refused on a cloud that works.
async fn exercise(of: &str, provider: &dyn RecordCallbackProvider, shown: &mut Shown) {
    let what = |call: &str| format!("{of}: {call}");
    let config = signed_with(KEY);
    let (key, domain) = (config.key(), DomainName::new(DOMAIN).unwrap());
    let read_back = ReadBack::new(TokioTimer).reads(1);
    let best = Fidelity::BestEffort;
    shown.result(&what("get before"), provider.get(&key).await);
    shown.result(&what("update before"), provider.update(&config, best).await);
    shown.result(&what("create"), provider.create(&config, best).await);
    shown.result(&what("create again"), provider.create(&config, best).await);
    shown.result(&what("update"), provider.update(&signed_with(OTHER_KEY), best).await);
    shown.result(&what("put"), provider.put(&signed_with(OTHER_KEY), best).await);
    if let Some(ensured) = shown.result(&what("ensure"), provider.ensure(&config, best, &read_back).await) {
        shown.stored(&what("ensure"), &ensured.stored, &signed_with(OTHER_KEY));
    }
    if let Some(Some(stored)) = shown.result(&what("get"), provider.get(&key).await) {
        shown.stored(&what("get"), &stored, &config);
    }
    shown.result(&what("list"), provider.list(None).await);
    shown.result(&what("list one"), provider.list(Some(&domain)).await);
    shown.result(&what("resolve"), provider.resolve(&domain, &AppName::new("live").unwrap()).await);
    for (length, key) in [("long", LONG_KEY), ("short", SHORT_KEY)] {
        let put = provider.put(&signed_with(key), Fidelity::BestEffort).await;
        shown.result(&what(&format!("put with a {length} key")), put);
    }
    shown.result(&what("put exactly"), provider.put(&config, Fidelity::Exact).await);
    shown.result(&what("ensure absent"), provider.ensure_absent(&key, &read_back).await);
    shown.result(&what("delete"), provider.delete(&key).await);
    shown.debug(&what("the provider"), provider);
}

/// A mock of either vendor that knows our canaries, or, when `strange`, our ids with other secrets.
enum Mock {
    Aliyun(Box<MockAliyun>),
    Huaweicloud(Box<MockHuaweicloud>),
}

impl Mock {
    async fn start(way: Cloud, strange: bool, shown: &mut Shown) -> Self {
        let ours = |secret| if strange { NOT_OURS } else { secret };
        if is_aliyun(way) {
            let builder = MockAliyun::builder()
                .access_key(ID, ours(SECRET))
                .temporary_access_key("STS.example", ours(TEMPORARY_SECRET), SECURITY_TOKEN)
                .domain(DOMAIN);
            shown.debug("a mock's builder", &builder);
            Self::Aliyun(builder.start().await.unwrap().into())
        } else {
            let builder = MockHuaweicloud::builder()
                .access_key(ID, ours(SECRET))
                .temporary_access_key("STS.example", ours(TEMPORARY_SECRET), SECURITY_TOKEN)
                .user("account", "user", ours(PASSWORD))
                .project_id(PROJECT)
                .dialect(HuaweicloudDialect { key_in_answers: true, ..HuaweicloudDialect::default() });
            shown.debug("a mock's builder", &builder);
            Self::Huaweicloud(builder.start().await.unwrap().into())
        }
    }

    fn endpoint(&self) -> &str {
        match self {
            Self::Aliyun(mock) => mock.endpoint(),
            Self::Huaweicloud(mock) => mock.endpoint(),
        }
    }

    fn iam_endpoint(&self) -> &str {
        match self {
            Self::Aliyun(mock) => mock.endpoint(),
            Self::Huaweicloud(mock) => mock.iam_endpoint(),
        }
    }

    fn issue_token(&self) -> String {
        match self {
            Self::Aliyun(_) => String::new(),
            Self::Huaweicloud(mock) => mock.issue_token(),
        }
    }

    fn requests(&self) -> Vec<ReceivedRequest> {
        match self {
            Self::Aliyun(mock) => mock.requests(),
            Self::Huaweicloud(mock) => [mock.requests(), mock.iam_requests()].concat(),
        }
    }

    /// Shows what the mock itself can show, and learns the secrets it was sent.
    fn show(&self, shown: &mut Shown, secrets: &mut Secrets) {
        secrets.add_used(&self.requests());
        shown.debug("a mock's requests", &self.requests());
        match self {
            Self::Aliyun(mock) => shown.debug("a mock", &(mock, mock.configs())),
            Self::Huaweicloud(mock) => shown.debug("a mock", &(mock, mock.configs())),
        }
    }

    /// Everything the mock received, as it was sent.
    fn received(&self) -> String {
        let mut text = String::new();
        for request in self.requests() {
            let body = String::from_utf8_lossy(request.body());
            writeln!(text, "{}?{} {:?} {body}", request.path(), request.query(), request.headers()).unwrap();
        }
        text
    }
}

// ---- servers that answer what a cloud should not ----

/// One request as it came.
struct Raw {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    whole: String,
}

impl Raw {
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
            bytes.extend(&buffer[..length]);
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
            let mut lines = head.lines();
            let target = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            if body.len() >= length.map_or(0, |(_, length)| length.parse().unwrap()) {
                let body = body.to_owned();
                return Some(Self { target, headers, body, whole });
            }
        }
    }

    fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The parameters and body, or the headers, that hold secrets, and nothing else, so that no limit cuts them.
    fn secrets(&self) -> [String; 2] {
        let pairs = self.query().split('&').filter_map(|pair| pair.split_once('='));
        let parameters = pairs
            .filter(|(name, _)| ["NotifyAuthKey", "SecurityToken", "Signature"].contains(name))
            .map(|(name, value)| format!("{name}={}", percent_decoded(value)));
        let headers = self.headers.iter().filter(|(name, _)| {
            ["authorization", "x-auth-token", "x-acs-security-token", "x-security-token"]
                .contains(&name.as_str())
        });
        let headers = headers.rev().map(|(name, value)| format!("{name}: {value}"));
        let fields: Vec<_> = self
            .body
            .split(',')
            .filter(|field| field.contains("\"key\"") || field.contains("password\":\""))
            .map(str::to_owned)
            .collect();
        let parameters = parameters.chain(fields).collect::<Vec<_>>().join(" ");
        [parameters, headers.collect::<Vec<_>>().join(" ")]
    }
}

/// A server that answers every request with what a function makes of it, and then closes the connection.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Raw>>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answer: impl Fn(&Raw) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if let Some(request) = Raw::read(&mut stream).await {
                    let answer = answer(&request);
                    log.lock().unwrap().push(request);
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self { address, received, task }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Learns the secrets that were sent; returns all that was.
    fn learn(&self, secrets: &mut Secrets) -> String {
        let mut all = String::new();
        for request in &*self.received.lock().unwrap() {
            secrets.add_used_by(request.query(), request.headers.iter().cloned());
            all += &request.whole;
        }
        all
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

const JSON: &str = "Content-Type: application/json\r\n";

/// How a server answers, by name.
type Kind = (&'static str, fn(&Raw) -> Vec<u8>);

/// An error answer in the words of both vendors.
fn refusal(status: &str, code: &str, message: &str, id: &str) -> Vec<u8> {
    let body = json!({
        "Code": code, "Message": message, "RequestId": id,
        "error_code": code, "error_msg": message, "request_id": id,
    });
    answer(status, JSON, &body.to_string())
}

/// Runs everything, in every way, against servers that answer like that, which must have received our secrets.
async fn against(
    name: &str,
    answer: impl Fn(&Raw) -> Vec<u8> + Clone + Send + 'static,
    shown: &mut Shown,
    secrets: &mut Secrets,
) {
    for way in Cloud::ALL {
        let server = Server::start(answer.clone()).await;
        // Where a token or a project is asked for, Live is reached only if IAM works.
        let iam = Mock::start(way, false, shown).await;
        let mut endpoints = vec![iam.iam_endpoint().to_owned()];
        if matches!(way, Cloud::HuaweicloudKey | Cloud::HuaweicloudPassword) {
            endpoints.push(server.endpoint());
        }
        for iam in endpoints {
            let provider = connect(way, &server.endpoint(), &iam, GIVEN_TOKEN, shown);
            exercise(&format!("{name}: {}", way.name()), &*provider, shown).await;
        }
        iam.show(shown, secrets);
        let received = server.learn(secrets);
        let expected: &[&str] = match way {
            Cloud::AliyunRpc => &["&Signature="],
            Cloud::AliyunRpcTemporary => &["&SecurityToken=CAIS7q%2BYILPE84rspnGl"],
            Cloud::AliyunAcs3 | Cloud::HuaweicloudKey => &["Signature="],
            Cloud::AliyunAcs3Temporary | Cloud::HuaweicloudTemporaryKey => &[SECURITY_TOKEN],
            Cloud::HuaweicloudToken => &[GIVEN_TOKEN],
            Cloud::HuaweicloudPassword => &["x-auth-token: MII", PASSWORD],
        };
        for secret in expected.iter().chain(&[KEY]) {
            assert!(received.contains(secret), "{} did not send {secret}", way.name());
        }
    }
}

// ---- the tests ----

#[test]
fn the_search_finds_a_canary_however_it_is_shown() {
    let secrets = Secrets::canaries();
    let cut = &KEY[3..18];
    let found = [
        KEY.to_owned(),
        KEY.to_lowercase(),
        format!("an error with {cut} in it"),
        format!("{} {}", &KEY[..7], &KEY[7..]),
        KEY.split("").collect::<Vec<_>>().join("-"),
        format!("{:?}", KEY.as_bytes()),
        format!("{:#?}", KEY.as_bytes()),
        KEY.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}")),
        percent_encoded(SECURITY_TOKEN),
        percent_encoded(&percent_encoded(SECURITY_TOKEN)),
        SECURITY_TOKEN.replace('+', "\\u002b"),
        base64(KEY.as_bytes()),
        base64(format!("a{KEY}").as_bytes()),
        base64(format!("{{\"key\":\"{KEY}\",\"more\":1}}").as_bytes()),
        percent_encoded(&base64(PASSWORD.as_bytes())),
        format!("{PASSWORD:?}"),
    ];
    for text in found {
        assert!(secrets.find(&text).is_some(), "{text}");
    }
    for harmless in ["", "[REDACTED]", "live.example.com: app: `live` cannot", &KEY[..PIECE - 1]] {
        assert!(secrets.find(harmless).is_none(), "{harmless}");
    }
    assert_eq!(base64(b"Man M"), "TWFuIE0=");
    assert_eq!(percent_decoded("a%2Bb%E5%BD%95%"), "a+b录%");

    let mut shown = Shown::default();
    let planted = Error::new(ErrorKind::Protocol, "fine").with_source(io::Error::other(KEY));
    shown.result::<()>("planted", Err(planted));
    assert!(shown.leaks(&secrets).iter().all(|leak| leak.starts_with("planted shows the signing key")));
    assert!(!shown.leaks(&secrets).is_empty());
}

#[test]
fn nothing_is_shown_while_clouds_work() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let mock = Mock::start(way, false, shown).await;
            let token = mock.issue_token();
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), &token, shown);
            provider.put(&signed_with(KEY), Fidelity::BestEffort).await.unwrap();
            let stored = provider.get(&signed_with(KEY).key()).await.unwrap().unwrap();
            assert_eq!(stored.signing.key, StoredKey::Known(SigningKey::new(KEY).unwrap()));
            provider.delete(&stored.key).await.unwrap();
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
            let received = mock.received();
            assert!(received.contains(KEY), "{received}");
            let token = match way {
                Cloud::AliyunRpcTemporary => percent_encoded(SECURITY_TOKEN),
                Cloud::HuaweicloudToken => token,
                Cloud::HuaweicloudPassword => PASSWORD.to_owned(),
                _ if is_temporary(way) => SECURITY_TOKEN.to_owned(),
                _ => "Signature=".to_owned(),
            };
            assert!(received.contains(&token), "{received}");
        }
    });
}

/// The mocks echo what they would have signed, as the clouds do: with signing key and security token.
#[test]
fn nothing_is_shown_when_credentials_are_wrong() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let mock = Mock::start(way, true, shown).await;
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), GIVEN_TOKEN, shown);
            let refused = provider.get(&signed_with(KEY).key()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
            exercise(way.name(), &*provider, shown).await;
            if is_aliyun(way) {
                let create = provider.create(&signed_with(KEY), Fidelity::BestEffort).await.unwrap_err();
                assert_eq!(create.code(), Some("SignatureDoesNotMatch"));
                let requests = mock.requests();
                let created =
                    requests.iter().rfind(|request| request.operation().unwrap().starts_with("Add"));
                let echoed = sent_again(mock.endpoint(), created.unwrap()).await;
                assert!(echoed.contains(KEY), "{echoed}");
            }
            mock.show(shown, secrets);
        }
    });
}

/// Sends a request once more as it came, and returns the whole answer.
async fn sent_again(endpoint: &str, request: &ReceivedRequest) -> String {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
    let mut text = format!("{} {}?{} HTTP/1.1\r\n", request.method(), request.path(), request.query());
    for (name, value) in request.headers() {
        writeln!(text, "{name}: {}\r", value.to_str().unwrap()).unwrap();
    }
    text += "connection: close\r\n\r\n";
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn nothing_is_shown_when_keys_are_unknown_or_tokens_revoked() {
    watched(async |shown, secrets| {
        for way in Cloud::ALL {
            let (mock, iam) = if is_aliyun(way) {
                let builder = MockAliyun::builder().access_key("another", NOT_OURS);
                (Mock::Aliyun(builder.start().await.unwrap().into()), String::new())
            } else {
                let mock = Mock::start(way, false, shown).await;
                (
                    Mock::Huaweicloud(MockHuaweicloud::builder().start().await.unwrap().into()),
                    mock.iam_endpoint().to_owned(),
                )
            };
            let iam = if iam.is_empty() { mock.iam_endpoint().to_owned() } else { iam };
            let provider = connect(way, mock.endpoint(), &iam, GIVEN_TOKEN, shown);
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
        }
        for way in [Cloud::HuaweicloudToken, Cloud::HuaweicloudPassword] {
            let mock = Mock::start(way, false, shown).await;
            let provider = connect(way, mock.endpoint(), mock.iam_endpoint(), &mock.issue_token(), shown);
            provider.list(None).await.unwrap();
            let Mock::Huaweicloud(cloud) = &mock else { unreachable!() };
            cloud.revoke_tokens();
            exercise(way.name(), &*provider, shown).await;
            mock.show(shown, secrets);
        }
    });
}

#[test]
fn nothing_is_shown_when_nobody_answers() {
    watched(async |shown, _| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let endpoint = format!("http://{}", socket.local_addr().unwrap());
        for way in Cloud::ALL {
            let provider = connect(way, &endpoint, &endpoint, GIVEN_TOKEN, shown);
            let refused = provider.get(&signed_with(KEY).key()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
            exercise(way.name(), &*provider, shown).await;
        }
        // For the log of a server, which `watched` expects.
        let mock = Mock::start(Cloud::AliyunRpc, false, shown).await;
        let provider = connect(Cloud::AliyunRpc, mock.endpoint(), "", "", shown);
        shown.result("list", provider.list(None).await);
    });
}

#[test]
fn nothing_is_shown_of_answers_that_are_no_answers() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 8] = [
            ("nothing", |_| Vec::new()),
            ("not HTTP", |_| b"220 this is not HTTP\r\n\r\n".into()),
            ("empty", |_| answer("200 OK", "", "")),
            ("cut JSON", |_| answer("200 OK", JSON, "{\"LiveRecordNotifyConfig\":")),
            ("HTML error", |request| {
                answer(
                    "502 Bad Gateway",
                    "Content-Type: text/html\r\n",
                    &format!("<html>{}</html>", request.whole),
                )
            }),
            ("HTML", |request| {
                answer("200 OK", "Content-Type: text/html\r\n", &format!("<html>{}</html>", request.whole))
            }),
            ("short body", |request| {
                let whole = answer("200 OK", JSON, &json!({ "Message": request.whole }).to_string());
                whole[..whole.len() - 10].into()
            }),
            ("redirect", |request| {
                let location = format!("Location: http://127.0.0.1:1{}\r\n", request.target);
                answer("302 Found", &location, &request.whole)
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_request_that_is_echoed_in_the_message() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 5] = [
            ("whole request in the message", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.whole, "R-1")
            }),
            ("parameters in the message", |request| {
                refusal("400 Bad Request", "InvalidParameter", &request.secrets()[0], "R-1")
            }),
            ("headers in the message", |request| {
                refusal("401 Unauthorized", "APIGW.0301", &request.secrets()[1], "R-1")
            }),
            ("XML message", |request| {
                let message = request.secrets().join(" ").replace('&', "&amp;");
                let body = format!("<Error><Code>X</Code><Message>{message}</Message></Error>");
                answer("400 Bad Request", "Content-Type: text/xml\r\n", &body)
            }),
            ("IAM message", |request| {
                let body = json!({ "error": { "code": 400, "message": request.secrets().join(" "), "title": "Bad" } });
                answer("400 Bad Request", JSON, &body.to_string())
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_request_that_is_echoed_elsewhere() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 5] = [
            ("code", |request| refusal("400 Bad Request", &request.secrets().join(" "), "refused", "R-1")),
            ("request id", |request| {
                refusal("400 Bad Request", "X", "refused", &request.secrets().join(" "))
            }),
            ("x-request-id", |request| {
                let [parameters, headers] = request.secrets();
                let said = format!("{JSON}X-Request-Id: {parameters} {headers}\r\n");
                answer("400 Bad Request", &said, r#"{"error_code":"X","error_msg":"refused"}"#)
            }),
            ("content type", |request| {
                let [parameters, headers] = request.secrets();
                answer("502 Bad Gateway", &format!("Content-Type: text/{parameters}{headers}\r\n"), "x")
            }),
            ("retry after", |request| {
                answer("500 Oh No", &format!("Retry-After: {}\r\n", request.secrets().join(" ")), "x")
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_of_a_success_that_is_not_understood() {
    watched(async |shown, secrets| {
        let kinds: [Kind; 4] = [
            ("text", |request| answer("200 OK", JSON, &json!(request.secrets().join(" ")).to_string())),
            ("numeric key", |_| {
                let number: u64 = NUMERIC_KEY.parse().unwrap();
                let config = json!({ "DomainName": DOMAIN, "NotifyAuthKey": number });
                let body = json!({
                    "LiveRecordNotifyConfig": config, "key": number,
                    "total": 1, "callback_config": [{ "id": "1", "key": number }],
                });
                answer("200 OK", JSON, &body.to_string())
            }),
            ("key of another type", |_| {
                let config = json!({ "DomainName": DOMAIN, "NotifyReqAuth": KEY });
                let body = json!({ "LiveRecordNotifyConfig": config, "total": KEY, "callback_config": KEY });
                answer("200 OK", JSON, &body.to_string())
            }),
            ("object", |request| {
                answer("200 OK", JSON, &json!({ request.secrets().join(" "): [KEY] }).to_string())
            }),
        ];
        for (name, answer) in kinds {
            against(name, answer, shown, secrets).await;
        }
    });
}

#[test]
fn nothing_is_shown_by_values_that_hold_secrets() {
    let (mut shown, secrets) = (Shown::default(), Secrets::canaries());
    let config = signed_with(KEY);
    shown.debug("a signing key", &SigningKey::new(KEY).unwrap());
    shown.debug("a signing", config.signing());
    shown.debug("a config", &config);
    shown.debug("an exposed config", &config.with_exposed_key());
    shown.text("a config", serde_json::to_string(&config).unwrap());
    shown.text("a config", toml::to_string(&config).unwrap());
    shown.debug(
        "a config's builder",
        &RecordCallbackConfig::builder(DOMAIN, "http://x").signing(config.signing().clone()),
    );
    shown.debug("a fitted config", &aliyun::CAPABILITIES.fit(&config, Fidelity::BestEffort).unwrap());
    shown.debug("a stored key", &StoredKey::Known(SigningKey::reported(KEY)));
    shown.debug("a key", &CallbackKey::any_app(config.domain().clone()));

    let key = access_key(true);
    shown.debug("an access key", &key);
    shown.debug("static credentials", &StaticCredentials::new(key));
    let env = FixedEnv::from_iter([("ID", ID), ("SECRET", SECRET), ("TOKEN", SECURITY_TOKEN)]);
    shown.debug("an environment", &env);
    shown.debug("environment credentials", &EnvCredentials::new(env.clone(), "ID", "SECRET", "TOKEN"));
    shown.debug("environment credentials", &aliyun::from_env(env.clone()));
    shown.debug("environment credentials", &huaweicloud::from_env(env));
    shown.debug("a login", &Login::new("account", "user", PASSWORD));

    shown.debug(
        "a request for Aliyun",
        &RecordNotifyConfig { notify_auth_key: Some(KEY.into()), ..RecordNotifyConfig::default() },
    );
    let request = RecordCallbackConfigRequest {
        publish_domain: DOMAIN.into(),
        app: "*".into(),
        notify_callback_url: None,
        notify_event_subscription: None,
        on_demand_callback_url: None,
        sign_type: None,
        key: Some(KEY.into()),
    };
    shown.debug("a request for Huawei Cloud", &request);
    let answer =
        RecordCallbackConfigAnswer { key: Some(KEY.into()), ..RecordCallbackConfigAnswer::default() };
    shown.debug("an answer of Huawei Cloud", &answer);

    for credentials in [
        format!(
            "{{ source = 'access_key', id = 'x', secret = '{SECRET}', security_token = '{SECURITY_TOKEN}' }}"
        ),
        format!("{{ source = 'token', token = '{GIVEN_TOKEN}' }}"),
        format!("{{ source = 'password', account = 'a', user = 'u', password = '{PASSWORD}' }}"),
    ] {
        for vendor in ["aliyun", "huaweicloud"] {
            let toml = format!("vendor = '{vendor}'\nregion = 'cn-north-4'\ncredentials = {credentials}");
            let config: ProviderConfig = toml::from_str(&toml).unwrap();
            shown.debug("a provider's config", &config);
            shown.result("a provider", config.connect_in(FixedEnv::default()));
        }
    }
    shown.assert_hides(&secrets);
}

/// An answer holds what the cloud shows: keys in its body, tokens in its headers.
#[test]
fn nothing_is_shown_by_an_answer() {
    let mut headers = HeaderMap::new();
    headers.insert("x-subject-token", HeaderValue::from_static(GIVEN_TOKEN));
    let body = json!({ "key": KEY }).to_string();
    let mut shown = Shown::default();
    shown.debug(
        "an answer",
        &Answer::new(StatusCode::OK, headers, body, record_callback::http::Secrets::default()),
    );
    shown.assert_hides(&Secrets::canaries());
}

#[test]
fn nothing_is_shown_by_refusals_before_any_call() {
    watched(async |shown, _| {
        let bad = format!("{KEY}\n{SECURITY_TOKEN}");
        for key in [bad.clone(), format!("{KEY}é"), KEY.repeat(5), KEY[..12].to_owned()] {
            let refused = SigningKey::new(key.as_str()).unwrap_err();
            shown.error("a refused signing key", &refused);
            let refused = serde_json::from_value::<CallbackSigning>(json!({ "scheme": "md5", "key": key }));
            shown.error("a refused signing", &refused.unwrap_err());
            let refused =
                serde_json::from_value::<CallbackSigning>(json!({ "scheme": "disabled", "key": KEY }));
            shown.error("a refused signing", &refused.unwrap_err());
        }
        let env = FixedEnv::from_iter([("SECRET", SECRET), ("TOKEN", SECURITY_TOKEN)]);
        let missing = EnvCredentials::new(env, "ID", "SECRET", "TOKEN").access_key().await;
        shown.error("missing variable", &missing.unwrap_err());

        // Text that no header carries.
        let mock = Mock::start(Cloud::AliyunAcs3, false, shown).await;
        let key = AccessKey::new(ID, SECRET).with_security_token(&bad);
        let client = AliyunClient::builder()
            .endpoint(mock.endpoint())
            .signature(Signature::Acs3)
            .credentials(StaticCredentials::new(key))
            .build()
            .unwrap();
        let refused = client.describe_live_record_notify_config(DOMAIN).await;
        assert!(refused.is_err());
        shown.result("a token no header carries", refused.map(|_| ()));
        let mock = Mock::start(Cloud::HuaweicloudToken, false, shown).await;
        let provider = connect(Cloud::HuaweicloudToken, mock.endpoint(), mock.iam_endpoint(), &bad, shown);
        assert!(shown.result("a token no header carries", provider.list(None).await).is_none());
        assert_eq!(mock.requests().len(), 0);

        let provider = connect(Cloud::AliyunRpc, mock.endpoint(), "", "", shown);
        exercise("a long key", &*provider, shown).await;
    });
}
