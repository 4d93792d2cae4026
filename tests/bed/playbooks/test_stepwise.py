# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in a task for each step moves the work as the fused one does."""

from __future__ import annotations

import pytest

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
