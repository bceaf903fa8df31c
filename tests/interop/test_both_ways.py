"""What an SDK wrote our client reads, and what our client wrote an SDK reads."""

import json

import pytest
from huaweicloudsdklive.v1.model import (
    CreateRecordCallbackConfigRequest,
    ListRecordCallbackConfigsRequest,
    RecordCallbackConfigRequest,
    ShowRecordCallbackConfigRequest,
)

from sdks import LEGACY, MODERN, Modern, assert_aliyun, huaweicloud, with_each

DOMAIN = "live.example.com"
KEY = "Abcdefgh12345678Abcdefgh12345678"
URLS = [
    "https://cb.example.com/recorded",
    "https://cb.example.com/录制/直播?名=值",
    "https://cb.example.com/a%20b/%E5%BD%95?q=%2B%25&x=a+b",
    "http://cb.example.com:8443/*~'()!@,;:$&=+",
]
ON_DEMAND = "https://cb.example.com/按需?%2B+"
STATUS_EVENTS = [
    "recording_started",
    "recording_paused",
    "recording_resumed",
    "recording_failed",
    "file_completed",
    "transcode_failed",
]
APPS = ["*", "a+b", "直播", "a/b", "%41", "é~!'()😀", "a&b=c?d#e"]

every_sdk = with_each(MODERN + LEGACY)
every_signature = pytest.mark.parametrize("signature", ["rpc", "acs3"])


def events_of(names):
    return [option for name in names for option in ("--event", name)]


def at_aliyun(url, on_demand, status, key):
    config = {
        "DomainName": DOMAIN,
        "NotifyUrl": url,
        "OnDemandUrl": on_demand,
        "NeedStatusNotify": status,
        "NotifyReqAuth": bool(key),
        "NotifyAuthKey": key,
    }
    return {"LiveRecordNotifyConfig": config}


@every_sdk
@every_signature
def test_aliyun_what_we_write_the_sdk_reads(mock, aliyun_cli, sdk, signature):
    cli, cloud = aliyun_cli(signature), sdk(mock.aliyun)

    def put(url, *more):
        put = cli.json("put", "--domain", DOMAIN, "--notify-url", url, *more, "--yes", SIGNING_KEY=KEY)
        return put["action"], cloud.call("DescribeLiveRecordNotifyConfig", DomainName=DOMAIN)

    assert put(URLS[0]) == ("created", at_aliyun(URLS[0], "", False, ""))
    all_of_it = ["--on-demand-url", ON_DEMAND, *events_of(STATUS_EVENTS), "--sign", "md5", "--key-env", "SIGNING_KEY"]
    for url in URLS[1:]:
        assert put(url, *all_of_it) == ("updated", at_aliyun(url, ON_DEMAND, True, KEY))
    # What is not named stays, and goes by name.
    assert put(URLS[0]) == ("updated", at_aliyun(URLS[0], ON_DEMAND, True, KEY))
    no_events = [text for event in STATUS_EVENTS if event != "file_completed" for text in ("--no-event", event)]
    gone = put(URLS[0], "--no-on-demand-url", *no_events, "--unsigned")
    assert gone == ("updated", at_aliyun(URLS[0], "", False, ""))

    cli.json("delete", "--domain", DOMAIN, "--yes")
    missing = cloud.refused("DescribeLiveRecordNotifyConfig", DomainName=DOMAIN)
    assert_aliyun(missing, 404, "InvalidConfig.NotFound", "Config does not exist.")


@every_sdk
@every_signature
def test_aliyun_what_the_sdk_writes_we_read(mock, aliyun_cli, sdk, signature):
    cli, cloud = aliyun_cli(signature), sdk(mock.aliyun)
    cloud.call("AddLiveRecordNotifyConfig", DomainName=DOMAIN, NotifyUrl=URLS[0])
    shown = {
        "domain": DOMAIN,
        "app": "*",
        "notify_url": URLS[0],
        "on_demand_url": None,
        "events": ["file_completed"],
        "signing": {"scheme": "disabled", "key": "not_set"},
        "id": None,
    }
    assert cli.json("get", "--domain", DOMAIN) == shown

    all_of_it = {"OnDemandUrl": ON_DEMAND, "NeedStatusNotify": True, "NotifyReqAuth": True, "NotifyAuthKey": KEY}
    shown |= {"on_demand_url": ON_DEMAND, "events": STATUS_EVENTS, "signing": {"scheme": "md5", "key": "known"}}
    for url in URLS[1:]:
        cloud.call("UpdateLiveRecordNotifyConfig", DomainName=DOMAIN, NotifyUrl=url, **all_of_it)
        shown["notify_url"] = url
        assert cli.json("get", "--domain", DOMAIN) == shown
    assert cli.json("list") == [shown]

    cloud.call("DeleteLiveRecordNotifyConfig", DomainName=DOMAIN)
    assert cli.run("get", "--domain", DOMAIN).returncode == 3
    assert cli.json("list") == []


