# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real cluster holds around an application, and what the tests look at to know that nothing of it was touched."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import re
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from bgtools.audit import LedgerReader
from bgtools.kafka import reader
from bgtools.ledger_report import Row
from demo.application import APP, Application
from demo.environment import BUILD, Environment, Names
from demo.playbooks import Finished, Producer
from demo.sandbox import BOUND, LINGER, Sandbox
from tests.bed.conftest import Kafka, Kubectl, described
from tests.bed.playbooks.watching import RATE, RECORD, process_of, said_of, written
from tests.unit.waiting import HANG, joined, until

HERE = Path(__file__).parent
SNAPSHOTS = f"{APP}-bg-snapshot-"


def other(colour: str) -> str:
    """The colour that is not this one."""
    return "green" if colour == "blue" else "blue"


def workload(colour: str) -> str:
    """Name of a colour's Deployment."""
    return f"{APP}-{colour}"


class World:
    """A sandbox and the hands of everybody around it: kubectl with an administrator's rights, members of groups."""

    def __init__(self, sandbox: Sandbox, bed: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self.bed = bed
        self.kubectl = Kubectl(bed, sandbox.names.namespace)
        self.kafka = Kafka(bed, sandbox.names.topic.removesuffix("-events"))

    def record(self) -> dict[str, str]:
        """The active record as it is stored."""
        return self.sandbox.app.data(RECORD) or {}

    def reader(self, config_map: str) -> Callable[[], dict[str, str]]:
        """What reads a ConfigMap in a millisecond or two, for who has to be quick."""
        api = client.CoreV1Api(config.new_client_from_config(self.bed["KUBECONFIG"]))
        read = functools.partial(api.read_namespaced_config_map, config_map, self.kubectl.namespace)

        def data() -> dict[str, str]:
            found: dict[str, str] = json.loads(read(_preload_content=False).data)["data"]
            return found

        return data

    def state(self) -> tuple[str, str]:
        """Active colour and phase."""
        found = self.record()
        return found["active"], found["phase"]

    def group(self, colour: str) -> str:
        return self.sandbox.names.group(colour)

    def living(self, colour: str) -> list[str]:
        """A colour's pods that did not end; those that a node has evicted stay listed for ever."""
        ended = {
            pod["metadata"]["name"]
            for pod in self.sandbox.app.listed("v1", "Pod")
            if pod["status"].get("phase") in ("Failed", "Succeeded")
        }
        return [name for name in self.sandbox.app.pod_names(colour) if name not in ended]

    # -- runs --------------------------------------------------------------------------------------------------------

    def attempt(self, playbook: str, *arguments: str, name: str, env: Mapping[str, str] | None = None) -> Finished:
        """A confirmed run, to whatever end."""
        return self.sandbox.operator.attempt(playbook, "-e", f"bg_confirm={APP}", *arguments, name=name, env=env)

    def described(self) -> dict[str, Any]:
        """The application as the operator's inventory describes it."""
        [found] = yaml.safe_load(self.sandbox.operator.inventory.read_text(encoding="utf-8"))["bluegreen"][
            "hosts"
        ].values()
        return dict(found)

    def attempt_each(
        self, cases: Mapping[str, Mapping[str, Any]], *arguments: str, name: str
    ) -> tuple[Finished, dict[str, str]]:
        """One confirmed run over hosts that describe the same application differently; what was said of each.

        Only for runs that change nothing, since the hosts go side by side.
        """
        hosts = {case: {**self.described(), "bg_app": APP, "bg_confirm": APP, **given} for case, given in cases.items()}
        inventory = self.sandbox.out / f"{name}-inventory.yml"
        inventory.write_text(yaml.safe_dump({"described": {"hosts": hosts}}), encoding="utf-8")
        done = self.sandbox.operator.attempt(
            "switch",
            "-i",
            str(inventory),
            "-e",
            "bg_hosts=described",
            *arguments,
            name=name,
            env={"ANSIBLE_FORKS": "3"},
        )
        return done, said_of(done.output)

    # -- what must not be touched ------------------------------------------------------------------------------------

    def offsets(self) -> dict[str, dict[tuple[str, int], int]]:
        """Committed offsets of both groups as Kafka's own tool shows them."""
        found = {colour: self.kafka.witness(self.group(colour)) for colour in ("blue", "green")}
        return {colour: {tp: at for tp, at in rows.items() if at is not None} for colour, rows in found.items()}

    def members(self, group: str) -> dict[str, str]:
        """Client id by member id, as the brokers tell."""
        found = self.kafka.described(group)
        return {member.member_id: member.client_id for member in found.members}

    def wait_joined(self, colour: str, members: int = 2) -> None:
        """Until a colour's pods are in its group and own something."""

        def seen() -> tuple[str, int]:
            """The state of the group, and how many members own something."""
            found = self.kafka.described(self.group(colour))
            return found.state.name, sum(bool(member.assignment.topic_partitions) for member in found.members)

        until(f"{members} members of {colour}", seen, lambda found: found == ("STABLE", members))

    def touchable(self) -> dict[str, object]:
        """Everything that a run could change, and who is in the groups."""
        return {
            **written(self.sandbox),
            "offsets": self.offsets(),
            "members": {colour: self.members(self.group(colour)) for colour in ("blue", "green")},
            "pods": self.sandbox.app.pod_names("blue") + self.sandbox.app.pod_names("green"),
        }

    @contextlib.contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing of the application changes during the block."""
        before = self.touchable()
        yield
        after = self.touchable()
        changed = {
            key: (before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)
        }
        assert not changed, f"a run that was refused has changed something: {changed}"

    # -- what was done -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The ledger so far, in the order of time."""
        consumer = reader(self.sandbox.environment.bootstrap)
        try:
            return sorted(LedgerReader(consumer, self.sandbox.names.ledger).read())
        finally:
            consumer.close()

    def at_work(self, colour: str) -> None:
        """A colour processes something that is written from now on."""
        since = time.time_ns()

        def processed() -> Counter[str]:
            return Counter(row.colour for row in self.rows() if row.ns > since)

        until(f"{colour} at work", processed, lambda records: records[colour])

    def longest_rest(self, since: int, until: int | None = None) -> float:
        """The longest time in seconds in which nobody processed anything, between two moments (ns) or until now."""
        until = time.time_ns() if until is None else until
        moments = [since, *(row.ns for row in self.rows() if since < row.ns < until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments)) / 1e9

    def account(self, produced: Mapping[str, Any], name: str, changes: int | None = None) -> dict[str, Any]:
        """Every record that was ever produced was processed once. changes: of the colour at work, where they are known."""
        report = self.sandbox.audits.audit(name, None, None, wait=HANG)
        counted = {key: report[key]["count"] for key in ("lost", "duplicated", "outOfOrder")}
        assert counted == {"lost": 0, "duplicated": 0, "outOfOrder": 0}, f"{name}: {report}"
        assert report["processed"] >= produced["records"] > 0
        if changes is not None:
            assert len(report["changes"]) == changes
        return report

    @contextlib.contextmanager
    def producing(self, rate: int = RATE, linger: int = LINGER) -> Iterator[Producer]:
        """Records during a block, once the active colour keeps up with them."""
        producer = Producer(self.sandbox.environment, self.sandbox.names, self.sandbox.out, rate, BOUND, linger)
        try:
            self.sandbox.audits.wait_caught_up(self.state()[0], HANG)
            yield producer
        finally:
            producer.stop()

    # -- neighbours --------------------------------------------------------------------------------------------------

    def evicted_pod(self, colour: str) -> str:
        """A pod of a colour that a node has evicted: its ReplicaSet owns it, does not count it and leaves it there.

        Made from the template with a scheduler that nobody is, since a pod that its ReplicaSet sees alive would be deleted.
        """
        sets = self.kubectl.json("get", "replicasets", "-l", f"app.kubernetes.io/instance={workload(colour)}")["items"]
        newest = max(sets, key=lambda item: int(item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))
        template, name = newest["spec"]["template"], f"{newest['metadata']['name']}-{uuid.uuid4().hex[:5]}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.kubectl.namespace},
            "spec": {**template["spec"], "schedulerName": "nobody"},
        }
        self.kubectl("create", "-f", "-", manifest=[pod])
        evicted = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        self.kubectl(
            "patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": evicted})
        )
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True, "blockOwnerDeletion": True}
        owner |= {key: newest["metadata"][key] for key in ("name", "uid")}
        metadata = {"labels": template["metadata"]["labels"], "ownerReferences": [owner]}
        self.kubectl("patch", "pod", name, "--type=merge", "-p", json.dumps({"metadata": metadata}))
        return name

    def wait_quota(self, name: str) -> None:
        """Until a ResourceQuota has counted what there is; before that it refuses nothing, or everything."""

        def status() -> dict[str, Any]:
            return self.kubectl.json("get", "resourcequota", name).get("status") or {}

        def counted(seen: dict[str, Any]) -> bool:
            return bool(seen.get("used")) and seen.get("used") == seen.get("hard")

        until(f"quota {name} in force", status, counted)

    def apply_replicas(self, manager: str, **replicas: int) -> None:
        """Apply replicas of the colours server-side, as a tool does that keeps them in a repository."""
        self.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--field-manager={manager}",
            "-f",
            "-",
            manifest=[
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": workload(colour)},
                    "spec": {"replicas": number},
                }
                for colour, number in replicas.items()
            ],
        )

    def scale_as(self, manager: str, colour: str, replicas: int) -> None:
        """Scale through the subresource, as an autoscaler does."""
        patch = json.dumps({"spec": {"replicas": replicas}})
        arguments = ["patch", "deployment", workload(colour), "--subresource=scale", "--type=merge", "-p", patch]
        self.kubectl(*arguments, f"--field-manager={manager}")

    def autoscaler(self, colour: str, least: int) -> dict[str, Any]:
        """A HorizontalPodAutoscaler. Without a metrics server it does one thing: raise replicas to its minimum."""
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": f"{workload(colour)}-load"},
            "spec": {
                "minReplicas": least,
                "maxReplicas": least + 2,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload(colour)},
                "metrics": [{"type": "Resource", "resource": cpu}],
            },
        }

    @contextlib.contextmanager
    def keda(self) -> Iterator[None]:
        """KEDA's kind of objects, without KEDA."""
        names = {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject"}
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "scaledobjects.keda.sh"},
            "spec": {"group": "keda.sh", "scope": "Namespaced", "names": names, "versions": [version]},
        }
        with self.applied(definition):
            self.kubectl("wait", "--for=condition=Established", "crd/scaledobjects.keda.sh", f"--timeout={HANG}s")
            yield

    def scaled_object(self, colour: str) -> dict[str, Any]:
        """What makes KEDA start a colour whose group lags."""
        trigger = {"type": "kafka", "metadata": {"consumerGroup": self.group(colour), "lagThreshold": "10"}}
        return {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": f"{workload(colour)}-lag"},
            "spec": {"scaleTargetRef": {"name": workload(colour)}, "minReplicaCount": 0, "triggers": [trigger]},
        }

    @contextlib.contextmanager
    def applied(self, *manifests: dict[str, Any]) -> Iterator[None]:
        """Objects that are there for the length of a block."""
        self.kubectl("apply", "-f", "-", manifest=list(manifests))
        try:
            yield
        finally:
            self.kubectl("delete", "--wait", "-f", "-", manifest=list(manifests))

    def stranger(self, group: str, *arguments: str, client: str = "third-team", pod: str = "") -> Stranger:
        """See Stranger. pod: in the network of this pod instead of the host's."""
        return Stranger(self.bed, group, self.sandbox.names.topic, arguments, client, pod)


