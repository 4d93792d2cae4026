"""A version with a fault on purpose: what `BG_FAULT` makes of the worker, and what the status then says."""

import pytest

from bgconsumer.config import ConfigError, load
from bgconsumer.faults import Fault, FaultyProcessor, StuckMember, parse
from bgconsumer.status import status
from tests.consumers.fakes import FakeLedger, tp
from tests.consumers.test_config import GOOD
from tests.consumers.worker_pod import Pod

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("errors:0.05", Fault("errors", 0.05)),
        ("slow:0.02", Fault("slow", 0.02)),
        ("stuck:1", Fault("stuck", 1)),
        ("errors:0.05@20", Fault("errors", 0.05, 20)),
        ("slow:0.02@0.5", Fault("slow", 0.02, 0.5)),
    ],
)
def test_what_can_be_said(text, expected):
    assert parse(text) == expected
    assert load({**GOOD, "BG_FAULT": text}).fault == expected


@pytest.mark.parametrize(
    "text",
    [
        *("errors", "errors:-1", "nonsense:1", "slow:fast", "stuck:nan", "slow:inf"),
        *("errors:0.1@", "errors:0.1@-1", "errors:0.1@inf", "errors:@1", "stuck:1@20"),
    ],
)
def test_what_can_not(text):
    with pytest.raises(ConfigError, match="BG_FAULT"):
        load({**GOOD, "BG_FAULT": text})


def test_failed_records_are_counted_and_processed_once_like_all_others(kafka):
    pod = Pod(kafka)
    pod.worker._processor = FaultyProcessor(pod.ledger, Fault("errors", 0.1))
    pod.record("blue", 6)
    pod.steps()
    assert pod.offsets(0) + pod.offsets(1) == [*range(10), *range(10)]
    told = status(load(GOOD), pod.now)
    assert (told["processedRecords"], told["failedRecords"]) == (18, 2)


def test_without_a_fault_nothing_fails(kafka):
    pod = Pod(kafka)
    pod.record("blue", 6)
    pod.steps()
    told = status(load(GOOD), pod.now)
    assert (told["processedRecords"], told["failedRecords"]) == (20, 0)


def test_a_fault_that_begins_later_begins_later_in_each_reign(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("bgconsumer.faults.time.monotonic", lambda: now[0])
    ledger = FakeLedger()
    faulty = FaultyProcessor(ledger, Fault("errors", 1.0, after=20))
    record = type("R", (), {"tp": tp(0), "offset": 0})()

    def failed(epoch, seconds):
        now[0] += seconds
        return faulty.process(record, epoch) is False

    assert [failed(3, 0), failed(3, 19.9), failed(3, 0.1), failed(3, 5)] == [False, False, True, True]
    assert [failed(5, 5), failed(5, 19), failed(5, 2)] == [False, False, True]
    assert len(ledger.rows) == 7


def test_a_slow_version_waits_before_each_record(monkeypatch):
    waited = []
    monkeypatch.setattr("bgconsumer.faults.time.sleep", waited.append)
    ledger = FakeLedger()
    slow = FaultyProcessor(ledger, Fault("slow", 0.02))
    for number in range(3):
        assert slow.process(type("R", (), {"tp": tp(0), "offset": number})(), 1) is None
    assert (waited, len(ledger.rows)) == ([0.02] * 3, 3)


def test_a_partition_that_is_owned_and_never_read():
    started = []

    class Member:
        assigned = (tp(0), tp(1))

        def start(self, positions):
            started.append(dict(positions))

    held = StuckMember(Member(), 1)
    held.start({tp(0): 5, tp(1): 7})
    assert started == [{tp(0): 5}]
    assert held.assigned == (tp(0), tp(1))
