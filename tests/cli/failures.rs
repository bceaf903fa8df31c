//! Exit code 1: the run failed, and stderr says why and what to do.

use crate::clouds::{self, ALIYUN_ID, ALIYUN_SECRET, Clouds, HUAWEICLOUD_ID, HUAWEICLOUD_SECRET};
use crate::program::assert_has;

const GET: [&str; 3] = ["get", "--domain", "live.example.com"];
const CREDENTIALS_HINT: &str = "hint: check access key, secret, token and this machine's clock; `record-callback doctor` \
                                shows where keys are looked for\n";

#[test]
fn a_missing_credential_is_named_by_its_variable() {
    let clouds = Clouds::start();
    for (program, variables) in [
        (clouds.aliyun(), [ALIYUN_ID, ALIYUN_SECRET]),
        (clouds.huaweicloud(), [HUAWEICLOUD_ID, HUAWEICLOUD_SECRET]),
    ] {
        for variable in variables {
            for program in [program.clone().without(variable), program.clone().var(variable, "")] {
                let run = program.run(&GET);
                let stderr = run.failed_with_hint(1);
                assert_has(
                    stderr,
                    &[&format!("{variable} is not set, though"), "(unauthenticated)", CREDENTIALS_HINT],
                );
            }
        }
    }
    clouds.assert_untouched();
}

#[test]
fn a_wrong_secret_is_explained_without_showing_it_or_what_it_signed() {
    let clouds = Clouds::start();
    let (aliyun, huaweicloud) = (&clouds.aliyun, &clouds.huaweicloud);
    let secret = "Wr0ngSecretWr0ngSecret";
    let aliyun = clouds::aliyun(aliyun.endpoint(), aliyun.access_key_id(), secret);
    let by_region = clouds::huaweicloud(huaweicloud.endpoint(), huaweicloud.access_key(), secret).options(&[
        "--region",
        huaweicloud.region(),
        "--iam-endpoint",
        huaweicloud.iam_endpoint(),
    ]);
    let by_project = by_region.clone().options(&["--project-id", huaweicloud.project_id()]);
    for (program, operation, code) in [
        (aliyun.clone(), "DescribeLiveRecordNotifyConfig", "SignatureDoesNotMatch"),
        (aliyun.options(&["--signature", "acs3"]), "DescribeLiveRecordNotifyConfig", "SignatureDoesNotMatch"),
        (by_region, "KeystoneListProjects", "APIGW.0301"),
        (by_project, "ListRecordCallbackConfigs", "APIGW.0301"),
    ] {
        let run = program.run(&GET);
        let code = format!("(unauthenticated, code {code}, status ");
        assert_has(run.failed_with_hint(1), &[operation, &code, ", request id ", CREDENTIALS_HINT]);
        let logged = program.options(&["-vvv"]).run(&GET);
        for echo in ["string to sign", "canonical", "Nonce", "host:", "%2F"] {
            let echoed = run.stderr.contains(echo) || logged.stderr.contains(echo);
            assert!(!echoed, "`{echo}`: {run:#?} {logged:#?}");
        }
    }
}

#[test]
fn an_unknown_key_is_unauthenticated_too() {
    let clouds = Clouds::start();
    for program in
        [clouds.aliyun().var(ALIYUN_ID, "LTAInobody"), clouds.huaweicloud().var(HUAWEICLOUD_ID, "HWnobody")]
    {
        assert_has(program.run(&GET).failed_with_hint(1), &["(unauthenticated, code ", CREDENTIALS_HINT]);
    }
}

#[test]
fn a_refused_connection_is_told_with_its_causes() {
    // Nobody listens on a port that needs privileges and has no service.
    let nowhere = "http://127.0.0.1:1";
    for program in [
        clouds::aliyun(nowhere, "id", "s3cret"),
        clouds::huaweicloud(nowhere, "id", "s3cret").options(&["--project-id", "0123abcd"]),
    ] {
        let run = program.run(&GET);
        let stderr = run.failed_with_hint(1);
        let hint = "hint: check the network and the endpoint, then try again";
        assert_has(stderr, &["no connection (unavailable)", "\n  because: ", "refused", hint]);
        assert!(!stderr.contains("Signature"), "the URL is shown: {stderr}");
    }
}

#[test]
fn tls_to_what_speaks_plain_http_is_told_in_words() {
    let clouds = Clouds::start();
    let tls = |endpoint: &str| endpoint.replace("http://", "https://");
    for program in [
        clouds::aliyun(&tls(clouds.aliyun.endpoint()), "id", "s3cret"),
        clouds::huaweicloud(&tls(clouds.huaweicloud.endpoint()), "id", "s3cret")
            .options(&["--project-id", "0123abcd"]),
    ] {
        let run = program.run(&GET);
        assert_has(run.failed_with_hint(1), &["`127.0.0.1` does not answer in TLS", "is written `http://…`"]);
    }
}

#[test]
fn what_is_no_cloud_is_a_protocol_error() {
    let clouds = Clouds::start();
    // Each client talks to the other vendor's mock.
    for program in [
        clouds::aliyun(clouds.huaweicloud.endpoint(), "id", "s3cret"),
        clouds::huaweicloud(clouds.aliyun.endpoint(), "id", "s3cret").options(&["--project-id", "0123abcd"]),
    ] {
        let run = program.run(&GET);
        assert_has(run.failed_with_hint(1), &["(protocol error", "check that it is the vendor's"]);
    }
}

#[test]
fn a_value_that_only_the_cloud_refuses_is_a_failure_and_not_a_usage_error() {
    let clouds = Clouds::start();
    let put = ["put", "--domain", "live.example.com", "--notify-url", "https://cb.example.com"];
    let run = clouds.huaweicloud().run(&[&put[..], &["--event", "vendor:NO_SUCH_EVENT"]].concat());
    assert_has(run.failed_with_hint(1), &["(invalid config, code LIVE.100011001, status 400, request id "]);
}
