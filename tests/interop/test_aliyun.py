"""Aliyun's SDKs against the mock Aliyun."""

import warnings
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest
from alibabacloud_live20161101 import models
from alibabacloud_tea_openapi.exceptions import ClientException

from sdks import LEGACY, MODERN, Legacy, Modern, assert_aliyun, with_each

DOMAIN = "live.example.com"
URL = "https://cb.example.com/recorded"
KEY = "testkeyyourkey12"
ADD, UPDATE, DESCRIBE, DELETE, RECORDS, DOMAINS = (
    "AddLiveRecordNotifyConfig",
    "UpdateLiveRecordNotifyConfig",
    "DescribeLiveRecordNotifyConfig",
    "DeleteLiveRecordNotifyConfig",
    "DescribeLiveRecordNotifyRecords",
    "DescribeLiveUserDomains",
)
NO_CONFIG = (404, "InvalidConfig.NotFound", "Config does not exist.")
MISSING_TOKEN = (400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
WRONG_TOKEN = (400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatches the AccessKey.")
NO_DOMAIN = (404, "InvalidDomain.NotFound", "The domain provided does not exist in our records.")

every_sdk = with_each(MODERN + LEGACY)


def described(url=URL, on_demand="", status=False, auth=False, key=""):
    config = {
        "DomainName": DOMAIN,
        "NotifyUrl": url,
        "OnDemandUrl": on_demand,
        "NeedStatusNotify": status,
        "NotifyReqAuth": auth,
        "NotifyAuthKey": key,
    }
    return {"LiveRecordNotifyConfig": config}


@every_sdk
def test_a_config_is_created_read_updated_and_deleted(mock, sdk):
    cloud = sdk(mock.aliyun)
    everything = {
        "OnDemandUrl": "https://cb.example.com/on-demand",
        "NeedStatusNotify": True,
        "NotifyReqAuth": True,
        "NotifyAuthKey": KEY,
    }
    assert cloud.call(ADD, DomainName=DOMAIN, NotifyUrl=URL, **everything) == {}
    assert cloud.call(DESCRIBE, DomainName=DOMAIN) == described(
        on_demand="https://cb.example.com/on-demand", status=True, auth=True, key=KEY
    )
    # Booleans that are off, and a text that is there but empty.
    nothing = {"OnDemandUrl": "", "NeedStatusNotify": False, "NotifyReqAuth": False}
    other = "http://cb.example.com:8080/elsewhere"
    assert cloud.call(UPDATE, DomainName=DOMAIN, NotifyUrl=other, **nothing) == {}
    assert cloud.call(DESCRIBE, DomainName=DOMAIN) == described(url=other)
    assert cloud.call(DELETE, DomainName=DOMAIN) == {}
    assert_aliyun(cloud.refused(DESCRIBE, DomainName=DOMAIN), *NO_CONFIG)


def test_models_have_the_types_they_declare(mock):
    client = Modern(mock.aliyun).client
    added = client.add_live_record_notify_config(
        models.AddLiveRecordNotifyConfigRequest(domain_name=DOMAIN, notify_url=URL, need_status_notify=True)
    )
    assert isinstance(added, models.AddLiveRecordNotifyConfigResponse)
    read = client.describe_live_record_notify_config(
        models.DescribeLiveRecordNotifyConfigRequest(domain_name=DOMAIN)
    )
    config = read.body.live_record_notify_config
    assert isinstance(config, models.DescribeLiveRecordNotifyConfigResponseBodyLiveRecordNotifyConfig)
    assert (config.domain_name, config.notify_url, config.on_demand_url) == (DOMAIN, URL, "")
    assert config.need_status_notify is True
    assert config.notify_req_auth is False
    assert config.notify_auth_key == ""


@every_sdk
@pytest.mark.parametrize(
    "url",
    [
        "https://cb.example.com/录制/直播?名=值",
        "https://cb.example.com/a%20b/%E5%BD%95?q=%2B%25&x=a+b",
        "http://user@cb.example.com:8443/*~'()!@,;:$&=+",
        "https://录制.example.com/é😀",
        "http://127.0.0.1:1/",
    ],
)
def test_urls_are_stored_as_they_are(mock, sdk, url):
    cloud = sdk(mock.aliyun)
    cloud.call(ADD, DomainName=DOMAIN, NotifyUrl=url, OnDemandUrl=url)
    assert cloud.call(DESCRIBE, DomainName=DOMAIN) == described(url=url, on_demand=url)


@every_sdk
def test_what_exists_cannot_be_created_and_what_does_not_cannot_be_changed(mock, sdk):
    cloud = sdk(mock.aliyun)
    config = {"DomainName": DOMAIN, "NotifyUrl": URL}
    for action in (UPDATE, DESCRIBE, DELETE):
        assert_aliyun(cloud.refused(action, **config), *NO_CONFIG)
    cloud.call(ADD, **config)
    assert_aliyun(cloud.refused(ADD, **config), 400, "ConfigAlreadyExists", "Config has already exist.")


@every_sdk
def test_domains_of_somebody_else_are_unknown(start_mock, sdk):
    cloud = sdk(start_mock("ours.example.com").aliyun)
    config = {"DomainName": DOMAIN, "NotifyUrl": URL}
    for action in (ADD, DESCRIBE, DELETE):
        assert_aliyun(cloud.refused(action, **config), *NO_DOMAIN)
    # The page of this operation has its own message, and its own status.
    assert_aliyun(cloud.refused(UPDATE, **config), 400, "InvalidDomain.NotFound", "Specified Domain is invalid.")


@every_sdk
@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"DomainName": ""}, "MissingDomainName", "DomainName is mandatory for this action."),
        ({"NotifyUrl": ""}, "MissingNotifyUrl", "NotifyUrl is mandatory for this action."),
        ({"NotifyUrl": "cb.example.com"}, "InvalidNotifyUrl.Malformed", "Specified NotifyUrl is invalid."),
        ({"OnDemandUrl": "ftp://cb.example.com"}, "InvalidOnDemandUrl.Malformed", "Specified OnDemandUrl is invalid."),
        (
            {"NotifyReqAuth": True, "NotifyAuthKey": "short"},
            "InvalidParameter",
            "Specified parameter NotifyAuthKey is not valid: it is not 16 to 32 letters and digits.",
        ),
        (
            {"NotifyReqAuth": True},
            "InvalidParameter",
            "Specified parameter NotifyAuthKey is not valid: it is required when NotifyReqAuth is on.",
        ),
    ],
    ids=["no domain", "no url", "url", "on-demand url", "short key", "no key"],
)
def test_wrong_parameters_are_named(mock, sdk, changes, code, message):
    config = {"DomainName": DOMAIN, "NotifyUrl": URL, **changes}
    assert_aliyun(sdk(mock.aliyun).refused(ADD, **config), 400, code, message)


