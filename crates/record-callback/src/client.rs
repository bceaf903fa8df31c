use std::sync::Arc;

use record_callback_aliyun::{AliyunClient, AliyunProvider};
use record_callback_core::{DomainName, RecordCallbackProvider};
use record_callback_http::doctor::Finding;
use record_callback_huaweicloud::{HuaweicloudClient, HuaweicloudProvider};

/// A client of one of the vendors.
#[derive(Clone)]
pub(crate) enum Client {
    Aliyun(Box<AliyunClient>),
    Huaweicloud(HuaweicloudClient),
}

impl Client {
    pub(crate) fn provider(self) -> Arc<dyn RecordCallbackProvider> {
        match self {
            Self::Aliyun(client) => Arc::new(AliyunProvider::new(*client)),
            Self::Huaweicloud(client) => Arc::new(HuaweicloudProvider::new(client)),
        }
    }

    pub(crate) async fn examine(&self, domain: Option<&DomainName>) -> Vec<Finding> {
        match self {
            Self::Aliyun(client) => client.examine(domain).await,
            Self::Huaweicloud(client) => client.examine(domain).await,
        }
    }
}
