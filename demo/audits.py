# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit of each run, and Kafka's own tool as an independent witness."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from demo.environment import ROOT, DemoError, Environment, Names, python_environment

Offsets = dict[str, dict[str, int]]
JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A tool lives for a second; what Java prepares for a long life would take a third of it."""
WITNESS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
NEARLY = 500
"""Records behind the end of the log that count as caught up."""


class Audits:
    """Judges one application's ledger."""

    def __init__(self, environment: Environment, names: Names, out: Path) -> None:
        self._environment = environment
        self._names = names
        self._out = out

    def end_offsets(self) -> Offsets:
        """Log ends of the input topic as they are now, in the audit's shape."""
        topic = self._names.topic
        consumer = KafkaConsumer(bootstrap_servers=self._environment.bootstrap.split(","), enable_auto_commit=False)
        try:
            partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
            return {topic: {str(tp.partition): offset for tp, offset in consumer.end_offsets(partitions).items()}}
        finally:
            consumer.close()

    def committed(self, colour: str) -> dict[str, int]:
        """Committed offsets of a colour's group, by partition."""
        admin = KafkaAdminClient(bootstrap_servers=self._environment.bootstrap.split(","))
        try:
            found = admin.list_group_offsets(self._names.group(colour))[self._names.group(colour)]
            return {str(tp.partition): row.offset for tp, row in found.items()}
        finally:
            admin.close()

    def wait_caught_up(self, colour: str, seconds: float) -> None:
        """Until a colour has worked on every partition, nearly to its end; DemoError when it never gets there.

        Before the first records a colour that does nothing yet is as far as the log is.
        """
        deadline = time.monotonic() + seconds
        while True:
            committed, ends = self.committed(colour), self.end_offsets()[self._names.topic]
            behind = sum(ends.values()) - sum(committed.values())
            if len(committed) == len(ends) and min(committed.values()) > 0 and behind < NEARLY:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"{colour} is {behind} records behind after {seconds:.0f} s: this machine is too busy")
            time.sleep(0.5)

    def audit(self, name: str, start: Offsets | None, end: Offsets | None, wait: int) -> dict[str, Any]:
        """Audit the records from ``start`` to ``end`` (all of the log where not given); returns the audit's report."""
        out = self._out / f"audit-{name}.json"
        command = [sys.executable, "-m", "bgtools.audit", "--topic", self._names.topic]
        command += ["--ledger-topic", self._names.ledger, "--wait", str(wait), "--json", str(out)]
        for option, offsets in (("--from-offsets", start), ("--to-offsets", end)):
            if offsets is not None:
                path = self._out / f"audit-{name}{option}.json"
                path.write_text(json.dumps(offsets), encoding="utf-8")
                command += [option, str(path)]
        env = python_environment(self._environment)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode not in (0, 1):
            raise DemoError(f"The audit {name} was not possible:\n{done.stdout}{done.stderr}")
        report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return report

    def witness(self, colour: str) -> dict[str, dict[str, int]]:
        """What Kafka's own ConsumerGroupCommand says of a colour's group: partition to current and log end offset."""
        if not self._environment.tools:
            return {}
        group = self._names.group(colour)
        command = [*JAVA, "-cp", self._environment.tools, WITNESS]
        command += ["--bootstrap-server", self._environment.bootstrap, "--describe", "--group", group]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        rows = [line.split() for line in done.stdout.splitlines() if line.startswith(group)]
        if done.returncode != 0 or not rows:
            raise DemoError(f"ConsumerGroupCommand shows nothing of {group}:\n{done.stdout}{done.stderr}")
        # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...; '-' where nothing is committed
        return {row[2]: {"current": _number(row[3]), "end": _number(row[4])} for row in rows}


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1