@every_sdk
def test_an_unknown_key_is_refused(mock, sdk):
    refusal = sdk(mock.aliyun, access_key_id="LTAI5tNobody").refused(DESCRIBE, DomainName=DOMAIN)
    assert_aliyun(refusal, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")


@with_each(MODERN)
def test_a_wrong_secret_is_refused_with_what_should_have_been_signed(mock, sdk):
    refusal = sdk(mock.aliyun, access_key_secret="wrong").refused(DESCRIBE, DomainName=DOMAIN)
    rule, named, signed = refusal.message.partition("server string to sign is:")
    assert named
    signature = {None: "ACS3-HMAC-SHA256\n", "v2": "POST&%2F&AccessKeyId%3D"}[sdk.algorithm]
    assert signed.startswith(signature)
    assert_aliyun(
        replace(refusal, message=rule),
        400,
        "SignatureDoesNotMatch",
        "Specified signature is not matched with our calculation. ",
    )


@with_each(LEGACY)
def test_the_older_sdk_finds_that_only_the_secret_is_wrong(mock, sdk):
    # It compares the text to sign in the answer with its own, and has this code only if they are the same.
    refusal = sdk(mock.aliyun, access_key_secret="wrong").refused(DESCRIBE, DomainName="直播 a+b*~.example.com")
    text = "The AccessKeySecret is incorrect. Please check your AccessKeyId and AccessKeySecret."
    assert_aliyun(refusal, 400, "InvalidAccessKeySecret", text)


@every_sdk
def test_temporary_keys_work_with_their_token_only(mock, sdk):
    cloud = mock.aliyun
    key = (cloud.temporary_access_key_id, cloud.temporary_access_key_secret)
    assert sdk(cloud, *key, cloud.temporary_security_token).call(DOMAINS)["TotalCount"] == 0
    assert_aliyun(sdk(cloud, *key).refused(DOMAINS), *MISSING_TOKEN)
    assert_aliyun(sdk(cloud, *key, "somebody-elses").refused(DOMAINS), *WRONG_TOKEN)


@every_sdk
def test_permanent_keys_have_no_token(mock, sdk):
    assert_aliyun(sdk(mock.aliyun, security_token="CAIS+abc/def==").refused(DOMAINS), *WRONG_TOKEN)


@every_sdk
def test_domains_are_listed_page_by_page(start_mock, sdk):
    names = [f"live-{number:02}.example.com" for number in range(60)]
    cloud = sdk(start_mock(*names).aliyun)
    pages = [cloud.call(DOMAINS, PageNumber=number, PageSize=25) for number in (1, 2, 3, 4)]
    assert [(page["PageNumber"], page["PageSize"], page["TotalCount"]) for page in pages] == [
        (number, 25, 60) for number in (1, 2, 3, 4)
    ]
    listed = [[domain["DomainName"] for domain in page["Domains"]["PageData"]] for page in pages]
    assert listed == [names[:25], names[25:50], names[50:], []]
    first = pages[0]["Domains"]["PageData"][0]
    assert (first["LiveDomainType"], first["LiveDomainStatus"]) == ("liveVideo", "online")

    default = cloud.call(DOMAINS)
    assert (default["PageNumber"], default["PageSize"], len(default["Domains"]["PageData"])) == (1, 20, 20)
    one = cloud.call(DOMAINS, DomainName="live-07", DomainSearchType="pre_match", LiveDomainType="liveVideo")
    assert [domain["DomainName"] for domain in one["Domains"]["PageData"]] == ["live-07.example.com"]
    assert cloud.call(DOMAINS, LiveDomainType="liveEdge")["TotalCount"] == 0
    text = "Specified parameter PageSize is not valid: it is not a number from 1 to 50."
    assert_aliyun(cloud.refused(DOMAINS, PageSize=51), 400, "InvalidParameter", text)


NO_TIME = "it is not written as yyyy-MM-ddTHH:mm:ssZ"


def at(**ago):
    return (datetime.now(timezone.utc) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


@every_sdk
def test_the_log_of_deliveries_is_empty_at_first(mock, sdk):
    log = {"DomainName": DOMAIN, "StartTime": at(days=6), "EndTime": at(days=0), "PageNumber": 1, "PageSize": 500}
    empty = {"Code": 0, "Msg": "ok", "PageNum": 1, "PageSize": 500, "TotalNum": 0, "TotalPage": 0, "CallbackList": []}
    assert sdk(mock.aliyun).call(RECORDS, **log) == empty
    assert sdk(mock.aliyun).call(RECORDS, **log, AppName="直播", StreamName="a+b", Status="failed") == empty


@every_sdk
@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"PageSize": None}, "MissingPageSize", "PageSize is mandatory for this action."),
        ({"StartTime": None}, "MissingStartTime", "StartTime is mandatory for this action."),
        ({"StartTime": at(days=8)}, "InvalidParameter", "StartTime is not valid: it is more than 7 days ago."),
        ({"StartTime": "2026-11-22"}, "InvalidParameter", f"StartTime is not valid: {NO_TIME}."),
        ({"EndTime": at(days=7)}, "InvalidParameter", "EndTime is not valid: it is not later than StartTime."),
        ({"PageSize": 501}, "InvalidParameter", "PageSize is not valid: it is not a number from 1 to 500."),
        ({"Status": "maybe"}, "InvalidParameter", "Status is not valid: it is not one of success, failed."),
    ],
    ids=["no page size", "no start", "too old", "no time of day", "backwards", "large page", "unknown status"],
)
def test_the_log_of_deliveries_checks_its_parameters(mock, sdk, changes, code, message):
    log = {"DomainName": DOMAIN, "StartTime": at(days=6), "EndTime": at(days=0), "PageNumber": 1, "PageSize": 20}
    wanted = {name: value for name, value in {**log, **changes}.items() if value is not None}
    if code == "InvalidParameter":
        message = f"Specified parameter {message}"
    assert_aliyun(sdk(mock.aliyun).refused(RECORDS, **wanted), 400, code, message)


