"""The example's image and manifests on a real cluster: rights, start, and a switch through the API server."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    SLOTS,
    snapshot_name,
)
from tests.consumers.integration.cluster import Cluster, render
from tests.unit.waiting import HANG, finished, gone, until

pytestmark = pytest.mark.bed
ROOT = Path(__file__).parents[3]
IMAGE = "order-consumer:consumers-it"


@pytest.fixture
def cluster(app):
    build = [sys.executable, "-m", "testbed", "image", "consumers/python", IMAGE]
    finished(build, cwd=ROOT, check=True)
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": app.bootstrap,
        "KAFKA_CONSUMER_GROUP": f"{app.name}-{{colour}}",
        "KAFKA_TOPICS": app.name,
        "KAFKA_LEDGER_TOPIC": f"{app.name}-ledger",
    }
    cluster = Cluster(f"consumers-it-{uuid.uuid4().hex[:6]}")
    cluster.apply(render(cluster.namespace, IMAGE, environment))
    yield cluster
    cluster.must("delete", "namespace", cluster.namespace, "--wait=false")


ALLOWED = [
    ("get", "configmaps/order-consumer-active-version"),
    ("update", "configmaps/order-consumer-active-version"),
    ("update", "configmaps/order-consumer-bg-journal"),
    ("update", "configmaps/order-consumer-bg-snapshot-a"),
    ("get", "configmaps/order-consumer-bg-snapshot-b"),
    ("create", "configmaps"),
    ("create", "leases.coordination.k8s.io"),
    ("update", "leases.coordination.k8s.io/order-consumer-bg-lock"),
    ("get", "deployments.apps/order-consumer-blue"),
    ("patch", "deployments.apps/order-consumer-green --subresource=scale"),
    ("list", "replicasets.apps"),
    ("list", "pods"),
    ("create", "pods --subresource=proxy"),
    ("get", "pods --subresource=proxy"),
    ("create", "events"),
]
DENIED = [
    ("get", "secrets"),
    ("list", "configmaps"),
    ("get", "configmaps/of-another-application"),
    ("update", "configmaps/of-another-application"),
    ("delete", "configmaps/order-consumer-bg-snapshot-a"),
    ("delete", "pods"),
    ("create", "pods"),
    ("create", "pods --subresource=exec"),
    ("patch", "deployments.apps/order-consumer-green"),
    ("patch", "deployments.apps/another --subresource=scale"),
    ("update", "leases.coordination.k8s.io/another"),
    ("create", "roles.rbac.authorization.k8s.io"),
]


def may(cluster, verb, what, account):
    answer = cluster.run(
        "auth", "can-i", verb, *what.split(), "--as", f"system:serviceaccount:{cluster.namespace}:{account}"
    )
    assert answer.stdout.strip() in ("yes", "no"), answer.stderr
    return answer.stdout.strip() == "yes"


def check_rights(cluster):
    operator = "bluegreen-operator"
    assert [what for what in ALLOWED if not may(cluster, *what, operator)] == []
    assert [what for what in DENIED if may(cluster, *what, operator)] == []
    assert may(cluster, "get", "configmaps/order-consumer-active-version", "order-consumer")
    for slot in SLOTS:
        name = snapshot_name("order-consumer", slot)
        assert may(cluster, "get", f"configmaps/{name}", "order-consumer"), name
    for what in (("list", "configmaps"), ("get", "configmaps/other"), ("get", "secrets"), ("patch", "configmaps")):
        assert not may(cluster, *what, "order-consumer"), what


def settled(cluster, colour, count, state):
    def everything(states):
        parts = sorted(part["partition"] for status in states for part in status["partitions"])
        fine = all(status["state"] == state and status["memberState"] == "stable" for status in states)
        return len(states) == count and fine and parts == list(range(12))

    return until(f"{count} {colour} pods are {state} and own everything", lambda: statuses(cluster, colour), everything)


def statuses(cluster, colour):
    return [cluster.status(pod) for pod in cluster.pods(colour)]


def at_work(cluster, colour):
    """Wait until its pods have worked on every partition."""

    def everywhere(states):
        firsts = [part["firstProcessedOffset"] for status in states for part in status["partitions"]]
        return len(firsts) == 12 and None not in firsts

    until(f"{colour} works on every partition", lambda: statuses(cluster, colour), everywhere)


def test_switch_of_pods_through_the_api_server(app, cluster, request):
    check_rights(cluster)
    cluster.must("rollout", "status", "deployment/order-consumer-blue", f"--timeout={HANG}s")
    settled(cluster, "blue", 4, "ACTIVE")
    cluster.must("scale", "deployment/order-consumer-green", "--replicas=2")
    settled(cluster, "green", 2, "STANDBY")
    producer = app.tool("bgtools.producer", "--rate", "200", "--linger", "250")
    request.addfinalizer(producer.kill)
    at_work(cluster, "blue")

    cluster.set_record("blue", 2, "switching", **{"activated-epoch": "1"})
    offsets = {}
    for pod in cluster.pods("blue"):
        status = cluster.post(pod, "pause", epoch=2, mode="drain", waitMs=10_000)
        assert status["drained"], status
        offsets.update({str(part["partition"]): part["position"] for part in status["partitions"]})
    (part,) = app.snapshot_parts("green", 3, {app.name: offsets})
    snapshot = {"activated-epoch": "3", "snapshot": "order-consumer-bg-snapshot-b"}
    cluster.create_config_map(snapshot["snapshot"], part)
    cluster.set_record("green", 3, "verifying", **snapshot)
    for pod in cluster.pods("green"):
        status = cluster.post(pod, "resume", epoch=3, waitMs=10_000)
        assert status["active"], status
        starts = {str(part["partition"]): part["startOffset"] for part in status["partitions"]}
        assert starts == {number: offsets[number] for number in starts}
    cluster.set_record("green", 3, "stable")

    # A pod that starts now takes up work from the record; one of the old colour does not.
    gone_pods = [cluster.pods("green")[0], cluster.pods("blue")[0]]
    cluster.must("delete", "pod", f"--timeout={HANG}s", *gone_pods)
    settled(cluster, "green", 2, "ACTIVE")
    settled(cluster, "blue", 4, "STANDBY")

    at_work(cluster, "green")
    producer.terminate()
    assert gone(producer) == 0
    report = app.audit()
    assert report["processed"] > 500
    assert (report["lost"]["count"], report["duplicated"]["count"]) == (0, 0), report
    assert [(change["from"], change["to"], change["epoch"]) for change in report["changes"]] == [("blue", "green", 3)]
