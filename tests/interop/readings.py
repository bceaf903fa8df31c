"""The readings a mock can take of what its vendor's documents leave open, as the program itself names them."""

import os
import re
import subprocess
import time

import pytest


def known(choice):
    """What could stand where the choice has a name that nobody knows; a default comes first."""
    command = [os.environ["RECORD_CALLBACK"], "mock", "--dialect", choice]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20, check=False)
    assert run.returncode == 2, run
    return re.search(r", only (.+)$", run.stderr, re.MULTILINE)[1].split(", ")


def alternatives(cloud):
    """Every reading that is not a default, like `denial=403`."""
    questions = known(f"{cloud}.nobody-asks=this")
    return [f"{name}={reading}" for name in questions for reading in known(f"{cloud}.{name}=nobody")[1:]]


def with_each_reading(cloud):
    """Runs a test with every reading, and with the defaults."""
    return pytest.mark.parametrize("reading", ["defaults", *alternatives(cloud)])


def start_with(start_mock, cloud, reading, *domains):
    return start_mock(*domains, dialects=[] if reading == "defaults" else [f"{cloud}.{reading}"])


def wait_until_seen(reading):
    """Waits as long as the cloud may take to show a change."""
    if reading.startswith("read_lag_milliseconds="):
        time.sleep(int(reading.partition("=")[2]) / 1000 + 0.01)
