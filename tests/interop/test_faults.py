"""What SDKs make of refusals, of clocks that differ, and of answers that get lost or broken."""

import json

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException as LegacyClientException
from aliyunsdkcore.client import AcsClient
from darabonba.exceptions import UnretryableException
from darabonba.policy.retry import RetryOptions
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ConnectionException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdklive.v1.model import (
    CreateRecordCallbackConfigRequest,
    DeleteRecordCallbackConfigRequest,
    ListRecordCallbackConfigsRequest,
    RecordCallbackConfigRequest,
    ShowRecordCallbackConfigRequest,
    UpdateRecordCallbackConfigRequest,
)
from requests.exceptions import ChunkedEncodingError, ReadTimeout

from sdks import (
    LEGACY,
    MODERN,
    Legacy,
    Modern,
    ModernAsync,
    assert_aliyun,
    huaweicloud,
    refused_by_huaweicloud,
    with_each,
)

DOMAIN = "live.example.com"
URL = "https://cb.example.com/recorded"
ADD, DESCRIBE, DOMAINS = "AddLiveRecordNotifyConfig", "DescribeLiveRecordNotifyConfig", "DescribeLiveUserDomains"
CREATE, LIST = "CreateRecordCallbackConfig", "ListRecordCallbackConfigs"
EXISTS = (400, "ConfigAlreadyExists", "Config has already exist.")
HOUR = 3600
# The status of a request that the mock did not answer.
UNANSWERED = 0

every_aliyun_sdk = with_each(MODERN + LEGACY)
# What became of an answer that should have been 2xx, beside what it said.
BROKEN = {
    "truncated": {"kind": "truncate"},
    "garbled": {"kind": "garble"},
    "a page": {"kind": "page", "status": 200},
}
broken = pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())


def create_request():
    body = RecordCallbackConfigRequest(publish_domain=DOMAIN, app="*", notify_callback_url=URL)
    return CreateRecordCallbackConfigRequest(body=body)


def listed(client):
    return client.list_record_callback_configs(ListRecordCallbackConfigsRequest()).callback_config


@every_aliyun_sdk
@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_aliyun_an_hour_off_is_too_much(mock, sdk, ahead):
    mock.run_ahead("aliyun", ahead)
    refusal = sdk(mock.aliyun).refused(DOMAINS)
    assert_aliyun(refusal, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    mock.run_ahead("aliyun", 0)
    assert sdk(mock.aliyun).call(DOMAINS)["TotalCount"] == 0


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_huaweicloud_an_hour_off_is_too_much(mock, ahead):
    client = huaweicloud(mock.huaweicloud)
    mock.run_ahead("huaweicloud", ahead)
    request = ListRecordCallbackConfigsRequest()
    status, code, message = refused_by_huaweicloud(client.list_record_callback_configs, request)
    assert (status, code) == (401, "APIGW.0301")
    assert "signature expired" in message
    mock.run_ahead("huaweicloud", 0)
    assert listed(client) == []


def lost(sdk):
    return UnretryableException if issubclass(sdk, Modern) else LegacyClientException


@every_aliyun_sdk
@pytest.mark.parametrize("moment", ["before", "after"])
def test_aliyun_a_lost_answer_is_an_error_and_asked_for_once(mock, sdk, moment):
    cloud = sdk(mock.aliyun)
    mock.fail("aliyun", "reset", operation=ADD, when=moment)
    with pytest.raises(lost(sdk)) as raised:
        cloud.call(ADD, DomainName=DOMAIN, NotifyUrl=URL)
    assert "reset by peer" in str(raised.value)
    assert mock.statuses("aliyun", ADD) == [UNANSWERED]
    if moment == "after":
        assert_aliyun(cloud.refused(ADD, DomainName=DOMAIN, NotifyUrl=URL), *EXISTS)
    else:
        assert cloud.call(ADD, DomainName=DOMAIN, NotifyUrl=URL) == {}


@with_each([Modern, ModernAsync])
def test_aliyun_who_lets_the_modern_sdk_ask_again_learns_that_it_exists(mock, sdk):
    cloud = sdk(mock.aliyun)
    condition = {"maxAttempts": 3, "exception": ["RetryError"], "errorCode": []}
    cloud.client._retry_options = RetryOptions({"retryable": True, "retryCondition": [condition]})
    mock.fail("aliyun", "reset", operation=ADD, when="after")
    # Signed again, with a nonce of its own: otherwise it would be refused for that.
    assert_aliyun(cloud.refused(ADD, DomainName=DOMAIN, NotifyUrl=URL), *EXISTS)
    assert mock.statuses("aliyun", ADD) == [UNANSWERED, 400]
    assert cloud.call(DESCRIBE, DomainName=DOMAIN)["LiveRecordNotifyConfig"]["NotifyUrl"] == URL


def test_aliyun_the_older_sdk_does_not_ask_again_whatever_it_is_told(mock):
    cloud = Legacy(mock.aliyun)
    key = (mock.aliyun.access_key_id, mock.aliyun.access_key_secret)
    cloud.client = AcsClient(*key, region_id="cn-shanghai", auto_retry=True, max_retry_time=3)
    cloud.client.add_endpoint("cn-shanghai", "live", mock.aliyun.endpoint.removeprefix("http://"))
    mock.fail("aliyun", "unavailable")
    assert cloud.refused(DOMAINS).code == "ServiceUnavailable"
    mock.fail("aliyun", "throttled")
    assert cloud.refused(DOMAINS).code == "Throttling.User"
    mock.fail("aliyun", "reset")
    with pytest.raises(LegacyClientException):
        cloud.call(DOMAINS)
    assert mock.statuses("aliyun", DOMAINS) == [503, 400, UNANSWERED]


@with_each([Modern, ModernAsync])
@pytest.mark.parametrize("status", [400, 429, 503])
def test_aliyun_the_modern_sdk_can_wait_as_long_as_it_is_told(start_mock, sdk, status):
    mock = start_mock(dialects=[f"aliyun.throttling={status}", "aliyun.retry_after=sent"])
    cloud = sdk(mock.aliyun)
    condition = {"maxAttempts": 3, "exception": ["ThrottlingException"], "errorCode": []}
    cloud.client._retry_options = RetryOptions({"retryable": True, "retryCondition": [condition]})
    mock.fail("aliyun", "throttled", times=2)
    assert cloud.call(DOMAINS)["TotalCount"] == 0
    assert mock.statuses("aliyun", DOMAINS) == [status, status, 200]


@with_each(MODERN)
@broken
def test_aliyun_a_broken_answer_is_an_error_of_the_modern_sdk(mock, sdk, fault):
    mock.fail("aliyun", **fault)
    with pytest.raises(UnretryableException, match="Failed to parse the value as json format"):
        sdk(mock.aliyun).call(DOMAINS)


@with_each(LEGACY)
@pytest.mark.parametrize("fault", [*BROKEN.values(), {"kind": "close_in_answer"}], ids=[*BROKEN, "cut off"])
def test_aliyun_a_broken_answer_is_handed_out_by_the_older_sdk(mock, sdk, fault):
    cloud = sdk(mock.aliyun)
    mock.fail("aliyun", **fault)
    answer = cloud.client.do_action_with_exception(cloud.request(DOMAINS))
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer)


