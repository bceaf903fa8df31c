//! Both of Aliyun's request signatures. Pure: time and nonce come in as text.
//!
//! `help.aliyun.com/document_detail/157269` (RPC) and the page `v3-request-structure-and-signature` (ACS3).

pub mod acs3;
pub mod rpc;

use hmac::KeyInit;

/// A keyed HMAC.
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    M::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Orders parameters as both signatures want: by raw name, byte by byte.
fn sort(params: &mut [(&str, &str)]) {
    // Most comparisons end at the first byte.
    params.sort_unstable_by_key(|(name, _)| (name.as_bytes().first(), *name));
}
