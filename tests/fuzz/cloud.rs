//! A cloud of whatever answers, on loopback, and what holds for every error of a call.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use record_callback::http::{AccessKey, RetryPolicy, StaticCredentials, encode};
use record_callback::{
    CallbackKey, CallbackSigning, DomainName, Error, Fidelity, RecordCallbackConfig, RecordCallbackProvider,
    SigningKey, SigningScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// The secrets of every request; what each begins with is looked for in errors.
pub const SIGNING_KEY: &str = "kCaNaRyKcAnArYkCaNaRyKcAnArY0123";
const ACCESS_SECRET: &str = "AcCeSsSeCrEtCaNaRy0123456789";
const SECURITY_TOKEN: &str = "SeCuRiTyToKeN/CaNaRy+0123456789==";
const URL_QUERY: &str = "QuErYcAnArY/0123456789";
const CANARIES: [&str; 4] = ["kCaNaRyKcAnArYkCaNaRy", "AcCeSsSeCrEtCaNaRy", "SeCuRiTyToKeN", "QuErYcAnArY"];

pub const DOMAIN: &str = "live.example.com";
/// Requests that are answered after the script is at its end; then the connection breaks.
const MORE_REQUESTS: usize = 8;
/// As the crates promise, in characters; one more says that something was left out.
const LONGEST_MESSAGE: usize = 300;
/// The advice behind the cloud's words, and the `; ` between them.
const LONGEST_ADVICE: usize = 100;
const LONGEST_CODE: usize = 64;
const LONGEST_REQUEST_ID: usize = 128;

/// One answer: the line `404xl…` (status, media type, framing, value of headers), then the body.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    pub status: u16,
    pub media: u8,
    pub framing: u8,
    pub header: Vec<u8>,
    pub body: Vec<u8>,
}

impl Scripted {
    fn read(text: &[u8]) -> Self {
        let (line, body) = match text.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &[][..]),
        };
        let digits = line.iter().take(3).fold(0_u16, |status, byte| status * 10 + u16::from(byte % 16));
        let mut letters = line.iter().skip(3).copied();
        let (media, framing) = (letters.next().unwrap_or_default(), letters.next().unwrap_or_default());
        let header = letters.filter(|byte| (b' '..=b'~').contains(byte) || *byte >= 0x80).collect();
        // Not below: an interim answer has another after it.
        Self { status: 200 + digits.wrapping_sub(200) % 400, media, framing, header, body: body.to_vec() }
    }

    /// Answers, with a line `=` between them.
    pub fn read_all(mut text: &[u8]) -> Vec<Self> {
        let mut answers = Vec::new();
        while let Some(at) = text.windows(3).position(|bytes| bytes == b"\n=\n") {
            answers.push(Self::read(&text[..at]));
            text = &text[at + 3..];
        }
        answers.push(Self::read(text));
        answers
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it may have secrets of the request.
    fn repeats(&self) -> bool {
        [&self.header, &self.body].into_iter().any(|text| {
            let mut bytes = text.iter();
            std::iter::from_fn(|| bytes.by_ref().find(|byte| **byte == b'~').and_then(|_| bytes.next()))
                .any(|byte| b"rskqQtTuU".contains(byte))
        })
    }

    /// The bytes of the answer to `request`, and whether the connection ends with them.
    fn bytes(&self, request: &Seen) -> (Vec<u8>, bool) {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        let mut header = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        match self.media {
            b'j' => header("content-type", b"application/json;charset=utf-8"),
            b'x' => header("content-type", b"text/xml"),
            b'h' => header("content-type", b"text/html"),
            b'r' => header("content-type", &request.fill(&self.header)),
            _ => {}
        }
        if !self.header.is_empty() {
            for name in ["x-request-id", "retry-after", "x-acs-retry-after"] {
                header(name, &request.fill(&self.header));
            }
        }
        let has_body = ![204, 304].contains(&self.status);
        let mut body = if has_body { request.shown_config(self).fill(&self.body) } else { Vec::new() };
        let breaks = has_body && self.framing == b't';
        match self.framing {
            _ if !has_body => {}
            b'c' => {
                header("transfer-encoding", b"chunked");
                let chunks = body
                    .chunks(64)
                    .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
                body = chunks.chain([b"0\r\n\r\n".to_vec()]).flatten().collect();
            }
            _ => header("content-length", (body.len() + usize::from(breaks)).to_string().as_bytes()),
        }
        head.extend_from_slice(b"\r\n");
        head.append(&mut body);
        (head, breaks)
    }
}

