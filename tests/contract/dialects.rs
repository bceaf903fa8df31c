//! The suite in every dialect. Only what a user is told may differ, never what ends up configured.

use std::future::ready;

use futures_util::{StreamExt, stream};
use libtest_mimic::Trial;
use record_callback::{DomainName, ErrorKind, Fidelity, Field, RecordCallbackConfig};
use record_callback_contract::{Behaviour, Verdict, behaviours};
use record_callback_mock::{
    AliyunDialect, AliyunOmitted, Dialect, DomainMatching, EmptyOnDemandUrl, HuaweicloudDialect,
};
use record_callback_tests::{Cloud, Dialects};

use crate::{FreshCloud, Subject};

pub(crate) fn trials() -> Vec<Trial> {
    let aliyun = |(name, aliyun)| (Cloud::AliyunRpc, name, Dialects { aliyun, ..Dialects::default() });
    let huaweicloud =
        |(name, huaweicloud)| (Cloud::HuaweicloudKey, name, Dialects { huaweicloud, ..Dialects::default() });
    let all = AliyunDialect::one_by_one().into_iter().chain(AliyunDialect::pairwise()).map(aliyun);
    let all = all.chain(
        HuaweicloudDialect::one_by_one().into_iter().chain(HuaweicloudDialect::pairwise()).map(huaweicloud),
    );
    let mut trials: Vec<_> =
        all.map(|(cloud, name, dialects)| trial(cloud, &name, dialects, SPELLINGS[0])).collect();
    for matching in [DomainMatching::Exact, DomainMatching::IgnoringCase] {
        for (number, spellings) in SPELLINGS.into_iter().enumerate().skip(1) {
            for cloud in [Cloud::AliyunRpc, Cloud::HuaweicloudKey] {
                let mut dialects = Dialects::default();
                dialects.aliyun.domain_matching = matching;
                dialects.huaweicloud.domain_matching = matching;
                trials.push(trial(cloud, &format!("spelling-{number}-{matching:?}"), dialects, spellings));
            }
        }
    }
    trials.push(Trial::test("where_no_update_drops_an_on_demand_url_users_are_told_what_does", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(told_what_does());
        Ok(())
    }));
    trials
}

/// The one wish that a pair of readings leaves no way to fulfil in place.
async fn told_what_does() {
    let aliyun = AliyunDialect {
        omitted_on_update: AliyunOmitted::Kept,
        empty_on_demand_url: EmptyOnDemandUrl::Refused,
        ..AliyunDialect::default()
    };
    let domain = DomainName::new("one.example.com").unwrap();
    let dialects = Dialects { aliyun, ..Dialects::default() };
    let cloud = Cloud::AliyunRpc.start_in(&[domain], &dialects).await;
    let config = |path: &str| {
        RecordCallbackConfig::builder("one.example.com", format!("https://cb.example.com/{path}"))
    };
    let with = config("with").on_demand_url("https://od.example.com/").build().unwrap();
    let without = config("without").build().unwrap();
    cloud.provider.create(&with, Fidelity::Exact).await.unwrap();
    let told = cloud.provider.update(&without, Fidelity::Exact).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::NotApplied, "{told}");
    assert!(told.message().contains("delete the config and create it anew"), "{told}");
    let fields: Vec<_> = told.differences().iter().map(|difference| difference.field).collect();
    assert_eq!(fields, [Field::OnDemandUrl]);
    cloud.provider.delete(&with.key()).await.unwrap();
    cloud.provider.create(&without, Fidelity::Exact).await.unwrap();
    let stored = cloud.provider.get(&without.key()).await.unwrap().unwrap();
    assert_eq!(stored.differences(&without), []);
}

/// Two domains as clouds may have them. Configs have them in canonical form.
const SPELLINGS: [[&str; 2]; 3] = [
    ["one.example.com", "two.example.com"],
    ["ONE.Example.com", "two.example.com."],
    ["直播.example.com", "Two.EXAMPLE.COM"],
];

fn trial(cloud: Cloud, name: &str, dialects: Dialects, spellings: [&'static str; 2]) -> Trial {
    // A row of the covering array is named by its number; what it reads is said when it fails.
    let (short, readings) = name.split_once(' ').unwrap_or((name, ""));
    let readings = readings.to_owned();
    Trial::test(format!("{} in {short}", cloud.name()), move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let failure = async |behaviour: &Behaviour| {
            let subject = Subject::Mock(cloud, dialects.clone());
            let harness = FreshCloud { spellings, ..FreshCloud::new(subject) };
            match behaviour.run(&harness).await {
                Verdict::Failed(failure) => Some(format!("{}: {failure}", behaviour.name())),
                Verdict::Passed | Verdict::Skipped(_) => None,
            }
        };
        // Where reads lag, most of a behaviour is waiting.
        let failures: Vec<_> = runtime.block_on(
            stream::iter(behaviours()).map(failure).buffer_unordered(8).filter_map(ready).collect(),
        );
        if failures.is_empty() { Ok(()) } else { Err(format!("{readings}\n{}", failures.join("\n")).into()) }
    })
}
