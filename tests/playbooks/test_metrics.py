# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role metrics and what playbooks do with it, run by Ansible itself; the API server answers from a script."""

from __future__ import annotations

import re
import socket
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.tests.playbooks.test_report import COLLECTIONS, PLAY, RESULTS, Ran, play
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.fakes.pushgateway import FakePushgateway

RECORD = ActiveRecord("green", 3, 3, "stable", "blue", "2026-01-01T12:00:20Z")
ROLE = "streamops.bluegreen.metrics"
BEGAN = 1767272400.0
"""2026-01-01T13:00:00Z"""
TASKS = [
    {
        "ansible.builtin.include_role": {"name": ROLE, "rolespec_validate": False},
        "vars": {"metrics_begins": "{{ began | default('') }}"},
    },
    {"ansible.builtin.include_role": {"name": "streamops.bluegreen.report"}},
]


@pytest.fixture
def api() -> t.Iterator[dict[str, t.Any]]:
    """Variables of an application whose record is stored."""
    found = {"metadata": {"name": "orders-active-version", "resourceVersion": "1"}, "data": RECORD.to_data()}
    apps = ("orders", "fused", "stepwise", "settled", "skipped")
    answers = {f"GET /api/v1/namespaces/n/configmaps/{app}-active-version": [(200, found)] for app in apps}
    with HttpServer(answers=t.cast(t.Any, answers)) as server:
        connection = {"host": f"http://127.0.0.1:{server.port}", "api_key": "of-nobody"}
        yield {"bg_kubernetes": connection, "ansible_python_interpreter": sys.executable}


@pytest.fixture
def closed() -> t.Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def role(tmp_path: Path, hosts: dict[str, t.Any], **results: t.Any) -> Ran:
    """results: what the other roles have registered, instead of a switch that went well; hosts may have their own."""
    defaults = {"group/streamops.bluegreen.kubernetes": "{{ bg_kubernetes }}"}
    given = {"vars": {"bg_direction": "switch", **results}} if results else {}
    text = yaml.safe_dump([{**PLAY, "module_defaults": defaults, "tasks": TASKS, **given}])
    (tmp_path / "play.yml").write_text(text, encoding="utf-8")
    return play(tmp_path, "play.yml", hosts)


def test_what_the_role_publishes(tmp_path: Path, api: dict[str, t.Any]) -> None:
    """Both places; a second time changes nothing; without a place nothing is done; the gates are those that were registered."""
    with FakePushgateway() as gateway:
        there = {"pushgateway": {"url": gateway.url}, "textfile": str(tmp_path / "orders.prom")}
        hosts = {"set": {**api, "bg_metrics": there}, "unset": api}
        done = role(tmp_path, hosts)
        assert (done.code, done.recap("set")["changed"], done.recap("unset")["changed"]) == (0, 1, 0), done.output
        series = gateway.series("orders")
        assert (series["bg_active_version colour=green"], series["bg_epoch"]) == (1, 3)
        assert series["bg_gate gate=offsets stage=before"] == 1
        assert 'bg_epoch{app="orders",namespace="n"} 3.0\n' in (tmp_path / "orders.prom").read_text(encoding="utf-8")
        again = role(tmp_path, hosts)
        assert (again.code, again.recap("set")["changed"], gateway.pushes) == (0, 0, 1), again.output
    assert "WARNING: the metrics" not in done.output + again.output


@pytest.mark.parametrize("nothing", [None, {}, {"pushgateway": None}, {"pushgateway": None, "textfile": None}], ids=str)
def test_a_place_that_is_left_empty_is_none(tmp_path: Path, api: dict[str, t.Any], nothing: t.Any) -> None:
    done = role(tmp_path, {"unset": {**api, "bg_metrics": nothing}})
    assert (done.code, done.recap("unset")["changed"]) == (0, 0), done.output
    assert "WARNING: the metrics" not in done.output


def test_a_run_that_is_about_to_begin(tmp_path: Path, api: dict[str, t.Any]) -> None:
    with FakePushgateway() as gateway:
        to = {"pushgateway": {"url": gateway.url}}
        role(tmp_path, {"set": {**api, "bg_metrics": to, "began": "2026-01-01T13:00:00Z"}})
        series = gateway.series("orders")
    assert (series["bg_switch_in_progress"], series["bg_phase_since_timestamp_seconds phase=switching"]) == (1, BEGAN)


def test_what_can_t_be_published_ends_nothing(tmp_path: Path, api: dict[str, t.Any], closed: str) -> None:
    """The play goes on and ends well; it is told in a message of its own, and in the summary."""
    host = {**api, "bg_metrics": {"pushgateway": {"url": closed}}}
    hosts = {
        "nobody": host,
        "untold": {**host, "metrics_gates": "{{ nobody_knows_this }}"},
        "away": {**host, "bg_kubernetes": {"host": closed, "api_key": "of-nobody"}},
    }
    done = role(tmp_path, hosts)
    assert done.code == 0, done.output
    assert [done.recap(host)["failed"] for host in hosts] == [0, 0, 0]
    for said in (
        f"Reading {closed} failed: [Errno 111] Connection refused",
        "nobody_knows_this",
        "refused every connection",
    ):
        warned = re.findall(rf"WARNING: .*{re.escape(said)}", done.output)
        message = "WARNING: the metrics of orders were not published; nothing else depends on them. "
        assert sum(line.startswith(message) for line in warned) == 1, done.output
        assert sum(line.startswith("WARNING: not published. ") for line in warned) == 1, done.output
    assert done.output.count("orders: green is active (epoch 2), switch in mode hot done") == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pushgatway": {"url": "http://x"}}, "pushgatway"),
        ({"pushgateway": {}, "textfile": "a.prom"}, "url"),
        ("http://x", "dict"),
        ({"pushgateway": {"url": "http://x", "password": ["hush"]}, "x": 1}, "x. Supported"),
    ],
)
def test_a_wrong_place_ends_a_run_before_it_begins(tmp_path: Path, given: t.Any, said: str) -> None:
    done = play(tmp_path, "streamops.bluegreen.switch", {"wrong": {"bg_metrics": given}}, "-e", "bg_hosts=all")
    recap = done.recap("wrong")
    assert (done.code, recap["failed"], recap["rescued"], recap["changed"]) == (2, 1, 0, 0), done.output
    assert said in done.output
    assert "streamops.bluegreen.preflight" not in done.output
    assert "hush" not in done.output


