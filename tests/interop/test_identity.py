"""Whose account a key is of, as the vendors' SDKs ask."""

import json

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdklive.v1 import LiveClient


def identity(cloud, client):
    host = cloud.sts_endpoint.removeprefix("http://")
    request = CommonRequest(domain=host, version="2015-04-01", action_name="GetCallerIdentity")
    request.set_protocol_type("http")
    return json.loads(client.do_action_with_exception(request))


def test_aliyun_tells_the_account_of_users_and_roles(mock):
    cloud = mock.aliyun
    user = identity(cloud, AcsClient(cloud.access_key_id, cloud.access_key_secret, "cn-shanghai"))
    assert (user["AccountId"], user["IdentityType"]) == (cloud.account_id, "RAMUser")
    key = (cloud.temporary_access_key_id, cloud.temporary_access_key_secret, cloud.temporary_security_token)
    role = identity(cloud, AcsClient(region_id="cn-shanghai", credential=StsTokenCredential(*key)))
    assert (role["AccountId"], role["IdentityType"]) == (cloud.account_id, "AssumedRoleUser")
    other = identity(cloud, AcsClient(cloud.other_access_key_id, cloud.other_access_key_secret, "cn-shanghai"))
    assert other["AccountId"] == cloud.other_account_id


def test_aliyun_tells_nobody_whose_key_is_forged(mock):
    cloud = mock.aliyun
    with pytest.raises(ServerException) as raised:
        identity(cloud, AcsClient(cloud.access_key_id, "forged", "cn-shanghai"))
    assert raised.value.get_error_code() == "SignatureDoesNotMatch"


@pytest.fixture(params=["listed", "empty"])
def huaweicloud(request, start_mock, monkeypatch):
    """IAM lists the account; or nothing, and the SDK asks STS."""
    cloud = start_mock(dialects=[f"huaweicloud.auth_domains={request.param}"]).huaweicloud
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", cloud.iam_endpoint)
    monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", cloud.sts_endpoint)
    return cloud


def test_huaweicloud_tells_the_account_that_the_sdk_finds(huaweicloud):
    cloud = huaweicloud
    keys = [
        ((cloud.access_key, cloud.secret_key), cloud.account_id),
        ((cloud.other_access_key, cloud.other_secret_key), cloud.other_account_id),
    ]
    for key, account in keys:
        basic = BasicCredentials(*key, cloud.project_id)
        client = LiveClient.new_builder().with_credentials(basic).with_endpoint(cloud.endpoint).build()
        found = GlobalCredentials(*key).process_auth_params(client._http_client, cloud.region)
        assert found.domain_id == account
