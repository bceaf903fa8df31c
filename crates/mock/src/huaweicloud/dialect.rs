//! Where the vendor's pages leave a question open, the mock can take either side.

/// The reading of Huawei Cloud's documentation a mock follows. No answer here was checked against the real service.
///
/// Fields are added as more questions come up: construct it with `..Default::default()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuaweicloudDialect {
    /// What does a successful create answer? Current pages show the whole object; those of 2021 show none, and early
    /// clients had to list to learn the id.
    pub create_answer: CreateAnswer,
    /// What may exist only once? The pages set no limit; matching prefers an exact app, which speaks for several
    /// configurations of a domain, while the Terraform provider documents one for each domain.
    pub uniqueness: Uniqueness,
    /// Do answers contain `key`? The response schema has no such field; examples of 2021 do.
    pub key_in_answers: bool,
    /// What becomes of `on_demand_callback_url`? Only pages of 2021 have it; later ones do not mention it.
    pub on_demand_url: OnDemandUrl,
    /// Is `RECORD_START` an event to subscribe to? The console offers it and a FAQ uses it; the API pages do not
    /// list it.
    pub record_start: RecordStart,
    /// May a callback URL have a query? The console says no; the API pages say nothing.
    pub url_query: UrlQuery,
}

impl Default for HuaweicloudDialect {
    fn default() -> Self {
        Self {
            create_answer: CreateAnswer::Object,
            uniqueness: Uniqueness::PerDomainAndApp,
            key_in_answers: false,
            on_demand_url: OnDemandUrl::Kept,
            record_start: RecordStart::Accepted,
            url_query: UrlQuery::Accepted,
        }
    }
}

/// The body of a 201 answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateAnswer {
    /// The whole configuration.
    Object,
    /// An object with nothing but the id.
    IdOnly,
    /// No body.
    Empty,
}

/// What a second configuration must differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// In the domain or the app.
    PerDomainAndApp,
    /// In the domain.
    PerDomain,
}

/// The fate of `on_demand_callback_url`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDemandUrl {
    /// Stored and returned.
    Kept,
    /// Accepted without a check and forgotten, like any unknown field.
    Ignored,
}

/// Whether `RECORD_START` can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStart {
    /// Like the other four events.
    Accepted,
    /// An invalid parameter.
    Refused,
}

/// Whether a callback URL may contain a question mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlQuery {
    /// Stored as given.
    Accepted,
    /// An invalid parameter.
    Refused,
}
