//! `record-callback mock`

use std::net::SocketAddr;

use record_callback_mock::{
    AliyunDialect, Dialect, HuaweicloudDialect, MockAdmin, MockAliyun, MockHuaweicloud,
};
use serde::Serialize;
use tracing::info;

use crate::args::MockArguments;
use crate::failure::Failure;
use crate::output;
use crate::stop::Stop;

/// The one line on stdout that says both clouds can be called.
#[derive(Serialize)]
struct ReadyLine<'a> {
    ready: bool,
    aliyun: AliyunAccess<'a>,
    huaweicloud: HuaweicloudAccess<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<AdminAccess<'a>>,
}

#[derive(Serialize)]
struct AliyunAccess<'a> {
    endpoint: &'a str,
    account_id: &'a str,
    access_key_id: &'a str,
    access_key_secret: &'a str,
    temporary_access_key_id: &'a str,
    temporary_access_key_secret: &'a str,
    temporary_security_token: &'a str,
    sts_endpoint: &'a str,
    role_arn: &'a str,
    oidc_provider_arn: &'a str,
    oidc_token: String,
    metadata_endpoint: &'a str,
    ecs_role: &'a str,
    credentials_uri: String,
    other_account_id: &'a str,
    other_access_key_id: &'a str,
    other_access_key_secret: &'a str,
}

#[derive(Serialize)]
struct HuaweicloudAccess<'a> {
    endpoint: &'a str,
    iam_endpoint: &'a str,
    account_id: &'a str,
    access_key: &'a str,
    secret_key: &'a str,
    temporary_access_key: &'a str,
    temporary_secret_key: &'a str,
    temporary_security_token: &'a str,
    project_id: &'a str,
    region: &'a str,
    iam_account: &'a str,
    iam_user: &'a str,
    iam_password: &'a str,
    idp_id: &'a str,
    id_token: String,
    sts_endpoint: &'a str,
    oidc_provider_urn: &'a str,
    agency_urn: &'a str,
    metadata_endpoint: &'a str,
    pod_identity_uri: String,
    pod_token: String,
    other_account_id: &'a str,
    other_access_key: &'a str,
    other_secret_key: &'a str,
    other_project_id: &'a str,
}

#[derive(Serialize)]
struct AdminAccess<'a> {
    endpoint: &'a str,
}

