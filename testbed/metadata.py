"""Ask exactly one broker for the cluster's metadata.

An admin client will not do: it takes one broker's answer for where to go, and may then ask another one.
"""

from __future__ import annotations

import socket

from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.parser import KafkaProtocol


class MetadataError(Exception):
    """The broker gave no metadata."""


def brokers_known_to(host: str, port: int, timeout: float = 8) -> list[int]:
    """Ids of the brokers that the broker at ``host:port`` counts as alive, ascending.

    Args:
        timeout: seconds for connecting and for each piece of the answer.

    Raises:
        MetadataError: it is not reachable, does not answer in time or answers something else.
    """
    protocol = KafkaProtocol(client_id="testbed")
    protocol.send_request(MetadataRequest(version=4, topics=[], allow_auto_topic_creation=False))
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(protocol.send_bytes())
            while received := connection.recv(65536):
                for _, answer in protocol.receive_bytes(received):
                    return sorted(broker.node_id for broker in answer.brokers)
    except (OSError, KafkaError) as error:
        raise MetadataError(f"broker {host}:{port}: {error}") from error
    raise MetadataError(f"broker {host}:{port} closed the connection without an answer")
