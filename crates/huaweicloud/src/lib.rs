//! Huawei Cloud Live recording callbacks: a client for the vendor's operations and a
//! [`RecordCallbackProvider`](record_callback_core::RecordCallbackProvider) on top of it.
//!
//! File by file, the same as in `record-callback-aliyun`: `config` (endpoints, options), `region`,
//! `credential`, `sign` (pure), `wire` (the vendor's words), `translate` (neutral ↔ wire), `client` (one
//! method per operation), `error` (codes → kinds), `provider` (the trait), `callback` (verifies and reads what
//! the vendor sends; its words are in `wire/callback`, their meaning in `translate/callback`), `doctor` and `policy` (what
//! a caller may do here, and what has to be allowed for it); `listing` (all pages of a list), `regions_file` (where users
//! keep endpoints) and `iam`, because tokens and projects come from another service.
//!
//! ```
//! use record_callback_core::{CallbackKey, DomainName, RecordCallbackProvider};
//! use record_callback_http::{AccessKey, StaticCredentials};
//! use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudProvider};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let cloud = record_callback_mock::MockHuaweicloud::builder().start().await?;
//! let client = HuaweicloudClient::builder()
//!     .endpoint(cloud.endpoint())
//!     .project_id(cloud.project_id())
//!     .credentials(StaticCredentials::new(AccessKey::new(cloud.access_key(), cloud.secret_key())))
//!     .build()?;
//! let provider = HuaweicloudProvider::new(client);
//! let key = CallbackKey::any_app(DomainName::new("push.example.com")?);
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
mod iam;
mod listing;
mod policy;
mod provider;
mod region;
mod regions_file;
pub mod sign;
mod translate;
mod wire;

use record_callback_core::Vendor;

/// The vendor's name in configs.
pub const VENDOR: Vendor = Vendor::new("huaweicloud");

pub use callback::HuaweicloudCallbacks;
pub use client::HuaweicloudClient;
pub use config::{HuaweicloudClientBuilder, default_quotas, quotas};
pub use credential::{Login, default_chain, environment, from_env, looks_like_aliyun_key};
pub use policy::policy;
pub use provider::HuaweicloudProvider;
pub use translate::CAPABILITIES;
pub use wire::{ListAnswer, ListQuery, RecordCallbackConfigAnswer, RecordCallbackConfigRequest};