class Stranger:
    """A consumer of somebody else in a group. A context manager: inside of it it is a member that owns partitions."""

    def __init__(
        self, bed: Mapping[str, str], group: str, topics: str, arguments: tuple[str, ...], client: str, pod: str
    ) -> None:
        self.client = client
        self._group = group
        self._bed = bed
        command = [sys.executable, str(HERE / "stranger.py"), "--bootstrap", bed["KAFKA_BOOTSTRAP_SERVERS"]]
        command += ["--group", group, "--client", client, "--topics", topics, *arguments]
        inside = ["nsenter", f"--target={process_of(pod)}", "--net"] if pod else []
        self._command = [*inside, *command]
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Stranger:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(f"{self.client} in {self._group}", lambda: self.partitions)

        def seen() -> tuple[str, list[str]]:
            """The state of the group, and where we are in it."""
            found = described(self._bed["KAFKA_BOOTSTRAP_SERVERS"], self._group)
            return found.state.name, [one.host.lstrip("/") for one in found.members if one.member_id == self.member]

        what = f"{self._group} stable with {self.client}"
        [self.host] = until(what, seen, lambda found: found[0] == "STABLE" and found[1])[1]
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        joined(self._reader)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.append(json.loads(line))

    @property
    def member(self) -> str:
        """Its member id, as it knows it."""
        return str(self._events[-1]["member"])

    @property
    def partitions(self) -> int:
        """How many it was given last."""
        given = [event for event in self._events if event["event"] == "assigned"]
        return int(given[-1]["partitions"]) if given else 0

    @property
    def thrown_out(self) -> int:
        """How often it found itself outside of the group."""
        return sum(event["event"] == "lost" for event in self._events)


