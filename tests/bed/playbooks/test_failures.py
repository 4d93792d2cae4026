# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed, or can't work: nothing is lost, and the next run finishes or undoes them."""

from __future__ import annotations

import signal

import pytest

from demo.application import APP
from demo.stage import Stage
from tests.bed.playbooks.watching import (
    JOURNAL,
    RECORD,
    PlaybookRun,
    find_process,
    process_of,
    recap,
    with_signal,
)

pytestmark = pytest.mark.bed

RATE = 100


def record(stage: Stage) -> dict[str, str]:
    return stage.app.data(RECORD) or {}


def active(stage: Stage) -> tuple[str, str]:
    return record(stage)["active"], record(stage)["phase"]


def killed_while_preparing(stage: Stage) -> None:
    """Kill a switch when its journal is open and nothing is armed."""
    before = stage.app.data(JOURNAL)
    with PlaybookRun(stage, "switch") as run:
        run.wait_for("the journal of the run", lambda: stage.app.data(JOURNAL) != before)
    assert record(stage)["phase"] == "stable", "killed too late to show anything"


def killed_while_pausing(stage: Stage) -> None:
    """Kill a switch that is armed and waits for a source pod that does not answer."""
    source = record(stage)["active"]
    frozen = process_of(stage.app.pod_names(source)[0])
    journal = stage.app.data(JOURNAL)
    try:
        with PlaybookRun(stage, "switch", "-e", '{"bg_timeouts": {"pause": 60}}') as run:
            # Preflight has asked the pod by then, and nothing asks it again before it is to pause.
            run.wait_for("the journal of the run", lambda: stage.app.data(JOURNAL) != journal)
            with_signal(frozen, signal.SIGSTOP)
            run.wait_for("the armed record", lambda: record(stage)["phase"] == "switching")
    finally:
        with_signal(frozen, signal.SIGCONT)
    found = record(stage)
    assert (found["active"], found["phase"]) == (source, "switching"), "killed too late to show anything"


def killed_while_verifying(stage: Stage) -> None:
    """Kill a switch that has flipped the record and waits for a target pod that does not answer."""
    source = record(stage)["active"]
    target = "green" if source == "blue" else "blue"
    # From the armed to the flipped record it takes 50 ms; a source pod that does not answer holds the run there.
    holding = process_of(stage.app.pod_names(source)[0])
    frozen = [holding]
    journal = stage.app.data(JOURNAL)
    try:
        with PlaybookRun(stage, "switch") as run:
            # Preflight has asked the source's pods by then.
            run.wait_for("the journal of the run", lambda: stage.app.data(JOURNAL) != journal)
            with_signal(holding, signal.SIGSTOP)
            run.wait_for("the target's pods", lambda: len(stage.app.pod_names(target)) == 2)
            target_pod = stage.app.pod_names(target)[0]
            run.wait_for("its process", lambda: bool(find_process(target_pod)))
            run.wait_for("the armed record", lambda: record(stage)["phase"] == "switching")
            frozen.append(process_of(target_pod))
            with_signal(frozen[-1], signal.SIGSTOP)
            with_signal(holding, signal.SIGCONT)
            run.wait_for("the flipped record", lambda: record(stage)["active"] == target)
        assert record(stage)["phase"] == "verifying", "killed too late to show anything"
    finally:
        for process in frozen:
            with_signal(process, signal.SIGCONT)


def test_a_killed_run_is_finished_or_undone(stage: Stage) -> None:
    producer = stage.produce(RATE)
    try:
        killed_while_preparing(stage)
        stage.operator.real("switch", name="finish-1")
        assert active(stage) == ("green", "stable")

        killed_while_pausing(stage)
        stage.operator.real("rollback", name="undo-2")
        assert active(stage) == ("green", "stable")

        killed_while_verifying(stage)
        stage.operator.real("switch", name="finish-3")
        assert active(stage) == ("blue", "stable")

        killed_while_verifying(stage)
        stage.operator.real("rollback", name="undo-4")
        assert active(stage) == ("blue", "stable")
    finally:
        produced = producer.stop()
    report = stage.audits.audit("killed", None, None, wait=90)
    assert produced["records"] > 0
    assert report["processed"] == produced["records"]
    assert (report["lost"]["count"], report["duplicated"]["count"], report["outOfOrder"]["count"]) == (0, 0, 0)


def test_target_that_cannot_start(stage: Stage) -> None:
    """Green's image does not exist: No-Go, blue never stopped, the message names the pod and the reason."""
    image = stage.app.set_image("green", "no-such-image:1")
    before = record(stage)
    assert before["active"] == "blue"
    stage.app.scale("green", 0)
    producer = stage.produce(RATE)
    try:
        start = stage.audits.end_offsets()
        done = stage.operator.attempt("switch", "-e", f"bg_confirm={APP}", name="bad-image")
    finally:
        producer.stop()
        stage.app.set_image("green", image)
    flat = " ".join(done.output.split())
    assert done.code != 0
    assert "order-consumer-green-" in flat
    assert "ErrImageNeverPull" in flat
    assert "Nothing was switched; blue goes on" in flat
    assert record(stage) == before
    assert recap(done.output)["failed"] == 1
    assert stage.app.replicas("green") == 0
    report = stage.audits.audit("bad-image", start, None, wait=60)
    assert report["ok"]
    assert report["processed"] > 0
    assert report["changes"] == []
