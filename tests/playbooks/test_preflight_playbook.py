# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook preflight, run by Ansible itself, without a cluster: what it says and writes where there is no verdict, and where."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.tests.playbooks.test_report import COLLECTIONS, play

FAULTS = {
    "bg_prometheus": {"url": "http://jane:pa55word@p", "timeout": 0},
    "bg_metric_gates": ["consumer_error_ratio", "nope"],
}


def test_without_a_verdict_it_fails_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    hosts: dict[str, t.Any] = {
        "faulty": {"bg_report_dir": "reports", **FAULTS},
        "alone": {"bg_report_dir": "alone", "bg_metric_gates": ["consumer_error_ratio"]},
        "lost": {"bg_report_dir": "file/below"},
    }
    python = f"ansible_python_interpreter={sys.executable}"
    done = play(tmp_path, "streamops.bluegreen.preflight", hosts, "-e", "bg_hosts=all", "-e", python)
    assert done.code == 2
    assert "needs -e bg_confirm" not in done.output, "a look needs no confirmation"
    verdict = json.loads((tmp_path / "reports/orders-preflight.json").read_text(encoding="utf-8"))
    assert (verdict["application"], verdict["direction"], verdict["verdict"]) == ("orders", "switch", "NO-GO")
    assert (verdict["gates"], verdict["table"], verdict["record"]) == ([], [], {})
    for told in (
        "prometheus.url is 'http://p' with a user in it",
        "prometheus.timeout is 0",
        "preset 'nope' is unknown",
    ):
        assert told in verdict["failure"]
        assert told in done.last_said("faulty")
    assert "pa55word" not in done.output + json.dumps(verdict)
    assert "metric_gates needs prometheus" in done.last_said("alone")
    assert [done.recap(host)["failed"] for host in hosts] == [1, 1, 1]
    assert f"Can't use {tmp_path / 'file/below'}" in done.last_said("lost")


def test_a_verdict_of_before_does_not_stay_where_none_could_be_made(tmp_path: Path) -> None:
    """Not even the role that writes it can begin: an option of the application has a wrong type."""
    (tmp_path / "reports").mkdir()
    path = tmp_path / "reports/orders-preflight.json"
    path.write_text('{"verdict": "GO"}', encoding="utf-8")
    hosts = {"one": {"bg_report_dir": "reports", "bg_endpoint": "text"}}
    done = play(tmp_path, "streamops.bluegreen.preflight", hosts, "-e", "bg_hosts=all")
    assert done.code == 2
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["verdict"] == "NO-GO"
    assert found["failure"], found
    template = (
        COLLECTIONS / "ansible_collections/streamops/bluegreen/roles/report/templates/verdict.json.j2"
    ).read_text()
    assert list(found) == sorted(re.findall(r"^  '(\w+)'", template, re.MULTILINE)), "as a verdict is written"


WRONG: dict[str, dict[str, t.Any]] = {
    "faults": FAULTS,
    "alone": {"bg_metric_gates": ["consumer_error_ratio"]},
    "types": {"bg_prometheus": "text", "bg_metric_gates": {"a": 1}},
    "undefined": {"bg_prometheus": {"url": "{{ nowhere.to_be }}"}, "bg_metric_gates": [{"query": "{{ nowhere }}"}]},
    "nothing": {"bg_prometheus": "{{ nowhere }}"},
}
ABOUT_METRICS: dict[str, dict[str, t.Any]] = {
    "nested": {"bg_metrics": {"pushgateway": {"url": "{{ nowhere.to_be }}"}}},
    "no_place": {"bg_metrics": {"labels": {"cluster": "east"}}},
    "a_text": {"bg_metrics": "text"},
    "labels": {"bg_alert_labels": "{{ nowhere }}"},
    "empty_labels": {"bg_alert_labels": ""},
}


