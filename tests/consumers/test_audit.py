"""The audit and the producer as programs, against librdkafka's mock cluster."""

import json
import sys
import threading
import uuid

import pytest
from confluent_kafka import Producer

from bgtools import audit, producer
from bgtools.kafka import ToolError
from tests.unit.waiting import HANG, joined


@pytest.fixture(scope="module")
def bootstrap():
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
    broker = next(iter(cluster.list_topics(timeout=HANG).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    cluster.purge()


class Case:
    """An input topic with 2 partitions of 5 records, and a ledger to be written."""

    def __init__(self, bootstrap, directory):
        self.bootstrap = bootstrap
        self.directory = directory
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        for partition in (0, 1):
            for _ in range(5):
                self.producer.produce(self.name, b"x", partition=partition)
        self.producer.flush(HANG)

    def ledger(self, *rows):
        for partition, offset, colour, epoch, ns in rows:
            message = {"t": self.name, "p": partition, "o": offset, "c": colour, "pod": "pod", "e": epoch, "ns": ns}
            self.producer.produce(f"{self.name}-ledger", json.dumps(message))
        self.producer.flush(HANG)

    def file(self, offsets):
        path = self.directory / "offsets.json"
        path.write_text(json.dumps({self.name: offsets}))
        return str(path)

    def audit(self, monkeypatch, *arguments):
        report = self.directory / "report.json"
        common = ["--bootstrap", self.bootstrap, "--topic", self.name, "--ledger-topic", f"{self.name}-ledger"]
        monkeypatch.setattr(sys, "argv", ["audit", *common, "--json", str(report), *arguments])
        code = audit.main()
        return code, json.loads(report.read_text()) if report.exists() else None


@pytest.fixture
def case(bootstrap, tmp_path):
    return Case(bootstrap, tmp_path)


def everything(skip=()):
    return [(p, o, "blue", 1, 1000 + o) for p in (0, 1) for o in range(5) if (p, o) not in skip]


def test_complete_ledger(case, monkeypatch, capsys):
    case.ledger(*everything())
    code, report = case.audit(monkeypatch)
    assert (code, report["ok"], report["offsets"], report["processed"]) == (0, True, 10, 10)
    lines = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines() if len(line.split()) == 2)
    assert (lines["offsets"], lines["processed"], lines["lost"]) == ("10", "10", "0")


def test_lost_and_duplicated(case, monkeypatch, capsys):
    case.ledger(*everything(skip={(0, 4), (1, 0)}), (1, 3, "green", 3, 5000))
    code, report = case.audit(monkeypatch)
    assert code == 1
    assert report["lost"] == {"count": 2, "samples": [f"{case.name}-0@4", f"{case.name}-1@0"]}
    assert (report["duplicated"]["count"], report["duplicated"]["bothColours"]) == (1, 1)
    assert f"lost: {case.name}-1@0" in capsys.readouterr().out


def test_only_a_window(case, monkeypatch):
    case.ledger(*everything(skip={(0, 0), (1, 0)}))
    assert case.audit(monkeypatch)[0] == 1
    code, report = case.audit(monkeypatch, "--from-offsets", case.file({"0": 1, "1": 2}))
    assert (code, report["offsets"]) == (0, 7)


def test_end_of_the_window(case, monkeypatch):
    case.ledger(*everything(skip={(0, 4)}))
    code, report = case.audit(monkeypatch, "--to-offsets", case.file({"0": 4}))
    assert (code, report["offsets"]) == (0, 9)


def test_waits_until_the_ledger_is_complete(case, monkeypatch):
    case.ledger(*everything(skip={(1, 4)}))
    timer = threading.Timer(1.0, case.ledger, [(1, 4, "blue", 1, 9000)])
    timer.start()
    code, report = case.audit(monkeypatch, "--wait", str(HANG))
    joined(timer)
    assert (code, report["processed"]) == (0, 10)


def test_what_cannot_be_audited_is_no_success(case, monkeypatch, capsys):
    case.ledger(*everything())
    code, report = case.audit(monkeypatch, "--to-offsets", case.file({"0": 6}))
    assert (code, report) == (2, None)
    assert "holds 0 to 5, asked to audit 0 to 6" in capsys.readouterr().err


def test_a_foreign_message_in_the_ledger_is_no_success(case, monkeypatch, capsys):
    case.ledger(*everything())
    case.producer.produce(f"{case.name}-ledger", b"hello")
    case.producer.flush(HANG)
    assert case.audit(monkeypatch)[0] == 2
    assert "hello" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"t": 5}', '{"t": {"0": "x"}}'])
def test_broken_offsets_file(tmp_path, text):
    file = tmp_path / "offsets.json"
    file.write_text(text)
    with pytest.raises(ToolError, match=r"offsets\.json"):
        audit.offsets_from(file)


def test_producer_spreads_records_evenly_and_reports_them(case, tmp_path, monkeypatch, capsys):
    report = tmp_path / "produced.json"
    arguments = ["--topic", case.name, "--rate", "2000", "--records", "42", "--json", str(report)]
    monkeypatch.setattr(sys, "argv", ["producer", "--bootstrap", case.bootstrap, *arguments])
    assert producer.main() == 0
    result = json.loads(report.read_text())
    assert json.loads(capsys.readouterr().out) == result
    assert (result["records"], result["failed"]) == (42, 0)
    assert result["partitions"] == {
        "0": {"records": 11, "firstOffset": 5, "lastOffset": 15},  # behind the five records of the case
        "1": {"records": 11, "firstOffset": 5, "lastOffset": 15},
        "2": {"records": 10, "firstOffset": 0, "lastOffset": 9},
        "3": {"records": 10, "firstOffset": 0, "lastOffset": 9},
    }


@pytest.mark.parametrize(
    ("elapsed", "rate", "limit", "expected"),
    [(0.0, 100, None, 0), (0.009, 100, None, 0), (0.01, 100, None, 1), (2.5, 100, None, 250), (2.5, 100, 30, 30)],
)
def test_due(elapsed, rate, limit, expected):
    assert producer.due(elapsed, rate, limit) == expected


def test_an_undelivered_record_is_a_failure():
    tally = producer.Tally()
    tally.delivered(object(), type("Message", (), {"partition": lambda self: 0, "offset": lambda self: 5})())
    assert tally.report("t", 1.0)["failed"] == 1
