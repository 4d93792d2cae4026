"""A consumer's side of its group, in virtual time: the same port that the example application's worker uses."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from tests.simulation.world.broker import (
    EVICTION_NEWS,
    SESSION_TIMEOUT,
    LostError,
    SimBroker,
    SimGroup,
    TemporaryError,
)
from tests.simulation.world.scheduler import Process, Signal

FETCH_WAIT = 0.2
"""Seconds an empty fetch waits before it is repeated."""


@dataclass(frozen=True)
class Fetched:
    """One record."""

    tp: TopicPartition
    offset: int


class GroupMember:
    """``generation`` grows at every assignment, revocation and loss; ``assigned`` is None while there is none."""

    def __init__(
        self, broker: SimBroker, group_id: str, topics: tuple[str, ...], process: Process, wake: Signal
    ) -> None:
        self.broker = broker
        self.group: SimGroup = broker.group(group_id)
        self.topics = topics
        self.process = process
        self.wake = wake
        self.generation = 0
        self.assigned: tuple[TopicPartition, ...] | None = None
        self.member_id = ""
        self.host = ""
        self.client_id = process.name
        self.instance_id: str | None = None
        self.news = EVICTION_NEWS
        self.positions: dict[TopicPartition, int] = {}
        self.fetching = False
        self.subscribed = False
        self.connect_seconds = 0.0
        """Until the first request to join is sent: the client has to find its brokers."""
        self._group_generation = -1
        self._rejoin = False
        self._removed = False
        self._news: tuple[int, tuple[TopicPartition, ...]] | None = None
        self._topic_ids: dict[str, str] = {}
        self.on_removal: t.Callable[[], None] = lambda: None
        """Called when the coordinator gives the partitions to others while this member stands still."""

    # --- what the coordinator says -----------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """True while the process heartbeats."""
        return self.process.alive and not self.process.frozen

    def rejoin_wanted(self) -> None:
        if not self.alive:
            return
        self._rejoin = True
        self.wake.fire()

    def removed(self) -> None:
        self._removed = True
        self.on_removal()
        self.wake.fire()

    def evicted(self) -> None:
        self._removed = True
        self.wake.fire()

    def assigned_now(self, generation: int, partitions: tuple[TopicPartition, ...]) -> None:
        self._news = (generation, partitions)
        self.wake.fire()

    def stopped_heartbeating(self) -> None:
        """The process died or froze: the session ends by itself unless it is back in time."""
        self.broker.after(SESSION_TIMEOUT, self._expire)

    def heartbeat(self) -> None:
        """The first heartbeat after a freeze tells what was missed."""
        member = self.group.members.get(self.member_id)
        if member is None:
            self.removed()
        elif self.group.state == "PreparingRebalance" and not member.rejoined:
            self.rejoin_wanted()

    def _expire(self) -> None:
        if not self.alive:
            self.group.expire(self)

    # --- membership --------------------------------------------------------------------------------------------------

    def _travel(self) -> None:
        self.broker.scheduler.sleep(self.broker.latency())

    def _reach(self) -> None:
        """A request to the coordinator arrives; while there is none, the client asks again until there is."""
        self._travel()
        while self.broker.scheduler.now < self.broker.down_until:
            self.broker.scheduler.sleep(self.broker.down_until - self.broker.scheduler.now)

    def join(self) -> None:
        self.broker.scheduler.sleep(self.connect_seconds)
        self.connect_seconds = 0.0
        self._reach()
        self.subscribed = True
        self._rejoin = self._removed = False
        self._news = None
        self.member_id = self.group.join(self, self.client_id, self.topics)

    def leave(self) -> None:
        self.subscribed = False
        self._forget()
        self._reach()
        if self.instance_id is None:
            self.group.leave(self.member_id)
        self.member_id = ""
        self._travel()

    def drop(self) -> None:
        """Stop fetching partitions that are no longer ours; the next assignment follows by itself."""
        self._forget()
        if self.member_id not in self.group.members:
            self._removed = True
        else:
            self._rejoin = True

    def _forget(self) -> None:
        self.generation += 1
        self.assigned = None
        self.fetching = False
        self.positions = {}

    def _follow(self) -> bool:
        """Do what the coordinator asked for; True when something changed."""
        if not self.subscribed:
            return False
        if self._removed:
            self._forget()
            self.join()
            return True
        if self._rejoin:
            self._rejoin = False
            self._news = None
            self._forget()
            self._reach()
            if not self.group.rejoin(self.member_id):
                self._removed = True
            return True
        if self._news is not None:
            (self._group_generation, partitions), self._news = self._news, None
            self._forget()
            self.assigned = tuple(sorted(partitions))
            self._topic_ids = {name: topic.topic_id for name, topic in self.broker.topics.items()}
            return True
        return False

    # --- fetching ----------------------------------------------------------------------------------------------------

    def poll(self, timeout: float) -> None:
        """Serve the group while nothing is fetched. Waits for news, not for ``timeout``: idle members cost no events."""
        if not self._follow():
            self.broker.scheduler.wait(self.wake, timeout)
            self._follow()

    def park(self, positions: t.Mapping[TopicPartition, int]) -> None:
        self.positions = dict(positions)
        self.fetching = False

    def halt(self) -> None:
        self.fetching = False

    def start(self, positions: t.Mapping[TopicPartition, int]) -> None:
        self.positions = dict(positions)
        self.fetching = True

    def fetch(self, limit: int, timeout: float) -> list[Fetched]:
        """Up to ``limit`` records; none after FETCH_WAIT or when the group has news."""
        if self._follow():
            return []
        records = self._available(limit)
        if not records:
            self.broker.scheduler.wait(self.wake, FETCH_WAIT)
            self._follow()
        return records

    def _available(self, limit: int) -> list[Fetched]:
        if self.broker.scheduler.now < self.broker.down_until:
            return []
        records: list[Fetched] = []
        for tp, position in self.positions.items():
            topic = self.broker.topics.get(tp.topic)
            if topic is None or tp.partition not in topic.logs or self._topic_ids.get(tp.topic) != topic.topic_id:
                continue
            log = topic.logs[tp.partition]
            end = log.end(self.broker.scheduler.now)
            # auto.offset.reset=earliest, for a position that is not in the log.
            begin = position if log.start <= position <= end else log.start
            stop = max(begin, min(end, begin + limit - len(records)))
            records += [Fetched(tp, offset) for offset in range(begin, stop) if offset not in log.markers]
            self.positions[tp] = stop
        return records

    # --- offsets -----------------------------------------------------------------------------------------------------

    def committed(self, partitions: t.Iterable[TopicPartition]) -> dict[TopicPartition, CommittedOffset]:
        self._travel()
        self.broker.check_up()
        if self.group.pending.intersection(wanted := set(partitions)):
            raise TemporaryError("UNSTABLE_OFFSET_COMMIT")
        known = self.group.offsets
        found = {tp: known[tp] for tp in sorted(wanted) if tp in known}
        self._travel()
        return found

    def earliest(self, partitions: t.Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = list(partitions)
        if not wanted:
            return {}
        self._travel()
        self.broker.check_up()
        return {tp: self.broker.log(tp).start for tp in wanted}

    def topic_ids(self, topics: t.Iterable[str]) -> dict[str, str]:
        return {name: self._topic_ids[name] for name in topics if name in self._topic_ids}

    def commit(self, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit and wait for the answer."""
        self._travel()
        self.broker.check_up()
        if any(self._topic_ids.get(tp.topic) != self.broker.topics[tp.topic].topic_id for tp in offsets):
            self._rejoin = True
            raise LostError("UNKNOWN_TOPIC_ID")
        self.group.commit(self.member_id, self._group_generation, offsets)
        self._travel()


__all__ = ["Fetched", "GroupMember", "LostError", "TemporaryError"]
