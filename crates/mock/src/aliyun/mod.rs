//! A mock of the Aliyun Live (`live`, version `2016-11-01`) recording-callback API.

mod answer;
mod auth;
mod dialect;
mod error;
mod event;
mod given;
mod on_demand;
mod operations;
mod request;
mod sender;
mod server;
mod state;
mod trigger;
mod verify;

pub use dialect::{
    AliyunDialect, AliyunOmitted, AliyunThrottling, BooleanAnswers, BooleanRequests, Denial,
    EmptyOnDemandUrl, ErrorFormat, KeyWithoutAuth, NotFoundStatus, NotifyUrlOnUpdate, RequestIds, RetryAfter,
    SignedHost, UnknownDomain,
};
pub use event::AliyunEvent;
pub use on_demand::{OnDemandDecision, OnDemandReply, OnDemandRequest};
pub use operations::AliyunOperation;
pub use sender::AliyunSender;
pub use server::{MockAliyun, MockAliyunBuilder};
pub use state::{AliyunConfig, AliyunNotifyRecord};
