"""What the module and the example publish, as promtool reads it: names, units, help texts and the format."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.exposition import to_text
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import HandoffSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import parse_application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metrics import State, metrics_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import HELP
from bgconsumer import metrics
from bgconsumer.config import load
from bgconsumer.contract import Contract
from tests.consumers.test_config import GOOD
from tests.unit.waiting import finished

ROOT = Path(__file__).parents[2]
PROMTOOL = ROOT / ".cache/promtool/promtool"
APP = {"name": "orders", "namespace": "shop", "blue": {"group": 'b"l\\ue'}, "green": {"group": "grün"}}


def of_the_module() -> str:
    """Every metric at once."""
    record = ActiveRecord("green", 3, 3, "stable", "blue", "2026-01-01T12:00:20Z", snapshot="s")
    run = Run("r1", "switch", "hot", "blue", "green", "jane", "2026-01-01T12:00:00Z", 1)
    run = run.begin("flip", "2026-01-01T12:00:20Z").end("flip", "2026-01-01T12:00:20Z", 12.5)
    offsets = {TopicPartition("t", 0): CommittedOffset(1)}
    snapshot = HandoffSnapshot(3, "r1", "hot", "blue", "green", "2026-01-01T12:00:19Z", offsets, {}, {})
    state = State(record, Journal(run.close("done", "2026-01-01T12:00:40Z")), snapshot)
    text = to_text(metrics_of(parse_application(APP), state, {"before": [{"name": "source lag", "verdict": "GO"}]}))
    assert set(re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE)) == set(HELP)
    return text


def of_the_example() -> str:
    return metrics.text(load(GOOD), Contract("blue", True, 10).snapshot())


def checked(text: str) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL.exists(), f"{PROMTOOL.relative_to(ROOT)} is not there: run scripts/promtool.sh"
    return finished([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True)


@pytest.mark.parametrize("text", [of_the_module(), of_the_example()], ids=["module", "example"])
def test_promtool_finds_nothing(text: str) -> None:
    done = checked(text)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (of_the_module().replace("# HELP bg_epoch Epoch of the active record.\n", ""), "bg_epoch no help text"),
        (of_the_example().replace("_failed_total", "_failed"), 'should have "_total" suffix'),
        (of_the_module() + "bg_epoch{\n", "invalid label name"),
    ],
)
def test_promtool_finds_what_is_wrong(text: str, said: str) -> None:
    done = checked(text)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_the_document_describes_each_metric() -> None:
    """docs/metrics.md has a row for every name, with its labels, and for no other."""
    shown: dict[str, set[str]] = {}
    for text in (of_the_module(), of_the_example()):
        for name, labels in re.findall(r"^(bg_\w+)\{(.*)\} ", text, re.MULTILINE):
            shown[name] = set(re.findall(r'(\w+)="', labels))
    rows = re.findall(r"^\| `(bg_\w+)` \| ([^|]*)\|", (ROOT / "docs/metrics.md").read_text("utf-8"), re.MULTILINE)
    described = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    common = {
        name: {"app", "colour", "consumergroup"} if "_consumer_" in name else {"app", "namespace"} for name in shown
    }
    assert described == {name: labels - common[name] for name, labels in shown.items()}
