"""The design's invariants as functions: each answers what is broken, in words, and an empty list when nothing is."""

from __future__ import annotations

import itertools
import typing as t
from collections import defaultdict

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    other_colour,
    record_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from tests.simulation.world.ledger import Entry

if t.TYPE_CHECKING:
    from tests.simulation.world.world import World, Write


def one_active(world: World) -> list[str]:
    """1: no record is processed twice, except what a dead process had in flight."""
    broken = []
    for (topic_id, tp), entries in _by_log(world).items():
        seen: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            seen[entry.offset].append(entry)
        for offset, processed in seen.items():
            forgiven = sum((e.process, topic_id, tp, offset) in world.ledger.in_flight for e in processed)
            if len(processed) - forgiven > 1:
                who = ", ".join(f"{e.process} at {e.when:.3f} (epoch {e.epoch})" for e in processed)
                broken.append(f"{tp} offset {offset} was processed {len(processed)} times: {who}")
    return broken


def nothing_skipped(world: World) -> list[str]:
    """2: every offset of every log is processed. Call it when the logs are drained."""
    broken = []
    logs = _by_log(world)
    for tp in world.partitions():
        topic_id = world.broker.topics[tp.topic].topic_id
        done = {entry.offset for entry in logs.get((topic_id, tp), [])}
        log = world.broker.log(tp)
        nobody_can = log.trimmed.union(log.markers)
        offsets = range(log.first, log.end(world.scheduler.now))
        lost = [offset for offset in offsets if offset not in done and offset not in nobody_can]
        if lost:
            broken.append(f"{tp}: {len(lost)} offsets were not processed, the first is {lost[0]}")
    return broken


def order_kept(world: World) -> list[str]:
    """1: within a partition offsets only grow, except that what a dead process had in flight is done again."""
    broken = []
    for (topic_id, tp), entries in _by_log(world).items():
        highest = -1
        for entry in entries:
            if (entry.process, topic_id, tp, entry.offset) in world.ledger.in_flight:
                continue
            if entry.offset < highest:
                broken.append(f"{tp}: {entry.process} processed {entry.offset} after {highest}")
            highest = max(highest, entry.offset)
    return broken


def settled(world: World, colour: str) -> list[str]:
    """6: the end of every run: the wanted colour is active, the run closed, the lock free."""
    record, broken = world.record, []
    if record.active != colour or record.phase != "stable":
        broken.append(f"the record says {record.active} {record.phase}, expected {colour} stable")
    if world.journal.unfinished is not None:
        broken.append(f"the journal has the unfinished run {world.journal.unfinished.run_id}")
    if world.lock_holder:
        broken.append(f"the lock is held by {world.lock_holder}")
    return broken


def at_work(world: World, colour: str) -> list[str]:
    """Every partition is owned by a pod of the active colour that processes; no pod of the other one does."""
    group = world.broker.group(world.group(colour))
    owned = {tp for member in group.members.values() for tp in member.assignment}
    broken = [f"{tp} has no owner in {colour}" for tp in world.partitions() if tp not in owned]
    if not world.contract:
        return broken
    for container in world.cluster.containers():
        status = t.cast("dict[str, t.Any]", container.handle("status", None)[1])  # type: ignore[index]
        if container.colour == colour and status["state"] != "ACTIVE":
            broken.append(f"{container.name} is {status['state']}, expected ACTIVE")
        if container.colour != colour and status["processing"]:
            broken.append(f"{container.name} of {other_colour(colour)} processes")
    return broken


def replicas_kept(world: World, colour: str) -> list[str]:
    """6: the active colour has its pods. Where nothing was handed over every replica is as it was before; where
    it was, a hot standby keeps its pods and a cold source has none."""
    before, seen = world.before, {name: world.replicas(name) for name in COLOURS}
    if world.record.activated_epoch == before.activated_epoch:
        return [] if seen == before.replicas else [f"replicas are {seen}, they were {before.replicas}"]
    if seen[colour] != before.replicas[before.active]:
        return [f"{colour} has {seen[colour]} replicas, expected {before.replicas[before.active]}"]
    return []


def written_by_the_holder(world: World) -> list[str]:
    """4: whoever changed the record held the lock. (The compare-and-swap itself is the API server's.)"""
    return [
        f"{write.call.operator} changed the record while the lock was held by {write.lock_holder or 'nobody'}"
        for write in world.writes
        if write.call.name == "replace_config_map"
        and write.call.arguments[0] == record_name(world.app.name)
        and write.lock_holder != write.call.operator
    ]