/// What a request has that its answer may repeat.
#[derive(Debug, Clone, Default)]
struct Seen {
    line: String,
    signature: String,
    has_key: bool,
    has_query: bool,
}

impl Seen {
    fn of(head: &str, body: &[u8]) -> Self {
        let line = head.lines().next().unwrap_or_default().to_owned();
        let in_line = line.split_once("Signature=").map(|(_, rest)| rest.split(['&', ' ']).next());
        let in_header = || head.split_once("Signature=").map(|(_, rest)| rest.lines().next());
        let signature = in_line.or_else(in_header).flatten().unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(body);
        let has = |secret: &str| {
            [&line, &*body]
                .iter()
                .any(|text| text.contains(secret) || text.contains(&encode(secret).to_string()))
        };
        let (has_key, has_query) = (has(SIGNING_KEY), has(URL_QUERY));
        Self { line, signature, has_key, has_query }
    }

    /// The same, for a body that may show a key that was not in the request.
    fn shown_config(&self, answer: &Scripted) -> Self {
        let shows = answer.is_success() && !self.line.contains("NotifyRecords");
        Self { has_key: self.has_key || shows, ..self.clone() }
    }

    /// `text` with what it repeats of the request: `~r` is its first line, the others are secrets it has.
    fn fill(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(text.len());
        let mut bytes = text.iter().copied();
        while let Some(byte) = bytes.next() {
            if byte != b'~' {
                filled.push(byte);
                continue;
            }
            let once = encode(SECURITY_TOKEN).to_string();
            let repeated = match bytes.next() {
                Some(b'r') => self.line.clone(),
                Some(b's') => self.signature.clone(),
                Some(b'k') if self.has_key => SIGNING_KEY.to_owned(),
                Some(b'q') if self.has_query => URL_QUERY.to_owned(),
                Some(b'Q') if self.has_query => encode(URL_QUERY).to_string(),
                Some(b't') => SECURITY_TOKEN.to_owned(),
                Some(b'T') => once,
                Some(b'u') => once.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
                Some(b'U') => encode(&once).to_string(),
                Some(other) => char::from(other).to_string(),
                None => String::new(),
            };
            filled.extend_from_slice(repeated.as_bytes());
        }
        filled
    }
}

#[derive(Default)]
struct Script {
    answers: Vec<Scripted>,
    requests: Vec<Seen>,
}

impl Script {
    fn answer(&mut self, request: &Seen) -> (Vec<u8>, bool) {
        let at = self.requests.len();
        self.requests.push(request.clone());
        let answer = self.answers.get(at).or(self.answers.last());
        match answer.filter(|_| at < self.answers.len() + MORE_REQUESTS) {
            Some(answer) => answer.bytes(request),
            None => (Vec::new(), true),
        }
    }
}

