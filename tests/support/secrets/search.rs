//! Looks for pieces of secrets, however they are encoded.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use record_callback::http::header::HeaderValue;
use record_callback_mock::ReceivedRequest;
use serde_json::Value;

/// Letters and digits of a secret that count as a leak: nothing shorter is worth guessing from.
pub const PIECE: usize = 10;

/// Pieces of secrets in the encodings they may be shown in, lower case: whose they are, and how encoded.
#[derive(Default)]
pub struct Secrets {
    pieces: HashMap<[u8; PIECE], (&'static str, &'static str)>,
    /// Whether a piece begins with these two bytes, to skip most of a text quickly; empty while there is no piece.
    beginnings: Vec<bool>,
    known: HashSet<String>,
}

impl Secrets {
    /// Makes pieces of `secret` as it is, with a gap anywhere, and encoded.
    pub fn add(&mut self, name: &'static str, secret: &str) {
        self.add_every_form(name, secret, false);
    }

    /// As [`add`](Self::add), for a secret of digits only.
    pub fn add_number(&mut self, name: &'static str, secret: &str) {
        self.add_every_form(name, secret, true);
    }

    /// A token that is among the secrets already, so that it need not be learnt from requests.
    pub fn know_token(&mut self, token: &str) {
        self.known.insert(token.to_owned());
    }

    fn add_every_form(&mut self, name: &'static str, secret: &str, is_number: bool) {
        let encoded = percent_encoded(secret);
        let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let mut add_form = |form, text: &str| self.add_pieces(name, form, text, is_number);
        add_form("percent-encoded twice", &percent_encoded(&encoded));
        add_form("in hexadecimal", &hex);
        // What stands before it shifts the secret's place in groups of three bytes.
        for before in 0..3 {
            let base64 = base64(&[&vec![0; before], secret.as_bytes()].concat());
            add_form("in base64", &base64[before + usize::from(before > 0)..base64.len() - 4]);
        }
        add_form("percent-encoded", &encoded);
        add_form("itself", secret);
    }

    /// Makes pieces of a secret in one form.
    pub fn add_form(&mut self, name: &'static str, form: &'static str, text: &str) {
        self.add_pieces(name, form, text, false);
    }

    fn add_pieces(&mut self, name: &'static str, form: &'static str, text: &str, is_number: bool) {
        for text in [squeezed(text), spaced(text)] {
            for piece in text.windows(PIECE) {
                // A run of digits is anything, unless the secret is a number.
                if is_number || !piece.iter().all(u8::is_ascii_digit) {
                    let piece: [u8; PIECE] = piece.try_into().unwrap();
                    self.beginnings.resize(usize::from(u16::MAX) + 1, false);
                    self.beginnings[beginning(&piece)] = true;
                    self.pieces.insert(piece, (name, form));
                }
            }
        }
    }

    /// Adds what authorised the requests a mock received.
    pub fn add_used(&mut self, requests: &[ReceivedRequest]) {
        for request in requests {
            let headers = request.headers().iter();
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            self.add_used_by(
                request.query(),
                headers.map(|(name, value)| (name.as_str().to_owned(), text(value))),
            );
        }
    }

    pub fn add_used_by(&mut self, query: &str, headers: impl Iterator<Item = (String, String)>) {
        let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
        for (_, signature) in parameters.filter(|(name, _)| *name == "Signature") {
            self.add_form("signature", "percent-encoded", signature);
            self.add_form("signature", "itself", &percent_decoded(signature));
        }
        for (name, value) in headers {
            match (name.as_str(), value.split_once("Signature=")) {
                ("authorization", Some((_, signature))) => self.add_form("signature", "itself", signature),
                ("ali-live-signature", _) => self.add("signature", &value),
                ("webhook-signature", _) => {
                    for signature in value.split(' ') {
                        self.add("signature", signature.trim_start_matches("v1,"));
                    }
                }
                // What a service answers instead of a token is none.
                ("x-metadata-token" | "x-aliyun-ecs-metadata-token", _)
                    if value.bytes().all(|byte| byte.is_ascii_alphanumeric())
                        && self.known.insert(value.clone()) =>
                {
                    self.add("metadata token", &value);
                }
                // Issued tokens are long; nothing shows an end of one and not its beginning.
                ("x-auth-token", _) if self.known.insert(value.clone()) => {
                    self.add("issued token", &value[..value.len().min(200)]);
                }
                _ => {}
            }
        }
    }

    /// Adds what proves a body to be a cloud's or its caller to be known, if it is in the body.
    pub fn add_body(&mut self, body: &str) {
        let body = serde_json::from_str::<Value>(body).unwrap_or_default();
        if let Some(signature) = body["auth_sign"].as_str() {
            self.add("signature", signature);
        }
        // What IAM gives a key for.
        let token = body["auth"]["identity"]["token"]["id"].as_str();
        if let Some(token) = token.filter(|token| self.known.insert((*token).to_owned())) {
            self.add("issued token", &token[..token.len().min(200)]);
        }
    }

    /// The last piece of a secret in `text`: whose, how encoded, and where.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<(&'static str, &'static str, String)> {
        let listed = listed(text);
        [squeezed(&listed), spaced(&listed), squeezed(text), spaced(text)].iter().rev().find_map(|text| {
            let at = text.windows(PIECE).rposition(|piece| self.is_piece(piece))?;
            let (name, form) = self.pieces[&text[at..at + PIECE]];
            let around = &text[at.saturating_sub(60)..text.len().min(at + 60)];
            Some((name, form, String::from_utf8_lossy(around).into_owned()))
        })
    }

    fn is_piece(&self, piece: &[u8]) -> bool {
        self.beginnings.get(beginning(piece)) == Some(&true) && self.pieces.contains_key(piece)
    }
}

fn beginning(piece: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([piece[0], piece[1]]))
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

/// What is there byte by byte. Few numbers are short enough to be anything, so that they cannot be searched as text.
fn listed(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let bytes: Vec<u8> = words.filter_map(|word| word.parse().ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[must_use]
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

#[must_use]
pub fn percent_decoded(text: &str) -> String {
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

#[must_use]
pub fn base64(bytes: &[u8]) -> String {
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
