# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts that are no reason cost two reads of the stored state; one that is a reason is judged again by what the run is bound to."""

from __future__ import annotations

import json
import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    ActiveRecord,
    record_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import parse_application
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import on_alert as module
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.on_alert import on_alert
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

APP = parse_application({"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}})


def message(colour: str, starts: str) -> str:
    labels = {"alertname": "Failing", "bg_action": "rollback", "app": "app", "namespace": "n", "colour": colour}
    return json.dumps([{"status": "firing", "labels": labels, "startsAt": starts}])


@pytest.fixture
def switched(world: World, monkeypatch: pytest.MonkeyPatch) -> ActiveRecord:
    """Green is active since just now; whoever looks at everything finds what ``seen`` says."""
    record = ActiveRecord("green", 7, 7, "stable", "blue", world.ports.clock.now())
    world.cluster.create_config_map(record_name("app"), record.to_data())
    return record


def full_look(monkeypatch: pytest.MonkeyPatch, world: World, record: ActiveRecord) -> list[tuple[t.Any, ...]]:
    """Replace the look at everything; returns what it was asked for."""
    asked: list[tuple[t.Any, ...]] = []

    def preflight(_ports: object, _app: object, *given: t.Any) -> SimpleNamespace:
        asked.append(given)
        seen = SimpleNamespace(stored=SimpleNamespace(record=record), journal=Journal())
        return SimpleNamespace(seen=seen, now=world.ports.clock.now())

    monkeypatch.setattr(module, "preflight", preflight)
    monkeypatch.setattr(module, "as_result", lambda plan: {"record": plan.seen.stored.record.to_data()})
    return asked


def test_no_reason_needs_no_look_at_anything_else(
    world: World, switched: ActiveRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = full_look(monkeypatch, world, switched)
    result = on_alert(world.ports, APP, "hot", message("blue", "2999-01-01T00:00:00Z"))
    assert result["alert"]["rollback"] is False
    assert result["record"] == switched.to_data()
    assert asked == []


def test_a_reason_is_looked_at_as_a_rollback(
    world: World, switched: ActiveRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = full_look(monkeypatch, world, switched)
    result = on_alert(world.ports, APP, "cold", message("green", "2999-01-01T00:00:00Z"))
    assert result["alert"]["rollback"] is True
    assert asked == [("cold", "rollback")]


def test_the_record_moved_between_the_two_looks(
    world: World, switched: ActiveRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody rolled back meanwhile: what counts is the state that the run is bound to."""
    full_look(monkeypatch, world, switched.flip("rollback", world.ports.clock.now(), "stable"))
    result = on_alert(world.ports, APP, "hot", message("green", "2999-01-01T00:00:00Z"))
    assert result["alert"]["rollback"] is False
    assert "blue is active" in result["alert"]["reason"]


def test_nonsense_is_told_before_anything_is_read(world: World) -> None:
    with pytest.raises(InvalidSettingsError, match="alerts is not JSON"):
        on_alert(world.ports, APP, "hot", "nonsense")
