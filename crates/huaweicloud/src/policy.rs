//! The rights a caller needs, as identity policies say them.

use serde_json::{Value, json};

use crate::wire;

/// What each operation needs; "Authorization Information" of the vendor's pages of the operations, 2026-02-03.
const ACTIONS: [(&str, &str); 5] = [
    (wire::CREATE, "live:record:createCallback"),
    (wire::LIST, "live:record:listCallbacks"),
    (wire::SHOW, "live:record:getCallback"),
    (wire::UPDATE, "live:record:updateCallback"),
    (wire::DELETE, "live:record:deleteCallback"),
];
/// Besides, for a doctor who is asked about a domain, and to tell a domain without configs from one the project does not
/// have.
pub(crate) const SHOW_DOMAIN: &str = "live:domain:getDomains";

/// What a policy has to allow for `operation`.
pub(crate) fn action(operation: &str) -> &'static str {
    ACTIONS.iter().find(|(known, _)| *known == operation).map_or("live:record:*", |(_, action)| action)
}

/// An IAM identity policy with the rights this crate's provider needs and no others. They cannot be restricted to domains.
///
/// A project that is not given is looked up at IAM; with which right is UNVERIFIED, and it is not in here.
pub fn policy() -> Value {
    let actions = ACTIONS.map(|(_, action)| action);
    json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": ["*"] }] })
}
