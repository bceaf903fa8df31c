//! Everything Aliyun checks before an operation: action, caller, time, signature, nonce, quota.

use std::time::Duration;

use jiff::SignedDuration;
use record_callback_mock::{AliyunDialect, AliyunOperation, Clock, MockAliyun};

use crate::client::{ALIYUN_TIME, Aliyun, Reply, clock, http};

const DESCRIBE: &str = "DescribeLiveRecordNotifyConfig";
const DOMAIN: (&str, &str) = ("DomainName", "live.example.com");
const COMMON: &str = "AccessKeyId=testid&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&Version=2016-11-01\
                      &Timestamp=2026-01-02T03%3A04%3A05Z&Format=JSON";

async fn start() -> MockAliyun {
    MockAliyun::builder().clock(clock(ALIYUN_TIME)).access_key("testid", "testsecret").start().await.unwrap()
}

/// A signed call recorded with the vendor's SDK, and its signature.
fn r1() -> String {
    format!(
        "{COMMON}&Action={DESCRIBE}&SignatureNonce=11111111-2222-3333-4444-555555555555\
         &DomainName=live.example.com&Signature=b0NJziXHMeokXi1KuFhGy0%2FWN30%3D"
    )
}

#[tokio::test]
async fn recorded_rpc_calls_pass_once() {
    let mock = start().await;
    let url = format!("{}/?{}", mock.endpoint(), r1());
    assert_eq!(Reply::to(http().get(&url)).await.outcome(), (404, "InvalidConfig.NotFound"));
    let replayed = Reply::to(http().get(&url)).await;
    assert_eq!(replayed.outcome(), (400, "SignatureNonceUsed"));
    assert_eq!(replayed.at("/Message"), "Specified signature nonce was used already.");

    // The signature is right and the URL contains a space, which only the operation minds.
    let r2 = format!(
        "{COMMON}&Action=AddLiveRecordNotifyConfig&SignatureNonce=nonce-r2&DomainName=live.example.com\
         &NotifyUrl=https%3A%2F%2Fcb.example.com%2Fhook%20path%2F%E5%BD%95%E5%88%B6%3Fa%3D1%26b%3D%2A~%2B%2525\
         &OnDemandUrl=&NeedStatusNotify=true&Signature=2jRJSVUT7mG8lGgQXznrzkeJouU%3D"
    );
    let reply = Reply::to(http().post(format!("{}/?{r2}", mock.endpoint()))).await;
    assert_eq!(reply.outcome(), (400, "InvalidNotifyUrl.Malformed"));
}

