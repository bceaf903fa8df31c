//! Both of Aliyun's request signatures. Pure: time and nonce come in as text.
//!
//! <https://help.aliyun.com/document_detail/157269.html> (RPC) and
//! <https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature> (ACS3).

pub(crate) mod acs3;
pub(crate) mod rpc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_encode};

/// RFC 3986: letters, digits and `-_.~` stay, every other byte becomes `%XX`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The text `encode(text)` of the vendor's documents, as unreserved runs and single `%XX`.
fn encode(text: &str) -> PercentEncode<'_> {
    percent_encode(text.as_bytes(), RESERVED)
}

/// Orders parameters as both signatures want: by raw name, byte by byte.
fn sort(params: &mut [(&str, &str)]) {
    params.sort_unstable_by_key(|(name, _)| *name);
}
