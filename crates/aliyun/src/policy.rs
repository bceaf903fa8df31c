//! The rights a caller needs, as RAM policies say them.

use record_callback_core::DomainName;
use serde_json::{Value, json};

use crate::wire;

/// What each operation needs; the vendor's pages of the operations.
const ACTIONS: [(&str, &str); 5] = [
    (wire::ADD, "live:AddLiveRecordNotifyConfig"),
    (wire::UPDATE, "live:UpdateLiveRecordNotifyConfig"),
    (wire::DELETE, "live:DeleteLiveRecordNotifyConfig"),
    (wire::DESCRIBE, "live:DescribeLiveRecordNotifyConfig"),
    (wire::USER_DOMAINS, "live:DescribeLiveUserDomains"),
];
/// Those that cannot be granted for single domains.
const OF_ACCOUNT: [&str; 2] = [wire::DESCRIBE, wire::USER_DOMAINS];

/// What a policy has to allow for `operation`.
pub(crate) fn action(operation: &str) -> &'static str {
    ACTIONS.iter().find(|(known, _)| *known == operation).map_or("live:*", |(_, action)| action)
}

/// A RAM policy with the rights this crate's provider needs and no others: changes of `domains` only, of all if there
/// are none.
///
/// Reading a config cannot be restricted to domains, and domains are resources of `cdn`, not of `live`
/// (`help.aliyun.com/document_detail/51831.html` and its siblings, "RAM authorization").
pub fn policy(domains: &[DomainName]) -> Value {
    let actions = |of_account: bool| -> Vec<&str> {
        let is_meant = |(operation, _): &&(&str, &str)| OF_ACCOUNT.contains(operation) == of_account;
        ACTIONS.iter().filter(is_meant).map(|(_, action)| *action).collect()
    };
    let resource = |domain: &str| format!("acs:cdn:*:*:domain/{domain}");
    let resources: Vec<String> = match domains {
        [] => vec![resource("*")],
        some => some.iter().map(|domain| resource(domain.as_str())).collect(),
    };
    json!({
        "Version": "1",
        "Statement": [
            { "Effect": "Allow", "Action": actions(false), "Resource": resources },
            { "Effect": "Allow", "Action": actions(true), "Resource": ["*"] },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_provider_has_its_action_and_nothing_else_is_allowed() {
        let policy = policy(&[]);
        let mut allowed: Vec<_> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect();
        allowed.sort_unstable();
        let mut needed: Vec<_> = ACTIONS.iter().map(|(operation, _)| format!("live:{operation}")).collect();
        needed.sort_unstable();
        assert_eq!(allowed, needed);
    }

    #[test]
    fn changes_can_be_allowed_for_some_domains_only() {
        let domains = ["a.example.com", "b.example.com"].map(|name| name.parse().unwrap());
        let policy = policy(&domains);
        let resources = |at: usize| policy["Statement"][at]["Resource"].clone();
        assert_eq!(
            resources(0),
            json!(["acs:cdn:*:*:domain/a.example.com", "acs:cdn:*:*:domain/b.example.com"])
        );
        assert_eq!(resources(1), json!(["*"]));
    }
}
