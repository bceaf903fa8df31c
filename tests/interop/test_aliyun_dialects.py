"""Aliyun's SDKs under every reading of what its documents leave open."""

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from aliyunsdkcore.acs_exception.exceptions import ServerException
from darabonba.exceptions import UnretryableException

from readings import alternatives, start_with, wait_until_seen, with_each_reading
from sdks import Legacy, Modern, ModernRpc, with_each

DOMAIN, OTHER = "live.example.com", "other.example.com"
URL, NEW = "https://cb.example.com/recorded", "https://cb.example.com/new"
ON_DEMAND = "https://cb.example.com/on-demand"
KEY = "testkeyyourkey12"
EVERYTHING = {"OnDemandUrl": ON_DEMAND, "NeedStatusNotify": True, "NotifyReqAuth": True, "NotifyAuthKey": KEY}
FIELDS = ["NotifyUrl", "OnDemandUrl", "NeedStatusNotify", "NotifyReqAuth", "NotifyAuthKey"]
MINUTES = 60

DEFAULTS = {
    "create": "ok",
    "created": [URL, "", False, False, ""],
    "update with everything": "ok",
    "updated with everything": [URL, ON_DEMAND, True, True, KEY],
    "update with a URL": "ok",
    "updated with a URL": [NEW, "", False, False, ""],
    "update with an empty on-demand URL": "ok",
    "update with a key": "ok",
    "updated with a key": [NEW, "", False, False, ""],
    "update with no URL": "400 MissingNotifyUrl",
    "read of an unknown domain": "404 InvalidDomain.NotFound",
    "denied": "400 Forbidden",
    "throttled": "400 Throttling.User",
    "unavailable": "503 ServiceUnavailable",
    "20 minutes off": "400 InvalidTimeStamp.Expired",
    "delete": "ok",
    "deleted": "404 InvalidConfig.NotFound",
}
# What differs, as far as it can: there is nothing here for a reading that no SDK notices.
CHANGES = {
    "omitted_on_update=kept": {
        "updated with a URL": [NEW, ON_DEMAND, True, True, KEY],
        "updated with a key": [NEW, "", True, True, KEY],
        "update with no URL": "400 MissingNotifyUrl",
    },
    "empty_on_demand_url=refused": {"update with an empty on-demand URL": "400 InvalidOnDemandUrl.Malformed"},
    "notify_url_on_update=optional": {"update with no URL": "ok"},
    "key_without_auth=kept": {"updated with a key": [NEW, "", False, False, KEY]},
    # The SDKs write `True` and `False`: a boolean is never `yes`.
    "boolean_requests=yes_no": {
        "update with everything": "400 InvalidParameter",
        "updated with everything": [URL, "", False, False, ""],
    },
    # Their models do not convert: a caller who asks `if config.need_status_notify` takes the text `false` for true.
    "boolean_answers=true_false_text": {
        "created": [URL, "", "false", "false", ""],
        "updated with everything": [URL, ON_DEMAND, "true", "true", KEY],
        "updated with a URL": [NEW, "", "false", "false", ""],
        "updated with a key": [NEW, "", "false", "false", ""],
    },
    "boolean_answers=yes_no": {
        "created": [URL, "", "no", "no", ""],
        "updated with everything": [URL, ON_DEMAND, "yes", "yes", KEY],
        "updated with a URL": [NEW, "", "no", "no", ""],
        "updated with a key": [NEW, "", "no", "no", ""],
    },
    "not_found_status=400": {"deleted": "400 InvalidConfig.NotFound"},
    "unknown_domain=config_not_found": {"read of an unknown domain": "404 InvalidConfig.NotFound"},
    "unknown_domain=forbidden": {"read of an unknown domain": "400 Forbidden"},
    "denial=401": {"denied": "401 Forbidden"},
    "denial=403": {"denied": "403 Forbidden.RAM"},
    "throttling=429": {"throttled": "429 Throttling.User"},
    "throttling=503": {"throttled": "503 Throttling.User"},
    "failure=internal_error": {"unavailable": "500 InternalError"},
    "timestamp_window_minutes=31": {"20 minutes off": "ok"},
}


def expected(reading, sdk):
    seen = {**DEFAULTS, **CHANGES.get(reading, {})}
    if reading == "retry_after=sent" and sdk is not Legacy:
        seen["throttled"] += ", again later"
    if reading == "error_format=xml" and sdk is not Modern:
        # The only one that reads XML is the modern SDK with ACS3.
        for step, outcome in seen.items():
            if isinstance(outcome, str) and outcome != "ok":
                status = outcome.split()[0]
                seen[step] = "unreadable" if sdk is ModernRpc else f"{status} SDK.UnknownServerError"
    return seen


def outcome(sdk, action, **parameters):
    """`ok`, a read config, or what a caller learns of a refusal."""
    try:
        answer = sdk.call(action, **parameters)
    except AlibabaCloudException as error:
        kind, again = type(error).__name__, ""
        if error.retry_after is not None:
            assert kind == "ThrottlingException" and 0 < error.retry_after <= 1000
            again = ", again later"
        else:
            assert kind == ("ServerException" if error.status_code >= 500 else "ClientException")
        return f"{error.status_code} {error.code}{again}"
    except UnretryableException:
        return "unreadable"
    except ServerException as error:
        return f"{error.get_http_status()} {error.get_error_code()}"
    config = answer.get("LiveRecordNotifyConfig")
    return [config[field] for field in FIELDS] if config else "ok"


@with_each([Modern, ModernRpc, Legacy])
@with_each_reading("aliyun")
def test_a_config_has_its_life_under_every_reading(start_mock, sdk, reading):
    mock = start_with(start_mock, "aliyun", reading, DOMAIN)
    cloud, seen = sdk(mock.aliyun), {}

    def step(name, action, domain=DOMAIN, **parameters):
        seen[name] = outcome(cloud, f"{action}LiveRecordNotifyConfig", DomainName=domain, **parameters)

    def read(name):
        wait_until_seen(reading)
        step(name, "Describe")

    step("create", "Add", NotifyUrl=URL)
    read("created")
    step("update with everything", "Update", NotifyUrl=URL, **EVERYTHING)
    read("updated with everything")
    step("update with a URL", "Update", NotifyUrl=NEW)
    read("updated with a URL")
    step("update with an empty on-demand URL", "Update", NotifyUrl=NEW, OnDemandUrl="")
    step("update with a key", "Update", NotifyUrl=NEW, NotifyAuthKey=KEY)
    read("updated with a key")
    step("update with no URL", "Update")
    step("read of an unknown domain", "Describe", OTHER)
    for kind in ("denied", "throttled", "unavailable"):
        mock.fail("aliyun", kind)
        seen[kind] = outcome(cloud, "DescribeLiveUserDomains")
    mock.run_ahead("aliyun", 20 * MINUTES)
    seen["20 minutes off"] = outcome(cloud, "DescribeLiveUserDomains")
    mock.run_ahead("aliyun", 0)
    step("delete", "Delete")
    read("deleted")
    assert seen == expected(reading, sdk)


def test_expectations_are_of_readings_that_exist():
    assert set(CHANGES) <= set(alternatives("aliyun"))
