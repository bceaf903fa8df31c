"""Huawei Cloud's SDK against the mock Huawei Cloud. It signs with access keys only: tokens it does not support."""

import json
import re
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import SdkException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdklive.v1 import LiveAsyncClient, LiveClient
from huaweicloudsdklive.v1.model import (
    CreateRecordCallbackConfigRequest,
    CreateRecordCallbackConfigResponse,
    DeleteRecordCallbackConfigRequest,
    ListRecordCallbackConfigsRequest,
    RecordCallbackConfig,
    RecordCallbackConfigRequest,
    ShowRecordCallbackConfigRequest,
    UpdateRecordCallbackConfigRequest,
)

from sdks import huaweicloud, refused_by_huaweicloud

DOMAIN = "push.example.com"
URL = "https://cb.example.com/recorded"
KEY = "Abcdefgh12345678Abcdefgh12345678"
NOT_FOUND = (404, "LIVE.103011019", "The resource does not exist.")
WRONG_TOKEN = (
    401,
    "APIGW.0301",
    "Incorrect IAM authentication information: X-Security-Token does not belong to the access key",
)
# What Node leaves as it is in a query, besides letters, digits and `-_.`.
UNESCAPED = "~!'()*"
APPS = ["*", "a+b", "直播", "a/b", "a b", "%41", "é~!*'()😀", "a&b=c?d#e"]


def create(app="*", **fields):
    body = {"publish_domain": DOMAIN, "app": app, "notify_callback_url": URL, **fields}
    return CreateRecordCallbackConfigRequest(body=RecordCallbackConfigRequest(**body))


def update(config_id, app="*", **fields):
    return UpdateRecordCallbackConfigRequest(id=config_id, body=create(app, **fields).body)


def show(config_id):
    return ShowRecordCallbackConfigRequest(id=config_id)


def listing(**filters):
    return ListRecordCallbackConfigsRequest(**filters)


def fields(config):
    """All that the model has."""
    return json.loads(str(config))


def test_a_config_is_created_read_updated_and_deleted(mock):
    client = huaweicloud(mock.huaweicloud)
    events = ["RECORD_NEW_FILE_START", "RECORD_FILE_COMPLETE", "RECORD_OVER", "RECORD_FAILED"]
    created = client.create_record_callback_config(
        create("vip", notify_event_subscription=events, sign_type="MD5", key=KEY)
    )
    assert isinstance(created, CreateRecordCallbackConfigResponse)
    assert created.status_code == 201
    assert re.fullmatch("[0-9a-f]{32}", created.id)
    assert created.publish_domain == DOMAIN
    assert created.app == "vip"
    assert created.notify_callback_url == URL
    assert created.notify_event_subscription == events
    assert created.sign_type == "MD5"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created.create_time)
    assert created.update_time == created.create_time

    shown = client.show_record_callback_config(show(created.id))
    assert (shown.status_code, fields(shown)) == (200, fields(created))
    # The model would leave out a key; what came over the wire may have none either.
    assert KEY.encode() not in shown.raw_content

    listed = client.list_record_callback_configs(listing())
    assert (listed.status_code, listed.total) == (200, 1)
    assert isinstance(listed.callback_config[0], RecordCallbackConfig)
    assert fields(listed.callback_config[0]) == fields(created)

    # What is not said again goes back to its default.
    updated = client.update_record_callback_config(update(created.id, "vip", notify_callback_url="http://[::1]:81/"))
    assert (updated.status_code, updated.id, updated.create_time) == (200, created.id, created.create_time)
    assert updated.notify_callback_url == "http://[::1]:81/"
    assert updated.notify_event_subscription == ["RECORD_FILE_COMPLETE"]
    assert updated.sign_type == "HMACSHA256"
    assert fields(client.show_record_callback_config(show(created.id))) == fields(updated)

    deleted = client.delete_record_callback_config(DeleteRecordCallbackConfigRequest(id=created.id))
    assert (deleted.status_code, deleted.raw_content) == (204, b"")
    assert refused_by_huaweicloud(client.show_record_callback_config, show(created.id)) == NOT_FOUND


def test_an_url_is_not_required(mock):
    client = huaweicloud(mock.huaweicloud)
    created = client.create_record_callback_config(create(notify_callback_url=None))
    assert created.notify_callback_url is None
    assert created.notify_event_subscription == ["RECORD_FILE_COMPLETE"]