@pytest.mark.parametrize("playbook", ["switch", "rollback"])
def test_a_failed_run_ends_with_its_own_message(
    tmp_path: Path, api: dict[str, t.Any], closed: str, playbook: str
) -> None:
    hosts = {"bad": {**api, "bg_metrics": {"pushgateway": {"url": closed}}}}
    done = play(tmp_path, f"streamops.bluegreen.{playbook}", hosts, "-e", "bg_hosts=all")
    assert (done.code, done.recap("bad")["failed"], done.recap("bad")["rescued"]) == (2, 1, 1), done.output
    assert done.last_said("bad").startswith(f"Nothing was changed. A real {playbook} of orders needs")
    assert f"orders: the {playbook} FAILED" in done.output
    assert f"metrics    WARNING: not published. Reading {closed} failed" in done.output


def test_a_failed_run_publishes_what_is_stored(tmp_path: Path, api: dict[str, t.Any]) -> None:
    file = tmp_path / "orders.prom"
    hosts = {"bad": {**api, "bg_metrics": {"textfile": str(file)}}}
    assert play(tmp_path, "streamops.bluegreen.switch", hosts, "-e", "bg_hosts=all").code == 2
    assert 'bg_switch_in_progress{app="orders",namespace="n"} 0.0\n' in file.read_text(encoding="utf-8")


def calls(tasks: t.Any) -> list[str]:
    """Roles in the order in which a list of tasks includes them; metrics with what it is told."""
    found = []
    for task in tasks:
        for part in ("block", "rescue"):
            found += calls(task.get(part, ()))
        if "ansible.builtin.include_role" in task:
            called = task["ansible.builtin.include_role"]
            name = called["name"].removeprefix("streamops.bluegreen.")
            if name == "metrics":
                # The check is of a switch only: nothing that is wrong with bg_metrics stops a rollback.
                only = "bg_direction == 'switch' and " if "tasks_from" in called else ""
                assert task["when"].startswith(f"{only}bg_metrics | default({{}}, true) | length > 0"), task
                assert task.get("ignore_errors", False) == ("tasks_from" not in called), task
                assert called.get("rolespec_validate", True) == ("tasks_from" in called), "only the check may fail"
                begins = "metrics_begins" in task.get("vars", {})
                name += " begins" if begins else f" {called['tasks_from']}" if "tasks_from" in called else ""
                assert begins == task["when"].endswith(" and not ansible_check_mode"), "in check mode no run begins"
            found.append(name)
    return found


def test_the_order_of_a_run() -> None:
    """The begin is published after Go and before anything is changed; the end before the report, which tells of it."""
    folder = COLLECTIONS / "ansible_collections/streamops/bluegreen/playbooks"
    order = calls(yaml.safe_load((folder / "tasks/run.yml").read_text(encoding="utf-8")))
    assert order == [
        "report",
        "metrics check",
        *("preflight", "metrics begins", "prepare", "handover", "verify", "settle"),
        *("metrics", "report"),
        *("metrics", "report"),
    ]
    [_hosts, status] = yaml.safe_load((folder / "status.yml").read_text(encoding="utf-8"))
    [preflight, _shown, metrics] = status["tasks"]
    assert [task["ansible.builtin.include_role"]["name"] for task in (preflight, metrics)] == [
        "streamops.bluegreen.preflight",
        ROLE,
    ]


def test_gates_of_every_stage(tmp_path: Path, api: dict[str, t.Any]) -> None:
    row = {"gates": [{"name": "g", "verdict": "GO"}]}
    cases = {
        "fused": ({"handover_result": {"verified": row, "baked": row}}, {"verify", "bake"}),
        "stepwise": ({"verify_result": row, "handover_result": {"verified": {}}}, {"verify"}),
        "settled": ({"settle_result": {"baked": row}}, {"bake"}),
        "skipped": ({"verify_result": {"skipped": True}, "settle_result": {"skipped": True}}, set()),
    }
    hosts = {}
    for name, (results, _wanted) in cases.items():
        handed = {**RESULTS["handover_result"], **results.pop("handover_result", {})}
        to = {"bg_app": name, "bg_metrics": {"textfile": str(tmp_path / f"{name}.prom")}}
        hosts[name] = {**api, **results, "handover_result": handed, **to}
    done = role(tmp_path, hosts, preflight_result=RESULTS["preflight_result"])
    assert done.code == 0, done.output
    for name, (_results, wanted) in cases.items():
        lines = (tmp_path / f"{name}.prom").read_text(encoding="utf-8").splitlines()
        stages = {line.partition('stage="')[2].partition('"')[0] for line in lines if line.startswith("bg_gate{")}
        assert stages == {"before", *wanted}, name
