use super::{
    AbsentUrls, AppWildcardFilter, AuthDomains, AuthTimestamp, CallerIdentityPath, ConfigIds, CreateAnswer,
    DeleteOfMissing, DuplicateStatus, FieldOrder, ForeignProject, HuaweicloudDialect, HuaweicloudOmitted,
    HuaweicloudThrottling, ListOffset, ListOrder, MissingId, OnDemandUrl, QueryOnWire, RecordStart,
    RetrySignature, Times, Uniqueness, UpdateAnswer, UrlQuery,
};

crate::dialect::dialect! {
    HuaweicloudDialect, "huaweicloud";

    create_answer:
        "What does a successful create answer?",
        "Current pages and SDKs show the whole object; those of 2021 show none, and the Terraform provider of 2022 had \
         to list to learn the id.",
        {
            "object" => CreateAnswer::Object,
            "id_only" => CreateAnswer::IdOnly,
            "empty" => CreateAnswer::Empty,
        }

    update_answer:
        "What does a successful update answer?",
        "The eight fields were added to the SDKs' update response on 15 December 2022; it was empty before.",
        {
            "object" => UpdateAnswer::Object,
            "empty" => UpdateAnswer::Empty,
        }

    omitted_on_update:
        "Are the optional fields an update leaves out reset or kept, and do empty texts remove a URL or key?",
        "No page says. A body that has to repeat domain and app speaks for replacing; the Terraform provider always \
         sends all it knows. Clients that keep what is left out need another way to remove a value, and an empty text \
         is the only one JSON types allow here.",
        {
            "reset" => HuaweicloudOmitted::Reset,
            "reset_empty_clears" => HuaweicloudOmitted::ResetEmptyClears,
            "kept" => HuaweicloudOmitted::Kept,
        }

    uniqueness:
        "What may exist only once?",
        "The pages set no limit. That matching prefers an exact app speaks for several configurations of a domain; the \
         Terraform provider documents one for each domain.",
        {
            "per_domain_and_app" => Uniqueness::PerDomainAndApp,
            "per_domain" => Uniqueness::PerDomain,
        }

    duplicate_status:
        "Which HTTP status has LIVE.103011018, the resource already exists?",
        "The table of codes has 400; the page on statuses describes 409 for conflicts.",
        {
            "400" => DuplicateStatus::BadRequest,
            "409" => DuplicateStatus::Conflict,
        }

    missing_id:
        "How are show, update and delete answered for an id that is not there?",
        "404 LIVE.103011019: the table of codes, and the Terraform provider relies on 404. 400 LIVE.103011019 and 400 \
         LIVE.100011001: what the provider met in other Live operations; the Show page's 404 example has \
         LIVE.100011001, too.",
        {
            "404" => MissingId::NotFound,
            "400" => MissingId::BadRequest,
            "illegal" => MissingId::Illegal,
        }

    delete_of_missing:
        "Does deleting what is not there fail?",
        "The Delete page lists 204 and 400; the Terraform provider tolerates 404.",
        {
            "as_missing" => DeleteOfMissing::AsMissing,
            "no_content" => DeleteOfMissing::NoContent,
        }

    app_wildcard_filter:
        "Does the list filter app=* mean the app `*` or any app?",
        "The pages explain `*` only for stored configurations. The Terraform provider of 2022 listed with app=* and \
         took the first, which speaks for the literal meaning.",
        {
            "literal" => AppWildcardFilter::Literal,
            "any_app" => AppWildcardFilter::AnyApp,
        }

    list_order:
        "In which order are configurations listed?",
        "No page says.",
        {
            "created" => ListOrder::Created,
            "unstable" => ListOrder::Unstable,
        }

    list_offset:
        "Does offset count records or pages?",
        "Pages since 2024 count records; that of 2021 calls it a page number starting at 0.",
        {
            "records" => ListOffset::Records,
            "pages" => ListOffset::Pages,
        }

    times:
        "How are create_time and update_time written, and are they always there?",
        "The pages document seconds and say they are returned on query. SDKs type them differently: text (Go, Node), \
         a date (Java, Python).",
        {
            "seconds" => Times::Seconds,
            "milliseconds" => Times::Milliseconds,
            "absent" => Times::Absent,
        }

    ids:
        "What does a configuration's id look like?",
        "Examples of the API pages have 32 hexadecimal digits; the Terraform provider's documents call it a UUID. The \
         Show page allows 1 to 128 characters.",
        {
            "hex" => ConfigIds::Hex,
            "uuid" => ConfigIds::Uuid,
        }

    key_in_answers:
        "Do answers contain the key?",
        "The response schema has no such field, and the Terraform provider cannot read it back; examples of 2021 have \
         it.",
        {
            "no" => false,
            "yes" => true,
        }

    on_demand_url:
        "What becomes of on_demand_callback_url?",
        "Only pages and SDKs of 2021 have it; it was removed in early 2022.",
        {
            "kept" => OnDemandUrl::Kept,
            "ignored" => OnDemandUrl::Ignored,
        }

    record_start:
        "Is RECORD_START an event to subscribe to?",
        "The console offers it and the FAQ vod_08_0170 uses it; API pages and SDKs do not list it.",
        {
            "accepted" => RecordStart::Accepted,
            "refused" => RecordStart::Refused,
        }

    url_query:
        "May a callback URL have a query?",
        "The console says no, and old Terraform providers refused it; the API pages say nothing.",
        {
            "accepted" => UrlQuery::Accepted,
            "refused" => UrlQuery::Refused,
        }

    query_on_wire:
        "Does a query have to be encoded on the wire the way it is signed?",
        "No page says. The vendor's SDKs for Node send `app=*` and sign `app=%2A`; those for Python send what they sign.",
        {
            "decoded" => QueryOnWire::Decoded,
            "as_signed" => QueryOnWire::AsSigned,
        }

    foreign_project:
        "How is a call answered in the project of another account?",
        "No page says. Live's table has LIVE.100011015 (project ID verification failed), the gateway's APIGW.0310 (the \
         project is unavailable); APIGW.0301, incorrect authentication, is plausible.",
        {
            "100011015" => ForeignProject::NotVerified,
            "0310" => ForeignProject::Unavailable,
            "0301" => ForeignProject::NotAuthenticated,
        }

    caller_identity_path:
        "Does STS have /v5/caller-identity?",
        "The page of IAM 5 has it; the SDKs treat 404 apart, as if there were hosts without it.",
        {
            "there" => CallerIdentityPath::There,
            "missing" => CallerIdentityPath::Missing,
        }

    auth_domains:
        "Does /v3/auth/domains list the account?",
        "The page says that it lists the accounts a user may enter; the SDKs are prepared for an empty list, and ask STS \
         then.",
        {
            "listed" => AuthDomains::Listed,
            "empty" => AuthDomains::Empty,
        }

    throttling:
        "How is a caller throttled?",
        "429 APIGW.0308: the gateway's table, and met with other services. 500 LIVE.100011007: Live's own table, whose \
         page on statuses has no 429.",
        {
            "gateway" => HuaweicloudThrottling::Gateway,
            "service" => HuaweicloudThrottling::Service,
        }

    field_order:
        "Do the fields of an answer have a fixed order?",
        "Live's samples begin errors with error_code, the gateway's with error_msg; JSON promises no order.",
        {
            "fixed" => FieldOrder::Fixed,
            "random" => FieldOrder::Random,
        }

    read_lag_milliseconds:
        "Do show and list see a change at once?",
        "A FAQ says that callbacks follow a change in real time; no page speaks of reading.",
        {
            "0" => 0,
            "40" => 40,
        }

    auth_timestamp:
        "Which JSON type has a callback's auth_timestamp?",
        "Samples of 2021 show text, those since 2024 a number.",
        {
            "number" => AuthTimestamp::Number,
            "text" => AuthTimestamp::Text,
        }

    auth_lifetime_seconds:
        "How many seconds after sending does auth_timestamp lie?",
        "The text calls it the moment the signature expires, without a lifetime; in the samples it is the moment of \
         sending.",
        {
            "0" => 0,
            "600" => 600,
        }

    absent_urls:
        "What stands in an HMAC for download_url and play_url when a callback has none?",
        "The formula names both; no page says. The natural reading is nothing.",
        {
            "empty" => AbsentUrls::Empty,
            "null" => AbsentUrls::Null,
        }

    retry_signature:
        "Has a callback that is sent again a timestamp and signature of its own?",
        "No page says that callbacks are repeated at all.",
        {
            "kept" => RetrySignature::Kept,
            "renewed" => RetrySignature::Renewed,
        }
}
