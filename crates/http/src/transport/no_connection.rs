use std::error::Error as StdError;
use std::io;
use std::iter::successors;

use reqwest::Url;
use rustls::{CertificateError, Error as TlsError};

use super::client::ProxyShown;

/// Says why there is no connection, in words that name hosts and nothing else of a URL.
pub(super) fn describe(error: &reqwest::Error, proxy: Option<&ProxyShown>) -> String {
    let host = error.url().and_then(Url::host_str).unwrap_or("the host");
    if let Some(why) = causes(error).find_map(certificate) {
        let whose = match proxy {
            // Both have one, and nothing tells whose it was.
            Some(ProxyShown { authority, is_tls: true, .. }) => {
                format!("`{host}` or of the proxy `{authority}`")
            }
            _ => format!("`{host}`"),
        };
        return format!("the certificate of {whose} is not trusted: {why}");
    }
    if causes(error).any(|cause| matches!(cause.downcast_ref(), Some(TlsError::InvalidMessage(_)))) {
        return format!(
            "`{host}` does not answer in TLS; an endpoint that speaks plain HTTP is written `http://…`"
        );
    }
    let says = |text: &str| causes(error).any(|cause| cause.to_string() == text);
    let nowhere = says("dns error");
    let Some(proxy) = proxy else {
        return if nowhere {
            format!("no address for the name `{host}`")
        } else {
            "no connection".to_owned()
        };
    };
    let ProxyShown { authority, .. } = proxy;
    if nowhere {
        format!("no address for the name of the proxy `{authority}`")
    } else if says("tunnel error: proxy authorization required") {
        proxy.unauthenticated()
    } else if says("tunnel error: unsuccessful") {
        format!("the proxy `{authority}` refuses to connect to `{host}`")
    } else {
        format!("no connection to `{host}` by way of the proxy `{authority}`")
    }
}

/// The error and what caused it. I/O errors do not name what they are made of as their source.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    successors(Some(error as &(dyn StdError + 'static)), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// What is wrong with a certificate, if that is the cause. Not in the library's words: they repeat what is in it.
fn certificate(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    let TlsError::InvalidCertificate(problem) = cause.downcast_ref()? else { return None };
    Some(match problem {
        // The second is an authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "neither this system nor the CA bundle has the authority that issued it; with a proxy that reads along, put \
             the certificate of its authority into a CA bundle (ca_bundle)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has ended, by this machine's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, by this machine's clock"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host"
        }
        CertificateError::Revoked => "it was revoked",
        _ => "it is not what this system accepts of a server",
    })
}
