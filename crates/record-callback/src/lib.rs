//! Recording callbacks of Aliyun Live and Huawei Cloud Live through one model.
//!
//! This is the crate to depend on. Everything of `record-callback-core` is here at the root; the vendors'
//! own clients are in [`aliyun`] and [`huaweicloud`], what they share in [`http`]. What the clouds send is verified by
//! [`aliyun::AliyunCallbacks`] and [`huaweicloud::HuaweicloudCallbacks`]; with the feature `receiver` there are a
//! router, a server and sinks for it (`receiver`) and sources by configuration (`SourceConfig`). With the feature
//! `fleet`, whole fleets of callbacks are declared, planned, applied and moved (`fleet`). [`ProviderConfig`] chooses a
//! vendor by configuration, and the program stays the same:
//!
//! ```
//! use record_callback::http::TokioTimer;
//! use record_callback::{Fidelity, ProviderConfig, ReadBack, RecordCallbackConfig, RecordCallbackProviderExt};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let cloud = record_callback_mock::MockAliyun::builder().start().await?;
//! let config: ProviderConfig = toml::from_str(&format!(
//!     r#"
//!     vendor = "aliyun"
//!     endpoint = "{}"
//!     credentials = {{ source = "access_key", id = "{}", secret = "{}" }}
//!     "#,
//!     cloud.endpoint(), cloud.access_key_id(), cloud.access_key_secret(),
//! ))?;
//! let provider = config.connect()?;
//!
//! let wanted = RecordCallbackConfig::builder("live.example.com", "https://cb.example.com/recorded").build()?;
//! let ensured = provider.ensure(&wanted, Fidelity::Exact, &ReadBack::new(TokioTimer)).await?;
//! assert_eq!(ensured.stored.notify_url.as_deref(), Some("https://cb.example.com/recorded"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod credentials_config;
mod doctor;
#[cfg(feature = "fleet")]
mod fleet_config;
#[cfg(any(feature = "fleet", feature = "receiver"))]
mod key_file;
mod place;
mod provider_config;
#[cfg(test)]
mod send;
#[cfg(feature = "receiver")]
mod source_config;

pub use credentials_config::CredentialsConfig;
pub use doctor::Diagnosis;
#[cfg(feature = "fleet")]
pub use fleet_config::{ManifestKeys, connect_all};
pub use provider_config::{AliyunConfig, HuaweicloudConfig, ProviderConfig};
pub use record_callback_core::*;

pub use record_callback_aliyun as aliyun;
#[cfg(feature = "fleet")]
pub use record_callback_fleet as fleet;
pub use record_callback_http as http;
pub use record_callback_huaweicloud as huaweicloud;
#[cfg(feature = "receiver")]
pub use record_callback_receiver as receiver;
#[cfg(feature = "receiver")]
pub use source_config::{KeyNames, SourceConfig, SourceVendor, ToleranceSeconds};

/// The README's examples are tests.
#[cfg(all(doctest, feature = "receiver"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
