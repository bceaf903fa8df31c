//! Servers that answer what a cloud should not.

use super::*;

/// One request as it came.
pub(crate) struct Raw {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) whole: String,
}

impl Raw {
    pub(crate) async fn read(stream: &mut TcpStream) -> Option<Self> {
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

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The parameters and body, or the headers, that hold secrets, and nothing else, so that no limit cuts them.
    pub(crate) fn secrets(&self) -> [String; 2] {
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
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) received: Arc<Mutex<Vec<Raw>>>,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Raw) -> Vec<u8> + Send + 'static) -> Self {
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

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Learns the secrets that were sent; returns all that was.
    pub(crate) fn learn(&self, secrets: &mut Secrets) -> String {
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

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// How a server answers, by name.
pub(crate) type Kind = (&'static str, fn(&Raw) -> Vec<u8>);

/// An error answer in the words of both vendors.
pub(crate) fn refusal(status: &str, code: &str, message: &str, id: &str) -> Vec<u8> {
    let body = json!({
        "Code": code, "Message": message, "RequestId": id,
        "error_code": code, "error_msg": message, "request_id": id,
    });
    answer(status, JSON, &body.to_string())
}

/// Runs everything, in every way, against servers that answer like that, which must have received our secrets.
pub(crate) async fn against(
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
