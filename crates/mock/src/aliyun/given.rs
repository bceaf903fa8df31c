//! What an Add or Update asks for.

use std::collections::BTreeSet;

use super::{
    dialect::{AliyunDialect, EmptyOnDemandUrl, KeyWithoutAuth, NotifyUrlOnUpdate, PrivateUrls},
    error::{ApiError, Result},
    operations::AliyunOperation,
    request::ApiRequest,
    state::AliyunConfig,
};
use crate::callback_url;

/// The fields of a request, each valid by itself; `None` is what it leaves out.
pub(super) struct Given<'a> {
    pub(super) domain_name: &'a str,
    notify_url: Option<&'a str>,
    /// May be empty.
    on_demand_url: Option<&'a str>,
    need_status_notify: Option<bool>,
    notify_req_auth: Option<bool>,
    notify_auth_key: Option<&'a str>,
}

impl<'a> Given<'a> {
    pub(super) fn by(
        request: &'a ApiRequest<'_>,
        operation: AliyunOperation,
        dialect: &AliyunDialect,
        unsafe_hosts: &BTreeSet<String>,
    ) -> Result<Self> {
        let is_unsafe = |url: &str| {
            callback_url::host_of(url).is_some_and(|host| unsafe_hosts.contains(&host))
                || (dialect.private_urls == PrivateUrls::Refused && callback_url::is_private(url))
        };
        let domain_name = request.required("DomainName")?;
        let may_lack_url = operation == AliyunOperation::UpdateLiveRecordNotifyConfig
            && dialect.notify_url_on_update == NotifyUrlOnUpdate::Optional;
        let notify_url =
            if may_lack_url { request.text("NotifyUrl") } else { Some(request.required("NotifyUrl")?) };
        if !notify_url.is_none_or(callback_url::is_well_formed) {
            return Err(ApiError::malformed_url("NotifyUrl"));
        }
        if notify_url.is_some_and(is_unsafe) {
            return Err(ApiError::unsafe_url("NotifyUrl"));
        }
        let on_demand_url = request.find("OnDemandUrl");
        let may_be = |url: &str| match dialect.empty_on_demand_url {
            EmptyOnDemandUrl::Clears => url.is_empty() || callback_url::is_well_formed(url),
            EmptyOnDemandUrl::Refused => callback_url::is_well_formed(url),
        };
        if !on_demand_url.is_none_or(may_be) {
            return Err(ApiError::malformed_url("OnDemandUrl"));
        }
        if on_demand_url.is_some_and(is_unsafe) {
            return Err(ApiError::unsafe_url("OnDemandUrl"));
        }
        let need_status_notify = request.flag("NeedStatusNotify", dialect.boolean_requests)?;
        let notify_req_auth = request.flag("NotifyReqAuth", dialect.boolean_requests)?;
        let notify_auth_key = request.text("NotifyAuthKey");
        if !notify_auth_key.is_none_or(is_key) {
            return Err(ApiError::invalid_parameter(
                "NotifyAuthKey",
                "it is not 16 to 32 letters and digits",
            ));
        }
        Ok(Self {
            domain_name,
            notify_url,
            on_demand_url,
            need_status_notify,
            notify_req_auth,
            notify_auth_key,
        })
    }

    /// The configuration these fields make of another one.
    pub(super) fn over(&self, mut config: AliyunConfig, dialect: &AliyunDialect) -> Result<AliyunConfig> {
        if let Some(url) = self.notify_url {
            url.clone_into(&mut config.notify_url);
        }
        if let Some(url) = self.on_demand_url {
            config.on_demand_url = (!url.is_empty()).then(|| url.to_owned());
        }
        if let Some(key) = self.notify_auth_key {
            config.notify_auth_key = Some(key.to_owned());
        }
        config.need_status_notify = self.need_status_notify.unwrap_or(config.need_status_notify);
        config.notify_req_auth = self.notify_req_auth.unwrap_or(config.notify_req_auth);
        if config.notify_req_auth && config.notify_auth_key.is_none() {
            let rule = "it is required when NotifyReqAuth is on";
            return Err(ApiError::invalid_parameter("NotifyAuthKey", rule));
        }
        if !config.notify_req_auth && dialect.key_without_auth == KeyWithoutAuth::Dropped {
            config.notify_auth_key = None;
        }
        Ok(config)
    }

    /// A configuration of nothing but these fields.
    pub(super) fn alone(&self, dialect: &AliyunDialect) -> Result<AliyunConfig> {
        self.over(AliyunConfig::new(self.domain_name, ""), dialect)
    }
}

fn is_key(key: &str) -> bool {
    (16..=32).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