@pytest.mark.parametrize("playbook", ["rollback", "switch"])
def test_nothing_about_prometheus_holds_up_a_rollback(tmp_path: Path, playbook: str) -> None:
    """There is no cluster: that is all that stops it. A switch is stopped by each of them."""
    cluster = {"bg_kubernetes": {"host": "http://127.0.0.1:1", "api_key": "0f-nobody"}}
    hosts = {host: {**wrong, **cluster} for host, wrong in WRONG.items()}
    if playbook == "switch":
        del hosts["nothing"]  # a variable that can't be had is one that is not set
    given = ["-e", "bg_hosts=all", "-e", "bg_confirm=orders", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = play(tmp_path, f"streamops.bluegreen.{playbook}", hosts, *given)
    assert done.code == 2
    for host in hosts:
        said = done.last_said(host)
        words = [word for word in ("prometheus", "metric_gates", "nowhere", "preflight_") if word in said]
        assert bool(words) is (playbook == "switch"), said
        assert ("Kubernetes API server" in said) is (playbook == "rollback"), said


def test_nothing_about_metrics_holds_up_a_rollback(tmp_path: Path) -> None:
    """There is no cluster: that is all that stops it, and it is what the run ends with."""
    cluster = {"bg_kubernetes": {"host": "http://127.0.0.1:1", "api_key": "0f-nobody"}}
    hosts = {host: {**wrong, **cluster} for host, wrong in ABOUT_METRICS.items()}
    given = ["-e", "bg_hosts=all", "-e", "bg_confirm=orders", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = play(tmp_path, "streamops.bluegreen.rollback", hosts, *given)
    assert done.code == 2
    for host in hosts:
        assert "Kubernetes API server" in done.last_said(host), done.output


@pytest.mark.parametrize("direction", ["switch", "rollback"])
def test_what_is_written_of_a_verdict(tmp_path: Path, direction: str) -> None:
    judged = {
        "verdict": "GO",
        "gates": [{"name": "Prometheus: lag", "value": "3", "threshold": "<= 5", "verdict": "GO", "advice": ""}],
        "table": ["GATE", "Prometheus: lag"],
        "decision": {"action": "start", "target": "green"},
        "record": {"active": "blue"},
        "way_back": [{"playbook": "switch"}],
        "summary": ["not for programs"],
    }
    tasks = [{"ansible.builtin.include_role": {"name": "streamops.bluegreen.report", "tasks_from": "verdict"}}] * 2
    variables = {"preflight_result": judged, "bg_direction": direction, "bg_mode": "cold"}
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([book]), encoding="utf-8")
    done = play(tmp_path, "play.yml", {"made": {"bg_report_dir": "here"}, "none": {}})
    assert (done.code, done.recap("made")["changed"], done.recap("none")["changed"]) == (0, 1, 0), done.output
    kept = {key: judged[key] for key in ("verdict", "gates", "table", "decision", "record", "way_back")}
    assert json.loads((tmp_path / "here/orders-preflight.json").read_text(encoding="utf-8")) == {
        "application": "orders",
        "direction": direction,
        "mode": "cold",
        "failure": "",
        **kept,
    }


def options_of_runs(content: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """What tasks, and defaults of a block, give to bg_run."""
    if isinstance(content, list):
        for one in content:
            yield from options_of_runs(one)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key == "streamops.bluegreen.bg_run":
                yield value
            yield from options_of_runs(value)


def test_whoever_gives_a_bake_gives_its_gates() -> None:
    roles = COLLECTIONS / "ansible_collections/streamops/bluegreen/roles"
    found = {}
    for path in sorted(roles.glob("*/tasks/*.yml")):
        for given in options_of_runs(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if "bake" in given:
                role = path.parts[-3]
                found[f"{role}/{path.name}"] = [given.get(name) for name in ("prometheus", "metric_gates")] == [
                    f"{{{{ {role}_{name} if {role}_{name} is not none else omit }}}}"
                    for name in ("prometheus", "metric_gates")
                ]
    assert found == dict.fromkeys(
        ["handover/main.yml", "handover/stepwise.yml", "preflight/main.yml", "prepare/main.yml", "settle/main.yml"],
        True,
    )
