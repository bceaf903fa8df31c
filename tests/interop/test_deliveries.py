"""Callbacks by configs that SDKs wrote, and Aliyun's log of them as its SDKs read it."""

import hashlib
import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from alibabacloud_live20161101 import models
from huaweicloudsdklive.v1.model import CreateRecordCallbackConfigRequest, RecordCallbackConfigRequest

from sdks import LEGACY, MODERN, Modern, huaweicloud, with_each

DOMAIN = "live.example.com"
KEY = "Abcdefgh12345678Abcdefgh12345678"
RECORDS = "DescribeLiveRecordNotifyRecords"


def file_event(app, stream):
    return {
        "domain": DOMAIN,
        "app": app,
        "stream": stream,
        "uri": f"record/{app}/{stream}/a.flv",
        "duration": 54.403,
        "start_time": 1488985786,
        "stop_time": 1488985840,
    }


def at(**ahead):
    return (datetime.now(timezone.utc) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def page(number, size, **filters):
    times = {"StartTime": at(days=-1), "EndTime": at(minutes=1)}
    return {"DomainName": DOMAIN, **times, "PageNumber": number, "PageSize": size, **filters}


def happen(mock, cloud, event):
    answer = mock.control("POST", f"{cloud}/events", event)
    return answer["outcome"], answer["attempts"], answer["acknowledged"]


@with_each(MODERN + LEGACY)
def test_aliyun_deliveries_are_logged(mock, receiver, sdk):
    cloud = sdk(mock.aliyun)
    assert happen(mock, "aliyun", file_event("live", "s")) == ("no_config", 0, False)
    cloud.call("AddLiveRecordNotifyConfig", DomainName=DOMAIN, NotifyUrl=receiver.url(404))
    started = {"domain": DOMAIN, "app": "live", "stream": "s", "event": "record_started", "time": at()}
    assert happen(mock, "aliyun", started) == ("not_subscribed", 0, False)
    # Only timeouts are tried again.
    assert happen(mock, "aliyun", file_event("直播", "a+b")) == ("delivered", 1, False)
    config = {"DomainName": DOMAIN, "NotifyUrl": receiver.url(200), "NeedStatusNotify": True}
    cloud.call("UpdateLiveRecordNotifyConfig", **config)
    assert happen(mock, "aliyun", started) == ("delivered", 1, True)
    for number in range(3):
        assert happen(mock, "aliyun", file_event("live", f"s{number}")) == ("delivered", 1, True)

    pages = [cloud.call(RECORDS, **page(number, 2)) for number in (1, 2, 3, 4)]
    totals = [(found["PageNum"], found["PageSize"], found["TotalNum"], found["TotalPage"]) for found in pages]
    assert totals == [(number, 2, 5, 3) for number in (1, 2, 3, 4)]
    streams = [[record["StreamName"] for record in found["CallbackList"]] for found in pages]
    assert streams == [["a+b", "s"], ["s0", "s1"], ["s2"], []]

    def named(**filters):
        found = cloud.call(RECORDS, **page(1, 500, **filters))
        return [record["StreamName"] for record in found["CallbackList"]]

    assert named(Status="failed") == named(AppName="直播") == named(StreamName="a+b") == ["a+b"]
    assert named(Status="success") == named(AppName="live") == ["s", "s0", "s1", "s2"]
    assert named(Status="failed", AppName="live") == []

    failed, status, *_ = cloud.call(RECORDS, **page(1, 500))["CallbackList"]
    assert json.loads(failed.pop("NotifyContent")) == file_event("直播", "a+b") == receiver.received[0][1]
    assert json.loads(failed.pop("NotifyHeader"))["Content-Type"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", failed.pop("NotifyTime"))
    assert failed == {
        "DomainName": DOMAIN,
        "AppName": "直播",
        "StreamName": "a+b",
        "NotifyUrl": receiver.url(404),
        "NotifyType": "file_created",
        "NotifyResponse": "thank you",
        "NotifyResult": "failed",
        "Description": "the status is 404, not 200",
    }
    assert (status["NotifyType"], status["NotifyResult"]) == ("record_started", "success")


def test_aliyun_records_have_the_types_that_the_model_declares(mock, receiver):
    cloud = Modern(mock.aliyun)
    cloud.call("AddLiveRecordNotifyConfig", DomainName=DOMAIN, NotifyUrl=receiver.url(200))
    happen(mock, "aliyun", file_event("live", "s"))
    request = models.DescribeLiveRecordNotifyRecordsRequest().from_map(page(1, 10))
    body = cloud.client.describe_live_record_notify_records(request).body
    (record,) = body.callback_list
    assert isinstance(record, models.DescribeLiveRecordNotifyRecordsResponseBodyCallbackList)
    assert (record.notify_url, record.notify_result) == (receiver.url(200), "success")


@pytest.mark.parametrize("signs", [False, True], ids=["without a key", "with a key"])
def test_aliyun_signs_as_the_sdk_configured(mock, receiver, signs):
    auth = {"NotifyReqAuth": True, "NotifyAuthKey": KEY} if signs else {}
    config = {"DomainName": DOMAIN, "NotifyUrl": receiver.url(200), **auth}
    Modern(mock.aliyun).call("AddLiveRecordNotifyConfig", **config)
    happen(mock, "aliyun", file_event("live", "s"))
    ((headers, _),) = receiver.received
    timestamp, signature = headers["ALI-LIVE-TIMESTAMP"], headers["ALI-LIVE-SIGNATURE"]
    signed = hashlib.md5(f"127.0.0.1|{timestamp}|{KEY}".encode()).hexdigest()
    assert signature == (signed if signs else None)


def test_huaweicloud_sends_what_the_sdk_subscribed_to(mock, receiver):
    client = huaweicloud(mock.huaweicloud)
    events = ["RECORD_OVER"]
    body = RecordCallbackConfigRequest(
        publish_domain=DOMAIN,
        app="*",
        notify_callback_url=receiver.url(200),
        notify_event_subscription=events,
        sign_type="MD5",
        key=KEY,
    )

    def event(name):
        return {"event_type": name, "publish_domain": DOMAIN, "app": "live", "stream": "s", "task_id": "1"}

    assert happen(mock, "huaweicloud", event("RECORD_OVER")) == ("no_config", 0, False)
    client.create_record_callback_config(CreateRecordCallbackConfigRequest(body=body))
    assert happen(mock, "huaweicloud", event("RECORD_FAILED")) == ("not_subscribed", 0, False)
    assert happen(mock, "huaweicloud", event("RECORD_OVER")) == ("delivered", 1, True)
    ((_, received),) = receiver.received
    signature, timestamp = received.pop("auth_sign"), received.pop("auth_timestamp")
    assert received == event("RECORD_OVER")
    assert signature == hashlib.md5(f"{KEY}{timestamp}".encode()).hexdigest()
