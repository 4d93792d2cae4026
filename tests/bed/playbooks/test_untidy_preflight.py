# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real cluster holds and a run can't answer for ends before anything is touched, with the name of what is in the way.

One application with two topics; nothing is produced, so whatever moves was moved by the run that was refused.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from demo.application import Application
from demo.environment import Environment
from demo.playbooks import Finished
from tests.bed.playbooks.untidy import World, gates_with, says, staged_world, workload
from tests.bed.playbooks.watching import recap
from tests.unit.waiting import HANG, until

pytestmark = pytest.mark.bed

MODES = ("hot", "cold")
STRANGERS: dict[str, dict[str, tuple[str, ...]]] = {
    "classic": {"fast": ("--heartbeat", "3000"), "slow": ("--heartbeat", "14000")},
    "kip848": {"next": ("--protocol", "consumer")},
}
"""Members by the kind of group they make, and how they are started."""


class TwoTopics(Application):
    """The example with a second topic that its pods read."""

    def _adapt_pods(self, pod: dict[str, Any], colour: str) -> None:
        super()._adapt_pods(pod, colour)
        [container] = pod["containers"]
        for variable in container["env"]:
            if variable["name"] == "KAFKA_TOPICS":
                variable["value"] = f"{self._names.topic},{retries_of(self._names.topic)}"


def retries_of(topic: str) -> str:
    return topic.removesuffix("-events") + "-retries"


def old_group(world: World) -> str:
    return f"{world.kafka.name}-group-v1"


def history(world: World) -> None:
    """A topic that the application does not read any more, with commits that are still there; a group that was renamed."""
    world.kafka.topic("retries")
    left = world.kafka.topic("left", records=4)
    world.kafka.commit(world.group("blue"), [TopicPartition(left, number, 2) for number in range(3)])
    world.kafka.commit(old_group(world), [TopicPartition(left, 0, 1)])


@pytest.fixture(scope="module")
def world(environment: Environment, bed: Mapping[str, str]) -> Iterator[World]:
    with staged_world(environment, bed, TwoTopics, before=history) as built:
        topic = built.sandbox.names.topic
        for group in (old_group(built), built.group("green")):
            built.kafka.commit(group, [TopicPartition(topic, number, 0) for number in range(12)])
        built.wait_joined("blue")
        # An example pod commits where it begins, so that what changes later was changed by a run.
        until("blue's commits", lambda: built.offsets()["blue"], lambda rows: len(rows) == 12 + 3 + 3)
        yield built


def both_topics(world: World) -> list[str]:
    topic = world.sandbox.names.topic
    return [topic, retries_of(topic)]


def in_both_modes(world: World, case: str, **settings: object) -> dict[str, dict[str, object]]:
    return {f"{case}-{mode}": {"bg_mode": mode, "bg_topics": both_topics(world), **settings} for mode in MODES}


def refused_for(done: Finished, said: Mapping[str, str], host: str, *words: str) -> None:
    """The host's run ended with NO-GO in preflight, and a gate that says so has these words."""
    assert recap(done.output, host)["failed"] == 1, said.get(host, done.output[-3000:])
    assert "Traceback" not in done.output
    says(said[host], "NO-GO", "Nothing was changed")
    says(gates_with(said[host], "NO-GO"), *words)


@pytest.fixture(scope="module")
def misdescribed(world: World) -> tuple[Finished, dict[str, str]]:
    """One run over inventories that do not fit what the application does."""
    blue, green = world.group("blue"), world.group("green")
    cases = {
        **in_both_modes(world, "second-topic", bg_topics=[world.sandbox.names.topic]),
        **in_both_modes(world, "no-topics", bg_topics=[]),
        **in_both_modes(world, "renamed-group", bg_blue_group=old_group(world)),
        **in_both_modes(world, "interchanged", bg_blue_group=green, bg_green_group=blue),
    }
    with world.untouched():
        return world.attempt_each(cases, name="misdescribed")


@pytest.mark.parametrize("mode", MODES)
def test_a_topic_that_the_inventory_forgot(
    world: World, misdescribed: tuple[Finished, dict[str, str]], mode: str
) -> None:
    """T33: the pods read it, and the run would neither copy nor prove it."""
    refused_for(*misdescribed, f"second-topic-{mode}", retries_of(world.sandbox.names.topic), "bg_topics")


@pytest.mark.parametrize("mode", MODES)
def test_commits_of_a_topic_that_nobody_reads(
    world: World, misdescribed: tuple[Finished, dict[str, str]], mode: str
) -> None:
    """T34: without bg_topics the group's commits say what is moved; both ways out are named."""
    left = f"{world.kafka.name}-left"
    refused_for(*misdescribed, f"no-topics-{mode}", left, "bg_topics", "kafka_group_offsets")


