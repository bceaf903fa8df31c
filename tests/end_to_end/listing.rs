//! Lists that need more than one page.

use std::collections::BTreeSet;

use record_callback::DomainName;
use record_callback_mock::{AliyunConfig, HuaweicloudConfig};
use record_callback_tests::{Cloud, Mock};

/// Two full pages of Aliyun's domains and a bit; every third has no config.
const DOMAINS: usize = 120;

fn domain(n: usize) -> DomainName {
    DomainName::new(&format!("live-{n:03}.example.com")).unwrap()
}

#[tokio::test]
async fn aliyun_lists_every_domain_that_has_a_config_once() {
    let domains: Vec<_> = (0..DOMAINS).map(domain).collect();
    let cloud = Cloud::AliyunRpc.start(&domains).await;
    let Mock::Aliyun(mock) = &cloud.mock else { panic!("a mock Aliyun") };
    let configured: BTreeSet<_> = (0..DOMAINS).filter(|n| n % 3 > 0).map(domain).collect();
    for domain in &configured {
        mock.put_config(AliyunConfig::new(domain.as_str(), "https://cb.example.com/n"));
    }
    let listed = cloud.provider.list(None).await.unwrap();
    assert_eq!(listed.len(), configured.len());
    assert_eq!(listed.into_iter().map(|stored| stored.key.domain).collect::<BTreeSet<_>>(), configured);
    let of = |operation| mock.requests().iter().filter(|r| r.operation() == Some(operation)).count();
    assert_eq!(of("DescribeLiveUserDomains"), 3);
    assert_eq!(of("DescribeLiveRecordNotifyConfig"), DOMAINS);
    // Eight at a time, so no more than eight connections.
    assert!(mock.connections() <= 8 + 1, "{}", mock.connections());
}

#[tokio::test]
async fn huaweicloud_lists_the_account_page_by_page() {
    let cloud = Cloud::HuaweicloudKey.start(&[]).await;
    let Mock::Huaweicloud(mock) = &cloud.mock else { panic!("a mock Huawei Cloud") };
    for n in 0..250 {
        mock.put_config(HuaweicloudConfig::new(domain(n).as_str(), "*"));
    }
    let listed = cloud.provider.list(None).await.unwrap();
    assert_eq!(listed.into_iter().map(|stored| stored.key.domain).collect::<BTreeSet<_>>().len(), 250);
    assert_eq!(mock.requests().len(), 3);
}