@every_aliyun_sdk
def test_aliyun_no_connection_is_an_error(mock, sdk):
    cloud = sdk(mock.aliyun)
    mock.control("PUT", "aliyun/connections", {"refused": True})
    with pytest.raises(lost(sdk)):
        cloud.call(DOMAINS)
    mock.control("PUT", "aliyun/connections", {"refused": False})
    assert cloud.call(DOMAINS)["TotalCount"] == 0


def patient(cloud, retry_times=2, timeout=None):
    """A client that may ask again."""
    config = HttpConfig.get_default_config()
    config.retry_times = retry_times
    config.timeout = timeout or config.timeout
    return huaweicloud(cloud, http_config=config)


@pytest.mark.parametrize("build", [huaweicloud, patient], ids=["by default", "with retries"])
def test_huaweicloud_a_lost_answer_to_create_is_an_error_and_asked_for_once(mock, build):
    client = build(mock.huaweicloud)
    mock.fail("huaweicloud", "reset", operation=CREATE, when="after")
    with pytest.raises(ConnectionException):
        client.create_record_callback_config(create_request())
    assert mock.statuses("huaweicloud", CREATE) == [UNANSWERED]
    assert len(listed(client)) == 1
    refusal = refused_by_huaweicloud(client.create_record_callback_config, create_request())
    assert refusal == (400, "LIVE.103011018", "The resource already exists.")


def test_huaweicloud_with_retries_lists_are_asked_for_again(mock):
    client = patient(mock.huaweicloud)
    mock.fail("huaweicloud", "reset", operation=LIST)
    mock.fail("huaweicloud", "throttled", operation=LIST)
    assert listed(client) == []
    assert mock.statuses("huaweicloud", LIST) == [UNANSWERED, 429, 200]


def test_huaweicloud_the_code_of_429_is_lost_but_for_post(mock):
    client = huaweicloud(mock.huaweicloud)
    create = create_request()
    update = UpdateRecordCallbackConfigRequest(id="0" * 32, body=create.body)
    for call, request, code in (
        (client.create_record_callback_config, create, "APIGW.0308"),
        (client.list_record_callback_configs, ListRecordCallbackConfigsRequest(), "429"),
        (client.show_record_callback_config, ShowRecordCallbackConfigRequest(id="0" * 32), "429"),
        (client.update_record_callback_config, update, "429"),
        (client.delete_record_callback_config, DeleteRecordCallbackConfigRequest(id="0" * 32), "429"),
    ):
        mock.fail("huaweicloud", "throttled")
        with pytest.raises(ClientRequestException) as raised:
            call(request)
        assert (raised.value.status_code, raised.value.error_code) == (429, code)
        assert bool(raised.value.request_id) == (code != "429")


@broken
def test_huaweicloud_a_broken_answer_is_a_success_of_nothing(mock, fault):
    client = huaweicloud(mock.huaweicloud)
    mock.fail("huaweicloud", operation=CREATE, **fault)
    created = client.create_record_callback_config(create_request())
    assert json.loads(str(created)) == {}
    assert len(listed(client)) == (0 if fault["kind"] == "page" else 1)


@pytest.mark.parametrize(("kind", "raised"), [("close_in_answer", ChunkedEncodingError), ("stall", ReadTimeout)])
def test_huaweicloud_trouble_with_the_answer_is_an_error_of_the_http_library(mock, kind, raised):
    client = patient(mock.huaweicloud, retry_times=0, timeout=(5, 0.2))
    mock.fail("huaweicloud", kind, operation=CREATE, when="after")
    with pytest.raises(raised):
        client.create_record_callback_config(create_request())
    assert len(listed(patient(mock.huaweicloud))) == 1


def test_huaweicloud_a_redirect_is_a_success_of_nothing(mock):
    client = huaweicloud(mock.huaweicloud)
    mock.fail("huaweicloud", "redirect", status=307, location="http://127.0.0.1:1")
    created = client.create_record_callback_config(create_request())
    assert (created.status_code, json.loads(str(created))) == (307, {})
    assert listed(client) == []
