# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in a task for each step moves the work as the fused one does, and one that was stopped after a step goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import RATE, RECORD

pytestmark = pytest.mark.bed


def test_stepwise_there_and_back(sandbox: Sandbox) -> None:
    producer = sandbox.produce(RATE)
    stepwise = ("-e", "bg_handover_style=stepwise")
    try:
        sandbox.operator.play("switch", "--check", *stepwise, name="stepwise-plan")
        sandbox.operator.real("switch", *stepwise, name="stepwise-switch")
        assert (sandbox.app.data(RECORD) or {})["active"] == "green"
        sandbox.operator.real("rollback", *stepwise, name="stepwise-rollback")
        assert (sandbox.app.data(RECORD) or {})["active"] == "blue"
        sandbox.operator.real("switch", *stepwise, "-e", "bg_mode=cold", name="stepwise-cold")
        assert (sandbox.app.data(RECORD) or {})["active"] == "green"
    finally:
        produced = producer.stop()
    report = sandbox.audits.audit("stepwise", None, None, wait=90)
    assert report["processed"] == produced["records"] > 0
    assert (report["lost"]["count"], report["duplicated"]["count"], report["outOfOrder"]["count"]) == (0, 0, 0)
    assert len(report["changes"]) == 3
    witness = sandbox.audits.witness("green")
    assert {number: row["current"] for number, row in witness.items()} == {
        tp.rsplit("-", 1)[1]: window["end"] for tp, window in report["window"].items()
    }


def role(name: str, **variables: str) -> dict[str, object]:
    return {"ansible.builtin.include_role": {"name": f"streamops.bluegreen.{name}"}, "vars": variables}


GOES_ON = {
    "handover_run_id": "{{ handover_result.run_id }}",
    "handover_style": "fused",
    "handover_only": "go_on",
}
"""As the README of the role says."""


@pytest.mark.parametrize("prepared", [False, True])
def test_a_run_that_was_stopped_goes_on(sandbox: Sandbox, tmp_path: Path, prepared: bool) -> None:
    """Each role knows the epoch at which the one before it left the record."""
    tasks = [
        role("preflight"),
        *([role("prepare")] if prepared else []),
        role("handover", handover_until="armed"),
        role("handover", handover_until="copied", **GOES_ON),
        role("handover", **GOES_ON),
        {"ansible.builtin.assert": {"that": ["handover_result.settled"]}},
    ]
    play = [{"hosts": "bluegreen", "gather_facts": False, "vars": {"bg_direction": "switch"}, "tasks": tasks}]
    playbook = tmp_path / "stopped.yml"
    playbook.write_text(yaml.safe_dump(play), encoding="utf-8")
    before = sandbox.app.data(RECORD) or {}
    sandbox.operator.real(str(playbook), name=f"stopped-{prepared}")
    after = sandbox.app.data(RECORD) or {}
    assert (after["active"] != before["active"], after["phase"]) == (True, "stable")
