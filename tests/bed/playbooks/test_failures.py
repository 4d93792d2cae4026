# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed, or can't work: nothing is lost, and the next run finishes or undoes them."""

from __future__ import annotations

import signal

import pytest

from demo.application import APP
from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import (
    JOURNAL,
    RATE,
    RECORD,
    PlaybookRun,
    find_process,
    process_of,
    recap,
    with_signal,
)

pytestmark = pytest.mark.bed


def record(sandbox: Sandbox) -> dict[str, str]:
    return sandbox.app.data(RECORD) or {}


def active(sandbox: Sandbox) -> tuple[str, str]:
    return record(sandbox)["active"], record(sandbox)["phase"]


def killed_while_preparing(sandbox: Sandbox) -> None:
    """Kill a switch when its journal is open and nothing is armed."""
    before = sandbox.app.data(JOURNAL)
    with PlaybookRun(sandbox, "switch") as run:
        run.wait_for("the journal of the run", lambda: sandbox.app.data(JOURNAL) != before)
    assert record(sandbox)["phase"] == "stable", "killed too late to show anything"


def killed_while_pausing(sandbox: Sandbox) -> None:
    """Kill a switch that is armed and waits for a source pod that does not answer."""
    source = record(sandbox)["active"]
    frozen = process_of(sandbox.app.pod_names(source)[0])
    journal = sandbox.app.data(JOURNAL)
    try:
        with PlaybookRun(sandbox, "switch", "-e", '{"bg_timeouts": {"pause": 60}}') as run:
            # Preflight has asked the pod by then, and nothing asks it again before it is to pause.
            run.wait_for("the journal of the run", lambda: sandbox.app.data(JOURNAL) != journal)
            with_signal(frozen, signal.SIGSTOP)
            run.wait_for("the armed record", lambda: record(sandbox)["phase"] == "switching")
    finally:
        with_signal(frozen, signal.SIGCONT)
    found = record(sandbox)
    assert (found["active"], found["phase"]) == (source, "switching"), "killed too late to show anything"


def killed_while_verifying(sandbox: Sandbox) -> None:
    """Kill a switch that has flipped the record and waits for a target pod that does not answer."""
    source = record(sandbox)["active"]
    target = "green" if source == "blue" else "blue"
    # From the armed to the flipped record it takes 50 ms; a source pod that does not answer holds the run there.
    holding = process_of(sandbox.app.pod_names(source)[0])
    frozen = [holding]
    journal = sandbox.app.data(JOURNAL)
    try:
        with PlaybookRun(sandbox, "switch") as run:
            # Preflight has asked the source's pods by then.
            run.wait_for("the journal of the run", lambda: sandbox.app.data(JOURNAL) != journal)
            with_signal(holding, signal.SIGSTOP)
            run.wait_for("the target's pods", lambda: len(sandbox.app.pod_names(target)) == 2)
            target_pod = sandbox.app.pod_names(target)[0]
            run.wait_for("its process", lambda: bool(find_process(target_pod)))
            run.wait_for("the armed record", lambda: record(sandbox)["phase"] == "switching")
            frozen.append(process_of(target_pod))
            with_signal(frozen[-1], signal.SIGSTOP)
            with_signal(holding, signal.SIGCONT)
            run.wait_for("the flipped record", lambda: record(sandbox)["active"] == target)
        assert record(sandbox)["phase"] == "verifying", "killed too late to show anything"
    finally:
        for process in frozen:
            with_signal(process, signal.SIGCONT)


def test_a_killed_run_is_finished_or_undone(sandbox: Sandbox) -> None:
    producer = sandbox.produce(RATE)
    try:
        killed_while_preparing(sandbox)
        sandbox.operator.real("switch", name="finish-1")
        assert active(sandbox) == ("green", "stable")

        killed_while_pausing(sandbox)
        sandbox.operator.real("rollback", name="undo-2")
        assert active(sandbox) == ("green", "stable")

        killed_while_verifying(sandbox)
        sandbox.operator.real("switch", name="finish-3")
        assert active(sandbox) == ("blue", "stable")

        killed_while_verifying(sandbox)
        sandbox.operator.real("rollback", name="undo-4")
        assert active(sandbox) == ("blue", "stable")
    finally:
        produced = producer.stop()
    report = sandbox.audits.audit("killed", None, None, wait=90)
    assert produced["records"] > 0
    assert report["processed"] == produced["records"]
    assert (report["lost"]["count"], report["duplicated"]["count"], report["outOfOrder"]["count"]) == (0, 0, 0)


def test_target_that_cannot_start(sandbox: Sandbox) -> None:
    """Green's image does not exist: No-Go, blue never stopped, the message names the pod and the reason."""
    image = sandbox.app.set_image("green", "no-such-image:1")
    before = record(sandbox)
    assert before["active"] == "blue"
    sandbox.app.scale("green", 0)
    producer = sandbox.produce(RATE)
    try:
        start = sandbox.audits.end_offsets()
        done = sandbox.operator.attempt("switch", "-e", f"bg_confirm={APP}", name="bad-image")
    finally:
        producer.stop()
        sandbox.app.set_image("green", image)
    flat = " ".join(done.output.split())
    assert done.code != 0
    assert "order-consumer-green-" in flat
    assert "ErrImageNeverPull" in flat
    assert "Nothing was switched; blue continues" in flat
    assert record(sandbox) == before
    assert recap(done.output)["failed"] == 1
    assert sandbox.app.replicas("green") == 0
    report = sandbox.audits.audit("bad-image", start, None, wait=60)
    assert report["ok"]
    assert report["processed"] > 0
    assert report["changes"] == []
