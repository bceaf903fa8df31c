//! What the vendor crates of record-callback share: one pipeline that sends
//! signed requests, and the effects it needs.
//!
//! [`Pipeline::send`] is the only way a request leaves the process:
//! `retry(quota → sign → send → classify)`. Every attempt takes its place in the
//! vendor's quota and is signed afresh; what is retried depends on whether the
//! request may have been carried out; nothing waits beyond the deadline.
//! ([`Pipeline::reach`] asks whether anybody is there, without a signature.)
//!
//! Clock, nonce, environment and credentials are traits, so that tests fix them
//! and nothing reads the process environment behind the caller's back. What is issued
//! for a time is kept by [`Renewed`]; sources are asked in the order of a [`CredentialChain`];
//! [`Network`] knows proxies and certificates.

mod credential;
pub mod doctor;
mod effects;
mod encoding;
mod endpoint;
pub mod lenient;
mod network;
mod pipeline;
mod quota;
mod retry;
mod settle;
mod spellings;
mod transport;
mod turns;

pub use credential::{
    AccessKey, CredentialChain, CredentialFile, CredentialProvider, CredentialSource, EnvCredentials, Ini,
    IniSection, KeyVariables, KnownAccount, Lease, Miss, Refusable, Refusal, Renewed, SourceContext,
    SourceReport, StaticCredentials, Used, account_retry, is_open_to_all, kind_of_credentials,
    named_variable, of_credentials, replaces, warn_once,
};
pub use effects::{Clock, Env, FixedEnv, Nonce, OsEnv, SystemClock, TokioTimer, UuidNonce};
pub use encoding::{encode, hex};
pub use endpoint::Endpoint;
pub use network::Network;
pub use pipeline::{Call, Pipeline, Reached, Safety};
pub use quota::{Quota, Quotas};
pub use retry::RetryPolicy;
pub use settle::{Seen, confirm_dropped, create_settled, delete_settled, read_settled};
pub use spellings::Spellings;
pub use transport::{Answer, Failure, MAX_BODY, Secrets, Signed, sensitive};
pub use turns::Turns;

pub use bytes::Bytes as Body;
pub use reqwest::{Method, Request, StatusCode, Url, header};
