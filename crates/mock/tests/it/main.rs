//! Both mocks over HTTP, called by a minimal signer that shares no code with their verifiers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod admin;
mod aliyun_configs;
mod aliyun_deliveries;
mod aliyun_dialect;
mod aliyun_gateway;
mod aliyun_listings;
mod aliyun_metadata;
mod aliyun_sts;
mod client;
mod deliveries;
mod documented_codes;
mod faults;
mod huaweicloud_configs;
mod huaweicloud_deliveries;
mod huaweicloud_dialect;
mod huaweicloud_federation;
mod huaweicloud_gateway;
mod huaweicloud_iam;
mod huaweicloud_metadata;
mod huaweicloud_sts;
mod identity;
mod model;
mod model_aliyun;
mod model_aliyun_steps;
mod model_huaweicloud;
mod model_huaweicloud_steps;
mod receiver;
mod send;
mod server;
