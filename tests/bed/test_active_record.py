# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The active record on a real API server: the table of a writing module, what others keep in it, and who reverts it."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ConflictError,
    InvalidSettingsError,
    LockedError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    RecordRequest,
    set_active,
)
from tests.bed.conftest import Ansible, Kafka, Kubectl
from tests.unit.waiting import HANG, joined

pytestmark = pytest.mark.bed

NAME = "app-active-version"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def change(cluster: t.Any, **options: t.Any) -> dict[str, t.Any]:
    """The use case with the real adapter."""
    nobody: t.Any = None
    ports = Ports(kafka=nobody, cluster=cluster, consumers=nobody, clock=SystemClock(), parallel=ThreadParallel())
    return set_active(ports, RecordRequest("app", "run-1", **options))


def manifest(labels: t.Any = None, annotations: t.Any = None) -> dict[str, t.Any]:
    """The record as somebody keeps it in Git, with a key of his own."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": labels or {}, "annotations": annotations or {}},
        "data": {"active": "blue", "epoch": "1", "phase": "stable", "owner": "team-a"},
    }


def record(kubectl: Kubectl) -> dict[str, t.Any]:
    """The ConfigMap as kubectl shows it."""
    return t.cast("dict[str, t.Any]", kubectl.json("get", "configmap", NAME, "--show-managed-fields"))


def flip(cluster: t.Any, colour: str, **options: t.Any) -> dict[str, t.Any]:
    """Make a colour active without a hand-over, which somebody has to ask for."""
    return change(cluster, active=colour, force=True, **options)


def owners(cluster: KubernetesAdapter, active: str = "blue") -> list[tuple[str, list[str]]]:
    """Who is found beside us, by a call that changes nothing."""
    found = change(cluster, active=active)
    assert found["changed"] is False
    return [(owner["owner"], owner["declares"]) for owner in found["drift_owners"]]


def test_check_real_repeat_check_conflict_and_service_down(ansible: Ansible, kubectl: Kubectl) -> None:
    app = {"name": "app", "namespace": kubectl.namespace}
    kubectl("create", "--filename=-", manifest=[manifest()])
    before = record(kubectl)

    predicted = ansible("bg_configmap_switch", check=True, active="green", expected_epoch=1, **app)
    assert (predicted["failed"], predicted["changed"], predicted["epoch"]) == (False, True, 2)
    assert "+active: green" in predicted["diff_text"].replace(" ", "").replace('"', "").replace("+active:", "+active: ")
    assert record(kubectl) == before
    assert kubectl.json("get", "leases")["items"] == [], "check mode takes no lock"

    done = ansible("bg_configmap_switch", active="green", expected_epoch=1, **app)
    assert (done["failed"], done["changed"], done["diff_text"]) == (False, True, predicted["diff_text"])
    stored = record(kubectl)
    assert {key: stored["data"][key] for key in ("active", "epoch", "previous-version", "owner")} == {
        "active": "green",
        "epoch": "2",
        "previous-version": "blue",
        "owner": "team-a",
    }
    assert kubectl.json("get", "lease", "app-bg-lock")["spec"]["holderIdentity"] == ""

    for check in (False, True):
        again = ansible("bg_configmap_switch", check=check, active="green", expected_epoch=1, **app)
        assert (again["failed"], again["changed"]) == (False, False)
    assert record(kubectl) == stored

    for check in (False, True):
        refused = ansible("bg_configmap_switch", check=check, phase="switching", expected_epoch=1, **app)
        assert (refused["failed"], refused["changed"], refused["record"]["epoch"]) == (True, False, "2")
    gone = {"host": "https://10.199.0.250:443", "api_key": "x", "api_server_timeout": 2}
    lost = ansible("bg_configmap_switch", active="blue", **gone, **app)
    assert "Could not read ConfigMap" in lost["msg"]
    assert "https://10.199.0.250:443 within 2 s" in lost["msg"]
    assert record(kubectl) == stored


def test_a_namespace_that_is_not_there(ansible: Ansible, kubectl: Kubectl) -> None:
    """Told before anything is made, in check mode as in a real run."""
    for check in (True, False):
        refused = ansible("bg_configmap_switch", check=check, name="app", namespace="nowhere", active="blue")
        assert (refused["failed"], refused["changed"]) == (True, False)
        assert "namespace nowhere" in refused["msg"]
        assert "does not exist" in refused["msg"]
    looked = ansible("bg_configmap_switch", name="app", namespace="nowhere", phase="switching")
    assert "does not exist in namespace nowhere, which does not exist" in looked["msg"]
    looked = ansible("bg_configmap_switch", name="app", namespace=kubectl.namespace, phase="switching")
    assert f"does not exist in namespace {kubectl.namespace};" in looked["msg"]


class Interfered(KubernetesAdapter):
    """Somebody else writes between our read and our write."""

    def __init__(self, real: KubernetesAdapter, kubectl: Kubectl) -> None:
        vars(self).update(vars(real))
        self._kubectl = kubectl

    def replace_config_map(self, name: str, data: t.Mapping[str, str], resource_version: str) -> t.Any:
        self._kubectl("patch", "configmap", name, '--patch={"data":{"owner":"team-b"}}')
        return super().replace_config_map(name, data, resource_version)


def test_changed_between_read_and_write(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    change(cluster, active="blue")
    with pytest.raises(ConflictError, match=f"Could not replace ConfigMap .*/{NAME}: .* answered 409"):
        flip(Interfered(cluster, kubectl), "green")
    data = record(kubectl)["data"]
    assert (data["active"], data["epoch"], data["owner"]) == ("blue", "1", "team-b"), "nothing of either change is lost"
    assert kubectl.json("get", "lease", "app-bg-lock")["spec"]["holderIdentity"] == "", "the lock is given back"
    assert flip(cluster, "green")["record"]["owner"] == "team-b"


def test_changed_while_waiting_for_another_run(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    change(cluster, active="blue")
    lease = cluster.lease("app-bg-lock")
    assert lease is not None
    cluster.put_lease("app-bg-lock", "run-0", 60, lease.resource_version)
    with pytest.raises(LockedError, match="Run run-0 holds the lock"):
        flip(cluster, "green", lock_timeout=0.5)
    assert record(kubectl)["data"]["active"] == "blue"

    def other_run_ends() -> None:
        kubectl("patch", "configmap", NAME, '--patch={"data":{"epoch":"7","activated-epoch":"7"}}')
        kubectl("patch", "lease", "app-bg-lock", "--type=merge", '--patch={"spec":{"holderIdentity":""}}')

    ending = threading.Timer(1.0, other_run_ends)
    ending.start()
    with pytest.raises(ConflictError, match="epoch is 7, expected 1"):
        change(cluster, active="green", expected_epoch=1, lock_timeout=float(HANG))
    joined(ending)
    data = record(kubectl)["data"]
    assert (data["active"], data["epoch"]) == ("blue", "7")


def test_two_create_the_first_record(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    made = change(cluster, active="blue", rollback_window=60)
    assert (made["created"], record(kubectl)["data"]) == (True, made["record"])
    assert change(cluster, active="blue")["changed"] is False
    with pytest.raises(ConflictError, match="already exists"):
        cluster.create_config_map(NAME, {})
    with pytest.raises(ConflictError, match="active is blue, expected green"):
        change(cluster, active="green", expected_active="green")


def test_what_others_keep_in_the_config_map_survives(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "parent"}}
    kubectl("create", "--filename=-", manifest=[owner])
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "blockOwnerDeletion": False}
    reference["uid"] = kubectl.json("get", "configmap", "parent")["metadata"]["uid"]
    theirs = manifest({"team": "a"}, {"note": "do not touch"})
    theirs["binaryData"] = {"logo": "AAECAw=="}
    theirs["metadata"] |= {"finalizers": ["example.com/keep"], "ownerReferences": [reference]}
    kubectl("create", "--filename=-", manifest=[theirs])
    before = record(kubectl)
    for options in ({"phase": "switching"}, {"active": "green", "phase": "verifying"}, {"phase": "stable"}):
        change(cluster, **options)
    after = record(kubectl)
    assert (after["data"]["active"], after["data"]["epoch"], after["data"]["owner"]) == ("green", "3", "team-a")
    assert after["binaryData"] == before["binaryData"]
    ours = ("resourceVersion", "managedFields")
    assert {key: value for key, value in after["metadata"].items() if key not in ours} == {
        key: value for key, value in before["metadata"].items() if key not in ours
    }
    owned = {entry["manager"]: entry["fieldsV1"].get("f:data", {}) for entry in after["metadata"]["managedFields"]}
    assert "f:active" in owned["streamops.bluegreen"]
    assert "f:owner" not in owned["streamops.bluegreen"], "we do not claim what is not ours"
    kubectl("patch", "configmap", NAME, "--type=merge", '--patch={"metadata":{"finalizers":null}}')


def test_an_immutable_record_is_named(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", manifest=[{**manifest(), "immutable": True}])
    with pytest.raises(InvalidSettingsError, match=f"{NAME} is immutable; delete it"):
        change(cluster, active="green")


def test_the_rollback_window(ansible: Ansible, cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    change(cluster, active="blue", rollback_window=1)
    flip(cluster, "green")
    time.sleep(1.2)
    stored = record(kubectl)
    app = {"name": "app", "namespace": kubectl.namespace}
    for check in (True, False):
        refused = ansible("bg_configmap_switch", check=check, phase="rolling-back", **app)
        assert (refused["failed"], refused["changed"]) == (True, False)
        assert "the rollback window of 1 s closed" in refused["msg"]
    assert record(kubectl) == stored
    armed = ansible("bg_configmap_switch", phase="rolling-back", force=True, **app)
    assert (armed["epoch"], armed["active"]) == (3, "green")
    back = ansible("bg_configmap_switch", active="blue", phase="verifying", **app)
    assert (back["epoch"], record(kubectl)["data"]["rollback-allowed"]) == (4, "false")
    change(cluster, phase="stable")
    with pytest.raises(InvalidSettingsError, match="rollback-allowed is false"):
        change(cluster, phase="rolling-back")
    change(cluster, phase="switching")
    assert change(cluster, active="green", phase="verifying")["record"]["rollback-allowed"] == "true"


def test_a_manifest_that_was_applied_is_found_and_does_revert(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    kubectl("apply", "--filename=-", manifest=[manifest()])
    declared = ["active", "epoch", "phase"]
    assert owners(cluster) == [("kubectl apply", declared)]
    flip(cluster, "green")
    assert change(cluster, active="green")["drift_owners"][0]["declares"] == declared, "still found after our write"
    kubectl("apply", "--filename=-", manifest=[manifest()])
    assert record(kubectl)["data"]["active"] == "blue", "that is what the warning is about"
    with pytest.raises(InvalidSettingsError) as raised:
        change(cluster, active="green")
    assert "epoch 1 is older than activated-epoch 2, so the record was reverted" in raised.value.faults[0]
    assert "managed by kubectl apply too" in raised.value.faults[1], "the first suspect is named"
    kubectl("annotate", "configmap", NAME, f"{LAST_APPLIED}-")
    kubectl("patch", "configmap", NAME, '--patch={"data":{"epoch":"3"}}')
    assert owners(cluster) == [], "the advice works"


def test_preflight_warns_of_who_else_owns_the_record(ansible: Ansible, kubectl: Kubectl, kafka: Kafka) -> None:
    """A warning: that it is said must not stop a rollback in an emergency."""
    groups = {colour: {"group": f"{kafka.name}-{colour}"} for colour in ("blue", "green")}
    application = {"name": "app", "namespace": kubectl.namespace, "topics": [kafka.topic()], **groups}

    def row() -> dict[str, str]:
        seen = ansible("bg_info", application=application, mode="cold")
        (found,) = [gate for gate in seen["gates"] if gate["name"] == "active record's owners"]
        return t.cast("dict[str, str]", found)

    kubectl("apply", "--filename=-", manifest=[manifest()])
    found = row()
    assert (found["verdict"], found["value"]) == ("WARN", "kubectl apply")
    assert f"ConfigMap {NAME} is managed by kubectl apply too (it declares active, epoch, phase)" in found["advice"]
    kubectl("annotate", "configmap", NAME, f"{LAST_APPLIED}-")
    found = row()
    assert (found["verdict"], found["value"], found["advice"]) == ("GO", "none", "")


def test_who_applies_on_the_servers_side(ansible: Ansible, cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    flux = ("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "--filename=-")
    kubectl(*flux, manifest=[manifest({"team": "a"})])
    who, declared = "field manager kustomize-controller", ["active", "epoch", "phase"]
    assert owners(cluster) == [(who, declared)]

    app = {"name": "app", "namespace": kubectl.namespace}
    stored = record(kubectl)
    refused = ansible("bg_configmap_switch", active="green", force=True, on_drift_owner="fail", **app)
    assert (refused["failed"], refused["drift_owners"][0]["owner"]) == (True, who)
    assert f"managed by {who} too" in refused["msg"]
    assert record(kubectl) == stored
    warned = flip(cluster, "green")
    assert warned["changed"] is True
    assert who in warned["warnings"][0]
    # What we changed is ours now: a server-side apply leaves no trace of it, and still writes it back.
    assert warned["drift_owners"][0]["declares"] == declared
    change(cluster, phase="switching")
    found = change(cluster, phase="switching")
    assert (found["changed"], found["drift_owners"][0]["owner"], found["drift_owners"][0]["declares"]) == (
        False,
        who,
        [],
    )
    kubectl(*flux, manifest=[manifest({"team": "a"})])
    assert record(kubectl)["data"]["active"] == "blue"
    kubectl("delete", "configmap", NAME)

    labels = {"app.kubernetes.io/managed-by": "Helm"}
    release = ("create", "--field-manager=helm", "--filename=-")
    kubectl(*release, manifest=[manifest(labels)])
    assert owners(cluster) == [("field manager helm", declared)]
    change(cluster, phase="switching")
    assert change(cluster, phase="switching")["drift_owners"][0]["owner"] == "field manager helm", "by its label, still"
    change(cluster, active="green", phase="verifying")
    kubectl("patch", "configmap", NAME, '--patch={"data":{"rollback-window":"60"}}')
    assert [name for name, _keys in owners(cluster, "green")] == ["field manager helm"], "kubectl by hand is nobody"
