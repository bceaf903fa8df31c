use std::fmt;
use std::path::Path;
use std::sync::Arc;

use record_callback_core::{Error, ErrorKind, InvalidConfig, Result};
use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy, Url};

use crate::effects::Env;
use crate::endpoint::Endpoint;

const PROXY_RULE: &str =
    "http://host:port or https://host:port, with user:password@ before the host if need be";

/// How other machines are reached: proxies, and which certificates are trusted. `Debug` shows no password.
#[derive(Clone, Default)]
pub struct Network {
    /// For `https` and for `http`.
    proxies: [Option<Arc<Url>>; 2],
    /// Hosts that are reached without.
    no_proxy: Option<String>,
    /// Trusted besides what the system trusts.
    certificates: Arc<[Certificate]>,
}

impl Network {
    /// By the variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in lower case too, which wins. No
    /// proxy is ever used for loopback.
    pub fn from_env(env: &dyn Env) -> Result<Self, InvalidConfig> {
        let find = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| env.var(name).map(|value| (name, value.trim().to_owned())))
        };
        let all = || find(["all_proxy", "ALL_PROXY"]);
        let proxy = |names| match find(names).or_else(all) {
            Some((_, value)) if value.is_empty() => Ok(None),
            Some((name, value)) => parse_proxy(name, &value).map(Some),
            None => Ok(None),
        };
        let proxies = [proxy(["https_proxy", "HTTPS_PROXY"])?, proxy(["http_proxy", "HTTP_PROXY"])?];
        let no_proxy = find(["no_proxy", "NO_PROXY"]).map(|(_, value)| value);
        Ok(Self { proxies, no_proxy, ..Self::default() })
    }

    /// Trusts the certificates in the PEM file at `path` too, besides those the system trusts. An error names `field`.
    pub fn with_ca_bundle(self, field: &'static str, path: &Path) -> Result<Self> {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| {
            Error::new(ErrorKind::InvalidConfig, format!("{field}: {shown} cannot be read"))
                .with_source(error)
        })?;
        let rule = "a PEM file with at least one certificate";
        let refuse = |problem: &str| InvalidConfig::new(field, format!("{shown} {problem}"), rule);
        let certificates =
            Certificate::from_pem_bundle(&pem).map_err(|_| refuse("has what is no certificate"))?;
        if certificates.is_empty() {
            return Err(refuse("has no certificate").into());
        }
        Ok(Self { certificates: certificates.into(), ..self })
    }

    /// The same certificates, and no proxy.
    #[must_use]
    pub fn without_proxies(&self) -> Self {
        Self { certificates: Arc::clone(&self.certificates), ..Self::default() }
    }

    /// Sets a client up to reach `endpoint` so.
    pub(crate) fn apply(
        &self,
        mut builder: ClientBuilder,
        endpoint: &Endpoint,
    ) -> reqwest::Result<ClientBuilder> {
        // What the HTTP library would find in the process environment by itself is not used.
        builder = builder.no_proxy();
        // A proxy meant for the outside world has no business with this machine.
        if !endpoint.is_loopback() {
            let no_proxy = self.no_proxy.as_deref().and_then(NoProxy::from_string);
            let [https, http] = &self.proxies;
            if let Some(url) = https {
                builder = builder.proxy(Proxy::https(url.as_str())?.no_proxy(no_proxy.clone()));
            }
            if let Some(url) = http {
                builder = builder.proxy(Proxy::http(url.as_str())?.no_proxy(no_proxy));
            }
        }
        if self.certificates.is_empty() {
            return Ok(builder);
        }
        Ok(builder.tls_certs_merge(self.certificates.iter().cloned()))
    }
}

/// The address is never shown: it may hold a password.
fn parse_proxy(variable: &'static str, value: &str) -> Result<Arc<Url>, InvalidConfig> {
    let refuse = |problem: &str| InvalidConfig::new(variable, problem, PROXY_RULE);
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&with_scheme).map_err(|_| refuse("is not a URL"))?;
    match url.scheme() {
        "http" | "https" if url.host_str().is_some() => Ok(Arc::new(url)),
        "http" | "https" => Err(refuse("has no host")),
        _ => Err(refuse("is not an HTTP proxy")),
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.proxies.each_ref().map(|proxy| proxy.as_ref().and_then(|url| url.host_str()));
        f.debug_struct("Network")
            .field("proxies", &hosts)
            .field("no_proxy", &self.no_proxy)
            .field("certificates", &self.certificates.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::FixedEnv;

    fn network(variables: &[(&str, &str)]) -> Result<Network, InvalidConfig> {
        Network::from_env(&FixedEnv::from_iter(variables.iter().copied()))
    }

    #[test]
    fn proxies_come_from_the_usual_variables() {
        let hosts = |variables: &[(&str, &str)]| {
            let network = network(variables).unwrap();
            network.proxies.map(|proxy| proxy.map(|url| url.host_str().unwrap().to_owned()))
        };
        let named =
            |https: &str, http: &str| [https, http].map(|host| (!host.is_empty()).then(|| host.to_owned()));
        assert_eq!(hosts(&[]), named("", ""));
        assert_eq!(hosts(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "b:2")]), named("b", ""));
        assert_eq!(hosts(&[("ALL_PROXY", "a:1"), ("HTTP_PROXY", "https://b")]), named("a", "b"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_name_and_not_shown() {
        for (value, problem) in [
            ("socks5://u:s3cr3t@h:1", "HTTPS_PROXY: is not an HTTP proxy"),
            ("http://u:s3cr3t@", "HTTPS_PROXY: is not a URL"),
        ] {
            let error = network(&[("HTTPS_PROXY", value)]).unwrap_err().to_string();
            assert!(error.starts_with(problem) && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let network = network(&[("HTTPS_PROXY", "http://user:s3cr3t@proxy.example.com:1")]).unwrap();
        let shown = format!("{network:?}");
        assert!(shown.contains("proxy.example.com") && !shown.contains("s3cr3t"), "{shown}");
        let endpoint = Endpoint::parse("endpoint", "live.example.com", false).unwrap();
        let client = crate::transport::client(&endpoint, &network).unwrap();
        assert!(!format!("{client:?}").contains("s3cr3t"), "{client:?}");
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let refusal = || Network::default().with_ca_bundle("ca_bundle", &path).unwrap_err().to_string();
        assert!(refusal().contains("cannot be read"), "{}", refusal());
        std::fs::write(&path, "nothing").unwrap();
        assert!(refusal().contains("ca.pem has no certificate"), "{}", refusal());
    }
}