#[tokio::test]
async fn a_recorded_call_with_a_security_token_passes() {
    let mock = MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .temporary_access_key("testid", "testsecret", "CAIS+abc/def==")
        .start()
        .await
        .unwrap();
    let r3 = format!(
        "{COMMON}&Action=UpdateLiveRecordNotifyConfig&RegionId=cn-shanghai&SignatureType=&SignatureNonce=nonce-r3\
         &SecurityToken=CAIS%2Babc%2Fdef%3D%3D&DomainName=live.example.com\
         &NotifyUrl=http%3A%2F%2Fcb.example.com%2Fhook&NotifyReqAuth=true&NotifyAuthKey=testkeyyourkey12\
         &Signature=xcQLRCWip4EW8Fk8lHi6YiBRGe0%3D"
    );
    let reply = Reply::to(http().post(format!("{}/?{r3}", mock.endpoint()))).await;
    assert_eq!(reply.outcome(), (404, "InvalidConfig.NotFound"));

    // ACS3, as the vendor's SDK sends it.
    let reply = Reply::to(
        http()
            .post(format!(
                "{}/?DomainName=live.example.com&NotifyUrl=http%3A%2F%2Fcb.example.com%2Fhook",
                mock.endpoint()
            ))
            .header("Accept", "application/json")
            .header("Host", "live.aliyuncs.com")
            .header("User-Agent", "test-agent/1.0")
            .header("x-acs-accesskey-id", "testid")
            .header("x-acs-action", "UpdateLiveRecordNotifyConfig")
            .header("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            .header("x-acs-credentials-provider", "static_sts")
            .header("x-acs-date", ALIYUN_TIME)
            .header("x-acs-security-token", "CAIS+abc/def==")
            .header("x-acs-signature-nonce", "0123456789abcdef0123456789abcdef")
            .header("x-acs-version", "2016-11-01")
            .header(
                "Authorization",
                "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=accept;host;user-agent;x-acs-accesskey-id;\
                 x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-security-token;\
                 x-acs-signature-nonce;x-acs-version,\
                 Signature=938880a502b498a428fdeb35c99c4c496c1582b4fb579dbf882777746209643b",
            ),
    )
    .await;
    assert_eq!(reply.outcome(), (404, "InvalidConfig.NotFound"), "{}", reply.text);
}

#[tokio::test]
async fn answers_are_xml_unless_json_is_asked_for() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    let added = [DOMAIN, ("NotifyUrl", "http://cb.example.com/?a=1&b=2"), ("Format", "XML")];
    let reply = caller.rpc("AddLiveRecordNotifyConfig", &added).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/xml;charset=utf-8");
    let request_id = reply.header("x-acs-request-id");
    assert!(reply.text.ends_with(&format!(
        "<AddLiveRecordNotifyConfigResponse><RequestId>{request_id}</RequestId></AddLiveRecordNotifyConfigResponse>"
    )));

    let shown = caller.rpc(DESCRIBE, &[DOMAIN, ("Format", "")]).await;
    assert!(
        shown.text.contains("<NotifyUrl>http://cb.example.com/?a=1&amp;b=2</NotifyUrl>"),
        "{}",
        shown.text
    );
    let refused = caller.rpc(DESCRIBE, &[("Format", "xml")]).await;
    assert!(refused.text.contains("<Error><Code>MissingDomainName</Code>"), "{}", refused.text);
    assert!(caller.rpc(DESCRIBE, &[DOMAIN, ("Format", "json")]).await.json.is_object());
    assert!(caller.acs3(DESCRIBE, &[DOMAIN], &[], &[]).await.json.is_object());
}

#[tokio::test]
async fn errors_have_the_fields_of_the_gateway() {
    let mock = start().await;
    let reply = Aliyun::new(&mock).rpc("DescribeLiveNothing", &[]).await;
    assert_eq!(reply.outcome(), (404, "InvalidAction.NotFound"));
    assert_eq!(reply.at("/Message"), "Specified api is not found, please check your url and method.");
    assert_eq!(reply.at("/RequestId"), reply.header("x-acs-request-id"));
    assert_eq!(reply.at("/RequestId"), reply.at("/RequestId").to_uppercase());
    assert_eq!(format!("http://{}", reply.at("/HostId")), mock.endpoint());
    assert!(reply.at("/Recommend").contains("InvalidAction.NotFound"));
    let service = Aliyun::new(&mock).rpc(DESCRIBE, &[DOMAIN]).await;
    assert!(service.json.get("Recommend").is_none(), "only the gateway recommends");
}

#[tokio::test]
async fn only_the_root_path_and_two_methods_exist() {
    let mock = start().await;
    for request in [
        http().get(format!("{}/other?{}", mock.endpoint(), r1())),
        http().put(format!("{}/?{}", mock.endpoint(), r1())),
    ] {
        assert_eq!(Reply::to(request).await.outcome(), (404, "InvalidAction.NotFound"));
    }
}

