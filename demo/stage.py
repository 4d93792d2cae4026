# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One example application on a cluster, with its topics, its producer and its operator: for the demonstration and for tests.

``python -m demo.stage up|audit|down|stop TAG`` is the same for molecule, which has no Python of ours in its hands.
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
from demo.operator_ import Operator, Producer, create_topics, delete_topics_and_groups, pid_file
from demo.place import BUILD, DemoError, Names, Place, find_place

BOUND = 900
"""Seconds after which a producer ends by itself, should nobody be left to stop it."""

LINGER = 1000
"""Milliseconds. Bursts spare the machine: each batch is a write, a ledger entry and a commit, three times replicated."""


class Stage:
    """Everything of one tag. Files go to ``out``."""

    def __init__(self, place: Place, names: Names, out: Path) -> None:
        self.place = place
        self.names = names
        self.out = out
        self.app = Application(place, names)
        self.audits = Audits(place, names, out)
        self._operator: Operator | None = None

    @property
    def operator(self) -> Operator:
        """Runs the playbooks, with the rights of the operator's service account."""
        if self._operator is None:
            self._operator = Operator(self.place, self.names, self.app.operator_kubeconfig(self.out), self.out)
        return self._operator

    def build(self, replicas: int = 4) -> None:
        """Topics, workloads, blue at work."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        create_topics(self.place, self.names)
        self.app.deploy(replicas)
        self.app.wait_ready("blue", 120)

    def produce(self, rate: int, linger: int = LINGER) -> Producer:
        """Start the producer (records a second, milliseconds a batch waits), and wait until blue keeps up with it."""
        producer = Producer(self.place, self.names, self.out, rate, BOUND, linger)
        try:
            self.audits.wait_caught_up("blue", 120)
        except BaseException:  # a signal too: nobody else knows of it yet
            producer.stop()
            raise
        return producer

    def remove(self) -> None:
        """Take everything away again."""
        self.app.remove()
        delete_topics_and_groups(self.place, self.names)


@contextlib.contextmanager
def staged(place: Place, names: Names, out: Path, replicas: int = 4, keep: bool = False) -> Iterator[Stage]:
    """A stage for the length of a block; removed afterwards, whatever happened."""
    stage = Stage(place, names, out)
    try:
        stage.build(replicas)
        yield stage
    finally:
        if not keep:
            stage.remove()


def _up(stage: Stage, options: argparse.Namespace) -> int:
    if stage.app.exists():
        # Left by a run that was killed: its record and its ledger would tell of another application.
        _down(stage, options)
    stage.build(options.replicas)
    _ = stage.operator
    stage.produce(options.rate)
    return 0


def _audit(stage: Stage, _options: argparse.Namespace) -> int:
    """Stop the producer, wait until everything is processed, and judge: 0 only for nothing lost and nothing twice."""
    stop_producer(stage.out)
    report = stage.audits.audit("all", None, None, wait=90)
    summary: dict[str, Any] = {key: report[key]["count"] for key in ("lost", "duplicated", "outOfOrder")}
    print(json.dumps({**summary, "processed": report["processed"], "changes": len(report["changes"])}))
    return 0 if report["ok"] and report["processed"] > 0 else 1


def _down(stage: Stage, _options: argparse.Namespace) -> int:
    if pid_file(stage.out).exists():
        stop_producer(stage.out)
    stage.remove()
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
    parser = argparse.ArgumentParser(prog="python -m demo.stage", description=__doc__)
    parser.add_argument("what", choices=["up", "audit", "down", "stop"], help="stop: end the producer, nothing else")
    parser.add_argument("tag", help="distinguishes this application from others, e.g. the scenario's name")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rate", type=int, default=100, help="records a second")
    options = parser.parse_args()
    if options.what == "stop":
        stop_producer(BUILD / "stage" / options.tag)
        return 0
    stage = Stage(find_place(bring_up=False), Names(options.tag), BUILD / "stage" / options.tag)
    try:
        return {"up": _up, "audit": _audit, "down": _down}[options.what](stage, options)
    except (DemoError, subprocess.TimeoutExpired) as error:
        print(f"demo.stage: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
