//! The stand-ins for a key in the environment: a token, or a login by password, by the names of the vendor's Terraform
//! provider.

use record_callback_http::{Env, SourceContext, Url};
use secrecy::SecretString;

use super::Login;
use super::account::VENDOR_HOSTS;
use super::env::{check_choice_besides_token, names_sdk_caller, variables};

pub(super) const TOKEN: &str = "HW_AUTH_TOKEN";
pub(super) const PASSWORD: &str = "HW_USER_PASSWORD";
const USER: &str = "HW_USER_NAME";
const ACCOUNT: &str = "HW_DOMAIN_NAME";
/// Second names of the same. All programs for `OpenStack` clouds have the likes of them.
const OPENSTACK_TOKEN: &str = "OS_AUTH_TOKEN";
const OPENSTACK_PASSWORD: &str = "OS_PASSWORD";
const OPENSTACK_USER: &str = "OS_USERNAME";
const OPENSTACK_ACCOUNTS: [&str; 2] = ["OS_DOMAIN_NAME", "OS_USER_DOMAIN_NAME"];
/// Which cloud they are for.
const OPENSTACK_URL: &str = "OS_AUTH_URL";

/// The way in which a caller is authorised who has no key.
pub(crate) enum Given {
    Token {
        value: SecretString,
        /// The project it is for, as far as the environment says.
        project_id: Option<String>,
    },
    Login {
        login: Login,
        project_id: Option<String>,
    },
}

/// The choice of the environment in the vendor's order: a token, then keys, then a login. `None` where the sources of
/// keys have to say who calls, or that nobody can be told from the others.
pub(crate) fn given(context: &SourceContext) -> Option<Given> {
    // Those are read by the SDKs, which know nothing of these.
    if names_sdk_caller(context) || check_choice_besides_token(context).is_err() {
        return None;
    }
    let second = |name| if are_openstack_names_ours(&context.env) { context.var(name) } else { None };
    let sets = variables(&context.env);
    let project_id = sets.last().and_then(|set| set.project_ids.iter().find_map(|name| context.var(name)));
    if let Some(token) = context.var(TOKEN).or_else(|| second(OPENSTACK_TOKEN)) {
        return Some(Given::Token { value: token.into(), project_id });
    }
    if sets.iter().any(|set| context.var(set.id).is_some() || context.var(set.secret).is_some()) {
        return None;
    }
    let password = context.var(PASSWORD).or_else(|| second(OPENSTACK_PASSWORD))?;
    let user = context.var(USER).or_else(|| second(OPENSTACK_USER))?;
    let account = context.var(ACCOUNT).or_else(|| OPENSTACK_ACCOUNTS.into_iter().find_map(second))?;
    Some(Given::Login { login: Login::new(account, user, password), project_id })
}

/// Tells if variables that begin with `OS_` are for this cloud: unless they say that they are for another.
pub(crate) fn are_openstack_names_ours(env: &dyn Env) -> bool {
    env.var(OPENSTACK_URL).is_none_or(|url| {
        Url::parse(url.trim())
            .is_ok_and(|url| url.host_str().is_some_and(|host| host.ends_with(VENDOR_HOSTS)))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use record_callback_http::FixedEnv;
    use secrecy::ExposeSecret;

    use super::*;

    fn said(variables: &[(&str, &str)]) -> String {
        let env = Arc::new(variables.iter().copied().collect::<FixedEnv>());
        match given(&SourceContext { env, ..SourceContext::default() }) {
            None => "nothing".to_owned(),
            Some(Given::Token { value, project_id }) => format!("{} {project_id:?}", value.expose_secret()),
            Some(Given::Login { login, .. }) => {
                format!("{}/{} {}", login.account, login.user, login.password.expose_secret())
            }
        }
    }

    #[test]
    fn a_token_comes_before_keys_and_they_before_a_login() {
        let login = [(USER, "u"), (PASSWORD, "p"), (ACCOUNT, "a")];
        let key = [("HW_ACCESS_KEY", "k"), ("HW_SECRET_KEY", "s")];
        let token = [(TOKEN, "t"), ("HW_PROJECT_ID", "i")];
        assert_eq!(said(&[]), "nothing");
        assert_eq!(said(&login), "a/u p");
        assert_eq!(said(&login[..2]), "nothing");
        assert_eq!(said(&[login.as_slice(), &key[..1]].concat()), "nothing");
        assert_eq!(said(&[login.as_slice(), &key, &token].concat()), "t Some(\"i\")");
        for sdk in ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_OIDC_PROVIDER_URN"] {
            assert_eq!(said(&[token[0], (sdk, "x")]), "nothing", "{sdk}");
        }
        assert_eq!(said(&[token[0], ("HW_ASSUME_ROLE_AGENCY_NAME", "x")]), "nothing");
    }

    #[test]
    fn names_of_openstack_count_unless_they_are_for_another_cloud() {
        let login =
            [(OPENSTACK_USER, "u"), (OPENSTACK_PASSWORD, "p"), (OPENSTACK_ACCOUNTS[1], "a"), (USER, "v")];
        for (url, expected) in [
            (None, "a/v p"),
            (Some(""), "a/v p"),
            (Some("https://iam.cn-north-4.myhuaweicloud.com/v3"), "a/v p"),
            (Some("https://iam.eu-de.otc.t-systems.com/v3"), "nothing"),
            (Some("https://evilmyhuaweicloud.com/v3"), "nothing"),
            (Some("keystone"), "nothing"),
        ] {
            let url = url.map(|url| (OPENSTACK_URL, url));
            assert_eq!(said(&login.into_iter().chain(url).collect::<Vec<_>>()), expected, "{url:?}");
        }
    }
}