#[tokio::test]
async fn common_parameters_are_required() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    for (name, code) in [
        ("Action", "MissingAction"),
        ("Version", "MissingVersion"),
        ("AccessKeyId", "MissingAccessKeyId"),
        ("SignatureMethod", "MissingSignatureMethod"),
        ("SignatureVersion", "MissingSignatureVersion"),
        ("SignatureNonce", "MissingSignatureNonce"),
        ("Timestamp", "IllegalTimestamp"),
    ] {
        let reply = caller.rpc(DESCRIBE, &[DOMAIN, (name, "")]).await;
        assert_eq!(reply.outcome(), (400, code));
        assert!(reply.at("/Message").contains("mandatory"), "{name}");
    }
    for (parameter, outcome) in [
        (("Version", "2014-05-26"), (400, "InvalidVersion")),
        (("SignatureMethod", "HMAC-SHA256"), (400, "IncompleteSignature")),
        (("SignatureVersion", "2.0"), (400, "IncompleteSignature")),
        (("AccessKeyId", "nobody"), (404, "InvalidAccessKeyId.NotFound")),
        (("Timestamp", "2026-01-02 03:04:05"), (400, "InvalidTimeStamp.Format")),
        (("Timestamp", "2026-01-02T03:04:05+00:00"), (400, "InvalidTimeStamp.Format")),
    ] {
        assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN, parameter]).await.outcome(), outcome, "{parameter:?}");
    }
    let unsigned =
        format!("{}/?Format=JSON&Action={DESCRIBE}&Version=2016-11-01&AccessKeyId=testid", mock.endpoint());
    assert_eq!(Reply::to(http().get(unsigned)).await.outcome(), (400, "MissingSignature"));
}

#[tokio::test]
async fn a_parameter_may_be_given_only_once_and_a_body_has_to_be_a_form() {
    let mock = start().await;
    let url = format!("{}/?{}", mock.endpoint(), r1());
    let twice = http().post(&url).header("Content-Type", "application/x-www-form-urlencoded");
    let reply = Reply::to(twice.body("DomainName=other.example.com")).await;
    assert_eq!(reply.outcome(), (400, "InvalidParameter"));
    let json = http().post(&url).header("Content-Type", "application/json").body("{}");
    assert_eq!(Reply::to(json).await.outcome(), (400, "NotModelledByMock"));
}

