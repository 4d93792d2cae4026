# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole switch over SASL_SSL with the ACLs of docs/kafka-security.md and no others.

Pods and playbooks are users of their own; producer, ledger audit and witness look on from the plain listener.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import testbed
from demo.application import APP, Application
from demo.environment import BUILD, ROOT, Environment, Names, run
from demo.sandbox import Sandbox
from tests.bed.access import PASSWORD, Access, Acl
from tests.bed.playbooks.watching import RATE, RECORD

pytestmark = pytest.mark.bed

SECRET = "order-consumer-kafka"
IMAGE = "order-consumer:secured"
DOCUMENT = ROOT / "docs/kafka-security.md"


def acls_of(role: str, names: Names) -> list[Acl]:
    """The ACLs the document lists for the operator or the consumer, with the names of this application."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"<!-- acls: {role} -->")[2].partition("<!-- end -->")[0]
    known = {"order-events": names.topic, "order-ledger": names.ledger}
    known |= {f"cc_order_demo_{colour}": names.group(colour) for colour in ("blue", "green")}
    rows = re.findall(r"--add --allow-principal User:\S+ ((?:--operation \w+ )+)--(topic|group) (\S+)", section)
    found = [
        Acl(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper(), resource, known[name])
        for operations, resource, name in rows
        for operation in re.findall(r"--operation (\w+)", operations)
    ]
    assert found, f"{DOCUMENT} lists no ACLs for {role}"
    return found


class SecuredApplication(Application):
    """The example with SASL_SSL: user and password from a Secret, the authority from the same one."""

    def __init__(self, environment: Environment, names: Names, bed: dict[str, str], user: str) -> None:
        super().__init__(environment, names)
        self._bed = bed
        self._user = user

    def _manifests(self) -> list[dict[str, Any]]:
        content = {"password": PASSWORD.encode(), "ca.crt": Path(self._bed["TESTBED_KAFKA_CA"]).read_bytes()}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": self.namespace},
            "data": {name: base64.b64encode(value).decode() for name, value in content.items()},
        }
        namespace, *rest = super()._manifests()
        return [namespace, secret, *rest]

    def _adapt_pods(self, pod: dict[str, Any], colour: str) -> None:
        super()._adapt_pods(pod, colour)
        values = {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SSL_CAFILE": "/etc/kafka-access/ca.crt",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_PLAIN_USERNAME": self._user,
        }
        [container] = pod["containers"]
        for variable in container["env"]:
            if variable["name"] == "KAFKA_BOOTSTRAP_SERVERS":
                variable["value"] = self._bed["TESTBED_KAFKA_SASL_SERVERS"]
        container["env"] += [{"name": name, "value": value} for name, value in values.items()]
        reference = {"secretKeyRef": {"name": SECRET, "key": "password"}}
        container["env"].append({"name": "KAFKA_SASL_PLAIN_PASSWORD", "valueFrom": reference})
        container["volumeMounts"] = [{"name": "kafka-access", "mountPath": "/etc/kafka-access", "readOnly": True}]
        files = {"secretName": SECRET, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        pod["volumes"] = [{"name": "kafka-access", "secret": files}]


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    made = Access(testbed.env()["KAFKA_BOOTSTRAP_SERVERS"])
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def secured(environment: Environment, access: Access) -> Iterator[Sandbox]:
    """The application with two pods a colour, blue at work, and an operator; both with least ACLs."""
    bed = testbed.env()
    # Under a name of its own: an image of another checkout under the common one might not know how to log in.
    run([sys.executable, "-m", "testbed", "image", str(ROOT / "consumers/python"), IMAGE])
    environment = dataclasses.replace(environment, image=IMAGE)
    names = Names(f"acl-{secrets.token_hex(2)}")
    consumer = access.user(f"{names.tag}-consumer", *acls_of("consumer", names))
    operator = access.user(f"{names.tag}-operator", *acls_of("operator", names))
    sandbox = Sandbox(environment, names, BUILD / "sandbox" / names.tag)
    sandbox.app = SecuredApplication(environment, names, bed, consumer)
    try:
        sandbox.build(replicas=2)
        sandbox.operator.env.update(
            {
                "KAFKA_BOOTSTRAP_SERVERS": bed["TESTBED_KAFKA_SASL_SERVERS"],
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SSL_CAFILE": bed["TESTBED_KAFKA_CA"],
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                "KAFKA_SASL_PLAIN_USERNAME": operator,
                "KAFKA_SASL_PLAIN_PASSWORD": PASSWORD,
            }
        )
        yield sandbox
    finally:
        sandbox.remove()


def test_a_switch_and_a_rollback_with_least_acls(secured: Sandbox) -> None:
    producer = secured.produce(RATE)
    try:
        secured.operator.play("switch", "--check", name="secured-plan")
        secured.operator.real("switch", name="secured-switch")
        assert (secured.app.data(RECORD) or {})["active"] == "green"
        secured.operator.real("rollback", name="secured-rollback")
        assert (secured.app.data(RECORD) or {})["active"] == "blue"
        done = secured.operator.real("switch", "-e", "bg_mode=cold", name="secured-cold")
        assert (secured.app.data(RECORD) or {})["active"] == "green"
        assert PASSWORD not in done.output
    finally:
        produced = producer.stop()
    report = secured.audits.audit("secured", None, None, wait=90)
    assert report["processed"] == produced["records"] > 0
    assert (report["lost"]["count"], report["duplicated"]["count"], report["outOfOrder"]["count"]) == (0, 0, 0)
    assert len(report["changes"]) == 3


@pytest.mark.parametrize(
    ("operation", "resource", "seen"),
    [
        ("READ", "topic", "TOPIC_AUTHORIZATION_FAILED|needs an ACL that allows DESCRIBE on the topic"),
        ("READ", "group", "GROUP_AUTHORIZATION_FAILED|needs an ACL that allows DESCRIBE on the group"),
        ("DESCRIBE_CONFIGS", "topic", "NO-GO|also shown when min.insync.replicas may not be read"),
    ],
)
def test_one_acl_less_stops_a_run_before_it_changes_anything(
    secured: Sandbox, access: Access, operation: str, resource: str, seen: str
) -> None:
    """Edge case 21: what may not be read is an error that names it, and not a topic or a group without offsets."""
    operator = f"{secured.names.tag}-operator"
    acls = acls_of("operator", secured.names)
    acl = next(acl for acl in acls if (acl.operation, acl.resource) == (operation, resource))
    before = secured.app.data(RECORD)
    access.withdraw(operator, acl)
    try:
        done = secured.operator.attempt("switch", "-e", f"bg_confirm={APP}", name=f"without-{operation}-{resource}")
    finally:
        access.allow(operator, acl)
    flat = " ".join(done.output.split())
    assert done.code != 0
    for part in (acl.name, *seen.split("|")):
        assert part in flat
    assert secured.app.data(RECORD) == before
