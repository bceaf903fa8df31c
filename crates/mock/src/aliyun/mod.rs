//! A mock of the Aliyun Live (`live`, version `2016-11-01`) recording-callback API.

mod answer;
mod auth;
mod dialect;
mod error;
mod operations;
mod request;
mod server;
mod state;
mod verify;

pub use dialect::{AliyunDialect, BooleanAnswers};
pub use operations::AliyunOperation;
pub use server::{MockAliyun, MockAliyunBuilder};
pub use state::{AliyunConfig, AliyunNotifyRecord};
