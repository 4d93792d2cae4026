#!/usr/bin/env python3
"""Run the steps of a plan of scripts/steps.py, independent ones at the same time.

Usage: scripts/run_steps.py check|test

Prints one line for each step with its result and seconds, the whole output of each step that failed, and at the end
the lines that tell why. The output of all steps is kept in .cache/logs. Exit status: 0 when every step passed or is
absent, otherwise 1.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from steps import PLANS, Share, Step

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "logs"
# Two more than processors: unit tests wait for real timeouts during two thirds of their time.
WORKERS = (os.cpu_count() or 1) + 2
# Lines of an output that tell why a step failed: of pytest, of Ansible, of a compiler, of a shell script.
REASON = re.compile(r"^(E  |FAILED |ERROR )|fatal: \[|FAILED! =>|\berror:|^\S+\.sh: |\[ERROR\]")
REASONS, WIDTH = 15, 400
# Time that a stopped step gets to clean up before it is killed, in seconds.
GRACE = 15

# Steps as they end, None for a signal. Its put may interrupt its get, which that of queue.Queue may not.
Ended: TypeAlias = "queue.SimpleQueue[Process | None]"


class Process:
    """A step that is running, as the leader of a process group of its own."""

    def __init__(self, step: Step, ended: Ended) -> None:
        self.step = step
        self._ended = ended
        self.log = LOGS / (re.sub(r"\W+", "-", step.name) + ".log")
        self.started = time.monotonic()
        self.timed_out = False
        script = f"set -euo pipefail; . scripts/env.sh; {step.command}"
        # What only computes gives way to the brokers of the test bed, and to those who test them meanwhile.
        priority = ["nice", "-n", "10"] if step.share is Share.POOL else []
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                [*priority, "bash", "-c", script],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait for the end of the step, or end it when its time is over; then hand it to the queue."""
        try:
            self._popen.wait(self.step.timeout)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.stop()
        self.seconds = time.monotonic() - self.started
        self._ended.put(self)

    def stop(self) -> None:
        """End the process group; wait for the leader only."""
        for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
            try:
                os.killpg(self._popen.pid, number)
                self._popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                pass
            return

    @property
    def passed(self) -> bool:
        """Tell whether the step ended by itself and without an error."""
        return self._popen.returncode == 0 and not self.timed_out

    def output(self) -> str:
        """Return everything that the step printed."""
        return self.log.read_text(encoding="utf-8", errors="replace").rstrip()

    def reasons(self) -> list[str]:
        """Return the last lines that tell why the step failed, without colours and cut to a width."""
        plain = (re.sub(r"\x1b\[[0-9;]*m", "", line) for line in self.output().splitlines())
        return [line[:WIDTH] for line in plain if REASON.search(line)][-REASONS:]

    def explanation(self) -> str:
        """Say how a failed step ended."""
        if self.timed_out:
            return f"stopped after {self.step.timeout} s"
        return f"exit status {self._popen.returncode}"


@dataclass
class Run:
    """The state of one plan: which steps wait, run, passed, failed, were absent or could not be run."""

    waiting: list[Step]
    running: dict[str, Process] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    pool_failed: bool = False
    ended: Ended = field(default_factory=queue.SimpleQueue)

    def execute(self) -> None:
        """Run the plan to its end."""
        while self.waiting or self.running:
            for step in list(self.waiting):
                self._consider(step)
            if self._only_background_left():
                return
            if self.running:
                ended = self.ended.get()
                if ended is None:
                    raise KeyboardInterrupt
                self._finish(ended)

    def interrupt(self, *_signal: object) -> None:
        """Handle a signal: it is acted upon where every step that was started is known and can be stopped."""
        self.ended.put(None)

    def stop(self) -> None:
        """Stop what is running and run the steps that clean up."""
        for process in self.running.values():
            process.stop()
            self.blocked.append(process.step.name)
        self.running.clear()
        self.ended = queue.SimpleQueue()  # the stopped ones still report to the old queue
        self.waiting = [step for step in self.waiting if step.always]
        if self.waiting:
            self.execute()

    def _consider(self, step: Step) -> None:
        """Start a step if its turn has come, or give it up if it can never run."""
        if step.needs and not (ROOT / step.needs).exists():
            self.waiting.remove(step)
            self.absent.append(step.name)
            print(f"ABSENT           {step.name}: NOT RUN because {step.needs} does not exist yet", flush=True)
        elif reason := self._obstacle(step):
            self.waiting.remove(step)
            self.blocked.append(step.name)
            print(f"not run          {step.name}: {reason}", flush=True)
        elif self._ready(step):
            self.waiting.remove(step)
            process = Process(step, self.ended)
            self.running[step.name] = process
            threading.Thread(target=process.wait, daemon=True).start()

    def _obstacle(self, step: Step) -> str | None:
        """Return why a step can no longer run, or None."""
        if step.always:
            return None
        for name in step.after:
            if name in (*self.failed, *self.blocked, *self.absent):
                return f"it needs {name}"
        if step.share is not Share.POOL and self.pool_failed:
            return "an earlier step failed"
        return None

    def _only_background_left(self) -> bool:
        """Tell whether nothing is left that could still use what the running steps prepare."""
        if not self.pool_failed or any(not step.always for step in self.waiting):
            return False
        shares = {process.step.share for process in self.running.values()}
        return shares == {Share.BACKGROUND}

    def _ready(self, step: Step) -> bool:
        """Tell whether the steps before this one have ended and the machine has room for it."""
        if step.share is Share.ALONE:
            return not self.running and self.waiting[0] is step
        if step.share is Share.BACKGROUND:
            return all(name in self.passed for name in step.after)
        workers = sum(process.step.share is not Share.BACKGROUND for process in self.running.values())
        return workers < WORKERS and all(name in self.passed for name in step.after)

    def _finish(self, process: Process) -> None:
        """Report a step that has ended."""
        step = process.step
        del self.running[step.name]
        if process.passed:
            self.passed.append(step.name)
            detail = f": {process.output().splitlines()[-1]}" if step.show and process.output() else ""
            print(f"ok     {process.seconds:7.1f} s {step.name}{detail}", flush=True)
            return
        self.failed.append(step.name)
        self.reasons += [f"{step.name}: {line}" for line in process.reasons()]
        self.pool_failed |= step.share is Share.POOL
        print(f"FAILED {process.seconds:7.1f} s {step.name}: {process.explanation()}", flush=True)
        print(f"--- output of {step.name}\n{process.output()}\n--- end of {step.name}", flush=True)


def main() -> int:
    """Run the plan named on the command line."""
    plan = sys.argv[1]
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    run = Run(list(PLANS[plan]))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, run.interrupt)
    interrupted = False
    try:
        run.execute()
    except KeyboardInterrupt:
        interrupted = True
    # Ctrl-C reaches a run below .ci/run twice, as SIGINT and as SIGTERM: the second must not end the cleaning up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    run.stop()
    seconds = time.monotonic() - started
    print(f"{plan}: {len(run.passed)} steps ok, {len(run.failed)} failed in {seconds:.0f} s")
    for label, names in (("FAILED", run.failed), ("not run", run.blocked), ("ABSENT", run.absent)):
        if names:
            print(f"{label}: {', '.join(names)}")
    # Again where a reader of a long run looks first: an output of thousands of lines stands far above.
    print("".join(f"  {line}\n" for line in run.reasons), end="")
    if interrupted:
        print("interrupted")
    return 1 if interrupted or run.failed or run.blocked else 0


if __name__ == "__main__":
    sys.exit(main())