def test_the_older_sdk_gets_xml_when_it_asks_for_it(mock):
    cloud = Legacy(mock.aliyun)

    def answer(action, **parameters):
        request = cloud.request(action, **parameters)
        request.set_accept_format("XML")
        with warnings.catch_warnings():
            # The one call that does not insist on JSON is deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            return ElementTree.fromstring(cloud.client.do_action(request))

    url = "https://cb.example.com/录制?a=1&b=<2>"
    assert answer(ADD, DomainName=DOMAIN, NotifyUrl=url, NeedStatusNotify=True).tag == f"{ADD}Response"
    config = answer(DESCRIBE, DomainName=DOMAIN).find("LiveRecordNotifyConfig")
    assert (config.findtext("NotifyUrl"), config.findtext("NeedStatusNotify")) == (url, "true")
    error = answer(ADD, DomainName=DOMAIN, NotifyUrl=url)
    assert (error.tag, error.findtext("Code")) == ("Error", "ConfigAlreadyExists")


def test_an_algorithm_that_the_mock_does_not_model_is_refused_and_not_guessed(mock):
    class Sm3(Modern):
        algorithm = "ACS3-HMAC-SM3"

    with pytest.raises(ClientException) as raised:
        Sm3(mock.aliyun).call(DOMAINS)
    assert (raised.value.status_code, raised.value.code) == (400, "IncompleteSignature")