class Repeating:
    """Somebody who does the same thing every few seconds. A context manager; a failure of theirs fails the test."""

    def __init__(self, action: Callable[[], object], seconds: float = 3.0) -> None:
        self._action = action
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._errors: list[BaseException] = []
        self.times = 0

    def __enter__(self) -> Repeating:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        joined(self._thread)
        if self._errors:
            raise self._errors[0]

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._action()
                self.times += 1
                self._stop.wait(self._seconds)
        except BaseException as error:  # noqa: BLE001  pytest.fail is no Exception, and this is no place to end a test
            self._errors.append(error)


@contextlib.contextmanager
def staged_world(
    environment: Environment,
    bed: Mapping[str, str],
    application: Callable[[Environment, Names], Application] = Application,
    before: Callable[[World], object] = lambda _world: None,
    replicas: int = 2,
) -> Iterator[World]:
    """A sandbox of its own kind. before: what is done with topics and groups before the first pod starts."""
    names = Names(f"odd-{uuid.uuid4().hex[:5]}")
    sandbox = Sandbox(environment, names, BUILD / "sandbox" / names.tag)
    sandbox.app = application(environment, names)
    world = World(sandbox, bed)
    try:
        before(world)
        sandbox.build(replicas)
        yield world
    finally:
        sandbox.remove()
        world.kafka.clean_up()


