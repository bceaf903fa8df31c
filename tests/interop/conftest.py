"""The program under test: the mock clouds as a process, and the command line as the client to compare with."""

import json
import os
import select
import subprocess
import time
import urllib.request
from types import SimpleNamespace

import pytest

from receiver import Receiver

PROGRAM = os.environ["RECORD_CALLBACK"]
READY_SECONDS = 20
RUN_SECONDS = 60


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory):
    """Nothing of the machine: no proxies, which the SDKs would ask for loopback too, and nobody's credentials."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name.startswith(("ALIBABA", "ALIYUN", "ALICLOUD", "HUAWEICLOUD_")):
                patch.delenv(name)
        # Huawei Cloud's SDK keeps an id of the machine in the home directory.
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


class Mock:
    """`record-callback mock` as a process, what its ready line tells, and its admin port."""

    def __init__(self, domains, dialects):
        options = [option for domain in domains for option in ("--domain", domain)]
        options += [option for dialect in dialects for option in ("--dialect", dialect)]
        command = [PROGRAM, "mock", "--admin-addr", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            self.ready = json.loads(self._line())
        except BaseException:
            self.stop()
            raise
        self.aliyun = SimpleNamespace(**self.ready["aliyun"])
        self.huaweicloud = SimpleNamespace(**self.ready["huaweicloud"])
        self.admin = self.ready["admin"]["endpoint"]

    def _line(self):
        deadline = time.monotonic() + READY_SECONDS
        stdout, line = self.process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise TimeoutError(f"the mock is not ready after {READY_SECONDS} seconds")
            part = os.read(stdout, 4096)
            if not part:
                raise RuntimeError(f"the mock ended with {self.process.wait(READY_SECONDS)} before it was ready")
            line += part
        return line

    def control(self, method, path, body=None):
        """Asks the admin port; gives what it answers, `None` if that is nothing."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.admin}/{path}", data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=RUN_SECONDS) as answer:
            return json.loads(answer.read() or "null")

    def fail(self, cloud, kind, **fields):
        self.control("POST", f"{cloud}/faults", {"fault": kind, **fields})

    def run_ahead(self, cloud, seconds):
        self.control("PUT", f"{cloud}/clock", {"ahead_seconds": seconds})

    def statuses(self, cloud, operation):
        """How the requests for an operation were answered so far; no status is no answer."""
        requests = self.control("GET", f"{cloud}/requests")
        return [request["status"] for request in requests if request["operation"] == operation]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(READY_SECONDS)
        finally:
            self.process.stdout.close()


@pytest.fixture
def start_mock():
    """Starts mocks that are stopped when the test is over; without domains, every domain is known."""
    started = []

    def start(*domains, dialects=()):
        started.append(Mock(domains, dialects))
        return started[-1]

    yield start
    for mock in started:
        mock.stop()


@pytest.fixture
def mock(start_mock):
    return start_mock()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


class Cli:
    """The command line for one cloud."""

    def __init__(self, options, environment):
        self.options, self.environment = options, environment

    def run(self, *arguments, **variables):
        environment = {**os.environ, **self.environment, **variables}
        command = [PROGRAM, *arguments, *self.options, "--output", "json"]
        return subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS, check=False
        )

    def json(self, *arguments, **variables):
        """What it printed; it must have succeeded."""
        run = self.run(*arguments, **variables)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)


@pytest.fixture
def aliyun_cli(mock):
    """By signature, `rpc` or `acs3`."""
    cloud = mock.aliyun
    environment = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": cloud.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": cloud.access_key_secret,
    }
    options = ["--vendor", "aliyun", "--endpoint", cloud.endpoint, "--signature"]
    return lambda signature: Cli([*options, signature], environment)


@pytest.fixture
def huaweicloud_cli(mock):
    cloud = mock.huaweicloud
    environment = {"HUAWEICLOUD_SDK_AK": cloud.access_key, "HUAWEICLOUD_SDK_SK": cloud.secret_key}
    return Cli(
        ["--vendor", "huaweicloud", "--endpoint", cloud.endpoint, "--project-id", cloud.project_id], environment
    )
