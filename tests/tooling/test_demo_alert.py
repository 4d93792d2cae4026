"""What the demonstration of alerts calls a success, and what it reads from Prometheus and the rulebook."""

from __future__ import annotations

from typing import Any

import pytest

from demo.alert import is_fine
from demo.receiver import Monitoring, Receiver

GOOD: dict[str, Any] = {
    "alerts": [{"ok": True}],
    "median": 9.9,
    "wanted": 10.0,
    "negative": {"twice": True},
    "records": 5,
    "lost": 0,
    "duplicated": 0,
}


def test_a_success():
    assert is_fine(GOOD)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alerts": []},
        {"alerts": [{"ok": True}, {"ok": False}]},
        {"median": 10.1},
        {"negative": {"twice": True, "resolved": False}},
        {"records": 0},
        {"lost": 1},
        {"duplicated": 1},
    ],
)
def test_no_success(wrong):
    assert not is_fine({**GOOD, **wrong})


def test_an_alert_of_an_earlier_round_is_not_this_one(monkeypatch):
    series = [{"values": [[10.0, "1"], [11.0, "1"], [40.5, "1"], [41.5, "1"]]}, {"values": [[40.0, "1"]]}]
    monkeypatch.setattr(Monitoring, "query", lambda _self, _expression: series)
    assert Monitoring({}).firing_since("", after=30.0) == 40.0
    assert Monitoring({}).firing_since("", after=50.0) is None


def test_what_the_rulebook_says_is_counted(tmp_path):
    receiver = object.__new__(Receiver)
    receiver.log = tmp_path / "log"
    receiver.log.write_text("\x1b[0mPLAY RECAP ***\n 'received_at': '2026-01-01T00:00:00Z',\nPLAY RECAP ***\n", "utf-8")
    assert receiver.played() == 2
    assert receiver.received() == ["2026-01-01T00:00:00Z"]
