# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kafka_group_offsets through its main()."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    HandoffSnapshot,
    chunk_name,
    snapshot_name,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.modules import kafka_group_offsets as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
COPY = {"group_id": "green", "from_group": "blue", "allow_create": True}


@pytest.fixture
def seeded() -> World:
    """Blue has committed everything."""
    world = World()
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 100)}
    world.kafka.seed("blue", {T0: CommittedOffset(10, 1, "a"), T1: CommittedOffset(20, 2, "b")})
    return world


def test_check_real_repeat_check(seeded: World, run_module: RunModule) -> None:
    predicted = run_module(module, seeded.ports, check=True, diff=True, **COPY)
    assert (predicted["changed"], seeded.kafka.writes) == (True, 0)
    done = run_module(module, seeded.ports, diff=True, **COPY)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert seeded.kafka.offsets["green"] == seeded.kafka.offsets["blue"]
    for check in (False, True):
        again = run_module(module, seeded.ports, check=check, diff=True, **COPY)
        assert (again["changed"], again["diff"]["after"], seeded.kafka.writes) == (False, {}, 1)


def test_explicit_offsets(seeded: World, run_module: RunModule) -> None:
    wanted = [{"topic": "t", "partition": 1, "offset": 30, "leader_epoch": 4}]
    result = run_module(module, seeded.ports, group_id="green", offsets=wanted, allow_create=True)
    assert (result["rc"], result["changed"]) == (0, True)
    assert seeded.kafka.offsets["green"] == {T1: CommittedOffset(30, 4, "")}


def test_members_are_named(seeded: World, run_module: RunModule) -> None:
    seeded.kafka.join("green", "order-1")
    result = run_module(module, seeded.ports, **COPY)
    assert (result["rc"], result["failed"], result["changed"]) == (1, True, False)
    assert "order-1" in result["msg"]
    assert "order-1" in json.dumps(run_module(module, seeded.ports, check=True, **COPY)["warnings"])


def test_service_down(seeded: World, run_module: RunModule) -> None:
    seeded.kafka.down = True
    assert "fake:9092" in run_module(module, seeded.ports, **COPY)["msg"]


def test_bad_input_is_listed(seeded: World, run_module: RunModule) -> None:
    wanted = [{"topic": "t", "partition": 1, "offset": 30}, {"topic": "t", "partition": 1, "offset": -1}]
    result = run_module(module, seeded.ports, group_id="green", offsets=wanted)
    assert len(result["faults"]) == 2
    assert seeded.kafka.reads == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_id": "g"}, "any of the following are missing: offsets, from_group, snapshot, snapshot_file"),
        ({"group_id": "g", "from_group": "h", "offsets": []}, "mutually exclusive"),
        ({"from_group": "h"}, "missing required arguments: group_id"),
        ({"group_id": "g", "to": "timestamp"}, "to is timestamp but all of the following are missing: timestamp"),
        ({"group_id": "g", "to": "shift"}, "to is shift but all of the following are missing: shift"),
        ({"group_id": "g", "to": "latest", "partitions": [1]}, "missing parameter(s) required by 'partitions': topics"),
        ({"group_id": "g", "snapshot_config_map": "a-bg-snapshot-a"}, "required by 'snapshot_config_map': namespace"),
    ],
)
def test_options_that_do_not_fit(run_module: RunModule, options: dict[str, object], said: str) -> None:
    result = run_module(module, World().ports, **options)
    assert said in result["msg"]


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({"state": "absent", "from_group": "blue"}, ["from_group makes no sense with state absent"]),
        ({"state": "absent", "topics": []}, ["topics is an empty list; leave it out for all of them"]),
        (
            {"to": "timestamp", "timestamp": "2026-11-24 08:00:00", "shift": 3},
            [
                "shift needs to: shift",
                "timestamp '2026-11-24 08:00:00' names no time zone; add Z or an offset like +01:00",
            ],
        ),
        (
            {"to": "latest", "wait_empty_timeout": -1},
            ["wait_empty_timeout is -1.0; it must be a number from 0 to 86400 seconds"],
        ),
        ({"to": "timestamp", "timestamp": "1795507200"}, ["timestamp 1795507200 looks like seconds"]),
        ({"snapshot": {"format": 3}}, ["snapshot is no snapshot of a group: format 1 or 2 expected, seen 3"]),
        ({"snapshot_file": "/nonexistent"}, ["snapshot_file /nonexistent cannot be read: No such file or directory"]),
        (
            {"snapshot_config_map": "settings", "namespace": "n"},
            ["snapshot_config_map settings is not the name of a hand-over's snapshot"],
        ),
        (
            {"snapshot_config_map": "app-bg-snapshot-b", "namespace": "n"},
            ["ConfigMap app-bg-snapshot-b does not exist"],
        ),
    ],
)
def test_faults_before_anything_is_read(
    seeded: World, run_module: RunModule, options: dict[str, object], faults: list[str]
) -> None:
    result = run_module(module, seeded.ports, group_id="blue", **options)
    assert (result["rc"], result["changed"], len(result["faults"])) == (1, False, len(faults))
    for seen, expected in zip(result["faults"], faults, strict=True):
        assert expected in seen
    assert (seeded.kafka.reads, seeded.kafka.writes) == (0, 0)


