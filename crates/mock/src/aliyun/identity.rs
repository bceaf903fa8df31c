//! `GetCallerIdentity`, and the other account.
//!
//! Fields that only the vendor's samples show, or nothing does, are the mock's own: `Arc` and `PrincipalId` of an
//! account.

use serde_json::{Value, json};

use super::{dialect::CallerIdentity, operations::Fields, ram::Ram, server::MockAliyun, state::AliyunConfig};
use crate::{
    canonical::sha256_hex,
    credentials::{AccessKey, Holder},
    lock::lock,
};

const SESSION: &str = "mock-session";

/// The answer of the service about who signed with `key`.
pub(super) fn of(ram: &Ram, key: &AccessKey, form: CallerIdentity) -> Fields {
    let account = ram.account_of(key.owner);
    // Ids of the cloud are 18 digits long; these are as stable.
    let id = |of: &str| {
        let digits: String =
            sha256_hex(of).bytes().map(|byte| char::from(b'0' + byte % 10)).take(17).collect();
        format!("2{digits}")
    };
    let (arn, ids, principal, kind) = match (&key.token, key.holder) {
        (Some(_), _) => {
            let role = id(&ram.role_arn);
            let arn = format!("acs:ram::{account}:assumed-role/mock-role/{SESSION}");
            (arn, vec![("RoleId", role.clone())], format!("{role}:{SESSION}"), "AssumedRoleUser")
        }
        (None, Holder::Account) => (
            format!("acs:ram::{account}:root"),
            vec![("UserId", account.to_owned())],
            account.to_owned(),
            "Account",
        ),
        (None, Holder::User) => {
            let user = id(&key.id);
            let mut ids = vec![("UserId", user.clone())];
            if form == CallerIdentity::UserWithRoleId {
                ids.push(("RoleId", id(&ram.role_arn)));
            }
            (format!("acs:ram::{account}:user/mock-user"), ids, user, "RAMUser")
        }
    };
    let kind = if form == CallerIdentity::RamUser && kind == "RAMUser" { "RamUser" } else { kind };
    let mut fields: Vec<(&str, Value)> = vec![("AccountId", json!(account)), ("Arn", json!(arn))];
    fields.extend(ids.into_iter().map(|(name, id)| (name, json!(id))));
    if form != CallerIdentity::Bare {
        fields.extend([("PrincipalId", json!(principal)), ("IdentityType", json!(kind))]);
    }
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whose it is.
impl MockAliyun {
    /// The id of the account: 16 digits.
    pub fn account_id(&self) -> &str {
        &self.ram().account_id
    }

    /// The id of another account of the same cloud. It has one key, no domain but those of
    /// [`MockAliyunBuilder::other_domain`](super::MockAliyunBuilder::other_domain), and nothing of the first account's.
    pub fn other_account_id(&self) -> &str {
        &self.ram().other_account_id
    }

    /// The id of the other account's access key.
    pub fn other_access_key_id(&self) -> &str {
        &self.other_access_key.id
    }

    /// The secret of the other account's access key.
    pub fn other_access_key_secret(&self) -> &str {
        self.other_access_key.secret.expose()
    }

    /// All configurations of the other account, by domain name.
    pub fn other_configs(&self) -> Vec<AliyunConfig> {
        lock(&self.cloud.other_state).configs.values().cloned().collect()
    }
}
