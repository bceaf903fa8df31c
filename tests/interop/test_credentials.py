"""The vendors' own classes for credentials get keys from the mock, and calls signed with these are taken."""

import asyncio
from pathlib import Path

import pytest
from alibabacloud_credentials.client import Client as CredentialClient
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    OIDCRoleArnCredentialsProvider,
    RamRoleArnCredentialsProvider,
    URLCredentialsProvider,
)
from alibabacloud_live20161101 import models
from alibabacloud_live20161101.client import Client
from alibabacloud_tea_openapi.models import Config
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.auth.provider import (
    CredentialProviderChain,
    MetadataCredentialProvider,
    OidcStsCredentialProvider,
    PodIdentityCredentialProvider,
)
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, SdkException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdklive.v1 import LiveClient
from huaweicloudsdklive.v1.model import ListRecordCallbackConfigsRequest

from sdks import Modern, assert_aliyun

DOMAINS = "DescribeLiveUserDomains"
TOKEN, ROLE, KEY = "CreateMetadataToken", "GetMetadataRole", "GetMetadataRoleCredentials"
DAY = 24 * 3600


def ecs_ram_role(cloud, _, **options):
    provider = EcsRamRoleCredentialsProvider(async_update_enabled=False, **options)
    # The address is a constant.
    provider._EcsRamRoleCredentialsProvider__metadata_service_host = cloud.metadata_endpoint.removeprefix("http://")
    return provider


def ram_role_arn(cloud, _, **options):
    # With a scheme, as the SDK would use HTTPS.
    options = {
        "access_key_id": cloud.access_key_id,
        "access_key_secret": cloud.access_key_secret,
        "role_arn": cloud.role_arn,
        "sts_endpoint": cloud.sts_endpoint,
        **options,
    }
    return RamRoleArnCredentialsProvider(**options)


def chained(cloud, _):
    """The role assumed by a key that is temporary itself."""
    key = {
        "access_key_id": cloud.temporary_access_key_id,
        "access_key_secret": cloud.temporary_access_key_secret,
        "security_token": cloud.temporary_security_token,
    }
    return ram_role_arn(cloud, None, **key)


def oidc(cloud, directory, **options):
    file = Path(directory, "token")
    file.write_text(cloud.oidc_token, encoding="ascii")
    return OIDCRoleArnCredentialsProvider(
        role_arn=cloud.role_arn,
        oidc_provider_arn=cloud.oidc_provider_arn,
        oidc_token_file_path=str(file),
        sts_endpoint=cloud.sts_endpoint,
        **options,
    )


def uri(cloud, _):
    return URLCredentialsProvider(uri=cloud.credentials_uri)


every_provider = pytest.mark.parametrize("source", [ecs_ram_role, ram_role_arn, chained, oidc, uri])


def operations(mock, cloud):
    return [(request["operation"], request["status"]) for request in mock.control("GET", f"{cloud}/requests")]


@every_provider
def test_aliyun_calls_are_signed_with_what_a_provider_got(mock, tmp_path, source):
    cloud = mock.aliyun
    config = Config(
        endpoint=cloud.endpoint.removeprefix("http://"),
        protocol="http",
        credential=CredentialClient(provider=source(cloud, tmp_path)),
    )
    answer = Client(config).describe_live_user_domains(models.DescribeLiveUserDomainsRequest())
    assert (answer.status_code, answer.body.domains.page_data) == (200, [])


