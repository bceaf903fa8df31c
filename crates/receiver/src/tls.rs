//! TLS with a certificate that can be replaced.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use record_callback_core::InvalidConfig;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, InconsistentKeys, ServerConfig};

const CHAIN_RULE: &str = "PEM: the server's certificate, then those that issued it";
const KEY_RULE: &str = "PEM: one private key, not encrypted, of the first certificate";

/// The TLS of a receiver: version 1.2 or 1.3, with one certificate for every name, which can be
/// [replaced](Self::replace) while it serves. Clients need no certificate.
///
/// ```
/// use record_callback_receiver::Tls;
///
/// let error = Tls::from_pem(b"no certificate", b"no key").unwrap_err();
/// assert_eq!(error.field(), "tls.cert");
/// ```
///
/// For [`Receiver::serve_tls`](crate::Receiver::serve_tls). Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    certificate: Arc<Certificate>,
    config: Arc<ServerConfig>,
}

/// The one there is now.
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl Tls {
    /// Serves with the certificate chain in `cert` and the private key in `key`, both PEM.
    ///
    /// # Errors
    /// Fails when either is not what it should be, or the key is not the certificate's. Tells nothing of the key.
    pub fn from_pem(cert: &[u8], key: &[u8]) -> Result<Self, InvalidConfig> {
        // The process may have another default, or none.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = Arc::new(Certificate(RwLock::new(read(&provider, cert, key)?)));
        let versions = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]);
        let mut config = versions
            .map_err(|error| InvalidConfig::new("tls", error.to_string(), "a TLS version there is"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// Takes another certificate and key. Connections that are open keep theirs.
    ///
    /// # Errors
    /// Those of [`from_pem`](Self::from_pem); then nothing changes.
    pub fn replace(&self, cert: &[u8], key: &[u8]) -> Result<(), InvalidConfig> {
        let new = read(self.config.crypto_provider(), cert, key)?;
        *self.certificate.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

fn read(provider: &CryptoProvider, cert: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, InvalidConfig> {
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| InvalidConfig::new("tls.cert", problem(&error), CHAIN_RULE))?;
    if chain.is_empty() {
        return Err(InvalidConfig::new("tls.cert", "has no certificate", CHAIN_RULE));
    }
    let key = PrivateKeyDer::from_pem_slice(key);
    let key = key.map_err(|error| InvalidConfig::new("tls.key", problem(&error), KEY_RULE))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            InvalidConfig::new("tls.key", "is not the key of the certificate", KEY_RULE)
        }
        rustls::Error::InvalidCertificate(error) => {
            InvalidConfig::new("tls.cert", format!("cannot be used: {error}"), CHAIN_RULE)
        }
        // These are about the key, and might quote it.
        _ => InvalidConfig::new("tls.key", "cannot be used", KEY_RULE),
    })?;
    Ok(Arc::new(certified))
}

/// The fault of a PEM text, without any of it.
fn problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "has nothing of its kind in it",
        pem::Error::MissingSectionEnd { .. } => "ends before its end",
        pem::Error::IllegalSectionStart { .. } => "has a line that begins nothing",
        pem::Error::Base64Decode(_) => "has something in it that is no Base64",
        _ => "cannot be read",
    }
}
