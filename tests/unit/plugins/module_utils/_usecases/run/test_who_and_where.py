# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A refusal tells what does not exist from what is not allowed, in which namespace, and who asked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import parse_application
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import (
    PauseRequest,
    pause_consumers,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    RecordRequest,
    set_active,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import check_rights, rights
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

APP = parse_application({"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}})
SCALE_GREEN = "patch deployments/scale.apps app-green"


def faults(world: World, *lacking: str) -> list[str]:
    world.cluster.lacking = list(lacking)
    with pytest.raises(InvalidSettingsError) as raised:
        check_rights(world.ports, APP, "hot")
    return raised.value.faults


def test_a_missing_right_names_who_lacks_it_and_where(world: World) -> None:
    world.add_pods("app-green")
    told = faults(world, SCALE_GREEN, "list pods")
    denied = "namespace n: jane (kubeconfig /k) may not {}; grant it (examples/manifests/40-operator-rbac.yaml)"
    named = f"{denied.format(SCALE_GREEN)}, or correct the name app-green if it is wrong"
    assert told == [named, denied.format("list pods")]


def test_a_secret_for_two_uses_is_told_once(world: World) -> None:
    reach = {"scheme": "https", "transport": "pod_ip", "token_secret": {"name": "s"}, "ca_secret": {"name": "s"}}
    app = parse_application(
        {"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}, "endpoint": reach}
    )
    world.cluster.lacking = ["get secrets s"]
    with pytest.raises(InvalidSettingsError) as raised:
        check_rights(world.ports, app, "hot")
    assert len(raised.value.faults) == 1


def test_a_workload_that_is_not_there_is_told_before_rights_to_it(world: World) -> None:
    told = faults(world, SCALE_GREEN, "list pods")
    assert told[0] == "Deployment app-green does not exist in namespace n; check its name, or deploy it"
    assert [fault for fault in told if SCALE_GREEN in fault] == []
    assert "list pods" in told[1]


def test_one_that_may_not_be_seen_is_not_called_missing(world: World) -> None:
    told = faults(world, SCALE_GREEN, "get deployments.apps app-green")
    assert [("may not" in fault, "correct the name app-green" in fault) for fault in told] == [(True, True)] * 2


def test_a_namespace_that_is_not_there_is_the_only_fault(world: World) -> None:
    world.cluster.there = False
    [told] = faults(world, "list pods")
    assert told.startswith("namespace n, which does not exist; check its name")
    assert "jane (kubeconfig /k)" in told


def test_no_right_at_all_is_one_fault(world: World) -> None:
    """A namespace, a context or an identity that was not meant: eighteen lines would hide it."""
    world.cluster.there = None
    everything = [str(right) for right in rights(APP, "hot")]
    [told] = faults(world, *everything)
    assert told.startswith("namespace n: jane (kubeconfig /k) has none of the rights")
    assert all(right in told for right in everything)


@pytest.mark.parametrize("there", [True, False])
def test_what_is_looked_for_in_vain_names_its_namespace(world: World, there: bool) -> None:
    world.cluster.there = there
    place = "namespace n" if there else "namespace n, which does not exist"

    def record() -> t.Any:
        return Store(world.ports, "app").record()

    def pause() -> t.Any:
        return pause_consumers(world.ports, PauseRequest("Deployment", "blue", "paused", 1))

    def phase() -> t.Any:
        return set_active(world.ports, RecordRequest("app", "r", phase="switching"))

    for act, what in ((record, "ConfigMap app-active-version"), (pause, "Deployment blue"), (phase, "ConfigMap app-")):
        with pytest.raises(BlueGreenError) as raised:
            act()
        assert what in raised.value.message
        assert f"does not exist in {place}" in raised.value.message


def test_check_mode_promises_no_record_in_a_namespace_that_is_not_there(world: World) -> None:
    """A real run learns it from the API server when it writes the first object, which is then not written."""
    world.cluster.there = False
    with pytest.raises(InvalidSettingsError, match="namespace n, which does not exist; check its name, or create it"):
        set_active(world.ports, RecordRequest("app", "r", active="blue"), check=True)
    assert world.cluster.writes == 0
    world.cluster.there = None
    assert set_active(world.ports, RecordRequest("app", "r", active="blue"), check=True)["changed"] is True


def test_errors_stay_errors(world: World) -> None:
    world.cluster.down = True
    with pytest.raises(ClusterError):
        check_rights(world.ports, APP, "hot")
