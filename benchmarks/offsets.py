# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m benchmarks.offsets``: a group's offsets copied by kafka_group_offsets and by Kafka's own ConsumerGroupCommand.

Both copy the same group on the test bed, one after the other in each round, each time to a group that does not exist yet.
Four things are measured: the tool (export, then reset from the file: two processes, which is how a copy is made with it), the
whole ``ansible`` command, the module's process alone (the very file Ansible executes, with everything packed in it), and the
time inside that process from the first connection to the verified result. Writes build/bench/offsets.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

import testbed
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build/bench/offsets.json"
TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
PER_TOPIC = 1_000
RECORDS = 2
"""Records per partition; the source has processed the first."""
INSIDE_LIMIT = 0.5
"""Seconds inside the module for 10,000 partitions."""
FASTER = 5.0
"""How many times faster than the tool, at 1,000 partitions and more."""
REQUEST_LOG = """
status = error
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %m%n
rootLogger.level = error
rootLogger.appenderRef.out.ref = out
logger.net.name = org.apache.kafka.clients.NetworkClient
logger.net.level = debug
"""

Offsets = dict[TopicPartition, CommittedOffset]


@dataclass
class Ran:
    """A finished process: seconds, largest resident memory in MiB, output."""

    seconds: float
    memory: float
    stdout: str
    stderr: str


@dataclass
class Series:
    """What was measured of one way of copying, round by round."""

    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    requests: int | None = None
    exact: dict[str, bool] = field(default_factory=dict)

    def to_data(self) -> dict[str, t.Any]:
        """JSON-ready."""
        shown: dict[str, t.Any] = {
            "seconds": {
                "min": round(min(self.seconds), 3),
                "median": round(statistics.median(self.seconds), 3),
                "max": round(max(self.seconds), 3),
                "runs": [round(each, 3) for each in self.seconds],
            },
            "requests": self.requests,
            "survived": self.exact,
        }
        if self.memory:
            shown["peak_memory_mib"] = round(max(self.memory), 1)
        return shown


