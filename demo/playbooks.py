# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the playbooks as an operator would, and the producer beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.application import APP
from demo.environment import ROOT, DemoError, Environment, Names, python_environment, run


@dataclass(frozen=True)
class Finished:
    """One playbook run. code is its exit code; report is what the collection wrote, empty for a look or a plan."""

    code: int
    seconds: float
    output: str
    report: dict[str, Any]


class Operator:
    """Runs playbooks with the operator's kubeconfig on an inventory of one application."""

    def __init__(self, environment: Environment, names: Names, kubeconfig: Path, out: Path) -> None:
        self._out = out
        self.program = Path(sys.executable).parent / "ansible-playbook"
        self.inventory = _write_inventory(names, out)
        path = os.pathsep.join([str(ROOT / ".cache/collections"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")])
        self.env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": path.rstrip(os.pathsep),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "KUBECONFIG": str(kubeconfig),
            "K8S_AUTH_KUBECONFIG": str(kubeconfig),
            "KAFKA_BOOTSTRAP_SERVERS": environment.bootstrap,
        }

    def command(self, playbook: str, *arguments: str) -> list[str]:
        """The command line of a playbook run: of one of ours, or of a file."""
        named = playbook if playbook.endswith(".yml") else f"streamops.bluegreen.{playbook}"
        return [str(self.program), named, "-i", str(self.inventory), *arguments]

    def attempt(self, playbook: str, *arguments: str, name: str, env: Mapping[str, str] | None = None) -> Finished:
        """Run one playbook to whatever end, ``env`` added; its output goes to ``<name>.log`` as well."""
        reports = self._out / name
        command = [*self.command(playbook, *arguments), "-e", f"bg_report_dir={reports}"]
        started = time.monotonic()
        variables = {**self.env, **(env or {})}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=ROOT)
        seconds = time.monotonic() - started
        output = done.stdout + done.stderr
        (self._out / f"{name}.log").write_text(output, encoding="utf-8")
        written = sorted(reports.glob("*.json")) if reports.exists() else []
        report = json.loads(written[-1].read_text(encoding="utf-8")) if written else {}
        return Finished(done.returncode, seconds, output, report)

    def play(self, playbook: str, *arguments: str, name: str) -> Finished:
        """Run one playbook that has to succeed."""
        finished = self.attempt(playbook, *arguments, name=name)
        if finished.code != 0:
            raise DemoError(f"{playbook} {' '.join(arguments)} ended with {finished.code}:\n{finished.output[-6000:]}")
        return finished

    def real(self, playbook: str, *arguments: str, name: str) -> Finished:
        """Run one playbook for real, confirmed."""
        return self.play(playbook, "-e", f"bg_confirm={APP}", *arguments, name=name)


def _write_inventory(names: Names, out: Path) -> Path:
    settings = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "bg_namespace": names.namespace,
        "bg_topics": [names.topic],
        "bg_blue_group": names.group("blue"),
        "bg_green_group": names.group("green"),
        "bg_bake": 0,  # what is timed is the hand-over
    }
    path = out / "inventory.yml"
    path.write_text(yaml.safe_dump({"bluegreen": {"hosts": {APP: settings}}}), encoding="utf-8")
    return path


def pid_file(out: Path) -> Path:
    """Where the pid of the producer is recorded."""
    return out / "producer.pid"


class Producer:
    """The producer as a process of its own; ended by its pid."""

    def __init__(
        self,
        environment: Environment,
        names: Names,
        out: Path,
        rate: int,
        seconds: int,
        linger: int,
        vary: float = 0.0,
    ) -> None:
        self._report = out / "producer.json"
        command = [sys.executable, "-m", "bgtools.producer", "--topic", names.topic, "--rate", str(rate)]
        # Bounded even if we die before we can stop it.
        command += [
            "--seconds",
            str(seconds),
            "--linger",
            str(linger),
            "--vary",
            str(vary),
            "--json",
            str(self._report),
        ]
        self._process = subprocess.Popen(
            command, env=python_environment(environment), stdout=subprocess.DEVNULL, start_new_session=True
        )
        # At once, for whoever has to end it when we were killed.
        pid_file(out).write_text(str(self._process.pid), encoding="utf-8")

    def stop(self) -> dict[str, Any]:
        """End it and answer what the brokers acknowledged."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        return json.loads(self._report.read_text(encoding="utf-8")) if self._report.exists() else {}


def create_topics(environment: Environment, names: Names) -> None:
    """The input topic and the ledger."""
    command = [sys.executable, "-m", "bgtools.producer", "--topic", names.topic, "--ledger-topic", names.ledger]
    run([*command, "--create", "--partitions", "12", "--records", "0"], python_environment(environment))


def delete_topics_and_groups(environment: Environment, names: Names) -> None:
    """Remove what the demonstration left in Kafka."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    admin = KafkaAdminClient(bootstrap_servers=environment.bootstrap.split(","))
    # What never came to be can't be deleted; the rest is still tried.
    deletions = {
        admin.delete_groups: [names.group("blue"), names.group("green")],
        admin.delete_topics: [names.topic, names.ledger],
    }
    try:
        for delete, what in deletions.items():
            try:
                delete(what)
            except KafkaError as error:
                print(f"not deleted: {', '.join(what)}: {error}", file=sys.stderr)
    finally:
        admin.close()
