//! Users of an identity provider: its token for one of IAM, that for a temporary key.

use record_callback_core::Result;
use record_callback_http::{AccessKey, Endpoint, Lease, SourceContext};

use super::temporary::Label;
use super::token_file::TokenFile;
use crate::iam::Iam;

/// A user of an identity provider that IAM knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Federated {
    pub(super) idp_id: String,
    /// The provider's token, read anew for each key.
    pub(super) id_token: TokenFile,
    pub(super) iam: Endpoint,
    pub(super) label: Label,
}

impl Federated {
    /// A new key.
    pub(super) async fn fetch(&self, context: &SourceContext) -> Result<Lease<AccessKey>> {
        let id_token = self.id_token.read().await?;
        let iam = Iam { pipeline: context.pipeline(&self.iam)?, endpoint: self.iam.clone() };
        let token = iam.token_of_provider(&self.idp_id, &id_token).await?;
        Ok(self.label.on(iam.temporary_key(&token).await?))
    }
}