def test_a_snapshot_as_data_and_as_file(seeded: World, run_module: RunModule, tmp_path: Path) -> None:
    done = run_module(module, seeded.ports, **COPY)
    run_module(module, seeded.ports, group_id="green", snapshot=done["snapshot"])
    assert seeded.kafka.offsets["green"] == {}
    back = run_module(module, seeded.ports, group_id="blue", to="earliest")
    assert seeded.kafka.offsets["blue"] == {T0: CommittedOffset(0), T1: CommittedOffset(0)}
    kept = tmp_path / "blue.json"
    kept.write_text(json.dumps(back["snapshot"]), encoding="utf-8")
    run_module(module, seeded.ports, group_id="blue", snapshot_file=str(kept), topics=["t"], partitions=[1])
    assert seeded.kafka.offsets["blue"] == {T0: CommittedOffset(0), T1: CommittedOffset(20, 2, "b")}
    missing = run_module(module, seeded.ports, group_id="blue", snapshot_file=str(kept), topics=["u"])
    assert missing["faults"] == ["the snapshot holds nothing of topic u"]
    kept.write_text("{", encoding="utf-8")
    assert "is not JSON" in run_module(module, seeded.ports, group_id="blue", snapshot_file=str(kept))["msg"]


def test_the_snapshot_of_a_hand_over(seeded: World, run_module: RunModule) -> None:
    taken = HandoffSnapshot(7, "run", "hot", "blue", "green", "now", seeded.kafka.offsets["blue"], {}, {"t": "id-t"})
    for number, data in enumerate(to_chunks(taken)):
        seeded.cluster.put_others(chunk_name(snapshot_name("app", "a"), number), **data)
    restore = {"group_id": "blue", "snapshot_config_map": "app-bg-snapshot-a", "namespace": "n"}
    assert run_module(module, seeded.ports, **restore)["changed"] is False
    run_module(module, seeded.ports, group_id="blue", to="latest")
    assert run_module(module, seeded.ports, **restore)["changed"] is True
    assert seeded.kafka.offsets["blue"] == taken.offsets
    seeded.kafka.topic_ids["t"] = "another"
    assert "created again" in run_module(module, seeded.ports, **restore)["faults"][0]


def test_to_a_time(seeded: World, run_module: RunModule) -> None:
    seeded.kafka.times = {T0: 4}
    result = run_module(module, seeded.ports, group_id="blue", to="timestamp", timestamp="2026-11-24T08:00:00+01:00")
    assert result["after"] == {"t": {"0": 4, "1": 100}}
    assert result["details"][1]["reason"] == "end of the log: no record at or after 2026-11-24T08:00:00+01:00"


def test_a_group_is_removed(seeded: World, run_module: RunModule) -> None:
    predicted = run_module(module, seeded.ports, check=True, diff=True, group_id="blue", state="absent")
    done = run_module(module, seeded.ports, diff=True, group_id="blue", state="absent")
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert "blue" not in seeded.kafka.known
    for check in (False, True):
        assert run_module(module, seeded.ports, check=check, group_id="blue", state="absent")["changed"] is False