#[tokio::test]
async fn a_wrong_rpc_signature_is_told_the_string_to_sign() {
    let mock = start().await;
    let mut caller = Aliyun::new(&mock);
    caller.secret = "wrong".to_owned();
    let reply = caller.rpc(DESCRIBE, &[DOMAIN]).await;
    assert_eq!(reply.outcome(), (400, "SignatureDoesNotMatch"));
    let prefix = "Specified signature is not matched with our calculation. server string to sign is:\
                  POST&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeLiveRecordNotifyConfig%26";
    assert!(reply.at("/Message").starts_with(prefix), "{}", reply.at("/Message"));

    // The signature was made for GET.
    let reply = Reply::to(http().post(format!("{}/?{}", mock.endpoint(), r1()))).await;
    assert_eq!(reply.outcome(), (400, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_wrong_acs3_signature_is_told_the_canonical_request() {
    let mock = start().await;
    let mut caller = Aliyun::new(&mock);
    assert_eq!(caller.acs3(DESCRIBE, &[DOMAIN], &[], &[]).await.outcome(), (404, "InvalidConfig.NotFound"));
    let wrong_hash = [("x-acs-content-sha256", "00")];
    let reply = caller.acs3(DESCRIBE, &[DOMAIN], &wrong_hash, &[]).await;
    assert_eq!(reply.outcome(), (400, "SignatureDoesNotMatch"), "the declared hash is not that of the body");
    caller.secret = "wrong".to_owned();
    let reply = caller.acs3(DESCRIBE, &[DOMAIN], &[], &[]).await;
    assert_eq!(reply.outcome(), (400, "SignatureDoesNotMatch"));
    let message = reply.at("/Message");
    assert!(message.contains("server string to sign is:ACS3-HMAC-SHA256\n"), "{message}");
    assert!(
        message.contains("canonical request is:POST\n/\nDomainName=live.example.com\nhost:"),
        "{message}"
    );
}

#[tokio::test]
async fn acs3_calls_sign_what_matters() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    for header in [
        "host",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-content-sha256",
    ] {
        let reply = caller.acs3(DESCRIBE, &[DOMAIN], &[], &[header]).await;
        assert_eq!(reply.outcome(), (400, "IncompleteSignature"));
        assert!(reply.at("/Message").contains(&format!("{header} is not signed")), "{}", reply.text);
    }
    let form = ("content-type", "application/x-www-form-urlencoded");
    for header in [("x-acs-anything", "1"), form] {
        assert_eq!(
            caller.acs3(DESCRIBE, &[DOMAIN], &[header], &[]).await.outcome(),
            (404, "InvalidConfig.NotFound")
        );
        let reply = caller.acs3(DESCRIBE, &[DOMAIN], &[header], &[header.0]).await;
        // There is no body whose type could matter.
        let expected =
            if header == form { (404, "InvalidConfig.NotFound") } else { (400, "IncompleteSignature") };
        assert_eq!(reply.outcome(), expected, "{header:?}");
    }
    let names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    let authorization =
        format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature=00", caller.id);
    let request = http()
        .post(mock.endpoint())
        .header("Authorization", authorization)
        .header("x-acs-action", DESCRIBE)
        .header("x-acs-version", "2016-11-01")
        .header("x-acs-date", ALIYUN_TIME)
        .header("x-acs-signature-nonce", "1")
        .header("x-acs-content-sha256", "00")
        .header(form.0, form.1)
        .body("DomainName=live.example.com");
    let reply = Reply::to(request).await;
    assert!(reply.at("/Message").contains("content-type is not signed"), "{}", reply.text);
    for (header, code) in [
        ("x-acs-action", "MissingAction"),
        ("x-acs-version", "MissingVersion"),
        ("x-acs-date", "IllegalTimestamp"),
        ("x-acs-signature-nonce", "MissingSignatureNonce"),
    ] {
        assert_eq!(caller.acs3(DESCRIBE, &[DOMAIN], &[(header, "")], &[]).await.outcome(), (400, code));
    }
    for authorization in [
        "ACS3-HMAC-SM3 Credential=testid,SignedHeaders=host,Signature=00",
        "ACS3-HMAC-SHA256 Credential=testid, SignedHeaders=host, Signature=00",
        "ACS3-HMAC-SHA256 Credential=testid,Signature=00",
    ] {
        let request = http()
            .post(mock.endpoint())
            .header("Authorization", authorization)
            .header("x-acs-action", DESCRIBE)
            .header("x-acs-version", "2016-11-01");
        assert_eq!(Reply::to(request).await.outcome(), (400, "IncompleteSignature"), "{authorization}");
    }
}

#[tokio::test]
async fn temporary_keys_need_their_own_token() {
    let mock = MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .temporary_access_key("STS.id", "secret", "token+/=")
        .start()
        .await
        .unwrap();
    let permanent = Aliyun::new(&mock);
    let mut temporary = Aliyun::new(&mock);
    "STS.id".clone_into(&mut temporary.id);
    "secret".clone_into(&mut temporary.secret);

    let mismatch = (400, "InvalidSecurityToken.MismatchWithAccessKey");
    let found = (404, "InvalidConfig.NotFound");
    for (caller, token, outcome) in [
        (&temporary, Some("token+/="), found),
        (&temporary, None, (400, "MissingSecurityToken")),
        (&temporary, Some("other"), mismatch),
        (&permanent, None, found),
        (&permanent, Some("token+/="), mismatch),
    ] {
        let (mut parameters, mut headers) = (vec![DOMAIN], vec![]);
        parameters.extend(token.map(|token| ("SecurityToken", token)));
        headers.extend(token.map(|token| ("x-acs-security-token", token)));
        assert_eq!(caller.rpc(DESCRIBE, &parameters).await.outcome(), outcome, "{token:?}");
        assert_eq!(caller.acs3(DESCRIBE, &[DOMAIN], &headers, &[]).await.outcome(), outcome, "{token:?}");
    }
    let unsigned = [("x-acs-security-token", "token+/=")];
    let reply = temporary.acs3(DESCRIBE, &[DOMAIN], &unsigned, &["x-acs-security-token"]).await;
    assert_eq!(reply.outcome(), (400, "IncompleteSignature"));
}

#[tokio::test]
async fn timestamps_are_good_for_fifteen_minutes_either_way() {
    for (minutes, dialect) in [
        (15, AliyunDialect::default()),
        (31, AliyunDialect { timestamp_window_minutes: 31, ..Default::default() }),
    ] {
        let clock = clock(ALIYUN_TIME);
        let mock = MockAliyun::builder().clock(clock.clone()).dialect(dialect).start().await.unwrap();
        let caller = Aliyun::new(&mock);
        let start = clock.now();
        for sign in [1, -1] {
            let edge = SignedDuration::from_mins(minutes * sign);
            clock.set(start.checked_add(edge).unwrap());
            assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), (404, "InvalidConfig.NotFound"));
            clock.advance(SignedDuration::from_secs(sign));
            assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), (400, "InvalidTimeStamp.Expired"));
        }
    }
}

