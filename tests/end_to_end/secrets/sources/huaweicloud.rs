//! Every source of keys for Huawei Cloud.

use record_callback::huaweicloud::{ListQuery, default_chain};
use record_callback_mock::MetadataTokens;

use super::*;

/// Where keys are issued, and what for.
pub(super) struct Services {
    pub(super) iam: String,
    pub(super) metadata: String,
    pub(super) pod_uri: String,
    pub(super) idp_id: String,
    pub(super) provider_urn: String,
    pub(super) agency_urn: String,
    pub(super) id_token: String,
    pub(super) pod_token: String,
}

impl Services {
    fn of(mock: &MockHuaweicloud, id_token: String, pod_token: String) -> Self {
        Self {
            iam: mock.iam_endpoint().into(),
            metadata: mock.metadata_endpoint().into(),
            pod_uri: format!("{}?code={URL_SECRET}", mock.pod_identity_uri()),
            idp_id: mock.idp_id().into(),
            provider_urn: mock.oidc_provider_urn().into(),
            agency_urn: mock.agency_urn().into(),
            id_token,
            pod_token,
        }
    }

    /// All of them at one address.
    pub(super) fn at(address: &str) -> Self {
        Self {
            iam: address.into(),
            metadata: address.into(),
            pod_uri: format!("{address}/{URL_SECRET}/key?code={URL_SECRET}"),
            idp_id: "idp".into(),
            provider_urn: "iam::1:oidc-provider:p".into(),
            agency_urn: "iam::1:agency:a".into(),
            id_token: ID_TOKEN.into(),
            pod_token: POD_TOKEN.into(),
        }
    }
}

