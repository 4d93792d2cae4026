"""Pods of both colours as local processes on a real broker, and the operator's part of a switch."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from confluent_kafka import ConsumerGroupTopicPartitions, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import CommittedOffset
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition as EngineTp
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    HandoffSnapshot,
    chunk_name,
    free_slot,
    to_chunks,
)
from tests.unit.waiting import HANG, gone, until

SOURCES = Path(__file__).parents[3] / "consumers" / "python"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"}
HTTP = urllib3.PoolManager(maxsize=16, retries=False, timeout=HANG)


@dataclass
class Pod:
    """One consumer process."""

    name: str
    colour: str
    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    def wait_started(self) -> None:
        def find() -> int | None:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and json.loads(line)["message"] == "started":
                    return int(json.loads(line)["port"])
            assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()}"
            return None

        self.port = until(f"{self.name} serves HTTP", find, lambda port: port is not None)

    def status(self) -> dict[str, Any]:
        return HTTP.request("GET", f"http://127.0.0.1:{self.port}/actuator/kafka/status").json()

    def post(self, command: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = HTTP.request("POST", f"http://127.0.0.1:{self.port}/actuator/kafka/{command}", json=body)
        return answer.status, answer.json()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return gone(self.process, self.log.read_text)


@dataclass
class Application:
    """Both colours of one application with topics of its own."""

    bootstrap: str
    name: str
    directory: Path
    partitions: int = 12
    pods: list[Pod] = field(default_factory=list)
    started: int = 0
    active: str = ""
    activated: int = 0
    snapshot: str = ""

    @property
    def record_file(self) -> Path:
        return self.directory / "record.json"

    def write_record(self, active: str, epoch: int, phase: str, snapshot: str = "") -> None:
        """The record; a change of colour begins a new reign, with the snapshot of this name."""
        if active != self.active:
            self.active, self.activated, self.snapshot = active, epoch, snapshot
        record = {"active": active, "epoch": str(epoch), "phase": phase, "activated-epoch": str(self.activated)}
        self._write(self.record_file, {**record, "snapshot": self.snapshot})

    def write_snapshot(self, target: str, epoch: int, offsets: dict[str, dict[str, int]]) -> str:
        """What the target is handed, in the slot that the record does not name; its name."""
        name = free_slot(self.name, self.snapshot)
        for index, chunk in reversed(list(enumerate(self.snapshot_parts(target, epoch, offsets)))):
            self._write(self.directory / f"{chunk_name(name, index)}.json", chunk)
        return name

    def snapshot_parts(self, target: str, epoch: int, offsets: dict[str, dict[str, int]]) -> list[dict[str, str]]:
        """The data of its ConfigMaps."""
        handed = {
            EngineTp(topic, int(number)): CommittedOffset(offset)
            for topic, rows in offsets.items()
            for number, offset in rows.items()
        }
        ids = {topic: self.topic_id(topic) for topic in offsets}
        whole = HandoffSnapshot(epoch, f"run-{epoch}", "hot", other_colour(target), target, "-", handed, {}, ids)
        return to_chunks(whole)

    def topic_id(self, topic: str) -> str:
        """From the sixteen bytes of the id: the text that librdkafka makes of them is not what Kafka's tools say."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        (future,) = admin.describe_topics(TopicCollection([topic])).values()
        known = future.result(HANG).topic_id
        halves = known.get_most_significant_bits(), known.get_least_significant_bits()
        raw = b"".join(half.to_bytes(8, "big", signed=True) for half in halves)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def _write(self, file: Path, value: dict[str, str]) -> None:
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(value))
        draft.replace(file)  # a reader never sees half of it

    def start(self, colour: str, **environment: str) -> Pod:
        self.started += 1
        name = f"{colour}-{self.started}"
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bgconsumer"],
                env={**ENVIRONMENT, **self.environment(colour, name), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        pod = Pod(name, colour, process, log)
        self.pods.append(pod)
        return pod

    def environment(self, colour: str, pod: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_CONSUMER_GROUP": f"{self.name}-{colour}",
            "KAFKA_TOPICS": self.name,
            "KAFKA_LEDGER_TOPIC": f"{self.name}-ledger",
            "BG_COLOUR": colour,
            "BG_APP": self.name,
            "BG_NAMESPACE": "orders",
            "BG_RECORD_FILE": str(self.record_file),
            "POD_NAME": pod,
            "HTTP_PORT": "0",
        }

    def start_all(self, each: int = 2, **environment: str) -> None:
        for _ in range(each):
            for colour in ("blue", "green"):
                self.start(colour, **environment)
        for pod in self.pods:
            pod.wait_started()
        for colour in ("blue", "green"):
            self.wait_owned(colour)

    def colour(self, colour: str) -> list[Pod]:
        return [pod for pod in self.pods if pod.colour == colour and pod.process.poll() is None]

    def wait_owned(self, colour: str) -> list[dict[str, Any]]:
        """Wait until the colour's pods own every partition exactly once, in a settled group."""

        def owned(states: list[dict[str, Any]]) -> bool:
            parts = sorted(part["partition"] for state in states for part in state["partitions"])
            settled = all(state["memberState"] == "stable" for state in states)
            return settled and parts == list(range(self.partitions))

        return until(f"{colour} owns all partitions", lambda: [pod.status() for pod in self.colour(colour)], owned)

    def tool(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, "--bootstrap", self.bootstrap, "--topic", self.name, *arguments],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
        )

    def create_topics(self, replicas: int) -> None:
        create = ["--create", "--ledger-topic", f"{self.name}-ledger", "--replicas", str(replicas)]
        assert gone(self.tool("bgtools.producer", *create, "--records", "0")) == 0

    def audit(self) -> dict[str, Any]:
        file = self.directory / "audit.json"
        file.unlink(missing_ok=True)
        ledger = ["--ledger-topic", f"{self.name}-ledger"]
        gone(self.tool("bgtools.audit", *ledger, "--wait", str(HANG), "--json", str(file)))
        return json.loads(file.read_text())

    def commit_outside(self, colour: str, offsets: dict[str, int]) -> None:
        """Commit to the colour's empty group, as an operator does."""
        wanted = [TopicPartition(self.name, int(number), offset) for number, offset in offsets.items()]
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        group = ConsumerGroupTopicPartitions(f"{self.name}-{colour}", wanted)
        (future,) = admin.alter_consumer_group_offsets([group]).values()
        assert all(part.error is None for part in future.result(HANG).topic_partitions)

    def stop(self) -> None:
        for pod in self.pods:
            if pod.process.poll() is None:
                pod.kill()


