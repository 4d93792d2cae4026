"""The gate itself: a step that fails, hangs, is missing or can't run must never look like one that passed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import run_steps
import steps
from steps import Share, Step
from tests import conftest
from tests.unit.waiting import NEVER, ended, until


@pytest.fixture
def run_plan(tmp_path, monkeypatch, capsys):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "env.sh").touch()
    monkeypatch.setattr(run_steps, "ROOT", tmp_path)
    monkeypatch.setattr(run_steps, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(run_steps, "WORKERS", 2)

    def run(*plan: Step) -> tuple[int, str]:
        monkeypatch.setitem(steps.PLANS, "trial", plan)
        monkeypatch.setattr(sys, "argv", ["run_steps.py", "trial"])
        return run_steps.main(), capsys.readouterr().out

    return run


def test_all_pass(run_plan):
    status, out = run_plan(Step("one", "echo hidden"), Step("two", "echo 3 passed", show=True))
    assert status == 0
    assert "2 steps ok, 0 failed" in out
    assert "hidden" not in out
    assert "two: 3 passed" in out


@pytest.mark.parametrize("command", ["echo why; exit 3", "echo why; false | cat", "echo why; echo $undefined"])
def test_a_failure_shows_its_output(run_plan, command):
    status, out = run_plan(Step("bad", command), Step("good", "true"))
    assert status == 1
    assert "why" in out
    assert "1 steps ok, 1 failed" in out


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("E   AssertionError: 1 != 2", True),
        ("FAILED tests/test_it.py::test_it - AssertionError", True),
        ("\x1b[31mfatal: [localhost]: FAILED! => {}\x1b[0m", True),
        ("module.py:3: error: Incompatible types", True),
        ("[ERROR]: the YAML is none", True),
        ("TASK [Sandbox audit]", False),
    ],
)
def test_what_failed_stands_at_the_end_again(run_plan, printed, why):
    _, output = run_plan(Step("noisy", f"printf '%b\n' {shlex.quote(printed)}; seq 3000; exit 1"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert (f"  noisy: {plain}" in output.splitlines()[-2:]) is why


def test_a_step_that_hangs_is_ended_with_its_children(run_plan, tmp_path, monkeypatch):
    file = tmp_path / "child"

    class Started(subprocess.Popen):
        """Its time begins when the child is there."""

        def wait(self, timeout=None):
            until("the child is there", lambda: file.exists() and file.read_text().endswith("\n"))
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Started)
    status, out = run_plan(Step("slow", f"sleep {NEVER} & echo $! >{file}; wait", timeout=1))
    assert status == 1
    assert "stopped after 1 s" in out
    # Its signal was sent; on a busy machine it may take a moment to act on it.
    until("the child is ended", lambda: state_of(file.read_text().strip()), lambda state: state in ("Z", "gone"))


def state_of(pid):
    try:
        return Path("/proc", pid, "stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def test_a_hanging_step_that_ends_in_order_when_told_to_has_failed_all_the_same(run_plan):
    status, out = run_plan(Step("polite", f"trap 'exit 0' TERM; sleep {NEVER} & wait", timeout=1))
    assert status == 1
    assert "stopped after 1 s" in out


def test_absent_is_said_and_anything_that_needs_it_is_not_run(run_plan, tmp_path):
    step = Step("later", "false", needs="later/")
    status, out = run_plan(step)
    assert status == 0
    assert "ABSENT: later" in out
    status, out = run_plan(step, Step("dependent", "true", after=("later",)))
    assert status == 1
    assert "not run: dependent" in out
    (tmp_path / "later").mkdir()
    assert run_plan(step)[0] == 1


def test_order(run_plan, tmp_path):
    run_plan(
        Step("second", f"echo second >>{tmp_path}/order", after=("first",)),
        Step("first", f"sleep 0.2; echo first >>{tmp_path}/order"),
        Step("alone", f"echo alone >>{tmp_path}/order", share=Share.ALONE),
    )
    assert (tmp_path / "order").read_text().split() == ["first", "second", "alone"]


def test_a_background_step_waits_for_what_it_needs_and_nobody_alone_overtakes_it(run_plan, tmp_path):
    status, out = run_plan(
        Step("build", f"sleep 0.3; echo build >>{tmp_path}/order", share=Share.BACKGROUND),
        Step("use", f"echo use >>{tmp_path}/order; sleep 0.2", after=("build",), share=Share.BACKGROUND),
        Step("alone", f"echo alone >>{tmp_path}/order", share=Share.ALONE),
    )
    assert (status, (tmp_path / "order").read_text().split()) == (0, ["build", "use", "alone"])
    status, out = run_plan(
        Step("build", "false", share=Share.BACKGROUND), Step("use", "true", after=("build",), share=Share.BACKGROUND)
    )
    assert status == 1
    assert "not run: use" in out


def test_the_pool_gives_way(run_plan, tmp_path):
    run_plan(
        Step("pool", f"nice >{tmp_path}/pool"),
        Step("background", f"nice >{tmp_path}/background", share=Share.BACKGROUND),
        Step("alone", f"nice >{tmp_path}/alone", share=Share.ALONE),
    )
    niceness = {path.name: int(path.read_text()) for path in tmp_path.iterdir() if path.is_file()}
    ours = os.nice(0)
    assert niceness == {"pool": min(19, ours + 10), "background": ours, "alone": ours}


def test_a_failure_keeps_the_machine_from_the_long_steps_but_cleans_up(run_plan, tmp_path):
    status, out = run_plan(
        Step("build", f"sleep {NEVER}", share=Share.BACKGROUND),
        Step("bad", "false"),
        Step("long", f"touch {tmp_path}/long", share=Share.ALONE),
        Step("clean", f"touch {tmp_path}/clean", share=Share.ALONE, always=True),
    )
    assert status == 1
    assert "not run: long, build" in out
    assert not (tmp_path / "long").exists()
    assert (tmp_path / "clean").exists()


def test_a_failed_long_step_does_not_hide_the_next(run_plan):
    status, out = run_plan(
        Step("tests", "false", share=Share.ALONE),
        Step("demo", "true", share=Share.ALONE),
        Step("clean", "true", share=Share.ALONE, always=True),
    )
    assert status == 1
    assert "2 steps ok, 1 failed" in out


@pytest.mark.parametrize("again", [False, True])
def test_a_signal_stops_what_runs_and_cleans_up(tmp_path, again):
    scripts = Path(run_steps.__file__).parent
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "env.sh").touch()
    (tmp_path / "scripts" / "run_steps.py").write_text((scripts / "run_steps.py").read_text())
    (tmp_path / "scripts" / "steps.py").write_text(
        (scripts / "steps.py").read_text()
        + f'\nPLANS["trial"] = (Step("slow", "touch {tmp_path}/started; sleep {NEVER}"),'
        + f' Step("clean", "touch {tmp_path}/cleaning; sleep 0.3; touch {tmp_path}/clean",'
        + " share=Share.ALONE, always=True))\n"
    )
    command = [sys.executable, str(tmp_path / "scripts" / "run_steps.py"), "trial"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            until("the step runs", (tmp_path / "started").exists)
            os.kill(process.pid, signal.SIGTERM)
            if again:
                until("it cleans up", (tmp_path / "cleaning").exists)
                os.kill(process.pid, signal.SIGINT)
            out = ended("a run that was told to end", process.communicate)[0]
        finally:
            process.kill()
    assert process.returncode == 1
    assert "interrupted" in out
    assert "not run: slow" in out
    assert (tmp_path / "clean").exists()


def test_the_files_that_begin_are_there():
    folder = Path(conftest.__file__).parent
    assert [name for name in conftest.LONGEST_FIRST if not (folder / name).is_file()] == []


@pytest.mark.parametrize("plan", steps.PLANS)
def test_plans_are_consistent(plan):
    names = [step.name for step in steps.PLANS[plan]]
    assert len(set(names)) == len(names)
    for step in steps.PLANS[plan]:
        assert set(step.after) <= set(names)
