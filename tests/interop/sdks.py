"""The vendors' SDKs, pointed at the mock clouds.

Aliyun has two generations. Both are called the same way here, by the vendor's names of actions and parameters, so that
a test runs with each of them; what comes back, and what is raised, is the SDK's own.
"""

import asyncio
import importlib
import json
import re
from dataclasses import dataclass

import pytest
from alibabacloud_live20161101 import models
from alibabacloud_live20161101.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdklive.v1 import LiveClient


@dataclass
class Refusal:
    """What an SDK raised."""

    status: int
    code: str
    message: str
    request_id: str


class Modern:
    """alibabacloud-live20161101: ACS3-HMAC-SHA256, or RPC with HMAC-SHA1 when asked for."""

    algorithm = None

    def __init__(self, cloud, access_key_id=None, access_key_secret=None, security_token=None):
        self.client = Client(
            Config(
                # With a scheme, it would be the Host header that is wrong.
                endpoint=cloud.endpoint.removeprefix("http://"),
                protocol="http",
                access_key_id=access_key_id or cloud.access_key_id,
                access_key_secret=access_key_secret or cloud.access_key_secret,
                security_token=security_token,
                signature_algorithm=self.algorithm,
            )
        )

    def call(self, action, **parameters):
        """The answer after the SDK's model has read it, without the request id, which every answer has."""
        request = getattr(models, f"{action}Request")().from_map(parameters)
        response = self.send(re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower(), request)
        assert response.status_code == 200
        assert response.headers["x-acs-request-id"] == response.body.request_id
        return without_request_id(response.body.to_map())

    def send(self, method, request):
        return getattr(self.client, method)(request)

    def refused(self, action, **parameters):
        # Not ServerException, which is for 5xx here.
        with pytest.raises(ClientException) as raised:
            self.call(action, **parameters)
        error = raised.value
        message = error.data["Message"]
        assert error.message == f"code: {error.status_code}, {message} request id: {error.request_id}"
        assert error.data["HostId"]
        return Refusal(error.status_code, error.code, message, error.request_id)


class ModernAsync(Modern):
    """Over another HTTP library, which writes URLs in its own way."""

    def send(self, method, request):
        return asyncio.run(getattr(self.client, f"{method}_async")(request))


class ModernRpc(Modern):
    algorithm = "v2"


class ModernRpcAsync(ModernAsync):
    algorithm = "v2"


class Legacy:
    """aliyun-python-sdk-live: RPC with HMAC-SHA1, without models of answers."""

    method = "POST"

    def __init__(self, cloud, access_key_id=None, access_key_secret=None, security_token=None):
        key = (access_key_id or cloud.access_key_id, access_key_secret or cloud.access_key_secret)
        if security_token is None:
            self.client = AcsClient(*key, region_id="cn-shanghai")
        else:
            self.client = AcsClient(region_id="cn-shanghai", credential=StsTokenCredential(*key, security_token))
        self.client.add_endpoint("cn-shanghai", "live", cloud.endpoint.removeprefix("http://"))

    def request(self, action, **parameters):
        module = importlib.import_module(f"aliyunsdklive.request.v20161101.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_method(self.method)
        for name, value in parameters.items():
            # The SDK's last version is older than the parameters for signing.
            setter = getattr(request, f"set_{name}", None)
            setter(value) if setter else request.add_query_param(name, value)
        return request

    def call(self, action, **parameters):
        body = self.client.do_action_with_exception(self.request(action, **parameters))
        return without_request_id(json.loads(body))

    def refused(self, action, **parameters):
        # This SDK means the server's refusals; its ClientException is for what does not reach the server.
        with pytest.raises(ServerException) as raised:
            self.call(action, **parameters)
        error = raised.value
        return Refusal(error.get_http_status(), error.get_error_code(), error.get_error_msg(), error.get_request_id())


class LegacyGet(Legacy):
    method = "GET"


MODERN = [Modern, ModernAsync, ModernRpc, ModernRpcAsync]
LEGACY = [Legacy, LegacyGet]

def with_each(sdks):
    """Runs a test with each of the SDKs."""
    return pytest.mark.parametrize("sdk", [pytest.param(sdk, id=sdk.__name__) for sdk in sdks])


def without_request_id(answer):
    # One of the readings has ids that are a digit short.
    assert re.fullmatch(r"[0-9A-F-]{35,36}", answer.pop("RequestId"))
    return answer


def assert_aliyun(refusal, status, code, message):
    assert (refusal.status, refusal.code, refusal.message) == (status, code, message)
    assert re.fullmatch(r"[0-9A-F-]{36}", refusal.request_id)


def huaweicloud(cloud, access_key=None, secret_key=None, project_id=None, security_token=None, http_config=None):
    """A client of huaweicloudsdklive."""
    credentials = BasicCredentials(
        access_key or cloud.access_key, secret_key or cloud.secret_key, project_id or cloud.project_id
    )
    if security_token is not None:
        credentials = credentials.with_security_token(security_token)
    builder = LiveClient.new_builder().with_credentials(credentials).with_endpoint(cloud.endpoint)
    return builder.with_http_config(http_config).build() if http_config else builder.build()


def refused_by_huaweicloud(call, request):
    with pytest.raises(ClientRequestException) as raised:
        call(request)
    error = raised.value
    assert error.request_id.endswith("-record-callback-mock")
    return error.status_code, error.error_code, error.error_msg
