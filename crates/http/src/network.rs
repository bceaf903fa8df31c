mod no_proxy;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use reqwest::{Certificate, ClientBuilder, Proxy, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use self::no_proxy::NoProxy;
use crate::effects::Env;
use crate::endpoint::Endpoint;
use crate::regular_file::read_regular_file;

const PROXY_RULE: &str =
    "http://host:port or https://host:port, with user:password@ before the host if need be";

/// All authorities that systems come with are a quarter of a MiB.
const LARGEST_BUNDLE: u64 = 16 * 1024 * 1024;

/// How other machines are reached: proxies, and which certificates are trusted. `Debug` shows no password.
#[derive(Clone, Default)]
pub struct Network {
    https: Given,
    http: Given,
    no_proxy: NoProxy,
    /// Trusted besides what the system trusts.
    certificates: Arc<[Certificate]>,
}

/// The proxy a variable names. What is wrong with it matters only to those who need it.
type Given = Option<Result<Arc<Url>, InvalidConfig>>;

/// The proxy that leads to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Via<'a>(&'a Url);

impl Network {
    /// By the variables that curl, and nearly everybody else, goes by:
    ///
    /// - `HTTPS_PROXY` for endpoints with `https`, `HTTP_PROXY` for those with `http`, and `ALL_PROXY` for both where
    ///   there is no other. In lower case too, which wins; an empty one counts as not set. Where `REQUEST_METHOD` is set,
    ///   as in CGI programs, `HTTP_PROXY` is what a client has sent, and counts in lower case only.
    /// - The value is `[http://|https://][user:password@]host[:port]`, with the default port of its scheme. Anything else
    ///   (`socks5://`) is refused by those who need it, and by nobody else.
    /// - `NO_PROXY` lists the hosts that are reached without: names, with all below them; addresses; networks
    ///   (`10.0.0.0/8`); `*` for every host.
    ///
    /// No proxy is ever used for loopback.
    pub fn from_env(env: &dyn Env) -> Self {
        let find = |names: &[&'static str]| {
            names.iter().find_map(|name| env.var(name).map(|value| (*name, value.trim().to_owned())))
        };
        let proxy = |names| match find(names).or_else(|| find(&["all_proxy", "ALL_PROXY"]))? {
            (_, value) if value.is_empty() => None,
            (name, value) => Some(parse_proxy(name, &value).map(Arc::new)),
        };
        let http: &[_] = match env.var("REQUEST_METHOD") {
            Some(_) => &["http_proxy"],
            None => &["http_proxy", "HTTP_PROXY"],
        };
        let no_proxy = find(&["no_proxy", "NO_PROXY"]);
        Self {
            https: proxy(&["https_proxy", "HTTPS_PROXY"]),
            http: proxy(http),
            no_proxy: no_proxy.map(|(_, list)| NoProxy::parse(&list)).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Trusts the certificates in the PEM file at `path` too, besides those the system trusts. An error names `field`.
    pub fn with_ca_bundle(self, field: &'static str, path: &Path) -> Result<Self> {
        let shown = path.display();
        let (pem, _) = read_regular_file(path, LARGEST_BUNDLE).map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, format!("{field}: {shown} cannot be read"))
                .with_source(error)
        })?;
        let rule = "a PEM file with at least one certificate";
        let refuse = |problem: &str| InvalidConfig::new(field, format!("{shown} {problem}"), rule);
        let mut judge = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(&pem)
            .map(|der| {
                let der = der.ok()?;
                let certificate = Certificate::from_der(&der).ok()?;
                judge.add(der).ok().map(|()| certificate)
            })
            .collect::<Option<Arc<[_]>>>()
            .ok_or_else(|| refuse("has what is no certificate"))?;
        if certificates.is_empty() {
            return Err(refuse("has no certificate").into());
        }
        Ok(Self { certificates, ..self })
    }

    /// The same certificates, and no proxy.
    #[must_use]
    pub fn without_proxies(&self) -> Self {
        Self { certificates: Arc::clone(&self.certificates), ..Self::default() }
    }

    /// Whether a client for one endpoint will do for the other.
    ///
    /// # Errors
    /// When the variable that names the proxy of one of them does not name one.
    pub fn reaches_alike(&self, one: &Endpoint, other: &Endpoint) -> Result<bool, InvalidConfig> {
        Ok(self.via(one)? == self.via(other)?
            && (one.is_loopback(), one.url().scheme()) == (other.is_loopback(), other.url().scheme()))
    }

    /// The proxy that leads to `endpoint`, if it is reached by one.
    pub(crate) fn via(&self, endpoint: &Endpoint) -> Result<Option<Via<'_>>, InvalidConfig> {
        let url = endpoint.url();
        // A proxy meant for the outside world has no business with this machine.
        if endpoint.is_loopback() || url.host_str().is_some_and(|host| self.no_proxy.matches(host)) {
            return Ok(None);
        }
        match if url.scheme() == "http" { &self.http } else { &self.https } {
            None => Ok(None),
            Some(Ok(url)) => Ok(Some(Via(url))),
            Some(Err(problem)) => Err(problem.clone()),
        }
    }

    /// Sets a client up to reach so what is behind `via`.
    pub(crate) fn apply(
        &self,
        mut builder: ClientBuilder,
        via: Option<Via<'_>>,
    ) -> reqwest::Result<ClientBuilder> {
        // What the HTTP library would find in the process environment by itself is not used.
        builder = builder.no_proxy();
        if let Some(Via(url)) = via {
            builder = builder.proxy(Proxy::all(url.as_str())?);
        }
        if self.certificates.is_empty() {
            return Ok(builder);
        }
        Ok(builder.tls_certs_merge(self.certificates.iter().cloned()))
    }
}

