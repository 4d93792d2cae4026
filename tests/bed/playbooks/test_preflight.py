# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict alone: exit code, table and JSON, and nothing is changed. A Prometheus that can't be asked is No-Go."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import yaml

from demo.application import APP
from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import recap, said_of, written

pytestmark = pytest.mark.bed
QUERY = 'sum(lag{consumergroup="$group"})'
GATE = {"name": "mine", "query": QUERY, "comparison": "<=", "threshold": 5, "stage": "before"}


@pytest.fixture
def silent() -> Iterator[str]:
    """URL of a server that takes a connection and never says a word."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=20) as listening:

        def serve() -> None:
            kept = []
            while not over.is_set():
                try:
                    kept.append(listening.accept()[0])
                except OSError:
                    break

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()


CASES: dict[str, tuple[dict[str, object], list[str]]] = {
    "down": (
        {"bg_prometheus": {"url": "http://127.0.0.1:9"}, "bg_metric_gates": [GATE]},
        ["Prometheus: mine: Prometheus refused it: no connection", "(http://127.0.0.1:9, sum(lag{consumergroup="],
    ),
    "slow": (
        {"bg_prometheus": {"url": "SILENT", "timeout": 3}, "bg_metric_gates": [GATE]},
        ["Prometheus: mine: no answer in time: nothing within 3 s (http://127.0.0.1:", "sum(lag{consumergroup="],
    ),
    "default": (
        {"bg_prometheus": {"url": "http://127.0.0.1:9"}, "bg_bake": 30},
        ["Prometheus: failed records: Prometheus refused it"],
    ),
    "wrong": ({"bg_metric_gates": [GATE]}, ["metric_gates needs prometheus"]),
    "nothing-asked": ({"bg_prometheus": {"url": "http://127.0.0.1:9"}, "bg_metric_gates": [], "bg_bake": 30}, []),
}
"""What is set, and what is said; where nothing is wrong, nothing."""


def test_every_way_in_which_prometheus_can_not_be_asked(sandbox: Sandbox, silent: str) -> None:
    [described] = yaml.safe_load(sandbox.operator.inventory.read_text(encoding="utf-8"))["bluegreen"]["hosts"].values()
    hosts = {case: {**described, "bg_app": APP, **settings} for case, (settings, _said) in CASES.items()}
    inventory = sandbox.out / "preflight.yml"
    text = yaml.safe_dump({"asked": {"hosts": hosts}}).replace("SILENT", silent)
    inventory.write_text(text, encoding="utf-8")
    before = written(sandbox)
    done = sandbox.operator.attempt(
        "preflight", "-i", str(inventory), "-e", "bg_hosts=asked", name="asked", env={"ANSIBLE_FORKS": "3"}
    )
    assert written(sandbox) == before, "it has changed something"
    assert done.code == 2
    said = said_of(done.output)
    for case, (_settings, expected) in CASES.items():
        assert recap(done.output, case)["failed"] == bool(expected), case
        for words in expected:
            assert words in said[case], f"{words!r} is not said in:\n{said[case]}"
    assert "Traceback" not in done.output


def test_go_is_exit_code_0_and_no_go_is_2(sandbox: Sandbox) -> None:
    before = written(sandbox)
    go = sandbox.operator.attempt("preflight", name="go")
    assert (go.code, go.report["verdict"], go.report["failure"]) == (0, "GO", ""), go.output[-3000:]
    assert (go.report["decision"]["action"], go.report["record"]["active"]) == ("start", "blue")
    assert go.report["table"][0].split() == ["GATE", "SEEN", "WANTED", "VERDICT"]
    assert go.report["table"][0] in go.output
    gates = json.dumps({"bg_metric_gates": [GATE], "bg_prometheus": {"url": "http://127.0.0.1:9"}})
    no_go = sandbox.operator.attempt("preflight", "-e", gates, name="no-go")
    assert (no_go.code, no_go.report["verdict"]) == (2, "NO-GO")
    assert [gate["name"] for gate in no_go.report["gates"] if gate["verdict"] == "NO-GO"] == ["Prometheus: mine"]
    assert sandbox.operator.attempt("status", "-e", gates, name="status").code == 0, "a look never fails"
    rollback = sandbox.operator.attempt("preflight", "-e", "bg_direction=rollback", name="back")
    assert rollback.code == 2, "nothing to go back to"
    assert "rollback refused" in rollback.report["failure"]
    assert written(sandbox) == before
