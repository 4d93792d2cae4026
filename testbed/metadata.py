"""Ask exactly one broker for the cluster's metadata.

An admin client will not do: it takes one broker's answer for where to go, and may then ask another one.
"""

from __future__ import annotations

import socket
from typing import Any

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
    return sorted(broker.node_id for broker in _ask(host, port, timeout, []).brokers)


def partitions_known_to(host: str, port: int, topic: str, timeout: float = 8) -> int:
    """Number of partitions of the topic that the broker at ``host:port`` knows with their leaders; 0 for an unknown topic.

    A broker hears of a new topic a little later than the one that was told to make it. Arguments and errors as above.
    """
    found = _ask(host, port, timeout, [MetadataRequest.MetadataRequestTopic(name=topic)]).topics
    return sum(not partition.error_code for row in found if not row.error_code for partition in row.partitions)


def _ask(host: str, port: int, timeout: float, topics: list[Any]) -> Any:
    protocol = KafkaProtocol(client_id="testbed")
    protocol.send_request(MetadataRequest(version=4, topics=topics, allow_auto_topic_creation=False))
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(protocol.send_bytes())
            while received := connection.recv(65536):
                for _, answer in protocol.receive_bytes(received):
                    return answer
    except (OSError, KafkaError) as error:
        raise MetadataError(f"broker {host}:{port}: {error}") from error
    raise MetadataError(f"broker {host}:{port} closed the connection without an answer")
