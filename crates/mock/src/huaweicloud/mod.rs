//! A mock of the Huawei Cloud Live recording-callback API and of the parts of IAM, STS and metadata its
//! clients need.

mod account;
mod answer;
mod auth;
mod builder;
mod dialect;
mod error;
mod event;
mod given;
mod iam;
mod live;
mod metadata;
mod operations;
mod request;
mod sender;
mod server;
mod sources;
mod state;
mod trigger;
mod trust;
mod verify;

pub use builder::MockHuaweicloudBuilder;
pub use dialect::{
    AbsentUrls, AppWildcardFilter, AuthDomains, AuthTimestamp, CallerIdentityPath, ConfigIds, CreateAnswer,
    DeleteOfMissing, DuplicateStatus, ForeignProject, HuaweicloudDialect, HuaweicloudOmitted,
    HuaweicloudThrottling, ListOffset, ListOrder, MissingId, OnDemandUrl, QueryOnWire, RecordStart, Times,
    Uniqueness, UpdateAnswer, UrlQuery,
};
pub use event::HuaweicloudEvent;
pub use metadata::MetadataTokens;
pub use sender::{HuaweicloudSender, SignType};
pub use server::MockHuaweicloud;
pub use state::HuaweicloudConfig;
