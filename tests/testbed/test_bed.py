"""What the bed promises to those who use it, asked of the running bed."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.net.sasl.oauth import AbstractTokenProvider

import testbed
from testbed import control_plane, faults, health, images, metadata, secured, settings
from tests.unit.waiting import HANG, NEVER, until

pytestmark = pytest.mark.bed

CHOSEN = settings.load()
NAMESPACE = "testbed-selftest"
# Reads the API as any program in a pod does: address and port from the environment, token and authority from files.
ASK_API = """
import os, ssl, urllib.error, urllib.request
files = "/var/run/secrets/kubernetes.io/serviceaccount/"
base = "https://" + os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]
context = ssl.create_default_context(cafile=files + "ca.crt")
for path in ("/version", "/api/v1/namespaces/default/secrets"):
    request = urllib.request.Request(base + path, headers={"Authorization": "Bearer " + open(files + "token").read()})
    try:
        print(urllib.request.urlopen(request, context=context, timeout=60).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@pytest.fixture(scope="module", autouse=True)
def namespace():
    testbed.up()
    control_plane.kubectl("create", "namespace", NAMESPACE)
    yield
    control_plane.kubectl("delete", "namespace", NAMESPACE, "--wait=true", timeout=HANG)


def kubectl(*arguments, **named):
    return control_plane.kubectl(f"--namespace={NAMESPACE}", *arguments, **named)


def run_pod(name, image=images.BASE_NAME, policy="Never"):
    container = {"name": "main", "image": image, "imagePullPolicy": policy, "command": ["sleep", "600"]}
    spec = {"containers": [container], "dnsPolicy": "Default", "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    kubectl("apply", "--filename=-", text_input=json.dumps(pod))


def until_healthy(number):
    problem = lambda: health.problem_of(lambda: health.check_broker(number, CHOSEN))  # noqa: E731
    until(f"broker {number} is healthy", problem, lambda seen: not seen)


def waiting_reason(name):
    pod = json.loads(kubectl("get", "pod", name, "--output=json"))
    statuses = pod["status"].get("containerStatuses", [])
    return next((status["state"].get("waiting", {}).get("reason") for status in statuses), None)


def test_a_broker_is_asked_for_a_topic():
    servers = testbed.env()["KAFKA_BOOTSTRAP_SERVERS"].split(",")
    admin = KafkaAdminClient(bootstrap_servers=servers)
    name = f"testbed-selftest-{time.time_ns()}"
    admin.create_topics([NewTopic(name, 3, 1)])
    try:
        for server in servers:
            address, port = server.rsplit(":", 1)
            known = partial(metadata.partitions_known_to, address, int(port), name)
            until(f"{server} knows the topic", known, lambda count: count == 3)
            assert metadata.partitions_known_to(address, int(port), f"{name}-other") == 0
    finally:
        admin.delete_topics([name])
        admin.close()


def test_processor_time_of_the_brokers_is_read():
    assert 1.0 < testbed.broker_seconds() < 100_000


def test_every_part_is_healthy():
    assert {
        result.part.name: result.problem for result in health.check_all(health.parts(CHOSEN)) if result.problem
    } == {}


def test_up_on_a_healthy_bed_changes_nothing():
    before = {result.part.name: result.pid for result in health.check_all(health.parts(CHOSEN))}
    testbed.up()
    assert {result.part.name: result.pid for result in health.check_all(health.parts(CHOSEN))} == before


def test_a_pod_reaches_the_api_with_its_token_and_rbac_holds():
    run_pod("client")
    kubectl("wait", "pod/client", "--for=condition=Ready", f"--timeout={HANG}s", timeout=NEVER)
    assert kubectl("exec", "client", "--", "python3", "-c", ASK_API).split() == ["200", "403"]


@pytest.mark.parametrize(
    ("name", "image", "policy", "reason"),
    [
        ("absent", "no-such-image:1", "Never", {"ErrImageNeverPull"}),
        ("unknown", "registry.invalid/x:1", "Always", {"ErrImagePull", "ImagePullBackOff"}),
    ],
)
def test_a_bad_image_is_reported_in_the_pod_status(name, image, policy, reason):
    run_pod(name, image, policy)
    until(f"{name} waits for its image", lambda: waiting_reason(name), lambda seen: seen in reason)


class Token(AbstractTokenProvider):
    """Signs a new token for each connection."""

    def token(self):
        return secured.token()


PASSWORD = {"sasl_plain_username": secured.USER, "sasl_plain_password": secured.PASSWORD}
TLS = {"security_protocol": "SASL_SSL", "ssl_cafile": secured.CA_FILE}
CERTIFICATE = {"ssl_certfile": secured.CLIENT_CERTIFICATE, "ssl_keyfile": secured.CLIENT_KEY}


@pytest.mark.parametrize(
    ("port", "options"),
    [
        (9094, {**TLS, **PASSWORD, "sasl_mechanism": "SCRAM-SHA-256"}),
        (9094, {**TLS, **PASSWORD, "sasl_mechanism": "SCRAM-SHA-512"}),
        (9094, {**TLS, **PASSWORD, "sasl_mechanism": "PLAIN"}),
        (9094, {**TLS, "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Token()}),
        (9095, {**TLS, **CERTIFICATE, "security_protocol": "SSL"}),
        (9096, {**PASSWORD, "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"}),
    ],
)
def test_each_secured_listener_lets_the_bed_s_user_in_and_knows_it(port, options):
    client = KafkaAdminClient(bootstrap_servers=CHOSEN.servers(port).split(","), **options)
    try:
        described = client.describe_cluster()
    finally:
        client.close()
    assert {broker["port"] for broker in described["brokers"]} == {port}
    assert "ALTER" in described["authorized_operations"], "there is no ACL: only a super user may"


@pytest.mark.disturbing
def test_a_cut_broker_does_not_answer_until_it_is_healed():
    address = CHOSEN.broker_address(2)
    faults.cut_broker(2)
    try:
        with pytest.raises(metadata.MetadataError):
            metadata.brokers_known_to(address, 9092, timeout=2)
        alive = lambda: metadata.brokers_known_to(CHOSEN.broker_address(1), 9092)  # noqa: E731
        until("the others know", alive, lambda brokers: brokers == [1, 3])
    finally:
        faults.heal_broker(2)
    until_healthy(2)


@pytest.mark.disturbing
def test_a_stopped_broker_keeps_its_connections_but_does_not_answer():
    address = CHOSEN.broker_address(3)
    pid = faults.stop_broker(3)
    try:
        with pytest.raises(metadata.MetadataError, match="timed out"):
            metadata.brokers_known_to(address, 9092, timeout=2)
    finally:
        assert faults.continue_broker(3) == pid
    until_healthy(3)