def in_parallel(pods: Iterable[Pod], call: Callable[[Pod], Any]) -> list[Any]:
    pods = list(pods)
    with ThreadPoolExecutor(len(pods)) as pool:
        return list(pool.map(call, pods))


def pause(app: Application, colour: str, epoch: int) -> dict[str, dict[str, int]]:
    """Pause every pod until drained; the hand-off offsets of all partitions."""
    offsets: dict[str, int] = {}

    def told() -> list[tuple[int, dict[str, Any]]]:
        return in_parallel(app.colour(colour), lambda pod: pod.post("pause", epoch=epoch, mode="drain", waitMs=5000))

    def drained(answers: list[tuple[int, dict[str, Any]]]) -> bool:
        offsets.clear()
        for code, state in answers:
            if code != 200 or not state["drained"]:
                return False
            for part in state["partitions"]:
                assert part["committed"] == part["position"]
                offsets[str(part["partition"])] = part["position"]
        return len(offsets) == app.partitions

    until(f"{colour} is drained", told, drained)
    return {app.name: dict(offsets)}


def flip(app: Application, target: str, epoch: int, offsets: dict[str, dict[str, int]]) -> None:
    """Make the target active, with a snapshot of these offsets."""
    app.write_record(target, epoch, "verifying", app.write_snapshot(target, epoch, offsets))


def wake(app: Application, colour: str, epoch: int) -> None:
    """Tell the pods to read the record, until all of them are at work."""

    def told() -> list[tuple[int, dict[str, Any]]]:
        answers = in_parallel(app.colour(colour), lambda pod: pod.post("resume", epoch=epoch, waitMs=5000))
        assert all(code in (200, 202) for code, _ in answers), answers
        return answers

    def active(answers: list[tuple[int, dict[str, Any]]]) -> bool:
        return all(code == 200 and state["active"] for code, state in answers)

    until(f"{colour} is active", told, active)


def switch(app: Application, source: str, target: str, epoch: int, woken: bool = True) -> dict[str, dict[str, int]]:
    """A hot switch from stable epoch ``epoch``; ends stable at ``epoch + 2``. woken: else the pods are left to find out."""
    app.write_record(source, epoch + 1, "switching")
    offsets = pause(app, source, epoch + 1)
    flip(app, target, epoch + 2, offsets)
    if woken:
        wake(app, target, epoch + 2)
    else:
        active = lambda: {pod.name: pod.status()["active"] for pod in app.colour(target)}  # noqa: E731
        until(f"{target} is active", active, lambda seen: all(seen.values()))
    app.write_record(target, epoch + 2, "stable")
    return offsets
