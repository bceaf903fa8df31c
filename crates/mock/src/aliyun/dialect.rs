//! Where the vendor's pages leave a question open, the mock can take any side.

use crate::{delivery::RetrySignature, domain_matching::DomainMatching, field_order::FieldOrder};

mod questions;

/// The reading of Aliyun's documentation a mock follows. No answer here was checked against the real service.
///
/// What speaks for each reading is in [`Dialect::questions`](crate::Dialect::questions). Fields are added as more
/// questions come up: construct it with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliyunDialect {
    /// What becomes of the fields an update leaves out?
    pub omitted_on_update: AliyunOmitted,
    /// What does `OnDemandUrl=` with nothing after it mean?
    pub empty_on_demand_url: EmptyOnDemandUrl,
    /// May a callback URL name a private address?
    pub private_urls: PrivateUrls,
    /// May an update leave out `NotifyUrl`?
    pub notify_url_on_update: NotifyUrlOnUpdate,
    /// Is `NotifyAuthKey` kept while authentication is off?
    pub key_without_auth: KeyWithoutAuth,
    /// Which texts do `NeedStatusNotify` and `NotifyReqAuth` take in requests?
    pub boolean_requests: BooleanRequests,
    /// How does `DescribeLiveRecordNotifyConfig` write booleans?
    pub boolean_answers: BooleanAnswers,
    /// Which HTTP status has `InvalidConfig.NotFound`?
    pub not_found_status: NotFoundStatus,
    /// How is a domain refused that is not in the account? The update page answers that for updates.
    pub unknown_domain: UnknownDomain,
    /// Are names of domains compared letter by letter?
    pub domain_matching: DomainMatching,
    /// The answer for a domain that is in another account.
    pub foreign_domain: ForeignDomain,
    /// The fields besides the account in STS's answer about a caller.
    pub caller_identity: CallerIdentity,
    /// How is a caller refused who lacks the permission?
    pub denial: Denial,
    /// The answer when the cloud fails.
    pub failure: AliyunFailure,
    /// Which HTTP status has `Throttling.User`?
    pub throttling: AliyunThrottling,
    /// Does a throttled caller learn when to come back?
    pub retry_after: RetryAfter,
    /// Are errors written in the format the call asked for?
    pub error_format: ErrorFormat,
    /// What does a request id look like?
    pub request_ids: RequestIds,
    /// Do the fields of an answer always come in the same order?
    pub field_order: FieldOrder,
    /// How many milliseconds late does `DescribeLiveRecordNotifyConfig` see a change, by the mock's clock?
    pub read_lag_milliseconds: u32,
    /// How many minutes may a request's timestamp be off?
    pub timestamp_window_minutes: u32,
    /// Which host does a callback's signature cover?
    pub signed_host: SignedHost,
    /// What is a callback signed with that is sent again?
    pub retry_signature: RetrySignature,
    /// Does the question whether to record carry the signature of callbacks?
    pub on_demand_signed: bool,
}

impl Default for AliyunDialect {
    fn default() -> Self {
        Self {
            omitted_on_update: AliyunOmitted::Cleared,
            empty_on_demand_url: EmptyOnDemandUrl::Clears,
            private_urls: PrivateUrls::Accepted,
            notify_url_on_update: NotifyUrlOnUpdate::Required,
            key_without_auth: KeyWithoutAuth::Dropped,
            boolean_requests: BooleanRequests::Lenient,
            boolean_answers: BooleanAnswers::Bool,
            not_found_status: NotFoundStatus::NotFound,
            unknown_domain: UnknownDomain::DomainNotFound,
            domain_matching: DomainMatching::Exact,
            foreign_domain: ForeignDomain::AsMissing,
            caller_identity: CallerIdentity::Current,
            denial: Denial::BadRequest,
            failure: AliyunFailure::ServiceUnavailable,
            throttling: AliyunThrottling::BadRequest,
            retry_after: RetryAfter::Absent,
            error_format: ErrorFormat::AsAsked,
            request_ids: RequestIds::Uuid,
            field_order: FieldOrder::Fixed,
            read_lag_milliseconds: 0,
            timestamp_window_minutes: 15,
            signed_host: SignedHost::WithoutPort,
            retry_signature: RetrySignature::Kept,
            on_demand_signed: false,
        }
    }
}