#[tokio::test]
async fn a_nonce_is_used_up_for_fifteen_minutes_for_its_key() {
    let clock: Clock = clock(ALIYUN_TIME);
    let mock = MockAliyun::builder()
        .clock(clock.clone())
        .access_key("one", "secret")
        .access_key("two", "secret")
        .start()
        .await
        .unwrap();
    let mut caller = Aliyun { nonce: Some("again"), ..Aliyun::new(&mock) };
    let fresh = (404, "InvalidConfig.NotFound");
    let used = (400, "SignatureNonceUsed");
    assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), fresh);
    assert_eq!(
        caller.acs3(DESCRIBE, &[DOMAIN], &[], &[]).await.outcome(),
        used,
        "whichever way it is signed"
    );
    "two".clone_into(&mut caller.id);
    assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), fresh, "for another key");

    "one".clone_into(&mut caller.id);
    clock.advance(SignedDuration::from_mins(15));
    assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), fresh, "after 15 minutes");

    let mut forger = Aliyun { nonce: Some("fresh"), ..Aliyun::new(&mock) };
    "wrong".clone_into(&mut forger.secret);
    assert_eq!(forger.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), (400, "SignatureDoesNotMatch"));
    caller.nonce = Some("fresh");
    assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.outcome(), fresh, "a refused call uses up no nonce");
}

#[tokio::test]
async fn quotas_are_off_unless_asked_for() {
    let mock = start().await;
    let caller = Aliyun::new(&mock);
    for _ in 0..60 {
        assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.status, 404);
    }
}

#[tokio::test]
async fn documented_quotas_are_per_operation_and_second() {
    let clock = clock(ALIYUN_TIME);
    let mock = MockAliyun::builder().clock(clock.clone()).quotas(true).start().await.unwrap();
    let caller = Aliyun::new(&mock);
    for _ in 0..50 {
        assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.status, 404);
    }
    let reply = caller.rpc(DESCRIBE, &[DOMAIN]).await;
    assert_eq!(reply.outcome(), (400, "Throttling.User"));
    assert_eq!(reply.at("/Message"), "Request was denied due to user flow control.");
    assert_eq!(caller.rpc("DeleteLiveRecordNotifyConfig", &[DOMAIN]).await.status, 404, "another operation");
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(caller.rpc(DESCRIBE, &[DOMAIN]).await.status, 404, "another second");
}

#[tokio::test]
async fn a_quota_can_be_set_for_one_operation_and_holds_for_the_account() {
    let mock = MockAliyun::builder()
        .clock(clock(ALIYUN_TIME))
        .access_key("one", "secret")
        .access_key("two", "secret")
        .quota(AliyunOperation::DescribeLiveUserDomains, 1, Duration::from_secs(60))
        .start()
        .await
        .unwrap();
    let mut caller = Aliyun::new(&mock);
    assert_eq!(caller.rpc("DescribeLiveUserDomains", &[]).await.status, 200);
    "two".clone_into(&mut caller.id);
    assert_eq!(caller.rpc("DescribeLiveUserDomains", &[]).await.outcome(), (400, "Throttling.User"));
    let log: Vec<_> = mock.requests().iter().map(|request| request.code().map(str::to_owned)).collect();
    assert_eq!(log, [None, Some("Throttling.User".to_owned())]);
}