def run(command: t.Sequence[str], environment: t.Mapping[str, str]) -> Ran:
    """Run a process to its end. Its memory is that of the largest of its processes. Fails when it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        done = Ran(seconds, usage.ru_maxrss / 1024, out.read(), err.read())
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with {child.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


class Bench:
    """The bed, the source group and the ways to copy it. Everything has a name of its own and is removed again."""

    def __init__(self, partitions: int, scratch: Path) -> None:
        self.bed = {**os.environ, **testbed.env()}
        self.servers = self.bed["KAFKA_BOOTSTRAP_SERVERS"]
        self.kafka = KafkaAdapter({"bootstrap_servers": self.servers.split(",")}, timeout=60.0)
        self.admin = AdminClient({"bootstrap.servers": self.servers})
        self.partitions = partitions
        self.scratch = scratch
        self.name = f"bench-{uuid.uuid4().hex[:8]}"
        self.source = f"{self.name}-source"
        self.topics = [f"{self.name}-{number}" for number in range(max(1, partitions // PER_TOPIC))]
        self.groups = [self.source]
        self.wanted: Offsets = {}

    def set_up(self) -> None:
        """Topics with records, and the source's offsets with leader epoch and metadata."""
        each = min(self.partitions, PER_TOPIC)
        for topic in self.topics:  # one after the other: the brokers of the bed are small
            self.admin.create_topics([NewTopic(topic, each, 1)])[topic].result(60)
        tps = [TopicPartition(topic, number) for topic in self.topics for number in range(each)]
        self._until_ready(tps, 0)
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.servers, "queue.buffering.max.messages": 1_000_000, "acks": 1, "log_level": 2}
        )
        for tp in tps:
            for _record in range(RECORDS):
                producer.produce(tp.topic, b"x", partition=tp.partition, on_delivery=_delivered)
            producer.poll(0)
        if producer.flush(120):
            raise SystemExit("the records could not be written")
        self._until_ready(tps, RECORDS)
        self.wanted = {tp: CommittedOffset(1, 0, "pod-7") for tp in tps}
        if self.kafka.commit(self.source, self.wanted):
            raise SystemExit("the source's offsets could not be committed")

    def _until_ready(self, tps: t.Sequence[TopicPartition], end: int) -> None:
        """Until every partition is led and ends where it should."""
        deadline = time.monotonic() + 120
        seen: object = None
        while seen != {end}:
            if time.monotonic() > deadline:
                raise SystemExit(f"the topics are not ready: {seen}")
            try:
                seen = {log.end for log in self.kafka.log_ranges(tps).values()}
            except KafkaError as error:
                seen = error.message
                time.sleep(0.5)

    def tear_down(self) -> None:
        """Remove groups and topics."""
        for group in self.groups:
            self.kafka.delete_group(group)
        for topic, future in self.admin.delete_topics(self.topics).items():
            if future.exception(60):
                print(f"{topic} is left: {future.exception()}", file=sys.stderr)
        self.kafka.close()

    def target(self) -> str:
        """A group nobody knows."""
        self.groups.append(f"{self.name}-{len(self.groups)}")
        return self.groups[-1]

    def verify(self, group: str, series: Series) -> None:
        """What arrived, read by the adapter; the offsets themselves have to be right."""
        found = self.kafka.all_committed(group)
        pairs = [(found.get(tp, CommittedOffset(-1)), wanted) for tp, wanted in self.wanted.items()]
        if any(seen.offset != wanted.offset for seen, wanted in pairs):
            raise SystemExit(f"group {group} did not get the offsets")
        series.exact = {
            "offset": True,
            "leader_epoch": all(seen.leader_epoch == wanted.leader_epoch for seen, wanted in pairs),
            "metadata": all(seen.metadata == wanted.metadata for seen, wanted in pairs),
        }

    def options(self, group: str) -> dict[str, t.Any]:
        """Options of the module."""
        return {"group_id": group, "from_group": self.source, "allow_create": True, "bootstrap_servers": self.servers}

    # The four ways.

    def tool(self, series: Series, *java: str) -> str:
        """Export and reset from the file."""
        group, file = self.target(), self.scratch / "offsets.csv"
        command = ["java", *java, "-cp", self.bed["KAFKA_TOOLS_CLASSPATH"], TOOL, "--bootstrap-server", self.servers]
        reset = [*command, "--reset-offsets", "--group"]
        export = run([*reset, self.source, "--all-topics", "--to-current", "--export", "--dry-run"], self.bed)
        file.write_text(export.stdout, encoding="utf-8")
        done = run([*reset, group, "--from-file", str(file), "--execute"], self.bed)
        series.seconds.append(export.seconds + done.seconds)
        series.memory.append(max(export.memory, done.memory))
        self.verify(group, series)
        return export.stderr + done.stderr

    def tool_requests(self) -> int:
        """What the tool sends, counted in its own log by a run of its own."""
        config = self.scratch / "log4j2.properties"
        config.write_text(REQUEST_LOG, encoding="utf-8")
        said = self.tool(Series(), f"-Dlog4j2.configurationFile={config}")
        return len(re.findall(r"Sending \S+ request with header", said))

    def ansible(self, series: Series | None, group: str, keep: Path | None = None) -> None:
        """The whole command. keep: leave what Ansible executes below this directory."""
        command = ["ansible", "localhost", "--connection", "local"]
        command += [
            "--module-name",
            "streamops.bluegreen.kafka_group_offsets",
            "--args",
            json.dumps(self.options(group)),
        ]
        environment = {
            **self.bed,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "LC_ALL": "C.UTF-8",
        }
        if keep is not None:
            environment |= {"ANSIBLE_KEEP_REMOTE_FILES": "true", "ANSIBLE_REMOTE_TMP": str(keep)}
        done = run(command, environment)
        if series is not None:
            series.seconds.append(done.seconds)
            series.memory.append(done.memory)
            self.verify(group, series)

    def payload(self, group: str) -> Path:
        """The file Ansible executes for a copy to ``group``; the group is removed again."""
        keep = self.scratch / "kept"
        self.ansible(None, group, keep)
        self.kafka.delete_group(group)
        (found,) = keep.rglob("AnsiballZ_*.py")
        return found

    def process(self, series: Series, payload: Path, group: str) -> None:
        """The module's process alone."""
        done = run([sys.executable, str(payload)], self.bed)
        series.seconds.append(done.seconds)
        series.memory.append(done.memory)
        self.verify(group, series)
        self.kafka.delete_group(group)

    def inside(self, series: Series) -> None:
        """The use case in a fresh process, without start and import."""
        group = self.target()
        done = run([sys.executable, "-m", "benchmarks.inside", json.dumps(self.options(group))], self.bed)
        seen = json.loads(done.stdout)
        series.seconds.append(seen["seconds"])
        series.requests = seen["requests"]
        self.verify(group, series)


