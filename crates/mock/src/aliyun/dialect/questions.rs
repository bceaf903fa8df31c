use super::{
    AliyunDialect, AliyunOmitted, AliyunThrottling, BooleanAnswers, BooleanRequests, CallerIdentity, Denial,
    EmptyOnDemandUrl, ErrorFormat, FieldOrder, ForeignDomain, KeyWithoutAuth, NotFoundStatus,
    NotifyUrlOnUpdate, RequestIds, RetryAfter, RetrySignature, SignedHost, UnknownDomain,
};

crate::dialect::dialect! {
    AliyunDialect, "aliyun";

    omitted_on_update:
        "Are the fields an update leaves out (OnDemandUrl, NeedStatusNotify, NotifyReqAuth, NotifyAuthKey) cleared or \
         kept?",
        "No page says. That the Update pages give defaults and came to require NotifyUrl (October 2023) speaks for \
         clearing; that older pages let a caller `modify` each field speaks for keeping.",
        {
            "cleared" => AliyunOmitted::Cleared,
            "kept" => AliyunOmitted::Kept,
        }

    empty_on_demand_url:
        "Does an empty OnDemandUrl remove the stored one, or is it a malformed URL?",
        "No page says. Both Python SDKs send `OnDemandUrl=`; the pages ask for http:// or https:// at the beginning \
         and list InvalidOnDemandUrl.Malformed.",
        {
            "clears" => EmptyOnDemandUrl::Clears,
            "refused" => EmptyOnDemandUrl::Refused,
        }

    notify_url_on_update:
        "Is NotifyUrl required in updates?",
        "Required: API metadata since 19 October 2023, Update pages since November 2023, SDK 3.0.2. Optional: the \
         Update page of 2019 and API metadata of September 2021.",
        {
            "required" => NotifyUrlOnUpdate::Required,
            "optional" => NotifyUrlOnUpdate::Optional,
        }

    key_without_auth:
        "Is NotifyAuthKey kept when NotifyReqAuth is off?",
        "No page says. They require the key when authentication is on and allow it otherwise.",
        {
            "dropped" => KeyWithoutAuth::Dropped,
            "kept" => KeyWithoutAuth::Kept,
        }

    boolean_requests:
        "Which texts are accepted for NotifyReqAuth and NeedStatusNotify?",
        "true and false: the declared type and SDK 3.0.2, which writes `True` and `False`. yes and no: the Chinese text \
         of the API metadata, the Add page of February 2026, and the sibling operations for snapshots, where the \
         parameter is text.",
        {
            "lenient" => BooleanRequests::Lenient,
            "true_false" => BooleanRequests::TrueFalse,
            "yes_no" => BooleanRequests::YesNo,
        }

    boolean_answers:
        "How does DescribeLiveRecordNotifyConfig write booleans?",
        "The pages declare booleans; an older international example prints the text `false`, and the SDK's comment on \
         NotifyReqAuth has yes and no.",
        {
            "bool" => BooleanAnswers::Bool,
            "true_false_text" => BooleanAnswers::TrueFalseText,
            "yes_no" => BooleanAnswers::YesNo,
        }

    not_found_status:
        "Which HTTP status has InvalidConfig.NotFound?",
        "The pages list 404, but their statuses differ elsewhere: InvalidDomain.NotFound is 404 among the codes common \
         to Live and 400 on the Update page.",
        {
            "404" => NotFoundStatus::NotFound,
            "400" => NotFoundStatus::BadRequest,
        }

    unknown_domain:
        "How do Add, Describe and Delete answer for a domain that is not in the account?",
        "Their pages do not list InvalidDomain.NotFound; the codes common to Live have it with 404. Describe lists \
         InvalidConfig.NotFound only. The newer Delete page lists Forbidden.",
        {
            "domain_not_found" => UnknownDomain::DomainNotFound,
            "config_not_found" => UnknownDomain::ConfigNotFound,
            "forbidden" => UnknownDomain::Forbidden,
        }

    foreign_domain:
        "How do the operations answer for a domain that is in another account?",
        "No page of Live says. Its table of common codes explains InvalidDomain.NotFound in Chinese as not found under the \
         current account, and IllegalOperation as lack of rights; VOD's says `does not exist, or does not belong to you`. \
         Update and Delete list Forbidden, and the RAM resource of a domain contains the account.",
        {
            "as_missing" => ForeignDomain::AsMissing,
            "forbidden" => ForeignDomain::Forbidden,
            "illegal_operation" => ForeignDomain::IllegalOperation,
        }

    caller_identity:
        "What does GetCallerIdentity say besides the account?",
        "IdentityType is `RamUser` on the page of March 2023 and `RAMUser` since. The page's one sample is a user that has a \
         RoleId, against its own text. Answers of 2016 had neither IdentityType nor PrincipalId \
         (aliyun-UED/aliyun-sdk-js#76).",
        {
            "current" => CallerIdentity::Current,
            "ram_user" => CallerIdentity::RamUser,
            "user_with_role_id" => CallerIdentity::UserWithRoleId,
            "bare" => CallerIdentity::Bare,
        }

    denial:
        "With which status and code does RAM deny a call?",
        "400 Forbidden: Update and Delete pages of 2026. 401 Forbidden: the codes common to Live, 2020. 403 \
         Forbidden.RAM: pages of other products (ECS).",
        {
            "400" => Denial::BadRequest,
            "401" => Denial::Unauthorized,
            "403" => Denial::ForbiddenRam,
        }

    throttling:
        "Which HTTP status has Throttling.User?",
        "400: the gateway's error page. 429: the SDKs are prepared for it. 503: the gateway's status for \
         ServiceUnavailable, which the Terraform provider repeats like throttling.",
        {
            "400" => AliyunThrottling::BadRequest,
            "429" => AliyunThrottling::TooManyRequests,
            "503" => AliyunThrottling::ServiceUnavailable,
        }

    retry_after:
        "Does Live's gateway send x-acs-retry-after?",
        "The modern SDKs and the official command line client read it, in milliseconds; no page mentions it.",
        {
            "absent" => RetryAfter::Absent,
            "sent" => RetryAfter::Sent,
        }

    error_format:
        "Do errors come in the format the call asked for?",
        "The pages show errors in both formats and name XML as the default of RPC calls; a client had to learn to read \
         XML errors (kaedei/aliyun-ddns-client-csharp#4).",
        {
            "as_asked" => ErrorFormat::AsAsked,
            "xml" => ErrorFormat::Xml,
        }

    request_ids:
        "Is a request id always a UUID?",
        "The samples look like UUIDs, but one of an Update page is a digit short (`...F4CD`).",
        {
            "uuid" => RequestIds::Uuid,
            "opaque" => RequestIds::Opaque,
        }

    field_order:
        "Do the fields of an answer have a fixed order?",
        "The samples differ from page to page, error bodies most of all; JSON promises no order.",
        {
            "fixed" => FieldOrder::Fixed,
            "random" => FieldOrder::Random,
        }

    read_lag_milliseconds:
        "Does Describe see a change at once?",
        "No page speaks of consistency.",
        {
            "0" => 0,
            "40" => 40,
        }

    timestamp_window_minutes:
        "How many minutes may a request's timestamp be off?",
        "15: the error pages and those on ACS3. 31: a newer page on the RPC signature.",
        {
            "15" => 15,
            "31" => 31,
        }

    signed_host:
        "Is the port of a callback URL part of the host in ALI-LIVE-SIGNATURE?",
        "The page on callback authentication says the host of the callback URL and does not mention ports.",
        {
            "without_port" => SignedHost::WithoutPort,
            "with_port" => SignedHost::WithPort,
        }

    retry_signature:
        "Has a callback that is sent again a timestamp and signature of its own?",
        "No page says.",
        {
            "kept" => RetrySignature::Kept,
            "renewed" => RetrySignature::Renewed,
        }

    on_demand_signed:
        "Does the on-demand request carry the headers of signed callbacks?",
        "The page on on-demand recording shows a request without them; the one on callback authentication does not \
         mention it.",
        {
            "no" => false,
            "yes" => true,
        }
}