impl Via<'_> {
    /// Host and, if it is not the scheme's default, port.
    pub(crate) fn authority(self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is told who asks.
    pub(crate) fn has_user(self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// Whether it has a certificate of its own.
    pub(crate) fn is_tls(self) -> bool {
        self.0.scheme() == "https"
    }
}

/// The address is never shown: it may hold a password.
fn parse_proxy(variable: &'static str, value: &str) -> Result<Url, InvalidConfig> {
    let refuse = |problem: &str| InvalidConfig::new(variable, problem, PROXY_RULE);
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&with_scheme).map_err(|_| refuse("is not a URL"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(refuse("is not an HTTP proxy")),
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |given: &Given| {
            given.as_ref().map(|proxy| proxy.as_ref().map(|url| Via(url).authority()).map_err(Clone::clone))
        };
        f.debug_struct("Network")
            .field("https", &shown(&self.https))
            .field("http", &shown(&self.http))
            .field("no_proxy", &self.no_proxy)
            .field("certificates", &self.certificates.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::FixedEnv;

    fn network(variables: &[(&str, &str)]) -> Network {
        Network::from_env(&variables.iter().copied().collect::<FixedEnv>())
    }

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse("endpoint", text, true).unwrap()
    }

    fn via(network: &Network, text: &str) -> Option<String> {
        network.via(&endpoint(text)).unwrap().map(Via::authority)
    }

    /// The proxies for `https` and for `http`.
    fn proxies(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let network = network(variables);
        ["https", "http"].map(|scheme| via(&network, &format!("{scheme}://live.example.com")))
    }

    #[test]
    fn proxies_come_from_the_usual_variables() {
        for (variables, https, http) in [
            (&[][..], "", ""),
            (&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "b:2")], "b:2", ""),
            (&[("ALL_PROXY", "a:1"), ("HTTP_PROXY", "https://b")], "a:1", "b"),
            (&[("all_proxy", "a:1"), ("ALL_PROXY", "b:1"), ("http_proxy", " ")], "a:1", ""),
            (&[("HTTPS_PROXY", "http://u:p@a:1/path"), ("https_proxy", "")], "a:1", ""),
            (&[("HTTP_PROXY", "a:1"), ("REQUEST_METHOD", "GET")], "", ""),
            (&[("http_proxy", "a:1"), ("REQUEST_METHOD", "GET")], "", "a:1"),
        ] {
            let expected = [https, http].map(|proxy| (!proxy.is_empty()).then(|| proxy.to_owned()));
            assert_eq!(proxies(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn no_proxy_and_loopback_are_reached_without() {
        let network = network(&[("ALL_PROXY", "a:1"), ("NO_PROXY", "example.com,10.0.0.0/8")]);
        for (address, expected) in [
            ("https://live.example.com:8443", None),
            ("https://live.example.org", Some("a:1")),
            ("http://10.1.2.3", None),
            ("http://192.0.2.1", Some("a:1")),
            ("http://127.0.0.1:8080", None),
            ("https://localhost", None),
            ("https://[::1]:8443", None),
        ] {
            assert_eq!(via(&network, address).as_deref(), expected, "{address}");
        }
        assert_eq!(via(&network.without_proxies(), "https://live.example.org"), None);
    }

    #[test]
    fn endpoints_are_alike_if_one_client_reaches_both() {
        let network =
            network(&[("HTTPS_PROXY", "a:1"), ("HTTP_PROXY", "a:1"), ("NO_PROXY", "iam.example.com")]);
        let alike = |one, other| network.reaches_alike(&endpoint(one), &endpoint(other)).unwrap();
        assert!(alike("https://live.example.com", "https://sts.example.com"));
        assert!(alike("http://127.0.0.1:1", "http://127.0.0.1:2"));
        assert!(!alike("https://live.example.com", "https://iam.example.com"));
        assert!(!alike("https://live.example.com", "http://live.example.com"));
        assert!(!alike("https://iam.example.com", "https://127.0.0.1:1"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_name_and_not_shown() {
        for (value, problem) in [
            ("socks5://u:s3cr3t@h:1", "HTTPS_PROXY: is not an HTTP proxy"),
            ("http://u:s3cr3t@", "HTTPS_PROXY: is not a URL"),
            ("u:s3cr3t@h:port", "HTTPS_PROXY: is not a URL"),
        ] {
            let network = network(&[("HTTPS_PROXY", value)]);
            let error = network.via(&endpoint("https://live.example.com")).unwrap_err().to_string();
            assert!(error.starts_with(problem) && !error.contains("s3cr3t"), "{error}");
            assert!(!format!("{network:?}").contains("s3cr3t"), "{network:?}");
            // Who does not need it is not bothered.
            assert_eq!(via(&network, "http://live.example.com"), None);
            assert_eq!(via(&network, "https://127.0.0.1:1"), None);
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let network = network(&[("HTTPS_PROXY", "http://user:s3cr3t@proxy.example.com:1")]);
        let shown = format!("{network:?}");
        assert!(shown.contains("proxy.example.com:1") && !shown.contains("s3cr3t"), "{shown}");
        let client = crate::transport::client(&endpoint("live.example.com"), &network).unwrap();
        let shown = format!("{client:?}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let refusal = || Network::default().with_ca_bundle("ca_bundle", &path).unwrap_err().to_string();
        assert!(refusal().contains("cannot be read"), "{}", refusal());
        std::fs::write(&path, "nothing").unwrap();
        assert!(refusal().contains("ca.pem has no certificate"), "{}", refusal());
        // Whatever is in the file instead, such as a private key, is not shown.
        let other = "-----BEGIN CERTIFICATE-----\ns3cr3t\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, other).unwrap();
        assert!(
            refusal().contains("ca.pem has what is no certificate") && !refusal().contains("s3cr3t"),
            "{}",
            refusal()
        );
    }
}
