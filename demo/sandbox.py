# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One example application on a cluster, with its topics, its producer and its operator: for the demonstration and for tests.

``python -m demo.sandbox up|audit|down|stop TAG`` is the same for molecule, which has no Python of ours in its hands.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.application import Application
from demo.audits import Audits
from demo.environment import BUILD, DemoError, Environment, Names, find_environment
from demo.playbooks import Operator, Producer, create_topics, delete_topics_and_groups, pid_file

BOUND = 900
"""Seconds after which a producer ends by itself, should nobody be left to stop it."""

LINGER = 1000
"""Milliseconds. Bursts spare the machine: each batch is a write, a ledger entry and a commit, three times replicated."""


class Sandbox:
    """Everything of one tag. Files go to ``out``."""

    def __init__(self, environment: Environment, names: Names, out: Path) -> None:
        self.environment = environment
        self.names = names
        self.out = out
        self.app = Application(environment, names)
        self.audits = Audits(environment, names, out)
        self._operator: Operator | None = None

    @property
    def operator(self) -> Operator:
        """Runs the playbooks, with the rights of the operator's service account."""
        if self._operator is None:
            self._operator = Operator(self.environment, self.names, self.app.operator_kubeconfig(self.out), self.out)
        return self._operator

    def build(self, replicas: int = 4) -> None:
        """Topics, workloads, blue at work."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        create_topics(self.environment, self.names)
        self.app.deploy(replicas)
        self.app.wait_ready("blue", 120)

    def produce(self, rate: int, linger: int = LINGER, vary: float = 0.0, seconds: int = BOUND) -> Producer:
        """Start the producer (records a second, milliseconds a batch waits), and wait until blue keeps up with it."""
        producer = Producer(self.environment, self.names, self.out, rate, seconds, linger, vary)
        try:
            self.audits.wait_caught_up("blue", 120)
        except BaseException:  # a signal too: nobody else knows of it yet
            producer.stop()
            raise
        return producer

    def remove(self) -> None:
        """Take everything away again."""
        self.app.remove()
        delete_topics_and_groups(self.environment, self.names)


@contextlib.contextmanager
def sandboxed(
    environment: Environment, names: Names, out: Path, replicas: int = 4, keep: bool = False
) -> Iterator[Sandbox]:
    """A sandbox for the length of a block; removed afterwards, whatever happened."""
    sandbox = Sandbox(environment, names, out)
    try:
        sandbox.build(replicas)
        yield sandbox
    finally:
        if not keep:
            sandbox.remove()


def _up(sandbox: Sandbox, options: argparse.Namespace) -> int:
    if sandbox.app.exists():
        # Left by a run that was killed: its record and its ledger would tell of another application.
        _down(sandbox, options)
    sandbox.build(options.replicas)
    _ = sandbox.operator
    sandbox.produce(options.rate)
    return 0


def _audit(sandbox: Sandbox, _options: argparse.Namespace) -> int:
    """Stop the producer, wait until everything is processed, and judge: 0 only for nothing lost and nothing twice."""
    stop_producer(sandbox.out)
    report = sandbox.audits.audit("all", None, None, wait=90)
    summary: dict[str, Any] = {key: report[key]["count"] for key in ("lost", "duplicated", "outOfOrder")}
    print(json.dumps({**summary, "processed": report["processed"], "changes": len(report["changes"])}))
    return 0 if report["ok"] and report["processed"] > 0 else 1


def _down(sandbox: Sandbox, _options: argparse.Namespace) -> int:
    if pid_file(sandbox.out).exists():
        stop_producer(sandbox.out)
    sandbox.remove()
    return 0


def stop_producer(out: Path) -> None:
    """End the recorded producer; one that is gone, or whose pid is another program's by now, is left alone."""
    pid = int(pid_file(out).read_text(encoding="utf-8"))
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists() and b"bgtools.producer" in command.read_bytes():
        os.kill(pid, signal.SIGTERM)
        for _ in range(300):
            if not command.exists() or not command.read_bytes():
                return
            time.sleep(0.1)


def main() -> int:
    """Command line for molecule."""
    parser = argparse.ArgumentParser(prog="python -m demo.sandbox", description=__doc__)
    parser.add_argument("what", choices=["up", "audit", "down", "stop"], help="stop: end the producer, nothing else")
    parser.add_argument("tag", help="distinguishes this application from others, e.g. the scenario's name")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rate", type=int, default=100, help="records a second")
    options = parser.parse_args()
    if options.what == "stop":
        stop_producer(BUILD / "sandbox" / options.tag)
        return 0
    sandbox = Sandbox(find_environment(bring_up=False), Names(options.tag), BUILD / "sandbox" / options.tag)
    try:
        return {"up": _up, "audit": _audit, "down": _down}[options.what](sandbox, options)
    except (DemoError, subprocess.TimeoutExpired) as error:
        print(f"demo.sandbox: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