@pytest.mark.parametrize("app", APPS)
def test_apps_are_stored_and_filtered_as_they_are(mock, app):
    client = huaweicloud(mock.huaweicloud)
    client.create_record_callback_config(create("other"))
    url = f"https://cb.example.com/录制/a%20b?x={app.replace(' ', '+')}"
    created = client.create_record_callback_config(create(app, notify_callback_url=url))
    assert (created.app, created.notify_callback_url) == (app, url)
    found = client.list_record_callback_configs(listing(app=app, publish_domain=DOMAIN, offset=0, limit=10))
    assert (found.total, [config.id for config in found.callback_config]) == (1, [created.id])


def write_queries_as_the_sdk_for_node(monkeypatch):
    """It signs `%2A` and sends `*`, as of 3.1.211."""

    def write(request):
        query = "&".join(f"{name}={quote(str(value), safe=UNESCAPED)}" for name, value in request.query_params)
        request.uri = f"{request.resource_path}?{query}"

    monkeypatch.setattr(Signer, "process_request_uri", staticmethod(write))


@pytest.mark.parametrize("app", ["*", "~!'()", "a+b", "直播"])
def test_the_query_may_be_written_as_the_sdk_for_node_does(mock, monkeypatch, app):
    client = huaweicloud(mock.huaweicloud)
    created = client.create_record_callback_config(create(app))
    write_queries_as_the_sdk_for_node(monkeypatch)
    found = client.list_record_callback_configs(listing(publish_domain=DOMAIN, app=app, limit=10))
    assert [config.id for config in found.callback_config] == [created.id]


@pytest.mark.parametrize("app", ["*", "~!'()"])
def test_the_query_has_to_be_written_as_it_is_signed_in_the_strict_reading(start_mock, monkeypatch, app):
    client = huaweicloud(start_mock(dialects=["huaweicloud.query_on_wire=as_signed"]).huaweicloud)
    assert client.list_record_callback_configs(listing(app=app)).total == 0
    write_queries_as_the_sdk_for_node(monkeypatch)
    status, code, message = refused_by_huaweicloud(client.list_record_callback_configs, listing(app=app))
    assert (status, code) == (401, "APIGW.0301")
    assert message.endswith("the query is not encoded the way it is signed")


def test_configs_are_listed_page_by_page(mock):
    client = huaweicloud(mock.huaweicloud)
    apps = [f"app-{number:03}" for number in range(103)]
    for app in apps:
        client.create_record_callback_config(create(app))

    def page(**query):
        found = client.list_record_callback_configs(listing(**query))
        assert found.total == 103
        return [config.app for config in found.callback_config]

    assert page() == apps[:10]
    assert page(limit=100) == apps[:100]
    assert page(limit=100, offset=100) == apps[100:]
    assert page(limit=1, offset=102) == ["app-102"]
    assert page(offset=103) == page(offset=4096) == []
    for query, name in ((listing(limit=0), "limit"), (listing(limit=101), "limit"), (listing(offset=4097), "offset")):
        refusal = refused_by_huaweicloud(client.list_record_callback_configs, query)
        assert refusal == (400, "LIVE.100011001", f"Invalid request parameter: {name}")


def test_domain_and_app_together_exist_once(mock):
    client = huaweicloud(mock.huaweicloud)
    client.create_record_callback_config(create())
    client.create_record_callback_config(create("live"))
    exists = (400, "LIVE.103011018", "The resource already exists.")
    assert refused_by_huaweicloud(client.create_record_callback_config, create("live")) == exists


@pytest.mark.parametrize("config_id", ["0" * 32, "a b/c", "直播", "%2F", "*"])
def test_what_does_not_exist_cannot_be_read_or_changed(mock, config_id):
    client = huaweicloud(mock.huaweicloud)
    for call, request in (
        (client.show_record_callback_config, show(config_id)),
        (client.update_record_callback_config, update(config_id)),
        (client.delete_record_callback_config, DeleteRecordCallbackConfigRequest(id=config_id)),
    ):
        assert refused_by_huaweicloud(call, request) == NOT_FOUND


def test_an_update_does_not_move_a_config(mock):
    client = huaweicloud(mock.huaweicloud)
    created = client.create_record_callback_config(create())
    for changes, name in (({"app": "other"}, "app"), ({"publish_domain": "other.example.com"}, "publish_domain")):
        refusal = refused_by_huaweicloud(client.update_record_callback_config, update(created.id, **changes))
        assert refusal == (400, "LIVE.100011001", f"Invalid request parameter: {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("publish_domain", ""),
        ("app", "a" * 129),
        ("notify_callback_url", "cb.example.com"),
        ("notify_event_subscription", []),
        ("notify_event_subscription", ["RECORD_NEW_FILE"]),
        ("sign_type", "hmacsha256"),
        ("key", "short"),
    ],
)
def test_wrong_fields_are_named(mock, name, value):
    client = huaweicloud(mock.huaweicloud)
    refusal = refused_by_huaweicloud(client.create_record_callback_config, create(**{name: value}))
    assert refusal == (400, "LIVE.100011001", f"Invalid request parameter: {name}")