/// A cloud that answers what it is told to.
pub struct Cloud {
    runtime: Runtime,
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Cloud {
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { runtime, address, script }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// Calls, and checks the error there may be. Returns the answers that were given, too.
    pub fn call<T>(
        &self,
        answers: Vec<Scripted>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> (Result<T, Error>, Vec<Scripted>) {
        *self.script() = Script { answers, requests: Vec::new() };
        let result = self.runtime.block_on(call);
        let Script { answers, requests } = std::mem::take(&mut *self.script());
        if let Err(error) = &result {
            // The fuzzer sees what bytes are compared with. Who guessed a secret may say it.
            let repeats = answers.iter().any(Scripted::repeats);
            let guessed = CANARIES.into_iter().filter(|canary| {
                let says = |text: &[u8]| text.windows(canary.len()).any(|bytes| bytes == canary.as_bytes());
                !repeats || answers.iter().any(|answer| says(&answer.header) || says(&answer.body))
            });
            check(error, &requests, &guessed.collect::<Vec<_>>());
        }
        let last = answers.last().cloned().unwrap_or_default();
        (result, answers.into_iter().chain(std::iter::repeat(last)).take(requests.len()).collect())
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let end = head_end + length.unwrap_or_default();
        while buffer.len() < end {
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
        let request = Seen::of(&head, &buffer[head_end..end]);
        buffer.drain(..end);
        let (answer, breaks) = script.lock().unwrap().answer(&request);
        if stream.write_all(&answer).await.is_err() || breaks {
            return;
        }
    }
}

/// One attempt; the time is there for machines that stand still.
pub fn once() -> RetryPolicy {
    RetryPolicy::none().attempt_timeout(Duration::from_secs(20)).deadline(Duration::from_secs(45))
}

pub fn credentials() -> StaticCredentials {
    StaticCredentials::new(AccessKey::new("AKID", ACCESS_SECRET).with_security_token(SECURITY_TOKEN))
}

/// What is written, with a secret wherever one may be.
fn config(scheme: SigningScheme) -> RecordCallbackConfig {
    RecordCallbackConfig::builder(DOMAIN, format!("https://cb.example.com/recorded?sign={URL_QUERY}"))
        .signing(CallbackSigning::with(scheme, SigningKey::new(SIGNING_KEY).unwrap()))
        .build()
        .unwrap()
}

/// Calls the operation of a letter, and checks what holds for every cloud.
pub fn operate(cloud: &Cloud, provider: &dyn RecordCallbackProvider, scheme: SigningScheme, input: &[u8]) {
    let Some((letter, answers)) = input.split_first() else { return };
    let answers = Scripted::read_all(answers);
    let key = CallbackKey::any_app(DomainName::new(DOMAIN).unwrap());
    let config = config(scheme);
    let (is_ok, given) = match letter {
        b'g' => {
            let (found, given) = cloud.call(answers, provider.get(&key));
            let is_found = matches!(found, Ok(Some(_)));
            if let Ok(Some(found)) = &found {
                assert!(!format!("{:?}", found.signing).contains(SIGNING_KEY));
            }
            (is_found, given)
        }
        b'l' => {
            let (listed, given) = cloud.call(answers, provider.list(None));
            (listed.is_ok_and(|listed| !listed.is_empty()), given)
        }
        b'u' => {
            let (updated, given) = cloud.call(answers, provider.update(&config, Fidelity::Exact));
            (updated.is_ok(), given)
        }
        b'c' => {
            let (created, given) = cloud.call(answers, provider.create(&config, Fidelity::Exact));
            (created.is_ok(), given)
        }
        b'd' => {
            let (deleted, given) = cloud.call(answers, provider.delete(&key));
            // Whoever says that there is none, in the midst of failing, has none.
            let refused = given.last().is_some_and(|last| (400..500).contains(&last.status));
            assert!(!refused || deleted.is_err(), "deleted, although the cloud refused");
            return;
        }
        _ => return,
    };
    assert!(!is_ok || given.iter().any(Scripted::is_success), "no answer was a success");
}

fn check(error: &Error, requests: &[Seen], guessed: &[&str]) {
    assert!(!error.message().starts_with("no answer within"), "{error}");
    let (mut shown, mut source) = (vec![error.to_string(), format!("{error:?}")], error.source());
    while let Some(cause) = source {
        shown.push(format!("{cause} {cause:?}"));
        source = cause.source();
    }
    let signatures = requests.iter().map(|request| request.signature.as_str());
    let signatures: Vec<_> = signatures.filter(|signature| !signature.is_empty()).collect();
    let has_key = requests.iter().any(|request| request.has_key);
    for text in shown {
        assert!(!text.contains(char::is_control), "{text:?}");
        // A key that the request did not have, in the place of a domain, is a name like any other.
        let known = |canary: &str| {
            guessed.contains(&canary)
                || (SIGNING_KEY.starts_with(canary) && !has_key && text.contains("the cloud answered about"))
        };
        assert!(!CANARIES.iter().any(|canary| text.contains(canary) && !known(canary)), "{text}");
        assert!(!signatures.iter().any(|signature| text.contains(signature)), "{text}");
    }
    assert!(error.message().chars().count() <= LONGEST_MESSAGE + 1 + LONGEST_ADVICE, "{error}");
    assert!(error.code().is_none_or(|code| is_word(code, LONGEST_CODE)), "{error}");
    assert!(error.request_id().is_none_or(|id| is_word(id, LONGEST_REQUEST_ID)), "{error}");
}

fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

/// Checks the error of an answer that described a failure in these words.
pub fn check_words(error: &Error, echo: &str, code: &str, message: &str, request_id: Option<&str>) {
    let message = message.split(echo).next().unwrap_or_default().trim_end_matches([',', ' ']);
    let message: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let expected = match message.char_indices().nth(LONGEST_MESSAGE) {
        _ if message.is_empty() => "refused without a message".to_owned(),
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    };
    let advice =
        error.message().strip_prefix(&*expected).unwrap_or_else(|| panic!("{error}: not {expected:?}"));
    assert!(advice.is_empty() || (advice.starts_with("; ") && advice.len() <= LONGEST_ADVICE), "{error}");
    assert_eq!(error.code(), Some(code).filter(|code| is_word(code, LONGEST_CODE)));
    assert_eq!(error.request_id(), request_id.filter(|id| is_word(id, LONGEST_REQUEST_ID)));
}
