"""Who else lives in the cluster: members of groups that are none of the application's pods, and whoever scales workloads."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Scaler
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from tests.simulation.world.member import Fetched, GroupMember, TemporaryError
from tests.simulation.world.pods import BATCH, Container, PlainPod

if t.TYPE_CHECKING:
    from tests.simulation.world.world import World

SLOW_HEARTBEAT, FAST_HEARTBEAT = 14.0, 3.0
KEDA_POLL = 4.0
HPA_PERIOD = 2.0
GITOPS_PERIOD = 3.0


class Stranger(PlainPod):
    """A consumer in a colour's group that is none of its pods: a canary, a virtual machine, another team.

    Where the colour is at work, what it processes is part of the work, and stands in the ledger; in the group of a colour
    that stands by it reads for a purpose of its own (counts False). heartbeat: longest seconds until it hears of an eviction.
    idle: it holds what it is given, and neither processes nor commits.
    """

    def __init__(
        self, world: World, colour: str, heartbeat: float = FAST_HEARTBEAT, static: bool = False, idle: bool = False
    ) -> None:
        super().__init__(world, colour, f"stranger-{len(world.strangers)}")
        self.member.host = f"192.168.7.{len(world.strangers) + 1}"
        self.member.client_id = "rdkafka"
        self.member.news = heartbeat
        self.member.instance_id = "another-teams-worker" if static else None
        self.counts = world.record.active == colour
        self.idle = idle
        world.strangers.append(self)

    def work(self, record: Fetched, epoch: int) -> None:
        if self.counts:
            super().work(record, epoch)

    def _batch(self) -> None:
        if self.idle:
            self.member.poll(5.0)
        else:
            super()._batch()


class AssignPod(PlainPod):
    """An application that takes its partitions by assign(): its group has commits and never a member. For one pod."""

    joins = False

    def _consume(self) -> None:
        self.ready = True
        self.world.cluster.container_ready(self)
        positions: dict[TopicPartition, int] | None = None
        while not self.stopping:
            try:
                if positions is None:
                    positions = self._begin()
                self._work(positions)
            except TemporaryError:
                self.scheduler.sleep(0.1)
                positions = None
        self.exited()

    def _begin(self) -> dict[TopicPartition, int]:
        partitions = self.world.partitions()
        committed = self.member.committed(partitions)
        earliest = self.member.earliest(partitions)
        return {tp: committed[tp].offset if tp in committed else earliest[tp] for tp in partitions}

    def _work(self, positions: dict[TopicPartition, int]) -> None:
        done: dict[TopicPartition, CommittedOffset] = {}
        for tp, position in positions.items():
            log = self.world.broker.log(tp)
            for offset in range(max(position, log.start), min(position + BATCH, log.end(self.scheduler.now))):
                if self.stopping:
                    break
                if offset not in log.markers:
                    self.work(Fetched(tp, offset), 0)
                positions[tp] = offset + 1
                done[tp] = CommittedOffset(offset + 1)
        self.world.broker.check_up()
        if done:
            self.scheduler.sleep(self.world.latency())
            self.member.group.commit_from_outside(done)
        else:
            self.scheduler.wait(self.wake, 0.1)


class SideMember:
    """A second consumer in a pod, with a group of its own: what it reads is not the application's to move."""

    def __init__(self, world: World, container: Container, group_id: str) -> None:
        self.member = GroupMember(world.broker, group_id, world.topic_names, container, container.wake)
        self.member.host = container.member.host
        self.member.client_id = "retry"
        container.spawn(self.member.join, f"{container.name} {group_id}")


def side_group(world: World, colour: str) -> str:
    """Every pod of a colour has a second consumer in the group of this name."""
    group_id = f"{world.group(colour)}-retry"
    for container in world.cluster.containers(colour):
        SideMember(world, container, group_id)
    world.pass_time(0.6)
    return group_id


def let_in(
    world: World, colour: str, heartbeat: float = FAST_HEARTBEAT, static: bool = False, idle: bool = False
) -> Stranger:
    """A stranger joins a colour's group and begins."""
    stranger = Stranger(world, colour, heartbeat, static, idle)
    stranger.boot()
    return stranger


def send_away(world: World) -> None:
    """Every stranger stops."""
    for stranger in world.strangers:
        if stranger.alive:
            stranger.terminate()


class Autoscaler:
    """Something that looks at a workload every ``period`` seconds and may scale it. on False: it does nothing any more."""

    period = 1.0
    kind = ""

    def __init__(self, world: World, colour: str, least: int = 1, paused: bool = False) -> None:
        self.world = world
        self.colour = colour
        self.workload = world.app.colours[colour].workload
        self.least = least
        self.on = not paused
        self.seen: Scaler | None = None
        if self.kind:
            self.seen = Scaler(self.kind, f"{self.workload}-{self.kind.lower()}", self.workload, least, paused)
            world.cluster.scalers.append(self.seen)
        self._again()

    def stop(self) -> None:
        """Somebody removes it."""
        self.on = False
        if self.seen in self.world.cluster.scalers:
            self.world.cluster.scalers.remove(self.seen)

    def _again(self) -> None:
        def tick() -> None:
            if not self.on:
                return
            if not self.world.cluster.away:
                self.look()
            self._again()

        self.world.scheduler.after(self.period, tick)

    def look(self) -> None:
        """Scale, or leave it."""
        raise NotImplementedError

    def scale(self, replicas: int) -> None:
        if self.world.cluster.workloads[self.workload].replicas != replicas:
            self.world.cluster.scale(self.workload, replicas)


class Hpa(Autoscaler):
    """Keeps a workload at its least number or above; one with 0 replicas is left alone."""

    period = HPA_PERIOD
    kind = "HorizontalPodAutoscaler"

    def look(self) -> None:
        present = self.world.cluster.workloads[self.workload].replicas
        if 0 < present < self.least:
            self.scale(self.least)


class Keda(Autoscaler):
    """Wakes a workload when its group lags, also from 0."""

    period = KEDA_POLL
    kind = "ScaledObject"
    enough = 10

    def look(self) -> None:
        offsets = self.world.broker.group(self.world.group(self.colour)).offsets
        lag = sum(
            self.world.broker.log(tp).end(self.world.scheduler.now) - offsets[tp].offset
            for tp in self.world.partitions()
            if tp in offsets
        )
        present = self.world.cluster.workloads[self.workload].replicas
        if lag > self.enough:
            self.scale(max(present, self.least))


class GitOps(Autoscaler):
    """Applies both Deployments again and again with the replicas that stand in a repository."""

    period = GITOPS_PERIOD

    def __init__(self, world: World, wanted: t.Mapping[str, int], period: float = GITOPS_PERIOD) -> None:
        self.wanted = dict(wanted)
        self.period = period
        super().__init__(world, "blue")
        for colour in self.wanted:
            world.cluster.workloads[world.app.colours[colour].workload].scaled_by = ("argocd-controller",)

    def stop(self) -> None:
        super().stop()
        for workload in self.world.cluster.workloads.values():
            workload.scaled_by = ()

    def look(self) -> None:
        for colour, replicas in self.wanted.items():
            workload = self.world.cluster.workloads[self.world.app.colours[colour].workload]
            if workload.replicas != replicas:
                self.world.cluster.scale(workload.name, replicas)
