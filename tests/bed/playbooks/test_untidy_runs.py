# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs beside pods that a node has evicted, typed twice, and refused by a quota in the middle."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from demo.application import APP, MANIFESTS
from demo.environment import ROOT
from demo.playbooks import Finished, Producer
from demo.sandbox import Sandbox
from tests.bed.playbooks.calls import Recorder, granting, rights_of
from tests.bed.playbooks.untidy import SNAPSHOTS, World, flat, other, says, ways_on
from tests.bed.playbooks.watching import RATE, recap
from tests.unit.waiting import ended, until

pytestmark = pytest.mark.bed


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, bed: Mapping[str, str]) -> World:
    return World(sandbox, bed)


@pytest.fixture
def producer(world: World) -> Iterator[Producer]:
    with world.producing(RATE) as started:
        yield started


def snapshots(world: World) -> set[str]:
    """Names of the ConfigMaps that hold hand-offs, as kubectl lists them."""
    names = world.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split()
    return {name for name in names if name.startswith(SNAPSHOTS)}


@pytest.fixture(scope="module")
def recorder(world: World) -> Iterator[Recorder]:
    """What the operator calls while the first runs of a new application go through."""
    with Recorder(Path(world.sandbox.operator.env["KUBECONFIG"])) as made:
        yield made


def test_pods_that_a_node_has_evicted(world: World, producer: Producer, recorder: Recorder) -> None:
    """T30: in both colours, hot and cold, there and back. Each run goes through and tells of them."""
    evicted = [world.evicted_pod(colour) for colour in ("blue", "green")]
    runs = [("switch", "hot"), ("rollback", "hot"), ("switch", "cold"), ("rollback", "cold")]
    for playbook, mode in runs:
        was = world.state()[0]
        name = f"evicted-{playbook}-{mode}"
        done = world.attempt(playbook, "-e", f"bg_mode={mode}", name=name, env=recorder.env)
        assert done.code == 0, f"{name}: {done.output[-5000:]}"
        says(flat(done.output), *evicted)
        assert world.state() == (other(was), "stable")
    left = world.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert set(evicted) <= set(left), "they are not ours to delete"
    world.account(producer.stop(), "evicted", changes=len(runs))


def test_two_slots_hold_the_hand_offs(world: World) -> None:
    """T10: after any number of runs the two fixed names are all there is, and the record names one of them."""
    assert snapshots(world) == {f"{SNAPSHOTS}a", f"{SNAPSHOTS}b"}
    assert world.record()["snapshot"] in snapshots(world)


def test_rights_that_are_granted_are_those_that_are_used(recorder: Recorder) -> None:
    """T10: the example's Role has what the first switch, a rollback and both modes call, and nothing else."""
    [role] = [
        item
        for item in yaml.safe_load_all((MANIFESTS / "40-operator-rbac.yaml").read_text(encoding="utf-8"))
        if item["kind"] == "Role"
    ]
    granted = rights_of(role)
    assert [call for call in recorder.calls if not granting(call, granted)] == []
    used = set().union(*(granting(call, granted) for call in recorder.calls))
    assert granted - used == set()


def typed_twice(world: World, seconds: float) -> dict[str, Finished]:
    """Two people type the README's command, one some seconds after the other."""
    started: dict[str, subprocess.Popen[str]] = {}
    for who in ("anna", "bert"):
        command = world.sandbox.operator.command("switch", "-e", f"bg_confirm={APP}", "-e", f"bg_who={who}")
        env = world.sandbox.operator.env
        started[who] = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if who == "anna":
            time.sleep(seconds)
    found = {}
    for who, process in started.items():
        output = ended(f"the run of {who}", process.communicate)[0]
        (world.sandbox.out / f"twice-{seconds:g}-{who}.log").write_text(output, encoding="utf-8")
        found[who] = Finished(process.returncode, 0.0, output, {})
    return found


@pytest.mark.parametrize("seconds", [1.5, 3.0])
def test_a_command_of_the_readme_typed_twice(world: World, producer: Producer, seconds: float) -> None:
    """T2: one moves the work; the other says when and to what, and changes nothing.

    Who got the lock after the other is refused, and hears who was before. Who came so late, or was so slow, that the
    work had been moved at its look finds done what it meant: it succeeds with nothing changed.
    """
    before = world.record()
    target = other(before["active"])
    # Its pods have to start first, so the one is at it for long enough to be met by the other.
    world.sandbox.app.scale(target, 0)
    until(f"{target} gone", lambda: world.living(target), lambda pods: not pods)
    runs = typed_twice(world, seconds)
    moved = [who for who, done in runs.items() if done.code == 0 and recap(done.output)["changed"]]
    assert len(moved) == 1, {who: (done.code, done.output[-3000:]) for who, done in runs.items()}
    [late] = [done for who, done in runs.items() if who not in moved]
    after = world.record()
    assert (after["active"], after["phase"]) == (target, "stable")
    # Armed and flipped by one run, and not written since.
    assert int(after["epoch"]) == int(before["epoch"]) + 2
    says(flat(late.output), target, after["switch-timestamp"])
    if late.code:
        says(flat(late.output), *moved)
    assert "Traceback" not in late.output
    world.account(producer.stop(), f"twice-{seconds:g}")


def test_a_quota_that_refuses_the_snapshot(world: World, producer: Producer) -> None:
    """T1: the application was switched before; the way back that is printed is typed, and is true."""
    if not world.record()["previous-version"]:
        assert world.attempt("switch", name="before-quota").code == 0
    before = world.record()
    spare = snapshots(world) - {before.get("snapshot", "")}
    if len(snapshots(world)) > 1:  # both slots are there already: the one that the next run would write goes
        world.kubectl("delete", "configmaps", *spare)
    count = len(world.sandbox.app.listed("v1", "ConfigMap"))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "configmaps"},
        "spec": {"hard": {"count/configmaps": str(count)}},
    }
    with world.applied(quota):
        world.wait_quota("configmaps")
        done = world.attempt("switch", name="quota")
        assert done.code != 0
        says(flat(done.output), "quota", "configmaps")
        assert world.state() == (before["active"], "stable")
        world.at_work(before["active"])
    # Somebody raises the quota and types what the report says.
    ways = ways_on(done)
    if ways[0].playbook:
        typed = world.sandbox.operator.attempt(ways[0].playbook, *ways[0].arguments, name="quota-way-back")
        assert typed.code == 0, typed.output[-4000:]
    else:
        says(ways[0].does, "nothing")
    assert world.state() == (before["active"], "stable"), f"as printed: {ways}"
    target = other(before["active"])
    onward = [way for way in ways[1:] if way.does == f"goes to {target}"]
    assert onward, ways
    typed = world.sandbox.operator.attempt(onward[0].playbook, *onward[0].arguments, name="quota-onward")
    assert typed.code == 0, typed.output[-4000:]
    assert world.state() == (target, "stable")
    world.account(producer.stop(), "quota")