def test_domains_of_somebody_else_are_unknown(start_mock):
    client = huaweicloud(start_mock("ours.example.com").huaweicloud)
    refusal = refused_by_huaweicloud(client.create_record_callback_config, create())
    assert refusal == (400, "LIVE.103011019", "The resource does not exist.")
    assert client.create_record_callback_config(create(publish_domain="ours.example.com")).status_code == 201


def refused_list(cloud, **changes):
    return refused_by_huaweicloud(huaweicloud(cloud, **changes).list_record_callback_configs, listing(app="a+b 直播"))


def test_wrong_keys_and_projects_are_refused(mock):
    cloud = mock.huaweicloud
    text = "Incorrect IAM authentication information: "
    assert refused_list(cloud, access_key="NOBODY") == (401, "APIGW.0301", f"{text}ak NOBODY not exist")
    assert refused_list(cloud, project_id="0" * 32) == (401, "LIVE.100011015", "Project ID verification failed.")

    status, code, message = refused_list(cloud, secret_key="wrong")
    assert (status, code) == (401, "APIGW.0301")
    # What the SDK has signed, byte for byte but for its name and the time.
    path, query = f"/v1/{cloud.project_id}/record/callbacks/", "app=a%2Bb%20%E7%9B%B4%E6%92%AD"
    host, date = cloud.endpoint.removeprefix("http://"), r"\d{8}T\d{6}Z"
    signed = (
        rf"content-type:application/json\|host:{re.escape(host)}\|user-agent:[^|]*\|x-project-id:{cloud.project_id}"
        rf"\|x-sdk-date:{date}\|\|content-type;host;user-agent;x-project-id;x-sdk-date\|[0-9a-f]{{64}}"
    )
    start = f"{text}verify aksk signature fail, canonicalRequest:GET|{path}|{query}|"
    assert message.startswith(start)
    assert re.fullmatch(signed, message.removeprefix(start))


def test_temporary_keys_work_with_their_token_only(mock):
    cloud = mock.huaweicloud
    key = {"access_key": cloud.temporary_access_key, "secret_key": cloud.temporary_secret_key}
    client = huaweicloud(cloud, **key, security_token=cloud.temporary_security_token)
    created = client.create_record_callback_config(create())
    assert client.delete_record_callback_config(DeleteRecordCallbackConfigRequest(id=created.id)).status_code == 204
    assert refused_list(cloud, **key) == WRONG_TOKEN
    assert refused_list(cloud, **key, security_token="somebody-elses") == WRONG_TOKEN


def test_permanent_keys_have_no_token(mock):
    assert refused_list(mock.huaweicloud, security_token="gQpj/abc+def==") == WRONG_TOKEN


def by_region(cloud, region, secret_key=None):
    """A client that asks IAM for the project of its region."""
    credentials = BasicCredentials(cloud.access_key, secret_key or cloud.secret_key)
    region = Region(region, cloud.endpoint)
    return LiveClient.new_builder().with_credentials(credentials).with_region(region).build()


def test_the_project_is_found_by_region(mock, monkeypatch):
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", mock.huaweicloud.iam_endpoint)
    client = by_region(mock.huaweicloud, "cn-north-4")
    created = client.create_record_callback_config(create())
    assert huaweicloud(mock.huaweicloud).show_record_callback_config(show(created.id)).id == created.id

    with pytest.raises(SdkException) as raised:
        by_region(mock.huaweicloud, "cn-north-9").list_record_callback_configs(listing())
    assert "cn-north-9" in raised.value.error_msg
    with pytest.raises(SdkException) as raised:
        by_region(mock.huaweicloud, "cn-east-3", "wrong").list_record_callback_configs(listing())
    assert "error_code:APIGW.0301" in raised.value.error_msg


def test_the_environment_is_enough(mock, monkeypatch):
    cloud = mock.huaweicloud
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", cloud.access_key)
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", cloud.secret_key)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", cloud.project_id)
    client = LiveClient.new_builder().with_endpoint(cloud.endpoint).build()
    assert client.list_record_callback_configs(listing()).total == 0


def test_the_asynchronous_client_does_the_same(mock):
    cloud = mock.huaweicloud
    credentials = BasicCredentials(cloud.access_key, cloud.secret_key, cloud.project_id)
    client = LiveAsyncClient.new_builder().with_credentials(credentials).with_endpoint(cloud.endpoint).build()
    created = client.create_record_callback_config_async(create("a+b")).result()
    assert client.show_record_callback_config_async(show(created.id)).result().app == "a+b"
