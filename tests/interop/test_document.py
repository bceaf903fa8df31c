"""What docs/mock.md shows in Python runs."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "mock.md"


def test_the_examples_run(mock):
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names = {"ready": mock.ready}
    for block in blocks:
        exec(compile(block, DOCUMENT.name, "exec"), names)
    assert mock.statuses("aliyun", "AddLiveRecordNotifyConfig") == [200]
    assert mock.statuses("aliyun", "DescribeLiveRecordNotifyConfig") == [200]
    assert mock.statuses("huaweicloud", "CreateRecordCallbackConfig") == [201]
    assert mock.statuses("aliyun-sts", "AssumeRole") == [200]
    assert mock.statuses("aliyun", "DescribeLiveUserDomains") == [200]
