//! `record-callback mock`

use record_callback_mock::{MockAliyun, MockHuaweicloud};
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
}

#[derive(Serialize)]
struct AliyunAccess<'a> {
    endpoint: &'a str,
    access_key_id: &'a str,
    access_key_secret: &'a str,
}

#[derive(Serialize)]
struct HuaweicloudAccess<'a> {
    endpoint: &'a str,
    iam_endpoint: &'a str,
    access_key: &'a str,
    secret_key: &'a str,
    project_id: &'a str,
}

pub(crate) async fn run(arguments: MockArguments) -> Result<(), Failure> {
    let stop = Stop::listen()?;
    let mut aliyun = MockAliyun::builder().addr(arguments.aliyun_addr);
    let mut huaweicloud = MockHuaweicloud::builder()
        .addr(arguments.huaweicloud_addr)
        .iam_addr((arguments.huaweicloud_addr.ip(), 0).into());
    for domain in &arguments.domains {
        aliyun = aliyun.domain(domain.as_str());
        huaweicloud = huaweicloud.domain(domain.as_str());
    }
    let (aliyun, huaweicloud) = (aliyun.start().await?, huaweicloud.start().await?);
    let line = ReadyLine {
        ready: true,
        aliyun: AliyunAccess {
            endpoint: aliyun.endpoint(),
            access_key_id: aliyun.access_key_id(),
            access_key_secret: aliyun.access_key_secret(),
        },
        huaweicloud: HuaweicloudAccess {
            endpoint: huaweicloud.endpoint(),
            iam_endpoint: huaweicloud.iam_endpoint(),
            access_key: huaweicloud.access_key(),
            secret_key: huaweicloud.secret_key(),
            project_id: huaweicloud.project_id(),
        },
    };
    output::ready(&line)?;
    stop.wait().await;
    info!("stopping");
    aliyun.shutdown().await;
    huaweicloud.shutdown().await;
    Ok(())
}
