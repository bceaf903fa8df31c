//! Mock clouds for recording-callback clients: the APIs of Aliyun Live and Huawei Cloud Live as real HTTP/1.1 servers
//! on loopback, strict about signatures, that send recording callbacks as their cloud does.
//!
//! ```
//! use record_callback_mock::{AliyunConfig, MockAliyun};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = MockAliyun::builder().access_key("id", "secret").domain("live.example.com").start().await?;
//!
//! // Point the client under test at `mock.endpoint()`; here, a request without a signature.
//! let http = reqwest::Client::builder().no_proxy().build()?;
//! let response = http.get(format!("{}/?Action=DescribeLiveUserDomains", mock.endpoint())).send().await?;
//! assert_eq!(response.status(), 400);
//!
//! // What arrived, and how it was answered.
//! assert_eq!(mock.requests()[0].code(), Some("MissingVersion"));
//! assert_eq!(mock.connections(), 1);
//!
//! // What the cloud stores can be read, and changed behind the client's back.
//! assert!(mock.configs().is_empty());
//! mock.put_config(AliyunConfig::new("live.example.com", "https://callbacks.example.com"));
//!
//! mock.shutdown().await; // or just drop it
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The verifiers are written from the vendors' pages and share no code with any client, so a mistake in a client's
//! signer cannot hide behind the same mistake here. They are tested against signatures the vendors published or their
//! official SDKs made.
//!
//! # Aliyun Live
//!
//! [`MockAliyun`] answers `GET` and `POST` on `/` for the actions of [`AliyunOperation`], signed the RPC way
//! (HMAC-SHA1) or with `ACS3-HMAC-SHA256`. Parameters may come in the query or in a form. Checks come in this order:
//! method, path and body · action and version · common parameters · access key · security token · timestamp ·
//! signature · nonce · quota · parameters of the action · domain. RPC calls are answered in XML unless they ask for
//! JSON.
//!
//! # Huawei Cloud Live
//!
//! [`MockHuaweicloud`] answers the five operations on `/v1/{project_id}/record/callbacks`, signed with an access key
//! (`SDK-HMAC-SHA256`) or carrying a token of its IAM, which listens on an address of its own and answers
//! `POST /v3/auth/tokens` (method `password`), `GET /v3/projects` (filter `name`) and [more](#where-keys-come-from). Checks come in this order:
//! path · credentials · project · quota · method · media type and body · the configuration.
//!
//! # Where keys come from
//!
//! Services that give out keys listen beside the clouds, live by the same clock, and have faults, requests and connections
//! of their own. What they give is a temporary key of the account with an end, after which it is refused: by Aliyun with
//! `InvalidSecurityToken.Expired`, by Huawei Cloud with `APIGW.0301`.
//!
//! - [`MockAliyun::sts_endpoint`]: `AssumeRole`, signed as calls to Live are, and `AssumeRoleWithOIDC`, which is not signed,
//!   of [`MockAliyun::role_arn`]. Checked like other calls, and: the form of the role's ARN · session name · duration (900
//!   to 43200 seconds) · policy · role · external id, or provider and token.
//! - [`MockAliyun::metadata_endpoint`]: the role of an ECS instance and its key, with tokens or without ([`Imds`]). It
//!   answers [`MockAliyun::credentials_uri`], too.
//! - [`MockHuaweicloud::iam_endpoint`]: tokens for [id tokens](MockHuaweicloud::issue_id_token), temporary keys for tokens
//!   (900 to 86400 seconds), and, as [`MockHuaweicloud::sts_endpoint`], `assume-with-oidc` (900 to 43200 seconds).
//! - [`MockHuaweicloud::metadata_endpoint`]: the key of a server with an agency, with tokens or without
//!   ([`MetadataTokens`]), and that of a pod.
//!
//! ```
//! use record_callback_mock::{Imds, MockAliyun};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = MockAliyun::builder().imds(Imds::V2Only).start().await?;
//! let roles = format!("{}/latest/meta-data/ram/security-credentials/", mock.metadata_endpoint());
//! let http = reqwest::Client::builder().no_proxy().build()?;
//! assert_eq!(http.get(roles).send().await?.status(), 403, "not without a token");
//! assert_eq!(mock.metadata_requests()[0].operation(), Some("GetMetadataRole"));
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Deliveries
//!
//! [`MockAliyun::trigger`] and [`MockHuaweicloud::trigger`] let an event happen: the mock looks up the stored
//! configuration and, if it asks for the event, sends it to the configured URL, signed with the configured key and
//! repeated as its [`DeliveryPolicy`] says. Aliyun's deliveries appear in the log that
//! `DescribeLiveRecordNotifyRecords` lists. [`MockAliyun::ask_on_demand`] asks the configured on-demand URL whether to
//! record a stream. [`AliyunSender`] and [`HuaweicloudSender`] do the same without a mock, for a URL and key of the
//! test's choice.
//!
//! ```
//! use record_callback_mock::{AliyunConfig, AliyunEvent, DeliveryPolicy, MockAliyun, TriggerOutcome};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = MockAliyun::builder().delivery(DeliveryPolicy::aliyun().retries(0)).start().await?;
//! mock.put_config(AliyunConfig::new("live.example.com", "http://127.0.0.1:9/nobody-listens-here"));
//!
//! let started = AliyunEvent::record_started("live.example.com", "app", "stream");
//! assert_eq!(mock.trigger(started).await, TriggerOutcome::NotSubscribed);
//!
//! let outcome = mock.trigger(AliyunEvent::file("live.example.com", "app", "stream")).await;
//! let report = outcome.report().ok_or("it was sent")?;
//! assert!(!report.is_acknowledged());
//! assert!(report.attempts[0].problem.is_some());
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Faults
//!
//! [`MockAliyun::faults`] and [`MockHuaweicloud::faults`] (and `iam_faults`, `sts_faults`, `metadata_faults`) script what goes wrong: which exchange, how
//! often, before or after the call is carried out. The clock of a mock can be moved, which answers' `Date` follows; keys can
//! be rotated, tokens revoked, connections refused. [`MockAdmin`] does the same over HTTP.
//!
//! ```
//! use record_callback_mock::{Fault, FaultKind, MockAliyun};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = MockAliyun::builder().start().await?;
//! let busy = FaultKind::Status { status: 503, retry_after: Some("1".to_owned()) };
//! mock.faults().add(Fault::new(busy).operation("UpdateLiveRecordNotifyConfig"));
//! mock.faults().add(Fault::new(FaultKind::Stall).times(3));
//! assert_eq!(mock.faults().to_come().len(), 2);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is assumed
//!
//! The vendors' pages are silent or contradict each other here and there, and the real services were never asked. Where
//! two readings are likely, [`AliyunDialect`] and [`HuaweicloudDialect`] choose; [`Dialect::questions`] lists every
//! question with what speaks for each reading, and [`Dialect::pairwise`] makes the dialects a client should work with.
//! Elsewhere the mocks take the stricter reading:
//!
//! - Aliyun: configurations without an on-demand URL or key are described with empty texts. An empty `NotifyUrl` or
//!   `NotifyAuthKey` counts as not given. `PageNumber` and `PageSize` are required for listing deliveries, as the page
//!   marks them, and `EndTime` is inclusive. Unknown parameters are ignored; one given twice is refused. An ACS3 call
//!   has to sign `host`, the `content-type` of its body if it has one, and all its `x-acs-` headers.
//! - Huawei Cloud: `PUT` cannot change domain or app. An empty or repeating event list is refused, and an empty text
//!   for a URL or key when creating. A signature has to cover `host`. A request with a signature and a token is judged by
//!   the signature.
//! - Deliveries: an answer counts when its status is 200, whatever its body. An entry of Aliyun's log stands for a
//!   delivery with all its attempts, dated by the first, and shows the last answer and no signature. Huawei Cloud's
//!   callbacks have no signature without a key. What the vendors leave open about timeouts and retries is in
//!   [`DeliveryPolicy`].
//! - Aliyun's sources of keys: nonces are remembered for Live and STS together. A temporary key may assume the role, too. A
//!   policy has to be a JSON object, and does nothing. An instance without a role answers 404, one that insists on tokens
//!   403, and a token that is wrong or over 401. Tokens are not given to who was forwarded (`X-Forwarded-For`).
//! - Huawei Cloud's sources of keys: a temporary key that is over is refused as one whose token cannot be decrypted. A
//!   token for an id token is the first user's; without a scope it is for the account, which Live does not take. The codes
//!   of STS's errors are the mock's own. A server without an agency answers 401 and asks for one.
//! - Sources of both: metadata, URI and pods give everybody the same key until half its life is over. Ends are whole
//!   seconds. Id tokens and pod tokens have no end.
//! - Both: `SignedHeaders` has to be sorted and lower-case. Domains and apps are compared literally. A quota is a
//!   counter that starts over when its window is over.
//!
//! # What is not modelled
//!
//! Refused with an error that says so, or as unknown, rather than approximated: every other action, path and IAM call;
//! signature algorithms other than those above; bodies that are not forms (Aliyun) or over 1 MiB; filters by resource
//! group or tag; IAM methods other than `password` for tokens and `token` for temporary keys, policies of the latter, and
//! project filters other than `name`; metadata other than tokens and keys.
//!
//! Not sent: callbacks by a custom template, the question a configuration's `on_demand_callback_url` once made Huawei
//! Cloud ask, of which no schema was published, and its notices through SMN. [`AliyunEvent::custom`] and
//! [`HuaweicloudEvent::custom`] send any other body. Pauses between attempts are never random, nothing is sent twice
//! or out of order by itself, compressed answers are not asked for, and a receiver with HTTPS needs a certificate the
//! system trusts.
//!
//! Never happening by itself, though a fault can say so: a permission that is missing (every key may do everything).
//! Temporary keys that a test adds or [issues](MockAliyun::issue_temporary_access_key) have no end. Never happening: HTTPS being required, unsafe callback URLs, users being disabled or locked.
//!
//! # Secrets
//!
//! `Debug` of every type leaves out secrets, and the one [`tracing`] event for each answered request has vendor,
//! operation, status, code and fault only; the one for each attempt at a callback has vendor, event, attempt, status and
//! outcome. The accessors of [`ReceivedRequest`] and of the configurations give tests everything.

