//! Credentials, signatures, projects and plain HTTP: what has to be right before a cloud listens.

use record_callback_mock::{MockAliyun, MockHuaweicloud};

use crate::clouds::{self, ALIYUN_TOKEN, Clouds, HUAWEICLOUD_IAM, HUAWEICLOUD_PROJECT, HUAWEICLOUD_TOKEN};
use crate::program::{Program, assert_has};

const TOKEN: &str = "CAIS+security/token==";

#[test]
fn huaweicloud_finds_the_project_of_the_region() {
    let clouds = Clouds::start();
    let program = clouds.huaweicloud_without_project().options(&["--region", clouds.huaweicloud.region()]);
    let by_option = program.clone().options(&["--iam-endpoint", clouds.huaweicloud.iam_endpoint()]);
    let by_variable = program.var(HUAWEICLOUD_IAM, clouds.huaweicloud.iam_endpoint());
    for (number, program) in [by_option, by_variable].into_iter().enumerate() {
        let unsigned = ["--unsigned", "--yes"];
        let put = ["put", "--domain", "live.example.com", "--notify-url", "https://cb.example.com"];
        program.run(&[&put[..], &unsigned].concat()).done();
        assert_eq!(clouds.huaweicloud.iam_requests().len(), number + 1, "asked once a run");
        assert_eq!(clouds.huaweicloud.configs().len(), 1);
    }
}

#[test]
fn without_a_project_in_the_region_one_has_to_be_given() {
    let clouds = Clouds::start();
    let program = clouds.huaweicloud_without_project().options(&[
        "--region",
        "cn-east-3",
        "--iam-endpoint",
        clouds.huaweicloud.iam_endpoint(),
    ]);
    let refused = program.run(&["list"]);
    assert_has(refused.failed_with_hint(2), &["project_id: is not given", "0 projects named `cn-east-3`"]);
}

#[test]
fn a_given_project_saves_asking_for_it() {
    let clouds = Clouds::start();
    let project = clouds.huaweicloud.project_id();
    let program = clouds.huaweicloud_without_project();
    let by_option =
        program.clone().options(&["--project-id", project]).var(HUAWEICLOUD_PROJECT, "another0ne");
    let by_variable = program.var(HUAWEICLOUD_PROJECT, project);
    for program in [by_option, by_variable] {
        program.run(&["list"]).done();
    }
    assert_eq!(clouds.huaweicloud.requests().len(), 2);
    assert!(clouds.huaweicloud.iam_requests().is_empty());
}

#[test]
fn aliyun_signs_the_way_that_is_asked_for() {
    let clouds = Clouds::start();
    for (options, acs3) in
        [(&[][..], false), (&["--signature", "rpc"], false), (&["--signature", "acs3"], true)]
    {
        let program = clouds.aliyun().options(options);
        let put = ["put", "--domain", "live.example.com", "--notify-url", "https://cb.example.com"];
        program.run(&put).done();
        program.run(&["delete", "--domain", "live.example.com", "--yes"]).done();
        let requests = clouds.aliyun.requests();
        let last = requests.last().expect("a request");
        let in_header =
            last.header("authorization").is_some_and(|value| value.starts_with("ACS3-HMAC-SHA256 "));
        assert_eq!((in_header, last.query().contains("Signature=")), (acs3, !acs3), "{options:?}");
    }
}

#[test]
fn temporary_keys_work_together_with_their_token_only() {
    let clouds = Clouds::start_as(
        MockAliyun::builder().temporary_access_key("STS.id", "aliyun-s3cret", TOKEN),
        MockHuaweicloud::builder().temporary_access_key("HST.id", "huaweicloud-s3cret", TOKEN),
    );
    let aliyun = clouds::aliyun(clouds.aliyun.endpoint(), "STS.id", "aliyun-s3cret");
    let huaweicloud = clouds::huaweicloud(clouds.huaweicloud.endpoint(), "HST.id", "huaweicloud-s3cret")
        .var(HUAWEICLOUD_PROJECT, clouds.huaweicloud.project_id());
    let cases: [(Program, &str); 3] = [
        (aliyun.clone(), ALIYUN_TOKEN),
        (aliyun.options(&["--signature", "acs3"]), ALIYUN_TOKEN),
        (huaweicloud, HUAWEICLOUD_TOKEN),
    ];
    for (program, variable) in cases {
        let right = program.clone().secret(variable, TOKEN);
        right.options(&["-vvv"]).run(&["list"]).done();
        let none = program.run(&["list"]);
        assert_has(none.failed_with_hint(1), &["(unauthenticated, code "]);
        let wrong = program.secret(variable, "another+security/token==").run(&["list"]);
        assert_has(wrong.failed_with_hint(1), &["(unauthenticated, code "]);
    }
}

#[test]
fn plain_http_to_another_host_has_to_be_allowed() {
    let clouds = Clouds::start();
    // Not loopback by its text, and this machine all the same.
    let elsewhere = |endpoint: &str| endpoint.replace("127.0.0.1", "0.0.0.0");
    let (aliyun, huaweicloud) = (&clouds.aliyun, &clouds.huaweicloud);
    let programs = [
        clouds::aliyun(&elsewhere(aliyun.endpoint()), aliyun.access_key_id(), aliyun.access_key_secret()),
        clouds::huaweicloud(
            &elsewhere(huaweicloud.endpoint()),
            huaweicloud.access_key(),
            huaweicloud.secret_key(),
        )
        .var(HUAWEICLOUD_PROJECT, huaweicloud.project_id()),
    ];
    for program in &programs {
        let refused = program.run(&["list"]);
        assert_has(refused.failed_with_hint(2), &["endpoint: is plain http to `0.0.0.0`"]);
    }
    clouds.assert_untouched();
    for program in programs {
        program.options(&["--allow-http"]).run(&["list"]).done();
    }
}
