# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bg_metrics through its main(): check, real, repeat, in both places."""

from __future__ import annotations

import builtins
import importlib
import json
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import exposition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import StoredObject
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    HandoffSnapshot,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.modules import bg_metrics as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule, as_shown
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World
from ansible_collections.streamops.bluegreen.tests.unit.fakes.pushgateway import FakePushgateway, basic

APP = {"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}}
RECORD = ActiveRecord("green", 3, 3, "stable", "blue", "2026-01-01T12:00:20Z", snapshot="app-bg-snapshot-a")
RUN = Run("r1", "switch", "hot", "blue", "green", "jane", "2026-01-01T12:00:00.5Z", 1)
RUN = RUN.begin("flip", "2026-01-01T12:00:20Z").end("flip", "2026-01-01T12:00:20Z", 12.5)
NOON = 1767268800


def put(world: World, record: ActiveRecord = RECORD, run: Run | None = None) -> None:
    run = run or RUN.close("done", "2026-01-01T12:00:40Z")
    offsets = {TopicPartition("t", number): CommittedOffset(number) for number in range(3)}
    snapshot = HandoffSnapshot(3, "r1", "hot", "blue", "green", "2026-01-01T12:00:19Z", offsets, {}, {})
    for name, data in (
        ("app-active-version", record.to_data()),
        ("app-bg-journal", Journal(run).to_data()),
        ("app-bg-snapshot-a", to_chunks(snapshot)[0]),
    ):
        world.cluster.maps[name] = StoredObject(name, data, "1")


@pytest.fixture
def settled(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"BG_PUSHGATEWAY_{name}", raising=False)
    put(world)
    return world


@pytest.fixture
def gateway() -> t.Iterator[FakePushgateway]:
    with FakePushgateway() as fake:
        yield fake


SETTLED = {
    "bg_active_version colour=blue": 0,
    "bg_active_version colour=green": 1,
    "bg_colour_info colour=blue consumergroup=b workload=app-blue workload_kind=Deployment": 1,
    "bg_colour_info colour=green consumergroup=g workload=app-green workload_kind=Deployment": 1,
    "bg_epoch": 3,
    "bg_gate gate=lag stage=before": 1,
    "bg_offsets_copied topic=t": 3,
    "bg_phase_since_timestamp_seconds phase=stable": NOON + 40,
    "bg_rollback_window_end_timestamp_seconds": NOON + 20 + 3600,
    "bg_snapshot_timestamp_seconds": NOON + 19,
    "bg_switch_duration_seconds step=flip": 0.0125,
    "bg_switch_duration_seconds step=handover": 0.0125,
    "bg_switch_duration_seconds step=total": 39.5,
    "bg_switch_in_progress": 0,
    "bg_switch_last_timestamp_seconds result=success": NOON + 40,
}


def test_labels_make_a_group_of_their_own(settled: World, gateway: FakePushgateway, run_module: RunModule) -> None:
    """Two clusters with the same names push beside each other, and neither takes the other's series for its own."""
    for labels in ({"cluster": "east"}, {"cluster": "west"}, {}):
        given = {"application": APP, "pushgateway": {"url": gateway.url}, "labels": labels}
        first, second = run_module(module, settled.ports, **given), run_module(module, settled.ports, **given)
        assert (first["changed"], second["changed"]) == (True, False), labels
        assert all(labels.items() <= one["labels"].items() for one in first["metrics"])
    assert len(gateway.groups) == 3


@pytest.mark.parametrize("labels", [{"app": "x"}, {"a-b": "x"}, {"__a": "x"}, {"cluster": 7}, {"cluster": ""}], ids=str)
def test_labels_that_can_not_be_used(settled: World, tmp_path: Path, run_module: RunModule, labels: t.Any) -> None:
    given = {"application": APP, "textfile": str(tmp_path / "a.prom"), "labels": labels}
    failed = run_module(module, settled.ports, **given)
    assert failed["failed"]
    assert any(fault.startswith("labels: ") for fault in failed["faults"])


def test_a_secret_over_http_is_warned_of(settled: World, gateway: FakePushgateway, run_module: RunModule) -> None:
    there = {"url": gateway.url, "token": "of-nobody"}
    done = run_module(module, settled.ports, application=APP, pushgateway=there)
    assert "pushgateway.token is sent in the clear" in str(done["warnings"])


def test_check_real_repeat_check(
    settled: World, gateway: FakePushgateway, tmp_path: Path, run_module: RunModule
) -> None:
    file = tmp_path / "app.prom"
    gates = {"before": [{"name": "lag", "value": "0", "threshold": "<= 1000", "verdict": "GO", "advice": ""}]}
    given = {"application": APP, "pushgateway": {"url": gateway.url}, "textfile": str(file), "gates": gates}
    predicted = run_module(module, settled.ports, check=True, diff=True, **given)
    assert (predicted["changed"], gateway.pushes, file.exists()) == (True, 0, False)
    done = run_module(module, settled.ports, diff=True, **given)
    assert {**done, "invocation": 0} == {**predicted, "invocation": 0}
    assert gateway.series("app") == SETTLED
    assert file.read_text() == done["diff"][1]["after"] == done["diff"][0]["after"]
    assert done["published"] == [
        {"place": f"the Pushgateway {as_shown(gateway.url)}", "changed": True},
        {"place": f"the file {file}", "changed": True},
    ]
    written = file.stat().st_mtime_ns
    for check in (False, True):
        again = run_module(module, settled.ports, check=check, diff=True, **given)
        assert (again["changed"], again["diff"]) == (False, [])
    assert (gateway.pushes, file.stat().st_mtime_ns) == (1, written)
    assert settled.cluster.writes == 0


def test_a_changed_state_replaces_the_one_before(
    settled: World, gateway: FakePushgateway, run_module: RunModule
) -> None:
    given = {"application": APP, "pushgateway": {"url": gateway.url}}
    gates = {"bake": [{"name": "lag", "verdict": "NO-GO"}]}
    run_module(module, settled.ports, gates=gates, **given)
    assert gateway.series("app")["bg_gate gate=lag stage=bake"] == 0
    armed = replace(RECORD, snapshot="").arm("rollback", "r2")
    run = Run("r2", "rollback", "hot", "green", "blue", "jane", "2026-01-01T12:10:00Z", 3)
    put(settled, armed, run.begin("hand over", "2026-01-01T12:10:05Z"))
    done = run_module(module, settled.ports, diff=True, **given)
    assert done["changed"] is True
    assert 'phase="stable"' in done["diff"][0]["before"]
    assert 'phase="rolling-back"' in done["diff"][0]["after"]
    series = gateway.series("app")
    assert {name for name in series if name.startswith("bg_phase")} == {
        "bg_phase_since_timestamp_seconds phase=rolling-back"
    }
    assert (series["bg_switch_in_progress"], series["bg_epoch"]) == (1, 4)
    assert not [name for name in series if name.startswith(("bg_gate", "bg_snapshot", "bg_offsets"))]


def test_a_run_that_died_is_seen_by_what_was_said_before_it_began(
    settled: World, gateway: FakePushgateway, run_module: RunModule
) -> None:
    given = {"application": APP, "pushgateway": {"url": gateway.url}}
    begins = {"direction": "switch", "at": "2026-01-01T13:00:00Z"}
    for changed in (True, False):
        assert run_module(module, settled.ports, begins=begins, **given)["changed"] is changed
    series = gateway.series("app")
    assert series["bg_switch_in_progress"] == 1
    assert series["bg_phase_since_timestamp_seconds phase=switching"] == NOON + 3600
    run_module(module, settled.ports, **given)  # as the status playbook does
    assert gateway.series("app")["bg_switch_in_progress"] == 0


def test_one_file_for_each_application(settled: World, tmp_path: Path, run_module: RunModule) -> None:
    file = tmp_path / "all.prom"
    run_module(module, settled.ports, application=APP, textfile=str(file))
    before = file.read_text()
    settled.cluster.maps["other-active-version"] = replace(
        settled.cluster.maps["app-active-version"], name="other-active-version"
    )
    refused = run_module(module, settled.ports, application={**APP, "name": "other"}, textfile=str(file))
    assert "Each application needs a file of its own" in refused["msg"]
    assert (refused["failed"], refused["changed"], file.read_text()) == (True, False, before)


def test_who_pushes_is_in_no_message(
    settled: World, gateway: FakePushgateway, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.wanted = basic("jane", "hush-password")
    monkeypatch.setenv("BG_PUSHGATEWAY_USER", "jane")
    monkeypatch.setenv("BG_PUSHGATEWAY_PASSWORD", "hush-password")
    done = run_module(module, settled.ports, application=APP, pushgateway={"url": gateway.url})
    assert (done["changed"], "hush" in json.dumps(done)) == (True, False)
    monkeypatch.setenv("BG_PUSHGATEWAY_PASSWORD", "hush-wrong")
    refused = run_module(module, settled.ports, application=APP, pushgateway={"url": gateway.url})
    assert f"{as_shown(gateway.url)} was answered with 401" in refused["msg"]
    assert "hush" not in json.dumps(refused)


def test_a_token_of_the_environment(
    settled: World, gateway: FakePushgateway, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.wanted = "Bearer hush-token"
    monkeypatch.setenv("BG_PUSHGATEWAY_TOKEN", "hush-token")
    done = run_module(module, settled.ports, application=APP, pushgateway={"url": gateway.url})
    assert (done["changed"], "hush" in json.dumps(done)) == (True, False)


@pytest.mark.parametrize(
    "url",
    ["http://jane:hush-1@host:9091", "http://hush-1@host", "http://:hush-1@host", "hush-1", "http://host/ hush-1@x"],
)
def test_a_user_in_the_address_is_refused_and_never_shown(settled: World, run_module: RunModule, url: str) -> None:
    refused = run_module(module, settled.ports, application=APP, pushgateway={"url": url}, begins={"at": "x"})
    assert "pushgateway.url " in refused["msg"]
    assert "hush" not in json.dumps(refused)
    assert settled.cluster.reads == 0


def test_every_fault_at_once(settled: World, run_module: RunModule) -> None:
    refused = run_module(
        module,
        settled.ports,
        application={**APP, "namespace": "N"},
        pushgateway={"url": "http://h?q=1", "user": "a:b", "token": "line\nbreak", "timeout": float("nan")},
        textfile="here",
        gates={"after": [], "bake": "x", "before": [{"name": "lag", "verdict": "MAYBE"}, 3, {"verdict": "GO"}]},
        begins={"at": "2026-01-01T12:00:00"},
    )
    for said in (
        "namespace is 'N'",
        "pushgateway.url is no address",
        "user and password are needed together",
        "either user and password or token",
        "pushgateway.user has a colon",
        "pushgateway.token can't be sent",
        "pushgateway.timeout is nan",
        "textfile is ",
        "stage 'after' is unknown; known are before, bake, verify",
        "bake is 'x'",
        "before holds {'name': 'lag', 'verdict': 'MAYBE'}",
        "before holds 3",
        "before holds {'verdict': 'GO'}",
        "begins.at is '2026-01-01T12:00:00'",
    ):
        assert said in refused["msg"], said
    assert len(refused["faults"]) == 14
    assert settled.cluster.reads == 0


def test_some_place_is_needed(settled: World, run_module: RunModule) -> None:
    assert (
        "one of the following is required: pushgateway, textfile"
        in run_module(module, settled.ports, application=APP)["msg"]
    )


def test_services_that_are_down(settled: World, gateway: FakePushgateway, run_module: RunModule) -> None:
    given: dict[str, t.Any] = {"application": APP, "pushgateway": {"url": gateway.url, "timeout": 0.3}}
    gateway.silent = True
    late = run_module(module, settled.ports, **given)
    assert f"{as_shown(gateway.url)} was not answered within 0.3 s" in late["msg"]
    assert (late["failed"], late["changed"], late["published"]) == (True, False, [])
    settled.cluster.down = True
    assert "fake does not answer" in run_module(module, settled.ports, **given)["msg"]


def test_without_the_library(settled: World, run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kafka-python: the module is imported, and says what is missing."""
    real = builtins.__import__

    def refuses(name: str, *given: t.Any, **named: t.Any) -> t.Any:
        if name.startswith("prometheus_client"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *given, **named)

    with monkeypatch.context() as patched:
        for name in [name for name in sys.modules if name.startswith("prometheus_client")]:
            patched.delitem(sys.modules, name)
        patched.setattr(builtins, "__import__", refuses)
        importlib.reload(exposition)
        missing = run_module(module, settled.ports, application=APP, textfile="/tmp/a.prom")
    importlib.reload(exposition)
    assert "Failed to import the required Python library (prometheus-client)" in missing["msg"]
    assert settled.cluster.reads == 0