pub(crate) async fn run(arguments: MockArguments) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let (aliyun_dialect, huaweicloud_dialect) = dialects(&arguments.dialects)?;
    let beside = |addr: SocketAddr| SocketAddr::from((addr.ip(), 0));
    let mut aliyun = MockAliyun::builder()
        .dialect(aliyun_dialect)
        .addr(arguments.aliyun_addr)
        .sts_addr(beside(arguments.aliyun_addr))
        .metadata_addr(beside(arguments.aliyun_addr));
    let mut huaweicloud = MockHuaweicloud::builder()
        .dialect(huaweicloud_dialect)
        .addr(arguments.huaweicloud_addr)
        .iam_addr(beside(arguments.huaweicloud_addr))
        .metadata_addr(beside(arguments.huaweicloud_addr));
    for domain in &arguments.domains {
        aliyun = aliyun.domain(domain.as_str());
        huaweicloud = huaweicloud.domain(domain.as_str());
    }
    for host in arguments.unsafe_hosts {
        aliyun = aliyun.unsafe_host(host);
    }
    let (aliyun, huaweicloud) = (aliyun.start().await?, huaweicloud.start().await?);
    let admin = match arguments.admin_addr {
        Some(addr) => Some(MockAdmin::start(addr, &aliyun, &huaweicloud).await?),
        None => None,
    };
    let aliyun_temporary = aliyun.issue_temporary_access_key();
    let huaweicloud_temporary = huaweicloud.issue_temporary_access_key();
    let line = ReadyLine {
        ready: true,
        aliyun: AliyunAccess {
            endpoint: aliyun.endpoint(),
            account_id: aliyun.account_id(),
            access_key_id: aliyun.access_key_id(),
            access_key_secret: aliyun.access_key_secret(),
            temporary_access_key_id: &aliyun_temporary.id,
            temporary_access_key_secret: &aliyun_temporary.secret,
            temporary_security_token: &aliyun_temporary.security_token,
            sts_endpoint: aliyun.sts_endpoint(),
            role_arn: aliyun.role_arn(),
            oidc_provider_arn: aliyun.oidc_provider_arn(),
            oidc_token: aliyun.issue_oidc_token(),
            metadata_endpoint: aliyun.metadata_endpoint(),
            ecs_role: aliyun.ecs_role(),
            credentials_uri: aliyun.credentials_uri(),
            other_account_id: aliyun.other_account_id(),
            other_access_key_id: aliyun.other_access_key_id(),
            other_access_key_secret: aliyun.other_access_key_secret(),
        },
        huaweicloud: HuaweicloudAccess {
            endpoint: huaweicloud.endpoint(),
            iam_endpoint: huaweicloud.iam_endpoint(),
            account_id: huaweicloud.account_id(),
            access_key: huaweicloud.access_key(),
            secret_key: huaweicloud.secret_key(),
            temporary_access_key: &huaweicloud_temporary.id,
            temporary_secret_key: &huaweicloud_temporary.secret,
            temporary_security_token: &huaweicloud_temporary.security_token,
            project_id: huaweicloud.project_id(),
            region: huaweicloud.region(),
            iam_account: huaweicloud.iam_account(),
            iam_user: huaweicloud.iam_user(),
            iam_password: huaweicloud.iam_password(),
            idp_id: huaweicloud.idp_id(),
            id_token: huaweicloud.issue_id_token(),
            sts_endpoint: huaweicloud.sts_endpoint(),
            oidc_provider_urn: huaweicloud.oidc_provider_urn(),
            agency_urn: huaweicloud.agency_urn(),
            metadata_endpoint: huaweicloud.metadata_endpoint(),
            pod_identity_uri: huaweicloud.pod_identity_uri(),
            pod_token: huaweicloud.issue_pod_token(),
            other_account_id: huaweicloud.other_account_id(),
            other_access_key: huaweicloud.other_access_key(),
            other_secret_key: huaweicloud.other_secret_key(),
            other_project_id: huaweicloud.other_project_id(),
        },
        admin: admin.as_ref().map(|admin| AdminAccess { endpoint: admin.endpoint() }),
    };
    output::ready(&line)?;
    stop.wait().await;
    info!("stopping");
    if let Some(admin) = admin {
        admin.shutdown().await;
    }
    aliyun.shutdown().await;
    huaweicloud.shutdown().await;
    Ok(())
}

/// Reads `CLOUD.QUESTION=READING`s.
fn dialects(choices: &[String]) -> Result<(AliyunDialect, HuaweicloudDialect), Failure> {
    let (mut aliyun, mut huaweicloud) = (AliyunDialect::default(), HuaweicloudDialect::default());
    for choice in choices {
        let parts = choice.split_once('.').and_then(|(cloud, rest)| Some((cloud, rest.split_once('=')?)));
        let chosen = match parts {
            Some((AliyunDialect::VENDOR, (question, reading))) => aliyun.choose(question, reading),
            Some((HuaweicloudDialect::VENDOR, (question, reading))) => huaweicloud.choose(question, reading),
            _ => {
                return Err(Failure::Misused {
                    problem: format!("--dialect `{choice}` chooses nothing"),
                    hint: "write CLOUD.QUESTION=READING; CLOUD is aliyun or huaweicloud".to_owned(),
                });
            }
        };
        chosen.map_err(|error| Failure::Misused {
            problem: format!("--dialect `{choice}`: {error}"),
            hint: "docs/mock.md has all questions and their readings".to_owned(),
        })?;
    }
    Ok((aliyun, huaweicloud))
}