@pytest.mark.parametrize("mode", MODES)
def test_a_group_that_was_renamed(world: World, misdescribed: tuple[Finished, dict[str, str]], mode: str) -> None:
    """B6: the group of the inventory is there, empty and has commits; the pods use another one."""
    refused_for(*misdescribed, f"renamed-group-{mode}", old_group(world))


@pytest.mark.parametrize("mode", MODES)
def test_groups_that_were_interchanged(world: World, misdescribed: tuple[Finished, dict[str, str]], mode: str) -> None:
    refused_for(*misdescribed, f"interchanged-{mode}", world.group("green"))


def strange_run(world: World, role: str, colour: str, kind: str) -> None:
    """Both modes refuse; each stranger is named, is still the same member, and no offset was written."""
    group = world.group(colour)
    with contextlib.ExitStack() as around:
        strangers = [
            around.enter_context(world.stranger(group, *arguments, client=f"third-team-{name}"))
            for name, arguments in STRANGERS[kind].items()
        ]
        world.wait_joined(colour, len(strangers) + (2 if role == "source" else 0))
        with world.untouched():
            done, said = world.attempt_each(in_both_modes(world, "stranger"), name=f"stranger-{role}-{kind}")
        assert [stranger.thrown_out for stranger in strangers] == [0] * len(strangers)
    for mode in MODES:
        for stranger in strangers:
            refused_for(done, said, f"stranger-{mode}", stranger.member, stranger.client, stranger.host, role)


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_in_the_target_group(world: World, kind: str) -> None:
    """T31."""
    strange_run(world, "target", "green", kind)
    # A KIP-848 member leaves a group of its own kind behind, which hot mode does not take.
    world.kafka.admin.delete_consumer_groups([world.group("green")])[world.group("green")].result(HANG)


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_in_the_source_group(world: World, kind: str) -> None:
    """T32."""
    strange_run(world, "source", "blue", kind)
    world.wait_joined("blue")


def test_neighbours_are_named_in_the_plan(world: World) -> None:
    """T36, T37, T38: another group of the same pods, an autoscaler, another owner of the replicas: they are told, not fatal."""
    [pod, *_] = world.sandbox.app.pod_names("blue")
    retry = f"{world.kafka.name}-retry"
    world.apply_replicas("argocd-controller", green=0)
    with world.stranger(retry, client="retry-worker", pod=pod), world.applied(world.autoscaler("green", least=3)):
        done, said = world.attempt_each(in_both_modes(world, "neighbours"), "--check", name="neighbours")
    for mode in MODES:
        host = f"neighbours-{mode}"
        assert recap(done.output, host)["failed"] == 0, said[host]
        warned = gates_with(said[host], "WARN") + said[host]
        says(warned, "WARN", retry, pod, f"HorizontalPodAutoscaler {workload('green')}-load", "argocd-controller")


def test_a_rollout_that_was_paused(world: World) -> None:
    """T8: the pods that stand by are of the old template, so the old version would be switched to."""
    name = workload("green")
    world.sandbox.app.scale("green", 2)
    world.sandbox.app.wait_ready("green", 60)
    world.kubectl("rollout", "pause", f"deployment/{name}")
    world.kubectl("set", "env", f"deployment/{name}", "BG_VERSION=new")
    try:
        world.wait_joined("green")
        with world.untouched():
            done, said = world.attempt_each(in_both_modes(world, "paused"), name="paused-rollout")
    finally:
        world.kubectl("rollout", "resume", f"deployment/{name}")
        world.sandbox.app.scale("green", 0)
    for mode in MODES:
        refused_for(done, said, f"paused-{mode}", "template")
        says(said[f"paused-{mode}"], "rollout is paused")


def test_pods_that_take_longer_to_stop_than_the_run_waits(world: World) -> None:
    """T39. Must be the last one of the file: from here on blue's pods are slow to go."""
    slow = {"terminationGracePeriodSeconds": 60}
    container = {"name": "consumer", "lifecycle": {"preStop": {"sleep": {"seconds": 45}}}}
    patch = {"spec": {"template": {"spec": {**slow, "containers": [container]}}}}
    world.kubectl("patch", "deployment", workload("blue"), "--type=strategic", "-p", json.dumps(patch))
    world.kubectl("rollout", "status", f"deployment/{workload('blue')}", f"--timeout={HANG}s")
    try:
        world.wait_joined("blue")
        cases = {"slow-cold": {"bg_mode": "cold", "bg_topics": both_topics(world), "bg_timeouts": {"start": 20}}}
        with world.untouched():
            done, said = world.attempt_each(cases, name="slow-to-stop")
        refused_for(done, said, "slow-cold", "start")
        says(said["slow-cold"], "60 s", "20 s", workload("blue").rsplit("-", 1)[0])
    finally:
        # Their namespace is deleted next, and nobody has to wait for them.
        world.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")
