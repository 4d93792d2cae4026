# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which errors of a connection are final, and what is said about them. The real listeners are in tests/bed."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t

import pytest
from kafka import errors

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import bootstrap, causes
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.broker import WireBroker
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG, NEVER, ended, joined, until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def hidden(error: BaseException) -> errors.KafkaConnectionError:
    """As kafka-python hides the error of a handshake: it raises another one while it handles it."""
    wrapped = errors.KafkaConnectionError(f"Handshake failed: {error}")
    wrapped.__context__ = error
    return wrapped


ALERT = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (errors.SaslAuthenticationFailedError("no"), True),
        (errors.UnsupportedSaslMechanismError(), True),
        (errors.IllegalSaslStateError(), True),
        (errors.KafkaConfigurationError("no"), True),
        (KafkaError("no token"), True),
        (ValueError("Server sent wrong signature!"), True),
        (hidden(ssl.SSLCertVerificationError(1, "self-signed certificate")), True),
        (errors.KafkaConnectionError(ALERT), True),
        (hidden(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")), False),
        (errors.KafkaConnectionError(ConnectionResetError(104, "reset")), False),
        (errors.KafkaConnectionError("socket disconnected"), False),
        (errors.KafkaTimeoutError("late"), False),
        (errors.NodeNotReadyError(1), False),
        (errors.RequestTimedOutError("late"), False),
        (errors.CoordinatorLoadInProgressError(), False),
    ],
)
def test_whether_waiting_can_help(error: BaseException, final: bool) -> None:
    assert causes.is_final(error) is final


def test_a_name_that_cannot_be_resolved_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def unknown(host: str, *rest: t.Any, **named: t.Any) -> t.Any:
        if host == "kafka.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    adapter = KafkaAdapter({"bootstrap_servers": ["kafka.invalid:9092"]}, NEVER, NEVER)
    with pytest.raises(KafkaError, match=r"the name kafka.invalid cannot be resolved: Name or service not known"):
        ended("a call", lambda: adapter.groups(["g"]))


def test_a_name_service_that_is_away_is_waited_for_but_not_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(host: str, *_rest: t.Any, **_named: t.Any) -> t.Any:
        asked.append(host)
        if len(asked) > 5:
            monkeypatch.setattr(bootstrap, "NAME_PATIENCE", 0.0)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    monkeypatch.setattr(bootstrap, "NAME_PATIENCE", NEVER)
    adapter = KafkaAdapter({"bootstrap_servers": ["kafka.invalid:9092"]}, NEVER, NEVER)
    with pytest.raises(KafkaError, match=r"kafka.invalid cannot be resolved: Temporary failure"):
        ended("a call", lambda: adapter.groups(["g"]))
    assert 5 < len(asked) < 10, "as long as its time was not over"


def test_one_bad_server_among_good_ones_is_no_failure() -> None:
    with WireBroker() as broker, socket.create_server(("127.0.0.1", 0)) as silent:
        broker.logs = {("t", 0): (0, 5)}
        silent_address = f"127.0.0.1:{silent.getsockname()[1]}"
        adapter = KafkaAdapter({"bootstrap_servers": ["127.0.0.1:1", silent_address, broker.address]}, HANG, HANG)
        assert set(adapter.topics(["t"])) == {"t"}
        adapter.close()


def test_a_tls_peer_that_never_answers_is_given_up_in_time_for_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edge case 35: the first connections hang in the handshake; nothing waits for them longer than its share."""
    monkeypatch.setattr(bootstrap, "FIRST_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as peer:
        accepted: list[socket.socket] = []
        done = threading.Event()

        def accept() -> None:
            peer.settimeout(0.1)
            while not done.is_set():
                try:
                    accepted.append(peer.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        settings = {"bootstrap_servers": [f"127.0.0.1:{peer.getsockname()[1]}"], "security_protocol": "SSL"}
        with pytest.raises(KafkaError, match=r"within 5 s.*no connection after"):
            ended("a call", lambda: KafkaAdapter(settings, 5.0, NEVER).groups(["g"]))
        until("it is tried again", lambda: len(accepted), lambda attempts: attempts >= 2)
        done.set()
        joined(thread)
        for connection in accepted:
            connection.close()


def test_a_topic_that_may_not_be_described_is_an_error_and_not_absent() -> None:
    with WireBroker() as broker:
        broker.logs = {("t", 0): (0, 5)}
        broker.errors["MetadataRequest"].append(29)
        adapter = KafkaAdapter({"bootstrap_servers": [broker.address]}, HANG, HANG)
        with pytest.raises(
            KafkaError, match=r"TOPIC_AUTHORIZATION_FAILED \(t\).*ACL that allows DESCRIBE on the topic"
        ):
            adapter.topics(["t"])
        adapter.close()
