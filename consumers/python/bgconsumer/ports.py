"""What the consumer thread needs from outside: a member of a Kafka group, and the application's own work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bgconsumer.model import Committed, TopicPartition


class KafkaTemporaryError(Exception):
    """Kafka did not answer or asked to try again; nothing is known about the outcome."""


class PartitionsLostError(Exception):
    """The group no longer counts this pod as the owner of its partitions."""


@dataclass(frozen=True)
class Record:
    """One fetched record."""

    tp: TopicPartition
    offset: int
    value: bytes | None


class GroupMember(Protocol):
    """A member of the colour's group. Used by one thread only; no method processes records by itself.

    ``generation`` grows at every assignment, revocation and loss. ``assigned`` is `None` while the member has no
    valid assignment. A new assignment fetches nothing until `park` or `start` says from where. ``topic_ids`` leaves out topics
    whose id the broker doesn't tell.
    """

    generation: int
    assigned: tuple[TopicPartition, ...] | None
    last_error: str | None
    member_id: str

    def join(self) -> None: ...

    def leave(self) -> None: ...

    def close(self) -> None: ...

    def poll(self, timeout: float) -> None: ...

    def fetch(self, limit: int, timeout: float) -> list[Record]: ...

    def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]: ...

    def earliest(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]: ...

    def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None: ...

    def park(self, positions: Mapping[TopicPartition, int]) -> None: ...

    def start(self, positions: Mapping[TopicPartition, int]) -> None: ...

    def halt(self) -> None: ...

    def drop(self) -> None: ...


class Processor(Protocol):
    """The application's work. ``flush`` returns when everything given to ``process`` has taken effect for good.

    ``process`` returns False for a record that failed and was put aside: it is done with, and counted.
    """

    def process(self, record: Record, epoch: int) -> bool | None: ...

    def flush(self) -> None: ...
