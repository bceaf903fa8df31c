//! A mock of the Aliyun Live (`live`, version `2016-11-01`) recording-callback API, and of the
//! services its callers have keys from.

mod answer;
mod auth;
mod builder;
mod dialect;
mod error;
mod event;
mod given;
mod identity;
mod metadata;
mod on_demand;
mod operations;
mod ram;
mod request;
mod sender;
mod server;
mod sources;
mod state;
mod sts;
mod trigger;
mod verify;

pub use builder::MockAliyunBuilder;
pub use dialect::{
    AliyunDialect, AliyunOmitted, AliyunThrottling, BooleanAnswers, BooleanRequests, CallerIdentity, Denial,
    EmptyOnDemandUrl, ErrorFormat, ForeignDomain, KeyWithoutAuth, NotFoundStatus, NotifyUrlOnUpdate,
    RequestIds, RetryAfter, SignedHost, UnknownDomain,
};
pub use event::AliyunEvent;
pub use metadata::Imds;
pub use on_demand::{OnDemandDecision, OnDemandReply, OnDemandRequest};
pub use operations::AliyunOperation;
pub use sender::AliyunSender;
pub use server::MockAliyun;
pub use state::{AliyunConfig, AliyunNotifyRecord};