def journalled(world: World) -> list[str]:
    """5: whatever a run changed, the journal already said that a run was under way; a reign that is proven is only closed."""
    own = (lock_name(world.app.name), journal_name(world.app.name))
    return [
        f"{write.call.operator} called {write.call.name} {write.call.arguments[:1]} and the journal knew of no run"
        for write in world.writes
        if not write.journalled and write.call.arguments[0] not in own and not _settles(write)
    ]


def _settles(write: Write) -> bool:
    """Whether the write changes a verifying record to a stable one of the same colour."""
    data = write.call.arguments[1] if write.call.name == "replace_config_map" else {}
    return (write.phase, data.get("phase"), data.get("active")) == ("verifying", "stable", write.active)


def read_back(world: World) -> list[str]:
    """3: what was written to a group from outside was read back before anything else was done with Kafka."""
    broken = []
    for operator in world.operators:
        asked = [call for call in operator.calls if call.service == "kafka"]
        for call, following in itertools.pairwise(asked):
            if call.name != "commit" or operator.faults:
                continue
            if following.name != "committed" or following.arguments[:1] != call.arguments[:1]:
                broken.append(f"{operator.run_id} wrote to {call.arguments[0]} and then called {following.name}")
    return broken


def never_scaled_down(world: World) -> list[str]:
    """No run takes pods away from a colour at work: only a source in its hand-over is stopped."""
    return [
        f"{write.call.operator} scaled {write.call.arguments[0]} from {write.replicas} to {write.call.arguments[1]} at {write.when:.3f}, "
        f"while it was at work ({write.phase})"
        for write in world.writes
        if write.call.name == "scale"
        and write.phase in ("stable", "verifying")
        and write.call.arguments[0] == world.app.colours[write.active].workload
        and write.call.arguments[1] < write.replicas
    ]


def strangers_undisturbed(world: World) -> list[str]:
    """Nobody who is not a pod of the application is thrown out of a group, and only the two groups are written to."""
    own = {colour.group for colour in world.app.colours.values()}
    broken = [
        f"{member.member_id} ({member.client.host}) was thrown out of {group.group_id} and is none of ours"
        for group in world.broker.groups.values()
        for member in group.evicted
        if any(stranger.member is member.client for stranger in world.strangers)
    ]
    return broken + [
        f"{write.call.operator} called {write.call.name} for group {write.call.arguments[0]}"
        for write in world.writes
        if write.call.service == "kafka" and write.call.arguments[0] not in own
    ]


def nobody_waited(world: World, bound: float) -> list[str]:
    """While records wait, some colour works on: no partition stands still for longer than ``bound`` seconds, beside the
    times for which the world has an excuse. Call it when the logs are drained."""
    broken = []
    for (topic_id, tp), entries in _by_log(world).items():
        topic = world.broker.topics[tp.topic]
        if topic.topic_id != topic_id:
            continue
        log, last = topic.logs[tp.partition], 0.0
        for entry in entries:
            since = max(last, log.written_at(entry.offset))
            last = max(last, entry.when)
            if entry.when - since > bound:
                waited = entry.when - since - _excused(world, since, entry.when)
                if waited > bound:
                    broken.append(f"{tp} offset {entry.offset} waited {waited:.1f} s, until {entry.when:.3f}")
    return broken


def _excused(world: World, start: float, end: float) -> float:
    """Seconds of the interval for which there is an excuse."""
    covered, reached = 0.0, start
    for begin, until, _why in sorted(world.excused):
        first, last = max(begin, reached), min(until, end)
        if last > first:
            covered, reached = covered + last - first, last
    return covered


def exactly_once(world: World) -> list[str]:
    """The audit of the ledger, once the logs are drained."""
    return [*one_active(world), *nothing_skipped(world), *order_kept(world)]


def well_led(world: World) -> list[str]:
    """How the operators worked: lock, journal, read-back."""
    return [*written_by_the_holder(world), *journalled(world), *read_back(world)]


def _by_log(world: World) -> dict[tuple[str, TopicPartition], list[Entry]]:
    logs: dict[tuple[str, TopicPartition], list[Entry]] = defaultdict(list)
    for entry in world.ledger.entries:
        logs[(entry.topic_id, entry.tp)].append(entry)
    return logs
