# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bg_configmap_switch through its main()."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import StoredObject
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.modules import bg_configmap_switch as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

NAME = "app-active-version"
APP = {"name": "app", "namespace": "n"}


@pytest.fixture
def recorded(world: World) -> World:
    """Blue is active."""
    world.cluster.maps[NAME] = StoredObject(NAME, ActiveRecord("blue", 3, 2, "switching").to_data(), "77")
    return world


def test_check_real_repeat_check(recorded: World, run_module: RunModule) -> None:
    predicted = run_module(module, recorded.ports, check=True, diff=True, active="green", phase="verifying", **APP)
    assert (predicted["changed"], recorded.cluster.writes) == (True, 0)
    done = run_module(module, recorded.ports, diff=True, active="green", phase="verifying", **APP)
    assert (done["changed"], done["diff"], done["epoch"]) == (True, predicted["diff"], 4)
    assert recorded.cluster.maps[NAME].data["active"] == "green"
    writes = recorded.cluster.writes
    for check in (False, True):
        again = run_module(module, recorded.ports, check=check, diff=True, active="green", phase="verifying", **APP)
        assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
    assert recorded.cluster.writes == writes


def test_the_steps_of_a_hand_over(world: World, run_module: RunModule) -> None:
    made = run_module(module, world.ports, active="blue", **APP)
    assert (made["created"], made["epoch"], made["phase"]) == (True, 1, "stable")
    armed = run_module(module, world.ports, phase="switching", expected_active="blue", **APP)
    assert (armed["epoch"], armed["phase"], armed["active"]) == (2, "switching", "blue")
    flipped = run_module(module, world.ports, active="green", phase="verifying", expected_epoch=2, **APP)
    assert (flipped["epoch"], flipped["record"]["previous-version"]) == (3, "blue")
    settled = run_module(module, world.ports, phase="stable", **APP)
    assert (settled["epoch"], settled["phase"]) == (3, "stable")


def test_a_conflict(recorded: World, run_module: RunModule) -> None:
    result = run_module(module, recorded.ports, active="green", expected_epoch=1, **APP)
    assert (result["failed"], result["changed"], result["record"]["epoch"]) == (True, False, "3")
    assert "epoch is 3, expected 1" in result["msg"]


def test_service_down(recorded: World, run_module: RunModule) -> None:
    recorded.cluster.down = True
    assert "fake does not answer" in run_module(module, recorded.ports, active="green", phase="verifying", **APP)["msg"]


def test_something_has_to_be_asked_for(world: World, run_module: RunModule) -> None:
    assert "active, phase, rollback_window" in run_module(module, world.ports, **APP)["msg"]


def test_drift_owners(world: World, run_module: RunModule) -> None:
    fields = {"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}}
    metadata = {"managedFields": [{"manager": "helm", "operation": "Update", "fieldsV1": fields}]}
    world.cluster.maps[NAME] = StoredObject(NAME, ActiveRecord("blue", 3, 2, "switching").to_data(), "77", metadata)
    warned = run_module(module, world.ports, check=True, active="green", phase="verifying", **APP)
    assert "field manager helm" in str(warned["warnings"])
    assert warned["drift_owners"][0]["declares"] == []
    world.cluster.maps[NAME] = StoredObject(NAME, ActiveRecord("blue", 3, 3).to_data(), "77", metadata)
    refused = run_module(module, world.ports, phase="switching", on_drift_owner="fail", **APP)
    assert (refused["failed"], refused["changed"], len(refused["faults"])) == (True, False, 1)
    assert world.cluster.writes == 0


def test_a_rollback_that_is_not_allowed(world: World, run_module: RunModule) -> None:
    record = ActiveRecord("green", 5, 5, "stable", "blue", "2025-12-31T00:00:00Z")
    world.cluster.maps[NAME] = StoredObject(NAME, record.to_data(), "77")
    refused = run_module(module, world.ports, active="blue", **APP)
    assert "going back to blue is a rollback, and the rollback window of 3600 s closed" in refused["msg"]
    assert run_module(module, world.ports, active="blue", force=True, **APP)["epoch"] == 6
