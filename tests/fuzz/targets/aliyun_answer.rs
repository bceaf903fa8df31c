//! Input: the letter of an operation and answers; or, after a `0`, the words of an error in XML or JSON.
#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use record_callback::aliyun::{AliyunClient, AliyunProvider, NotifyRecordsQuery, Signature};
use record_callback::http::Quotas;
use record_callback::{ErrorKind, SigningScheme};
use record_callback_fuzz::{Cloud, DOMAIN, Scripted, check_words, credentials, once, operate};
use serde_json::{Value, json};

/// Where messages begin to repeat the request.
const ECHO: &str = "server string to sign";

static CLOUD: LazyLock<(Cloud, [AliyunProvider; 2])> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let providers = [Signature::Rpc, Signature::Acs3].map(|signature| {
        let client = AliyunClient::builder()
            .endpoint(cloud.endpoint())
            .signature(signature)
            .credentials(credentials())
            .quotas(Quotas::unlimited())
            .retry(once());
        AliyunProvider::new(client.build().unwrap())
    });
    (cloud, providers)
});

fuzz_target!(|input: &[u8]| match input {
    [b'0', words @ ..] => {
        if let Ok(words) = Words::arbitrary(&mut Unstructured::new(words)) {
            error_in(&words);
        }
    }
    [b'n', answers @ ..] => {
        let (cloud, [provider, _]) = &*CLOUD;
        let query = NotifyRecordsQuery { domain_name: DOMAIN.to_owned(), ..NotifyRecordsQuery::default() };
        let log = provider.client().describe_live_record_notify_records(&query);
        let (page, given) = cloud.call(Scripted::read_all(answers), log);
        assert!(page.is_err() || given.iter().all(Scripted::is_success), "an error is no page");
    }
    [letter, answers @ ..] => {
        let (cloud, [rpc, acs3]) = &*CLOUD;
        let provider = if letter.is_ascii_uppercase() { acs3 } else { rpc };
        operate(cloud, provider, SigningScheme::Md5, &[&[letter.to_ascii_lowercase()], answers].concat());
    }
    [] => {}
});

#[derive(Debug, Arbitrary)]
struct Words {
    code: Vec<Piece>,
    message: Vec<Piece>,
    request_id: Option<Vec<Piece>>,
    form: Form,
    is_server: bool,
}

#[derive(Debug, Arbitrary)]
enum Form {
    Xml {
        /// Ends in the midst.
        cut: Option<u16>,
        has_prolog: bool,
        has_namespace: bool,
        /// Between the elements.
        comment: bool,
        /// Elements of the same names, one level down.
        decoy: bool,
        /// In an element around the error's, where nobody looks.
        nested: bool,
    },
    Json {
        lower: bool,
    },
}

/// A piece of a text.
#[derive(Debug, Arbitrary)]
enum Piece {
    Plain(String),
    Cdata(String),
    Number(String),
    Ampersand,
    Quote,
}

impl Piece {
    fn text(&self) -> String {
        match self {
            // What XML cannot carry at all.
            Self::Plain(text) | Self::Cdata(text) | Self::Number(text) => {
                text.chars().filter(|c| is_xml(*c)).collect()
            }
            Self::Ampersand => "&".to_owned(),
            Self::Quote => "\"'".to_owned(),
        }
    }

    fn xml(&self) -> String {
        let text = self.text();
        match self {
            Self::Plain(_) => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            Self::Cdata(_) => format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>")),
            Self::Number(_) => {
                text.chars().fold(String::new(), |text, c| text + &format!("&#x{:X};", u32::from(c)))
            }
            Self::Ampersand => "&amp;".to_owned(),
            Self::Quote => "&quot;&apos;".to_owned(),
        }
    }
}

fn is_xml(c: char) -> bool {
    // A carriage return is read as a line feed.
    matches!(c, '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(Piece::text).collect()
}

fn error_in(words: &Words) {
    let (code, message) = (text(&words.code), text(&words.message));
    let request_id = words.request_id.as_deref().map(text);
    let mut is_whole = true;
    let body = match &words.form {
        Form::Json { lower } => {
            let names =
                if *lower { ["code", "message", "requestId"] } else { ["Code", "Message", "RequestId"] };
            let mut body = json!({ names[0]: code, names[1]: message, "HostId": 1 });
            if let Some(id) = &request_id {
                body[names[2]] = Value::from(id.as_str());
            }
            body.to_string()
        }
        Form::Xml { cut, has_prolog, has_namespace, comment, decoy, nested } => {
            let element = |name: &str, pieces: &[Piece]| {
                format!("<{name}>{}</{name}>\n", pieces.iter().map(Piece::xml).collect::<String>())
            };
            let mut body = String::new();
            if *decoy {
                body += "<Detail><Code>Decoy</Code><Message>decoy</Message></Detail>";
            }
            if let Some(id) = &words.request_id {
                body += &element("RequestId", id);
            }
            body += &element("Code", &words.code);
            if *comment {
                body += "<!-- Code --><?php ?>";
            }
            body += &element("Message", &words.message);
            let namespace = if *has_namespace { " xmlns='http://live.example.com/'" } else { "" };
            body = format!("<Error{namespace}>{body}</Error>");
            if *nested {
                body = format!("<Response>{body}</Response>");
            }
            is_whole = !nested;
            if *has_prolog {
                body.insert_str(0, "<?xml version='1.0' encoding='UTF-8'?>\n");
            }
            if let Some(cut) = cut {
                let mut end = usize::from(*cut) % body.len();
                while !body.is_char_boundary(end) {
                    end -= 1;
                }
                body.truncate(end);
                is_whole = false;
            }
            body
        }
    };
    let answer = Scripted {
        status: if words.is_server { 500 } else { 400 },
        body: body.replace('~', "~~").into_bytes(),
        ..Scripted::default()
    };
    let (cloud, [provider, _]) = &*CLOUD;
    let call = provider.client().describe_live_record_notify_config(DOMAIN);
    let error = cloud.call(vec![answer], call).0.unwrap_err();
    if is_whole {
        check_words(&error, ECHO, &code, &message, request_id.as_deref());
    } else {
        let kind = if words.is_server { ErrorKind::Unavailable } else { ErrorKind::Protocol };
        assert_eq!((error.kind(), error.code()), (kind, None), "{error}");
    }
}