class PlainApplication(Application):
    """The example's Deployments with a consumer that speaks no contract, so that only cold mode can move it."""

    settings: Mapping[str, str] = {}

    def _adapt_pods(self, pod: dict[str, Any], colour: str) -> None:
        super()._adapt_pods(pod, colour)
        [container] = pod["containers"]
        container["command"] = ["python3", "-c", (HERE / "plain_consumer.py").read_text(encoding="utf-8")]
        container["env"] += [{"name": name, "value": value} for name, value in self.settings.items()]
        for probe in ("readinessProbe", "livenessProbe"):
            del container[probe]


def flat(output: str) -> str:
    """Output without line breaks."""
    return " ".join(output.split())


def gates_with(said: str, verdict: str) -> str:
    """The lines of a table of gates that explain this verdict."""
    return " ".join(re.findall(rf'"{verdict}: [^"]*"', said))


def says(text: str, *words: str) -> None:
    """Every word is in the text, upper and lower case alike."""
    for word in words:
        assert word.lower() in text.lower(), f"{word!r} is not said in:\n{text[-6000:]}"


@dataclass(frozen=True)
class Way:
    """One line of the closing summary: what it claims, and what to type for it (empty where nothing is to be typed)."""

    does: str
    playbook: str
    arguments: list[str]


def ways_on(done: Finished) -> list[Way]:
    """What the closing summary of a run offers: first the way back, then what else there is."""
    found = re.findall(r'"\s*(?:way back|undo|or)\s+([^"]+)"', done.output)
    assert found, f"no way back is printed in:\n{done.output[-4000:]}"
    return [_way(line) for line in found]


def _way(line: str) -> Way:
    typed = re.match(r"ansible-playbook streamops\.bluegreen\.(\w+)((?: (?:--limit|-e|-i) \S+)*)\s*(.*)", line)
    return Way(typed[3].strip(), typed[1], typed[2].split()) if typed else Way(line.strip(), "", [])
