//! One method for each operation of the vendor.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use record_callback_core::{AccountId, DomainName, Result};
use record_callback_http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use record_callback_http::{
    AccessKey, Answer, Call, CredentialProvider, Endpoint, Failure, Method, Nonce, Pipeline, Request,
    RetryPolicy, Safety, Secrets, Signed, Used, replaces, sensitive,
};
use serde::de::DeserializeOwned;

use crate::VENDOR;
use crate::config::{AliyunClientBuilder, Signature};
use crate::credential::{Account, looks_like_huaweicloud_key};
use crate::error;
use crate::sign::{acs3, rpc};
use crate::wire::{
    self, BooleanStyle, Described, Done, NotifyRecords, NotifyRecordsQuery, Params, RecordNotifyConfig,
    UserDomains, UserDomainsQuery, header,
};

/// Asks for JSON; the documents do not agree on the default.
const JSON: &str = "application/json";

/// A client of Aliyun Live's recording-callback operations, version 2016-11-01.
///
/// Clones share connections, quotas and what was learnt about the cloud's time.
#[derive(Clone)]
pub struct AliyunClient {
    pub(crate) pipeline: Pipeline,
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: Arc<dyn CredentialProvider>,
    pub(crate) account: Arc<Account>,
    pub(crate) nonce: Arc<dyn Nonce>,
    pub(crate) signature: Signature,
    pub(crate) method: Method,
    pub(crate) booleans: BooleanStyle,
}

impl fmt::Debug for AliyunClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliyunClient")
            .field("endpoint", &self.endpoint.authority())
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

impl AliyunClient {
    /// Starts a client.
    pub fn builder() -> AliyunClientBuilder {
        AliyunClientBuilder::default()
    }

    /// `AddLiveRecordNotifyConfig`: fails with `AlreadyExists` when the domain has a config.
    /// Not repeated when its answer was lost.
    pub async fn add_live_record_notify_config(&self, config: &RecordNotifyConfig) -> Result<Done> {
        self.call(wire::ADD, Safety::Once, Some(&config.domain_name), config.params(self.booleans)).await
    }

    /// `UpdateLiveRecordNotifyConfig`. Whether fields that are not given are kept or cleared is UNVERIFIED: give all.
    pub async fn update_live_record_notify_config(&self, config: &RecordNotifyConfig) -> Result<Done> {
        self.call(wire::UPDATE, Safety::Repeatable, Some(&config.domain_name), config.params(self.booleans))
            .await
    }

    /// `DescribeLiveRecordNotifyConfig`: fails with `NotFound` when the domain has none.
    pub async fn describe_live_record_notify_config(&self, domain: &str) -> Result<RecordNotifyConfig> {
        let read = |answer: &Answer| {
            let described: Described = answer.json()?;
            let mut config = described.live_record_notify_config;
            if config.domain_name.is_empty() {
                domain.clone_into(&mut config.domain_name);
            }
            Ok(about(answer, (wire::DESCRIBE, domain), &config.domain_name).map(|()| config))
        };
        let params = wire::domain_params(domain);
        self.call_reading(wire::DESCRIBE, Safety::Repeatable, Some(domain), params, read).await?
    }

    /// `DeleteLiveRecordNotifyConfig`: fails with `NotFound` when the domain has none.
    pub async fn delete_live_record_notify_config(&self, domain: &str) -> Result<Done> {
        self.call(wire::DELETE, Safety::Repeatable, Some(domain), wire::domain_params(domain)).await
    }

    /// `DescribeLiveUserDomains`: one page of the account's live domains.
    pub async fn describe_live_user_domains(&self, query: &UserDomainsQuery) -> Result<UserDomains> {
        self.call(wire::USER_DOMAINS, Safety::Repeatable, None, query.params()).await
    }

    /// `DescribeLiveRecordNotifyRecords`: one page of the callbacks that were sent.
    pub async fn describe_live_record_notify_records(
        &self,
        query: &NotifyRecordsQuery,
    ) -> Result<NotifyRecords> {
        let domain = query.domain_name.as_str();
        let read = |answer: &Answer| {
            let page = read_records(answer)?;
            let mut domains = page.records().iter().filter_map(|record| record.domain_name.as_deref());
            let about = |answered| about(answer, (wire::NOTIFY_RECORDS, domain), answered);
            Ok(domains.try_for_each(about).map(|()| page))
        };
        let params = query.params();
        self.call_reading(wire::NOTIFY_RECORDS, Safety::Repeatable, Some(domain), params, read).await?
    }

    /// `GetCallerIdentity` of the token service: the account of the access key. Asked once for each identity.
    ///
    /// The service is that of the endpoint's region, inside a VPC where the endpoint is; or the one that
    /// `RECORD_CALLBACK_ALIYUN_STS_ENDPOINT` names. Where the endpoint is not the vendor's and no other is named, nobody is
    /// asked, and it fails. No right is needed; whether an explicit denial stops it is UNVERIFIED.
    pub async fn account(&self) -> Result<AccountId> {
        self.account.of(&*self.credentials, &self.endpoint).await.map_err(|error| error.with_vendor(VENDOR))
    }

    /// The policy calls are tried by.
    pub(crate) fn retry(&self) -> &RetryPolicy {
        self.pipeline.retry()
    }