@every_signature
def test_aliyun_we_list_what_does_not_fit_on_a_page(mock, aliyun_cli, signature):
    cloud = Modern(mock.aliyun)
    domains = [f"live-{number:02}.example.com" for number in range(53)]
    for domain in domains:
        cloud.call("AddLiveRecordNotifyConfig", DomainName=domain, NotifyUrl=URLS[0])
    assert [config["domain"] for config in aliyun_cli(signature).json("list")] == domains


def create(app, **fields):
    body = RecordCallbackConfigRequest(publish_domain=DOMAIN, app=app, notify_callback_url=URLS[1], **fields)
    return CreateRecordCallbackConfigRequest(body=body)


def fields(config):
    return json.loads(str(config))


@pytest.mark.parametrize("app", APPS)
def test_huaweicloud_what_we_write_the_sdk_reads(mock, huaweicloud_cli, app):
    client = huaweicloud(mock.huaweicloud)
    events = ["recording_ended", "recording_failed", "file_started", "file_completed"]
    put = ["put", "--domain", DOMAIN, "--app", app, "--notify-url", URLS[2], "--on-demand-url", ON_DEMAND]
    sign = ["--sign", "md5", "--key-env", "SIGNING_KEY"]
    created = huaweicloud_cli.json(*put, *sign, *events_of(events), SIGNING_KEY=KEY)
    assert created["action"] == "created"

    identity = created["after"]["id"]
    shown = client.show_record_callback_config(ShowRecordCallbackConfigRequest(id=identity))
    assert (shown.publish_domain, shown.app, shown.notify_callback_url) == (DOMAIN, app, URLS[2])
    assert sorted(shown.notify_event_subscription) == [
        "RECORD_FAILED",
        "RECORD_FILE_COMPLETE",
        "RECORD_NEW_FILE_START",
        "RECORD_OVER",
    ]
    assert shown.sign_type == "MD5"
    # The SDK's model has no such field any more.
    assert json.loads(shown.raw_content)["on_demand_callback_url"] == ON_DEMAND
    found = client.list_record_callback_configs(ListRecordCallbackConfigsRequest(publish_domain=DOMAIN, app=app))
    assert [config.id for config in found.callback_config] == [identity]

    huaweicloud_cli.json("delete", "--domain", DOMAIN, "--app", app, "--yes")
    assert client.list_record_callback_configs(ListRecordCallbackConfigsRequest()).total == 0


def test_huaweicloud_what_we_replace_the_sdk_reads(mock, huaweicloud_cli):
    client = huaweicloud(mock.huaweicloud)
    put = ["put", "--domain", DOMAIN, "--app", "a+b"]
    created = huaweicloud_cli.json(*put, "--notify-url", URLS[2], *events_of(["recording_ended", "file_started"]))
    events = ["--no-event", "recording_ended", "--event", "file_completed"]
    changed = huaweicloud_cli.json(*put, "--notify-url", URLS[3], *events, "--unsigned", "--yes")
    identity = created["after"]["id"]
    assert (changed["action"], changed["after"]["id"]) == ("updated", identity)
    shown = client.show_record_callback_config(ShowRecordCallbackConfigRequest(id=identity))
    assert shown.notify_callback_url == URLS[3]
    assert sorted(shown.notify_event_subscription) == ["RECORD_FILE_COMPLETE", "RECORD_NEW_FILE_START"]


@pytest.mark.parametrize("app", APPS)
def test_huaweicloud_what_the_sdk_writes_we_read(mock, huaweicloud_cli, app):
    client = huaweicloud(mock.huaweicloud)
    events = ["RECORD_NEW_FILE_START", "RECORD_OVER", "RECORD_FAILED"]
    created = client.create_record_callback_config(
        create(app, notify_event_subscription=events, sign_type="HMACSHA256", key=KEY)
    )
    read = huaweicloud_cli.json("get", "--domain", DOMAIN, "--app", app)
    assert sorted(read.pop("events")) == ["file_started", "recording_ended", "recording_failed"]
    assert read == {
        "domain": DOMAIN,
        "app": app,
        "notify_url": URLS[1],
        "on_demand_url": None,
        "signing": {"scheme": "hmac_sha256", "key": "hidden"},
        "id": created.id,
    }
    assert [config["id"] for config in huaweicloud_cli.json("list", "--domain", DOMAIN)] == [created.id]


def test_huaweicloud_we_list_what_we_would_not_write(mock, huaweicloud_cli):
    client = huaweicloud(mock.huaweicloud)
    # An app with a space, no URL, an event that only the console offers: an account may have them.
    body = RecordCallbackConfigRequest(publish_domain=DOMAIN, app="a b", notify_event_subscription=["RECORD_START"])
    created = client.create_record_callback_config(CreateRecordCallbackConfigRequest(body=body))
    run = huaweicloud_cli.run("list")
    assert run.returncode == 0, run.stderr
    assert [config["id"] for config in json.loads(run.stdout)] == [created.id]


def test_huaweicloud_we_list_what_does_not_fit_on_a_page(mock, huaweicloud_cli):
    client = huaweicloud(mock.huaweicloud)
    apps = [f"app-{number:03}" for number in range(103)]
    for app in apps:
        client.create_record_callback_config(create(app))
    assert [config["app"] for config in huaweicloud_cli.json("list")] == apps
