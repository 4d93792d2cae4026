# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each way into real brokers, and each way to be kept out: the cause is told, and at once."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import threading
import typing as t
from pathlib import Path

import pytest
import trustme

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
    KafkaError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from testbed import secured
from tests.bed.conftest import Ansible, Kafka
from tests.bed.relays import Relay
from tests.unit.waiting import NEVER, ended, joined, stays, until

pytestmark = [
    pytest.mark.bed,
    # kafka-python leaves sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Connect(t.Protocol):
    """Makes adapters that are closed when the test ends."""

    def __call__(self, listener: str, **settings: t.Any) -> KafkaAdapter:
        """listener: SASL, MTLS, SASL_PLAINTEXT, PLAINTEXT. settings: in addition to the protocol's own."""


@pytest.fixture
def connect(bed: dict[str, str]) -> t.Iterator[Connect]:
    """See Connect."""
    made: list[KafkaAdapter] = []
    password = {
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": bed["TESTBED_KAFKA_USER"],
        "sasl_plain_password": bed["TESTBED_KAFKA_PASSWORD"],
    }
    certificate = {
        "ssl_certfile": bed["TESTBED_KAFKA_CLIENT_CERT"],
        "ssl_keyfile": bed["TESTBED_KAFKA_CLIENT_KEY"],
    }
    ca = {"ssl_cafile": bed["TESTBED_KAFKA_CA"]}
    listeners: dict[str, tuple[str, dict[str, t.Any]]] = {
        "SASL": ("TESTBED_KAFKA_SASL_SERVERS", {"security_protocol": "SASL_SSL", **ca, **password}),
        "MTLS": ("TESTBED_KAFKA_MTLS_SERVERS", {"security_protocol": "SSL", **ca, **certificate}),
        "SASL_PLAINTEXT": (
            "TESTBED_KAFKA_SASL_PLAINTEXT_SERVERS",
            {"security_protocol": "SASL_PLAINTEXT", **password},
        ),
        "PLAINTEXT": ("KAFKA_BOOTSTRAP_SERVERS", {}),
    }

    def connect(listener: str, **settings: t.Any) -> KafkaAdapter:
        servers, own = listeners[listener]
        merged = {"bootstrap_servers": bed[servers].split(","), **own, **settings}
        made.append(KafkaAdapter({k: v for k, v in merged.items() if v is not None}, NEVER, 5.0))
        return made[-1]

    yield connect
    for adapter in made:
        adapter.close()


def use(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    """Read and write: every broker is spoken to."""
    topic = kafka.topic(records=2)
    offsets = {TopicPartition(topic, number): CommittedOffset(1) for number in range(3)}
    assert {log.end for log in adapter.log_ranges(offsets).values()} == {2}
    assert adapter.commit(name, offsets) == {}
    assert adapter.committed(name, list(offsets)) == offsets
    assert kafka.witness(name) == {(topic, number): 1 for number in range(3)}


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_passwords_over_tls(connect: Connect, kafka: Kafka, name: str, mechanism: str) -> None:
    use(connect("SASL", sasl_mechanism=mechanism), kafka, name)


def test_passwords_without_tls(connect: Connect, kafka: Kafka, name: str) -> None:
    use(connect("SASL_PLAINTEXT"), kafka, name)


def test_client_certificates(connect: Connect, kafka: Kafka, name: str) -> None:
    use(connect("MTLS"), kafka, name)


def test_a_token_from_a_file(connect: Connect, kafka: Kafka, name: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(secured.token())
    use(connect("SASL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token_file=str(file)), kafka, name)


class Provider(http.server.BaseHTTPRequestHandler):
    """Signs tokens with the bed's key for the one client it knows."""

    asked: t.ClassVar[list[str]] = []
    lifetime: t.ClassVar[float] = 300

    def do_POST(self) -> None:
        """One token."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.headers["Authorization"])
        content = json.dumps({"access_token": secured.token(lifetime=self.lifetime), "expires_in": self.lifetime})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider(tmp_path: Path) -> t.Iterator[dict[str, str]]:
    """Settings of a client whose tokens come from a provider on a local port."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "idp"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    Provider.asked.clear()
    yield {
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauthbearer_token_endpoint_url": f"https://127.0.0.1:{server.server_address[1]}/token",
        "sasl_oauthbearer_client_id": "operator",
        "sasl_oauthbearer_client_secret": "for-the-provider",
        "sasl_oauthbearer_cafile": str(tmp_path / "idp"),
    }
    server.shutdown()
    server.server_close()
    joined(thread)


def test_a_token_from_an_identity_provider(connect: Connect, kafka: Kafka, name: str, provider: dict[str, str]) -> None:
    use(connect("SASL", **provider), kafka, name)
    assert len(Provider.asked) == 1, "one token is enough for all connections"


def test_modules_take_all_this_from_the_environment(
    bed: dict[str, str], kafka: Kafka, name: str, ansible: Ansible, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = kafka.topic(records=1)
    options = {
        "BOOTSTRAP_SERVERS": bed["TESTBED_KAFKA_SASL_SERVERS"],
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SSL_CAFILE": bed["TESTBED_KAFKA_CA"],
        "SASL_MECHANISM": "SCRAM-SHA-256",
        "SASL_PLAIN_USERNAME": bed["TESTBED_KAFKA_USER"],
        "SASL_PLAIN_PASSWORD": bed["TESTBED_KAFKA_PASSWORD"],
    }
    for option, value in options.items():
        monkeypatch.setitem(bed, f"KAFKA_{option}", value)
    shown = ansible("kafka_group_offsets_info", group_id=name, topics=[topic])
    assert not shown["failed"], shown
    assert bed["TESTBED_KAFKA_PASSWORD"] not in json.dumps(shown)


def kept_out(adapter: KafkaAdapter, *parts: str, secret: str = "") -> None:
    """A call fails long before its timeout and says all this, and nothing of the secret."""
    with pytest.raises(BlueGreenError) as caught:
        ended("a call", lambda: adapter.groups(["g"]))
    for part in parts:
        assert re.search(part, caught.value.message), caught.value.message
    assert not secret or secret not in caught.value.message


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password(connect: Connect, mechanism: str) -> None:
    adapter = connect("SASL", sasl_mechanism=mechanism, sasl_plain_password="wrong-one")
    user = f"the {mechanism} credentials of user {secured.USER}"
    kept_out(
        adapter,
        rf"10\.199\.\S+:9094 refused {user}: Authentication failed",
        "Check sasl_plain_username",
        secret="wrong-one",
    )


def test_an_unknown_user(connect: Connect) -> None:
    kept_out(
        connect("SASL_PLAINTEXT", sasl_plain_username="nobody"), "refused .* of user nobody: Authentication failed"
    )


def test_a_wrong_authority(connect: Connect, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other"))
    kept_out(
        connect("SASL", ssl_cafile=str(tmp_path / "other")),
        r"the certificate of 10\.199\.\S+:9094 is not accepted: unable to get local issuer certificate|self.signed",
        "Check ssl_cafile",
    )


def test_a_certificate_for_another_name(connect: Connect, bed: dict[str, str]) -> None:
    host, port = bed["TESTBED_KAFKA_SASL_SERVERS"].split(",")[0].split(":")
    with Relay(host, int(port)) as relay:
        kept_out(
            connect("SASL", bootstrap_servers=[relay.address]),
            f"the certificate of {relay.address} is not accepted: IP address mismatch",
            "ssl_check_hostname",
        )
        adapter = connect("SASL", bootstrap_servers=[relay.address], ssl_check_hostname=False)
        assert adapter.groups(["g"])["g"].kind == "absent", "the brokers' own addresses are in their certificates"


def test_no_tls_where_the_listener_wants_it(connect: Connect, bed: dict[str, str]) -> None:
    servers = bed["TESTBED_KAFKA_SASL_SERVERS"].split(",")
    kept_out(
        connect("PLAINTEXT", bootstrap_servers=servers),
        "9094 speaks TLS, but security_protocol is PLAINTEXT: set SSL or SASL_SSL",
    )
    kept_out(
        connect("SASL_PLAINTEXT", bootstrap_servers=servers), "speaks TLS, but security_protocol is SASL_PLAINTEXT"
    )
    mutual = bed["TESTBED_KAFKA_MTLS_SERVERS"].split(",")
    kept_out(connect("PLAINTEXT", bootstrap_servers=mutual), "9095 speaks TLS, but security_protocol is PLAINTEXT")


def test_tls_where_the_listener_has_none(connect: Connect, bed: dict[str, str]) -> None:
    kept_out(
        connect("MTLS", bootstrap_servers=bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")),
        "9092 speaks no TLS, but security_protocol is SSL: set PLAINTEXT or SASL_PLAINTEXT",
    )


def test_no_sasl_where_the_listener_wants_it(connect: Connect, bed: dict[str, str]) -> None:
    offered = r"OAUTHBEARER, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"
    kept_out(
        connect("MTLS", bootstrap_servers=bed["TESTBED_KAFKA_SASL_SERVERS"].split(",")),
        rf"9094 wants SASL \({offered}\), but security_protocol is SSL: set SASL_SSL and sasl_mechanism",
    )
    kept_out(
        connect("PLAINTEXT", bootstrap_servers=bed["TESTBED_KAFKA_SASL_PLAINTEXT_SERVERS"].split(",")),
        r"9096 wants SASL \(SCRAM-SHA-512\), but security_protocol is PLAINTEXT: set SASL_PLAINTEXT",
    )


def test_sasl_where_the_listener_has_none(connect: Connect, bed: dict[str, str]) -> None:
    kept_out(
        connect("SASL_PLAINTEXT", bootstrap_servers=bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")),
        "9092 does no SASL: set security_protocol to PLAINTEXT",
    )


def test_a_mechanism_that_is_not_offered(connect: Connect) -> None:
    kept_out(
        connect("SASL_PLAINTEXT", sasl_mechanism="PLAIN"),
        "9096 does not offer sasl_mechanism PLAIN; it offers SCRAM-SHA-512",
    )


def test_no_client_certificate_where_one_is_wanted(connect: Connect) -> None:
    kept_out(connect("MTLS", ssl_certfile=None, ssl_keyfile=None), "It wants a client certificate: set ssl_certfile")


def test_a_client_certificate_of_another_authority(connect: Connect, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("me@example.invalid", common_name=secured.USER)
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both"))
    kept_out(
        connect("MTLS", ssl_certfile=str(tmp_path / "both"), ssl_keyfile=None),
        "It does not accept the client certificate .*both: check ssl_certfile",
    )


def test_an_expired_token(connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(secured.token(lifetime=-120))
    adapter = connect("SASL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token_file=str(file))
    kept_out(adapter, "refused the OAUTHBEARER credentials", "Check the token: its expiry", secret=file.read_text())
    file.write_text(secured.token())
    assert adapter.groups(["g"])["g"].kind == "absent", "the file is read anew, and the adapter recovers"


def test_a_token_signed_by_somebody_else(connect: Connect, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    file = tmp_path / "token"
    file.write_text(secured.token(key=tmp_path / "key"))
    adapter = connect("SASL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token_file=str(file))
    kept_out(adapter, "refused the OAUTHBEARER credentials", secret=file.read_text())


def test_faults_that_need_no_broker(connect: Connect) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        connect("SASL", sasl_plain_username=None, sasl_plain_password=None, ssl_cafile="/no/ca").groups(["g"])
    assert len(caught.value.faults) == 3


def test_one_wrong_option_makes_a_module_fail_at_once(bed: dict[str, str], ansible: Ansible) -> None:
    shown = ansible(
        "kafka_group_offsets_info",
        group_id="g",
        bootstrap_servers=bed["TESTBED_KAFKA_SASL_SERVERS"],
        security_protocol="SASL_SSL",
        ssl_cafile=bed["TESTBED_KAFKA_CA"],
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="nobody",
        sasl_plain_password="not-shown-anywhere",
    )
    assert shown["failed"]
    assert "refused the SCRAM-SHA-512 credentials of user nobody" in shown["msg"]
    assert "not-shown-anywhere" not in json.dumps(shown)


def test_a_session_outlives_its_token_when_the_file_is_renewed(
    connect: Connect, kafka: Kafka, name: str, tmp_path: Path
) -> None:
    """Edge case 36: brokers end a session with its token; a renewed one is shown to them before that."""
    topic = kafka.topic(records=1)
    file = tmp_path / "token"
    file.write_text(secured.token(lifetime=12))
    adapter = connect("SASL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token_file=str(file))
    adapter.topics([topic])
    file.write_text(secured.token())
    # For fifteen seconds at least.
    stays("it may read", lambda: set(adapter.topics([topic])), lambda seen: seen == {topic}, looks=76, every=0.2)


def test_a_token_that_expires_in_use_is_told(connect: Connect, kafka: Kafka, tmp_path: Path) -> None:
    """Edge case 36: nobody renewed it."""
    topic = kafka.topic(records=1)
    file = tmp_path / "token"
    file.write_text(secured.token(lifetime=10))
    adapter = connect("SASL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token_file=str(file))
    adapter.topics([topic])

    def said() -> str:
        try:
            adapter.topics([topic])
        except KafkaError as error:
            return error.message
        return ""

    message = ended("use until it fails", lambda: until("the token has expired", said, every=0.2))
    assert re.search(rf"the token in {file} .* expired at 20\d\d-.*Z. Renew it", message)
    file.write_text(secured.token())
    assert set(adapter.topics([topic])) == {topic}


def test_tokens_of_a_provider_are_renewed_in_use(
    connect: Connect, kafka: Kafka, provider: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edge case 36, with an identity provider."""
    monkeypatch.setattr(Provider, "lifetime", 10)
    topic = kafka.topic(records=1)
    adapter = connect("SASL", **provider)
    # For fifteen seconds at least.
    stays("it may read", lambda: set(adapter.topics([topic])), lambda seen: seen == {topic}, looks=76, every=0.2)
    assert len(Provider.asked) >= 2
