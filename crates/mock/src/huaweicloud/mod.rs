//! A mock of the Huawei Cloud Live recording-callback API and of the part of IAM its clients need.

mod account;
mod answer;
mod auth;
mod dialect;
mod error;
mod event;
mod given;
mod iam;
mod operations;
mod request;
mod sender;
mod server;
mod state;
mod trigger;
mod verify;

pub use dialect::{
    AbsentUrls, AppWildcardFilter, AuthTimestamp, ConfigIds, CreateAnswer, DeleteOfMissing, DuplicateStatus,
    HuaweicloudDialect, HuaweicloudOmitted, HuaweicloudThrottling, ListOffset, ListOrder, MissingId,
    OnDemandUrl, QueryOnWire, RecordStart, Times, Uniqueness, UpdateAnswer, UrlQuery,
};
pub use event::HuaweicloudEvent;
pub use sender::{HuaweicloudSender, SignType};
pub use server::{MockHuaweicloud, MockHuaweicloudBuilder};
pub use state::HuaweicloudConfig;
