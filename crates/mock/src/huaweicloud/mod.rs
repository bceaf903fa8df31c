//! A mock of the Huawei Cloud Live recording-callback API and of the part of IAM its clients need.

mod account;
mod answer;
mod auth;
mod dialect;
mod error;
mod iam;
mod operations;
mod request;
mod server;
mod state;
mod verify;

pub use dialect::{CreateAnswer, HuaweicloudDialect, OnDemandUrl, RecordStart, Uniqueness, UrlQuery};
pub use server::{MockHuaweicloud, MockHuaweicloudBuilder};
pub use state::HuaweicloudConfig;
