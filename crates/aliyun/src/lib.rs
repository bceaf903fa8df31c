//! Aliyun Live recording callbacks: a client for the vendor's operations and a
//! [`RecordCallbackProvider`](record_callback_core::RecordCallbackProvider) on top of it.
//!
//! File by file, the same as in `record-callback-huaweicloud`: `config` (endpoint, options), `region`,
//! `credential`, `sign` (pure), `wire` (the vendor's words), `translate` (neutral ↔ wire), `client` (one
//! method per operation), `error` (codes → kinds), `provider` (the trait), `callback` (verifies and reads what
//! the vendor sends; its words are in `wire/callback`, their meaning in `translate/callback`), `doctor` and `policy` (what
//! a caller may do here, and what has to be allowed for it).
//!
//! ```
//! use record_callback_aliyun::{AliyunClient, AliyunProvider};
//! use record_callback_core::{CallbackKey, DomainName, RecordCallbackProvider};
//! use record_callback_http::{AccessKey, StaticCredentials};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let cloud = record_callback_mock::MockAliyun::builder().start().await?;
//! let client = AliyunClient::builder()
//!     .endpoint(cloud.endpoint())
//!     .credentials(StaticCredentials::new(AccessKey::new(cloud.access_key_id(), cloud.access_key_secret())))
//!     .build()?;
//! let provider = AliyunProvider::new(client);
//! let key = CallbackKey::any_app(DomainName::new("live.example.com")?);
//! assert!(provider.get(&key).await?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod callback;
mod client;
mod config;
mod credential;
mod doctor;
mod domains;
mod error;
mod policy;
mod provider;
mod region;
pub mod sign;
mod translate;
mod wire;

use record_callback_core::Vendor;

/// The vendor's name in configs.
pub const VENDOR: Vendor = Vendor::new("aliyun");

pub use callback::AliyunCallbacks;
pub use client::AliyunClient;
pub use config::{AliyunClientBuilder, HttpMethod, Signature, default_quotas, quotas};
pub use credential::{
    CliProfileCredentials, default_chain, environment, from_env, looks_like_huaweicloud_key, profile,
};
pub use policy::policy;
pub use provider::AliyunProvider;
pub use translate::CAPABILITIES;
pub use wire::{
    BooleanStyle, DeliveryStatus, Done, NotifyRecord, NotifyRecords, NotifyRecordsQuery, RecordNotifyConfig,
    UserDomain, UserDomains, UserDomainsQuery,
};