@every_provider
def test_aliyun_providers_get_keys_asynchronously_and_that_end_for_live(mock, tmp_path, source):
    key = asyncio.run(source(mock.aliyun, tmp_path).get_credentials_async())
    assert key.get_access_key_id().startswith("STS.")
    live = Modern(mock.aliyun, key.get_access_key_id(), key.get_access_key_secret(), key.get_security_token())
    assert live.call(DOMAINS)["TotalCount"] == 0
    # STS gives an hour, the others six. The key is looked at before the call's time, which is a day off then.
    mock.run_ahead("aliyun", DAY)
    refusal = live.refused(DOMAINS)
    assert_aliyun(refusal, 400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


def test_aliyun_metadata_is_asked_with_tokens(mock, tmp_path):
    ecs_ram_role(mock.aliyun, tmp_path).get_credentials()
    # A token for each of the two requests.
    expected = [(TOKEN, 200), (ROLE, 200), (TOKEN, 200), (KEY, 200)]
    assert operations(mock, "aliyun-metadata") == expected


def test_aliyun_metadata_without_tokens_is_asked_the_old_way_if_that_is_allowed(mock, tmp_path):
    mock.fail("aliyun-metadata", "status", status=404, operation=TOKEN, times=None)
    key = ecs_ram_role(mock.aliyun, tmp_path, role_name=mock.aliyun.ecs_role).get_credentials()
    live = Modern(mock.aliyun, key.get_access_key_id(), key.get_access_key_secret(), key.get_security_token())
    assert live.call(DOMAINS)["TotalCount"] == 0
    assert operations(mock, "aliyun-metadata") == [(TOKEN, 404), (KEY, 200)]
    with pytest.raises(CredentialException, match="HttpCode=404"):
        ecs_ram_role(mock.aliyun, tmp_path, disable_imds_v1=True).get_credentials()
    assert operations(mock, "aliyun-metadata")[2:] == [(TOKEN, 404)]


def test_aliyun_a_role_the_instance_has_not_is_an_error(mock, tmp_path):
    with pytest.raises(CredentialException, match="HttpCode=404"):
        ecs_ram_role(mock.aliyun, tmp_path, role_name="other").get_credentials()


def test_aliyun_what_sts_refuses_is_an_error_with_its_answer(mock, tmp_path):
    for provider, code in (
        (ram_role_arn(mock.aliyun, tmp_path, access_key_secret="wrong"), "SignatureDoesNotMatch"),
        (ram_role_arn(mock.aliyun, tmp_path, role_arn="acs:ram::1:role/other"), "EntityNotExist.Role"),
        (ram_role_arn(mock.aliyun, tmp_path, duration_seconds=50000), "InvalidParameter.DurationSeconds"),
        (ram_role_arn(mock.aliyun, tmp_path, policy="{"), "InvalidParameter.PolicyGrammar"),
    ):
        with pytest.raises(CredentialException, match=code):
            provider.get_credentials()
    provider = oidc(mock.aliyun, tmp_path)
    Path(tmp_path, "token").write_text("not.a.token", encoding="ascii")
    with pytest.raises(CredentialException, match="AuthenticationFail.OIDCToken.Invalid"):
        provider.get_credentials()


def test_aliyun_policies_and_durations_are_signed_as_the_sdk_signs_them(mock, tmp_path):
    policy = '{"Version":"1","Statement":[{"Effect":"Allow","Action":["live:*"],"Resource":"*~"}]}'
    options = {"policy": policy, "duration_seconds": 900, "external_id": "any", "role_session_name": "a.b@c-d_e"}
    key = ram_role_arn(mock.aliyun, tmp_path, **options).get_credentials()
    assert key.get_access_key_id().startswith("STS.")


def listed(cloud, credentials):
    client = LiveClient.new_builder().with_credentials(credentials).with_endpoint(cloud.endpoint).build()
    return client.list_record_callback_configs(ListRecordCallbackConfigsRequest()).callback_config


@pytest.fixture
def huaweicloud(mock, monkeypatch):
    """Its metadata, and its IAM and STS, are where the SDK looks for them."""
    cloud = mock.huaweicloud
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", cloud.metadata_endpoint)
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", cloud.iam_endpoint)
    monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", cloud.sts_endpoint)
    return cloud


def as_agency(cloud, patch, _):
    patch.setenv("HUAWEICLOUD_OIDC_PROVIDER_URN", cloud.oidc_provider_urn)
    patch.setenv("HUAWEICLOUD_OIDC_AGENCY_URN", cloud.agency_urn)
    patch.setenv("HUAWEICLOUD_OIDC_ID_TOKEN", cloud.id_token)
    return OidcStsCredentialProvider.get_basic().get_credentials()


def federated(cloud, _, directory):
    file = Path(directory, "token")
    file.write_text(cloud.id_token, encoding="ascii")
    return BasicCredentials().with_idp_id(cloud.idp_id).with_id_token_file(str(file))


def server(*_):
    return MetadataCredentialProvider.get_basic().get_credentials()


def pod(cloud, patch, directory):
    file = Path(directory, "pod-token")
    file.write_text(cloud.pod_token, encoding="ascii")
    patch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", cloud.pod_identity_uri)
    patch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    return PodIdentityCredentialProvider.get_basic().get_credentials()


every_source = pytest.mark.parametrize("source", [as_agency, federated, server, pod])


@every_source
def test_huaweicloud_calls_are_signed_with_what_a_source_gave(huaweicloud, monkeypatch, tmp_path, source):
    credentials = source(huaweicloud, monkeypatch, tmp_path).with_project_id(huaweicloud.project_id)
    assert listed(huaweicloud, credentials) == []
    assert credentials.ak.startswith("HST")
    assert credentials.security_token


@every_source
def test_huaweicloud_the_key_finds_the_project_too_and_ends(mock, huaweicloud, monkeypatch, tmp_path, source):
    # Projects are remembered by the id of the identity provider, which is the same in all mocks.
    monkeypatch.setattr(BasicCredentials, "_CACHE", {})
    credentials = source(huaweicloud, monkeypatch, tmp_path)
    region = Region(huaweicloud.region, huaweicloud.endpoint)
    client = LiveClient.new_builder().with_credentials(credentials).with_region(region).build()
    request = ListRecordCallbackConfigsRequest()
    assert client.list_record_callback_configs(request).callback_config == []
    assert credentials.project_id == huaweicloud.project_id
    mock.run_ahead("huaweicloud", DAY)
    with pytest.raises(ClientRequestException) as raised:
        client.list_record_callback_configs(request)
    assert (raised.value.status_code, raised.value.error_code) == (401, "APIGW.0301")
    assert "decrypt token fail" in raised.value.error_msg


def test_huaweicloud_metadata_is_asked_with_a_token(mock, huaweicloud):
    server()
    expected = [("CreateMetadataToken", 200), ("GetSecurityKey", 200)]
    assert operations(mock, "huaweicloud-metadata") == expected


@pytest.mark.parametrize("status", [404, 405, 503])
def test_huaweicloud_metadata_without_tokens_is_asked_without(mock, huaweicloud, status):
    mock.fail("huaweicloud-metadata", "status", status=status, operation="CreateMetadataToken")
    credentials = server().with_project_id(huaweicloud.project_id)
    assert listed(huaweicloud, credentials) == []
    assert operations(mock, "huaweicloud-metadata") == [("CreateMetadataToken", status), ("GetSecurityKey", 200)]


def test_huaweicloud_a_metadata_token_that_is_over_is_got_anew(mock, huaweicloud):
    accessor = MetadataAccessor()
    first = accessor.get_credential()
    mock.run_ahead("huaweicloud", DAY)
    assert accessor.get_credential().access != first.access
    asked = [operation for operation, _ in operations(mock, "huaweicloud-metadata")]
    key, token = "GetSecurityKey", "CreateMetadataToken"
    assert asked == [token, key, key, token, key]


def test_huaweicloud_the_chain_comes_to_the_metadata(huaweicloud):
    credentials = CredentialProviderChain.get_basic().get_credentials()
    assert listed(huaweicloud, credentials.with_project_id(huaweicloud.project_id)) == []


def test_huaweicloud_what_is_refused_is_an_error(mock, huaweicloud, monkeypatch, tmp_path):
    credentials = as_agency(huaweicloud, monkeypatch, tmp_path)
    credentials.sts_accessor._agency_urn = "iam::0:agency:other"
    with pytest.raises(SdkException, match="the agency does not exist"):
        listed(huaweicloud, credentials.with_project_id(huaweicloud.project_id))
    credentials = federated(huaweicloud, None, tmp_path).with_idp_id("other")
    with pytest.raises(ClientRequestException) as raised:
        listed(huaweicloud, credentials.with_project_id(huaweicloud.project_id))
    assert raised.value.status_code == 404
    mock.fail("huaweicloud-metadata", "denied", operation="GetPodCredentials")
    with pytest.raises(SdkException, match="403"):
        pod(huaweicloud, monkeypatch, tmp_path)