mod admin;
mod aliyun;
mod callback_url;
mod canonical;
mod clock;
mod credentials;
mod delivery;
mod dialect;
mod faults;
mod field_order;
mod huaweicloud;
mod lag;
mod lock;
mod quota;
mod recorded;
mod server;
mod session;

pub use admin::MockAdmin;
pub use aliyun::{
    AliyunConfig, AliyunDialect, AliyunEvent, AliyunNotifyRecord, AliyunOmitted, AliyunOperation,
    AliyunSender, AliyunThrottling, BooleanAnswers, BooleanRequests, CallerIdentity, Denial,
    EmptyOnDemandUrl, ErrorFormat, ForeignDomain, Imds, KeyWithoutAuth, MockAliyun, MockAliyunBuilder,
    NotFoundStatus, NotifyUrlOnUpdate, OnDemandDecision, OnDemandReply, OnDemandRequest, RequestIds,
    RetryAfter, SignedHost, UnknownDomain,
};
pub use clock::Clock;
pub use credentials::TemporaryAccessKey;
pub use delivery::{
    Delivery, DeliveryAttempt, DeliveryPolicy, DeliveryReport, RetrySignature, TriggerOutcome,
};
pub use dialect::{Dialect, Question, Reading, UnknownReading};
pub use faults::{Fault, FaultKind, Faults, Moment};
pub use field_order::FieldOrder;
pub use huaweicloud::{
    AbsentUrls, AppWildcardFilter, AuthDomains, AuthTimestamp, CallerIdentityPath, ConfigIds, CreateAnswer,
    DeleteOfMissing, DuplicateStatus, ForeignProject, HuaweicloudConfig, HuaweicloudDialect,
    HuaweicloudEvent, HuaweicloudOmitted, HuaweicloudSender, HuaweicloudThrottling, ListOffset, ListOrder,
    MetadataTokens, MissingId, MockHuaweicloud, MockHuaweicloudBuilder, OnDemandUrl, QueryOnWire,
    RecordStart, SignType, Times, Uniqueness, UpdateAnswer, UrlQuery,
};
pub use recorded::ReceivedRequest;