def _delivered(error: object, _message: object) -> None:
    if error:
        raise SystemExit(f"a record could not be written: {error}")


def measure(partitions: int, runs: int) -> dict[str, t.Any]:
    """One size."""
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(partitions, Path(scratch))
        ways = {way: Series() for way in ("inside", "process", "ansible", "tool")}
        try:
            bench.set_up()
            packed = bench.target()
            payload = bench.payload(packed)
            for _round in range(runs):
                bench.inside(ways["inside"])
                bench.process(ways["process"], payload, packed)
                bench.ansible(ways["ansible"], bench.target())
                bench.tool(ways["tool"])
            ways["tool"].requests = bench.tool_requests()
            for way in ("process", "ansible"):
                ways[way].requests = ways["inside"].requests
        finally:
            bench.tear_down()
    median = {way: statistics.median(series.seconds) for way, series in ways.items()}
    return {
        "partitions": partitions,
        **{way: series.to_data() for way, series in ways.items()},
        "tool_by_process": round(median["tool"] / median["process"], 1),
        "tool_by_ansible": round(median["tool"] / median["ansible"], 1),
    }


def targets(sizes: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, bool]:
    """What was promised, and whether it holds."""
    big = [size for size in sizes if size["partitions"] >= 1_000]
    most = [size for size in sizes if size["partitions"] == 10_000]
    return {
        f"10,000 partitions within {INSIDE_LIMIT} s inside the module": bool(most)
        and all(size["inside"]["seconds"]["median"] <= INSIDE_LIMIT for size in most),
        f"module process {FASTER:g} times faster than the tool from 1,000 on": bool(big)
        and all(size["tool_by_process"] >= FASTER for size in big),
        "leader epoch and metadata survive": all(all(size["process"]["survived"].values()) for size in sizes),
    }


def main() -> None:
    """Measure every size, print a table, write the file. A copy that is not exact ends it with an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    sizes = []
    for partitions in given.partitions:
        sizes.append(measure(partitions, given.runs))
        print(_line(sizes[-1]), flush=True)
    reached = targets(sizes)
    result = {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "ways": {
            "inside": "use case in a fresh process: connection, reads, commit, read-back; without start and import",
            "process": "the AnsiballZ file that Ansible executes, run by Python",
            "ansible": "the whole ansible command",
            "tool": "ConsumerGroupCommand twice: --export, then --reset-offsets --from-file --execute",
        },
        "sizes": sizes,
        "targets": reached,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for what, holds in reached.items():
        print(f"{'reached' if holds else 'MISSED '}  {what}")
    print(given.out)


def _line(size: t.Mapping[str, t.Any]) -> str:
    parts = [f"{size['partitions']:>6} partitions"]
    for way in ("inside", "process", "ansible", "tool"):
        seconds = size[way]["seconds"]
        parts.append(f"{way} {seconds['median']:.2f} s ({seconds['min']:.2f}-{seconds['max']:.2f})")
    return ", ".join([*parts, f"tool/process {size['tool_by_process']}, tool/ansible {size['tool_by_ansible']}"])


if __name__ == "__main__":
    if shutil.which("java") is None:
        raise SystemExit("java is needed to run Kafka's own tool")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