/// What an update does with a field that is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliyunOmitted {
    /// It goes back to its default.
    Cleared,
    /// It stays as it is.
    Kept,
}

/// The meaning of an `OnDemandUrl` that is given and empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyOnDemandUrl {
    /// There shall be none.
    Clears,
    /// `InvalidOnDemandUrl.Malformed`.
    Refused,
}

/// The fate of a callback URL with a private or loopback address, or `localhost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateUrls {
    /// It is one like any other.
    Accepted,
    /// `InvalidNotifyUrl.Unsafe` and `InvalidOnDemandUrl.Unsafe`.
    Refused,
}

/// Whether `UpdateLiveRecordNotifyConfig` asks for a `NotifyUrl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyUrlOnUpdate {
    /// `MissingNotifyUrl` without it.
    Required,
    /// A field like the others.
    Optional,
}

/// The fate of a `NotifyAuthKey` without `NotifyReqAuth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWithoutAuth {
    /// Forgotten.
    Dropped,
    /// Stored, and described.
    Kept,
}

/// The texts taken for booleans; any other is an `InvalidParameter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BooleanRequests {
    /// Those of both other readings.
    Lenient,
    /// `true` and `false`, also with a capital.
    TrueFalse,
    /// `yes` and `no`.
    YesNo,
}

/// How `NeedStatusNotify` and `NotifyReqAuth` are written in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BooleanAnswers {
    /// As JSON booleans.
    Bool,
    /// As the texts `"true"` and `"false"`.
    TrueFalseText,
    /// As the texts `"yes"` and `"no"`.
    YesNo,
}

/// The status of `InvalidConfig.NotFound`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFoundStatus {
    /// 404.
    NotFound,
    /// 400.
    BadRequest,
}

/// What a domain outside the account is answered with, except by an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownDomain {
    /// `InvalidDomain.NotFound`.
    DomainNotFound,
    /// `InvalidConfig.NotFound`.
    ConfigNotFound,
    /// Like a missing permission.
    Forbidden,
}

/// The answer for a domain of another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignDomain {
    /// Like one that is nowhere.
    AsMissing,
    /// Like a missing permission.
    Forbidden,
    /// 403 `IllegalOperation`.
    IllegalOperation,
}

/// The answer of `GetCallerIdentity`. The account is in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdentity {
    /// With `PrincipalId`, and an `IdentityType` that is `RAMUser` for a user.
    Current,
    /// With an `IdentityType` that is `RamUser` for a user.
    RamUser,
    /// With a `RoleId` for a user, too.
    UserWithRoleId,
    /// Without `PrincipalId` and `IdentityType`.
    Bare,
}

/// What a missing permission is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// 400 `Forbidden`.
    BadRequest,
    /// 401 `Forbidden`.
    Unauthorized,
    /// 403 `Forbidden.RAM`.
    ForbiddenRam,
}

/// The answer to a failure of the cloud's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliyunFailure {
    /// 503 `ServiceUnavailable`.
    ServiceUnavailable,
    /// 500 `InternalError`.
    InternalError,
}

/// The status of `Throttling.User`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliyunThrottling {
    /// 400.
    BadRequest,
    /// 429.
    TooManyRequests,
    /// 503.
    ServiceUnavailable,
}

/// The header `x-acs-retry-after` of throttled calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not there.
    Absent,
    /// The milliseconds until the quota starts over.
    Sent,
}

/// The format of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// Like that of successes.
    AsAsked,
    /// Always XML.
    Xml,
}

/// The form of request ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestIds {
    /// A UUID in capitals.
    Uuid,
    /// A UUID in capitals without its last digit.
    Opaque,
}

/// Which form of a callback URL's host is signed. It is in lower case either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedHost {
    /// `cb.example.com`.
    WithoutPort,
    /// `cb.example.com:8443`; a default port is not part of it.
    WithPort,
}
