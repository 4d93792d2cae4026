"""What was processed, by whom: the only thing the audit believes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition


@dataclass(frozen=True)
class Entry:
    """One processed record. topic_id tells the log it was in, process the life of the container."""

    when: float
    tp: TopicPartition
    topic_id: str
    offset: int
    colour: str
    process: str
    epoch: int


@dataclass
class Ledger:
    """Entries in the order of processing; in_flight: what dead processes had processed and not committed."""

    entries: list[Entry] = field(default_factory=list)
    in_flight: set[tuple[str, str, TopicPartition, int]] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def forgive(self, process: str, topic_id: str, tp: TopicPartition, offset: int) -> None:
        """The process died with this record processed and not committed: it may be processed once more."""
        self.in_flight.add((process, topic_id, tp, offset))