/// All ways there are, with their files in `directory`.
pub(super) fn ways(services: &Services, directory: &Path) -> Vec<Way> {
    let Services { iam, metadata, pod_uri, idp_id, provider_urn, agency_urn, id_token, pod_token } = services;
    let id_token_file = write(directory, "id_token", &format!("{id_token}\n"));
    let pod_token_file = write(directory, "pod_token", pod_token);
    let nobody = directory.join("nobody");
    let base = |metadata: &str| {
        let mut base = vec![
            ("RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT", metadata.to_owned()),
            ("HUAWEICLOUD_SDK_PROJECT_ID", PROJECT.to_owned()),
        ];
        base.extend(same(["HOME", "USERPROFILE"], nobody.to_str().unwrap()));
        base.extend(same(["HUAWEICLOUD_SDK_IAM_ENDPOINT", "HUAWEICLOUD_SDK_STS_ENDPOINT"], iam));
        base
    };
    // Nobody listens there.
    let way = |name, variables: &[(&'static str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Way::new(name, base("http://127.0.0.1:1").into_iter().chain(variables).collect())
    };
    let file = |name: &str, fields: &str| {
        write(directory, name, &format!("[basic]\n{fields}\nproject_id = {PROJECT}\n"))
    };
    let in_file = |name, path: &str| way(name, &[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", path)]);
    let oidc = |name, token: (&'static str, &str)| {
        let of = [
            ("HUAWEICLOUD_OIDC_PROVIDER_URN", provider_urn.as_str()),
            ("HUAWEICLOUD_OIDC_AGENCY_URN", agency_urn),
            token,
        ];
        way(name, &of)
    };
    let (id, secret) = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK");
    let temporary = format!("ak = STS.example\nsk = {TEMPORARY_SECRET}\nsecurity_token = {SECURITY_TOKEN}");
    let federated = format!("idp_id = {idp_id}\nid_token_file = {id_token_file}\niam_endpoint = {iam}");
    vec![
        way("environment", &[(id, ID), (secret, SECRET)]),
        way("environment of Terraform", &[("HW_ACCESS_KEY", ID), ("HW_SECRET_KEY", SECRET)]),
        way("environment of OpenStack", &[("OS_ACCESS_KEY", ID), ("OS_SECRET_KEY", SECRET)]),
        way(
            "temporary key in the environment",
            &[
                (id, "STS.example"),
                (secret, TEMPORARY_SECRET),
                ("HUAWEICLOUD_SDK_SECURITY_TOKEN", SECURITY_TOKEN),
            ],
        ),
        in_file("file", &file("file", &format!("ak = {ID}\nsk = {SECRET}"))),
        in_file("temporary key in a file", &file("temporary", &temporary)),
        in_file("federated user in a file", &file("federated", &federated)),
        oidc("OIDC agency with a token", ("HUAWEICLOUD_OIDC_ID_TOKEN", id_token)),
        oidc("OIDC agency with a file", ("HUAWEICLOUD_OIDC_TOKEN_FILE", &id_token_file)),
        way(
            "federated user",
            &[("HUAWEICLOUD_SDK_IDP_ID", idp_id), ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", &id_token_file)],
        ),
        Way::new("ECS metadata", base(metadata)),
        way(
            "pod identity",
            &[
                ("HC_CONTAINER_CREDENTIALS_FULL_URI", pod_uri),
                ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", &pod_token_file),
            ],
        ),
    ]
}

/// A token and a login that only a client can use; the chain refuses them.
fn without_key() -> [Way; 2] {
    let base = || {
        let nobody = ["HUAWEICLOUD_SDK_IAM_ENDPOINT", "RECORD_CALLBACK_HUAWEICLOUD_METADATA_ENDPOINT"];
        same(nobody, "http://127.0.0.1:1").to_vec()
    };
    let token = [("HW_AUTH_TOKEN", GIVEN_TOKEN.to_owned())];
    let login = [
        ("HW_USER_NAME", "user".to_owned()),
        ("HW_USER_PASSWORD", PASSWORD.to_owned()),
        ("HW_DOMAIN_NAME", "account".to_owned()),
    ];
    [
        Way::new("token of Terraform", [base(), token.to_vec()].concat()),
        Way::new("login of Terraform", [base(), login.to_vec()].concat()),
    ]
}

/// Asks for a key in this way, makes calls of the API with it, and asks a doctor. Whether there was one.
pub(super) async fn use_way(
    why: &str,
    way: &Way,
    [endpoint, iam]: [&str; 2],
    shown: &mut Shown,
    secrets: &mut Secrets,
) -> bool {
    let what = format!("{why}: Huawei Cloud, {}", way.name);
    let context = way.context();
    let exchange = Endpoint::parse("iam", iam, false).unwrap();
    let key = ask(&what, &default_chain(&context, &exchange), shown, secrets).await;
    let builder = HuaweicloudClient::builder()
        .endpoint(endpoint)
        .iam_endpoint(iam)
        .project_id(PROJECT)
        .env(way.env())
        .quotas(Quotas::unlimited())
        .retry(few_attempts());
    let client = builder.build().unwrap();
    shown.result(&what, client.list_record_callback_configs(&ListQuery::default()).await.map(drop));
    show_findings(&what, client.examine(None).await, shown);
    shown.debug(&what, &client);
    key.is_some()
}

fn builder(secret: &str, temporary_secret: &str) -> record_callback_mock::MockHuaweicloudBuilder {
    MockHuaweicloud::builder()
        .access_key(ID, secret)
        .temporary_access_key("STS.example", temporary_secret, SECURITY_TOKEN)
        .project_id(PROJECT)
}

fn endpoints(mock: &MockHuaweicloud) -> [&str; 2] {
    [mock.endpoint(), mock.iam_endpoint()]
}

fn show_mock(mock: &MockHuaweicloud, shown: &mut Shown, secrets: &mut Secrets) {
    for requests in [mock.requests(), mock.iam_requests(), mock.metadata_requests()] {
        secrets.add_used(&requests);
        for body in requests.iter().filter_map(|request| str::from_utf8(request.body()).ok()) {
            secrets.add_body(body);
        }
        shown.debug("a mock's requests", &requests);
    }
    shown.debug("a mock", mock);
}

/// The tokens a mock issues.
fn issue(mock: &MockHuaweicloud, secrets: &mut Secrets) -> [String; 2] {
    let tokens = [mock.issue_id_token(), mock.issue_pod_token()];
    secrets.add("id token", &tokens[0]);
    secrets.add("pod token", &tokens[1]);
    tokens
}

#[test]
fn nothing_is_shown_while_sources_of_huaweicloud_work() {
    watched(async |shown, secrets| {
        let builder = builder(SECRET, TEMPORARY_SECRET).metadata_tokens(MetadataTokens::Required);
        shown.debug("a mock's builder", &builder);
        let mock = builder.start().await.unwrap();
        let [id_token, pod_token] = issue(&mock, secrets);
        let directory = tempfile::tempdir().unwrap();
        let services = Services::of(&mock, id_token.clone(), pod_token.clone());
        for way in ways(&services, directory.path()) {
            assert!(use_way("working", &way, endpoints(&mock), shown, secrets).await, "{}", way.name);
        }
        let received = [mock.iam_requests(), mock.metadata_requests()].concat();
        let text = |request: &ReceivedRequest| {
            let body = String::from_utf8_lossy(request.body());
            format!("{}?{} {:?} {body}\n", request.path(), request.query(), request.headers())
        };
        let received: String = received.iter().map(text).collect();
        for secret in [URL_SECRET, "x-metadata-token\"", "securitytokens", &id_token] {
            assert!(received.contains(secret), "{secret} was not sent: {received}");
        }
        show_mock(&mock, shown, secrets);
    });
}

#[test]
fn nothing_is_shown_when_services_of_huaweicloud_fail() {
    watched(async |shown, secrets| {
        let mock = builder(SECRET, TEMPORARY_SECRET).start().await.unwrap();
        let [id_token, pod_token] = issue(&mock, secrets);
        let directory = tempfile::tempdir().unwrap();
        let mut ways = ways(&Services::of(&mock, id_token, pod_token), directory.path());
        for kind in every_fault() {
            strike(&[mock.iam_faults(), mock.metadata_faults()], &kind);
            let mut keys = Vec::new();
            for way in &ways {
                if use_way(kind.name(), way, endpoints(&mock), shown, secrets).await {
                    keys.push(way.name);
                }
            }
            // The others have what they need.
            ways.retain(|way| kind != FaultKind::Reset || !keys.contains(&way.name));
            let is_harmless = matches!(kind, FaultKind::MediaType { .. } | FaultKind::Twice);
            assert!(is_harmless || kind == FaultKind::Reset || keys.is_empty(), "{}: {keys:?}", kind.name());
        }
        show_mock(&mock, shown, secrets);
    });
}

#[test]
fn nothing_is_shown_when_huaweicloud_refuses_the_proofs() {
    watched(async |shown, secrets| {
        let mock = builder(NOT_OURS, NOT_OURS).without_agency().start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let services = Services::of(&mock, ID_TOKEN.into(), POD_TOKEN.into());
        for way in ways(&services, directory.path()).into_iter().chain(without_key()) {
            use_way("refused", &way, endpoints(&mock), shown, secrets).await;
        }
        for requests in [mock.iam_requests(), mock.metadata_requests()] {
            assert!(requests.iter().any(|request| request.status() == 401), "{requests:?}");
        }
        show_mock(&mock, shown, secrets);
    });
}