    async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        safety: Safety,
        domain: Option<&str>,
        params: Params<'_>,
    ) -> Result<T> {
        self.call_reading(action, safety, domain, params, Answer::json).await
    }

    /// `read` reads an answer that is a success by its status.
    async fn call_reading<T>(
        &self,
        action: &'static str,
        safety: Safety,
        domain: Option<&str>,
        params: Params<'_>,
        read: impl Fn(&Answer) -> Result<T>,
    ) -> Result<T> {
        let time_refused = error::time_refused;
        // Errors name it in the form callers compare.
        let domain = domain.map(DomainName::reported);
        let domain = domain.as_ref().map(DomainName::as_str);
        let call = Call { vendor: VENDOR, operation: action, quota: action, domain, safety, time_refused };
        let used: Used<Arc<AccessKey>> = Used::default();
        let sign = || async {
            let key = self.credentials.access_key().await?;
            let request = self.request(action, &params, &key);
            used.set(key);
            request
        };
        let classify = |answer: &Answer| {
            if !answer.status.is_success() {
                let foreign = used.get().is_some_and(|key| looks_like_huaweicloud_key(key.id()));
                return Err(error::classify_for(answer, foreign));
            }
            read(answer)
        };
        let send = || self.pipeline.send(call, sign, classify);
        let replaced = |refused: Arc<AccessKey>| async move { replaces(&*self.credentials, &refused).await };
        used.send(send, replaced).await
    }

    /// A request signed for now.
    fn request(&self, action: &'static str, params: &Params<'_>, key: &AccessKey) -> Result<Signed> {
        let timestamp = wire::seconds(self.pipeline.now());
        let nonce = self.nonce.nonce();
        let mut secrets = params.secrets();
        secrets.add(key.expose_security_token());
        let request = match self.signature {
            Signature::Rpc => self.rpc_request(action, params, key, (&timestamp, &nonce), &mut secrets),
            Signature::Acs3 => self.acs3_request(action, params, key, (&timestamp, &nonce), &mut secrets)?,
        };
        Ok(Signed { request, secrets })
    }

    fn rpc_request(
        &self,
        action: &str,
        params: &Params<'_>,
        key: &AccessKey,
        (timestamp, nonce): (&str, &str),
        secrets: &mut Secrets,
    ) -> Request {
        let mut pairs = params.pairs();
        pairs.extend(wire::rpc_params(
            (action, wire::VERSION),
            key.id(),
            key.expose_security_token(),
            timestamp,
            nonce,
        ));
        let query = rpc::signed_query(self.method.as_str(), &mut pairs, key.expose_secret());
        let signature = query.rsplit('=').next().map(|text| percent_decode_str(text).decode_utf8_lossy());
        secrets.add(signature.as_deref());
        self.unsigned(&query)
    }

    fn acs3_request(
        &self,
        action: &str,
        params: &Params<'_>,
        key: &AccessKey,
        (timestamp, nonce): (&str, &str),
        secrets: &mut Secrets,
    ) -> Result<Request> {
        let query = acs3::canonical_query(&mut params.pairs());
        let mut headers = Vec::with_capacity(8);
        headers.extend([
            (header::ACCEPT, JSON),
            (header::HOST, self.endpoint.authority()),
            (header::ACTION, action),
            (header::CONTENT_SHA256, acs3::EMPTY_BODY),
            (header::DATE, timestamp),
        ]);
        headers.extend(key.expose_security_token().map(|token| (header::SECURITY_TOKEN, token)));
        headers.extend([(header::NONCE, nonce), (header::VERSION, wire::VERSION)]);
        let key = (key.id(), key.expose_secret());
        let authorization =
            acs3::authorization(self.method.as_str(), &query, &headers, acs3::EMPTY_BODY, key);
        secrets.add(authorization.rsplit('=').next());

        let mut request = self.unsigned(&query);
        // The first two are set by `unsigned` and by the HTTP client.
        for (name, value) in &headers[2..] {
            request.headers_mut().insert(HeaderName::from_static(name), sensitive(value)?);
        }
        request.headers_mut().insert(AUTHORIZATION, sensitive(&authorization)?);
        Ok(request)
    }

    fn unsigned(&self, query: &str) -> Request {
        let mut url = self.endpoint.url().clone();
        url.set_query(Some(query));
        let mut request = Request::new(self.method.clone(), url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(JSON));
        request
    }
}

/// Refuses an answer about another domain than the one that was asked about. In which form it names it does not matter.
fn about(answer: &Answer, (operation, asked): (&'static str, &str), answered: &str) -> Result<()> {
    let domain = DomainName::reported(asked);
    if answered.is_empty() || domain == DomainName::reported(answered) {
        return Ok(());
    }
    let error = answer.about_another("domain", asked, answered);
    Err(error.with_vendor(VENDOR).with_operation(operation).with_domain(domain.as_str()))
}

/// The delivery log says in its body, too, whether it is one.
fn read_records(answer: &Answer) -> Result<NotifyRecords> {
    let page: NotifyRecords = answer.json()?;
    match page.code {
        None | Some(0) => Ok(page),
        Some(code) => {
            let message = page.msg.unwrap_or_default();
            Err(error::described(
                answer,
                &Failure { code: code.to_string(), message, request_id: page.request_id },
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use record_callback_core::ErrorKind;
    use record_callback_http::StatusCode;
    use record_callback_http::header::HeaderMap;

    use super::*;

    #[test]
    fn a_delivery_log_that_is_none_is_an_error_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add(Some("t0p-s3cr3t"));
        let body = r#"{"Code":7,"Msg":"no log\nfor t0p-s3cr3t","RequestId":"R-1"}"#;
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), body, secrets);
        let error = read_records(&answer).unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.request_id()),
            (ErrorKind::Protocol, Some("7"), Some("R-1"))
        );
        assert_eq!(error.message(), "no log for [redacted]");
        let answer =
            Answer::new(StatusCode::OK, HeaderMap::new(), r#"{"Code":0,"TotalNum":1}"#, Secrets::default());
        assert_eq!(read_records(&answer).unwrap().total_num, 1);
    }
}
