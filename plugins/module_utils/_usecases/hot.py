# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Hot hand-over: both colours have joined their groups; offsets travel to the target's pods by HTTP.

The target's group has members, so the broker takes no commits from outside: its own pods commit the hand-off before
they process the first record.
"""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    NotDrainedError,
    NotReadyError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.handoff import (
    Handoff,
    commit_epoch,
    not_drained,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    Pod,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.snapshot import Snapshot, same_logs
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.abort import resume
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import (
    ask,
    partitions_of,
    topic_names,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import RunContext

POLL = 0.02
"""Seconds between two looks in the critical section: every one of them is a gap in processing."""
ENDED = ("Succeeded", "Failed")
"""Phases of pods that will never run again."""


def quiesce(ctx: RunContext, pods: t.Sequence[Pod]) -> Handoff:
    """Pause every pod of the source and prove it quiet; answers where the target begins.

    pods: the source's pods as listed before the record was armed. Raises NotDrainedError with every reason.
    """
    clock = ctx.ports.clock
    deadline = clock.monotonic() + ctx.app.timeouts.pause
    statuses: dict[str, PodStatus] = {}
    while True:
        ctx.lock.hold()
        reasons, answered = _pause(ctx, [pod for pod in pods if _may_run(pod) and not _is_drained(statuses, pod)])
        statuses = {**statuses, **answered}
        facts = ctx.ports.parallel.run(
            {
                "pods": lambda: ctx.pods(ctx.source),
                "group": lambda: ctx.ports.kafka.groups([ctx.group(ctx.source)])[ctx.group(ctx.source)],
                "offsets": lambda: _offsets(ctx),
            }
        )
        listed: list[Pod] = facts["pods"]
        topics, committed, ranges = facts["offsets"]
        partitions = partitions_of(topics)
        present = {pod.name: statuses[pod.name] for pod in listed if pod.name in statuses}
        expected = [pod for pod in listed if _may_run(pod) and (pod.name in present or not pod.problem)]
        reasons += not_drained(expected, present, facts["group"], committed, partitions)
        if not reasons and {pod.uid for pod in listed} == {pod.uid for pod in pods}:
            _same_topics(ctx.topics, topics)
            return ctx.hand_off_of(ctx.source, committed, partitions, ranges)
        # What was not proven is asked again: pods that changed, and all of them after a rebalance.
        pods, statuses = listed, {} if reasons else statuses
        if clock.monotonic() >= deadline:
            raise NotDrainedError(
                f"{ctx.source} could not be proven quiet within {ctx.app.timeouts.pause:.0f} s: "
                + "; ".join(reasons[:6]),
                {"reasons": reasons},
            )
        clock.sleep(POLL)


def _may_run(pod: Pod) -> bool:
    """False for pods that ended for good.

    Every other one is told, also where Kubernetes says it is Pending or cannot run: that may be old (a kubelet reports
    up to seconds late) or true of another container. With a problem it may be silent, without one it has to answer.
    """
    return pod.phase not in ENDED


def _is_drained(statuses: t.Mapping[str, PodStatus], pod: Pod) -> bool:
    return pod.name in statuses and statuses[pod.name].drained


def _pause(ctx: RunContext, pods: t.Sequence[Pod]) -> tuple[list[str], dict[str, PodStatus]]:
    """Pause these pods. A refused epoch is final: somebody else commands them."""
    wait = min(2.0, ctx.app.timeouts.request)
    body = {"epoch": ctx.stored.record.epoch, "mode": "drain", "waitMs": int(wait * 1000)}
    statuses, silent, codes = ctx.call(pods, "pause", body, wait + ctx.app.timeouts.request)
    refused = [why for name, why in silent.items() if codes[name] == 409]
    if refused:
        raise NotDrainedError(f"{ctx.source} refuses to pause: {'; '.join(refused)}")
    excused = {pod.name for pod in pods if pod.problem}
    return [why for name, why in silent.items() if name not in excused], statuses


def _offsets(
    ctx: RunContext,
) -> tuple[dict[str, Topic], dict[TopicPartition, CommittedOffset], dict[TopicPartition, LogRange]]:
    """The topics as they are now, and over all their partitions the commits of the source and the ranges of the log."""
    topics = ctx.ports.kafka.topics(list(ctx.topics))
    partitions = partitions_of(topics)
    return topics, ctx.ports.kafka.committed(ctx.group(ctx.source), partitions), ctx.ports.kafka.log_ranges(partitions)


def _same_topics(before: t.Mapping[str, Topic], now: t.Mapping[str, Topic]) -> None:
    """Raises OffsetsError when a topic is gone or was created again: its old offsets mean nothing there."""
    for name, topic in before.items():
        if name not in now:
            raise OffsetsError(f"Topic {name} disappeared during the hand-over")
        if now[name].topic_id != topic.topic_id:
            raise OffsetsError(
                f"Topic {name} was deleted and created again during the hand-over (id {topic.topic_id} is now {now[name].topic_id})"
            )


def activate(
    ctx: RunContext, colour: str, pods: t.Sequence[Pod], handoff: t.Mapping[TopicPartition, CommittedOffset]
) -> None:
    """Tell every pod of ``colour`` where to begin, until two equal lists of pods are all ACTIVE.

    Raises NotReadyError; the record is flipped by then, so a repeated run goes on from here.
    """
    clock = ctx.ports.clock
    deadline = clock.monotonic() + ctx.app.timeouts.activate
    offsets: dict[str, dict[str, int]] = {}
    for tp, committed in handoff.items():
        offsets.setdefault(tp.topic, {})[str(tp.partition)] = committed.offset
    body = {"epoch": ctx.stored.record.epoch, "offsets": offsets, "waitMs": 1000}
    while True:
        ctx.lock.hold()
        told = [pod for pod in pods if _may_run(pod)]
        # If one of these comes up later, `confirm` or the verification find it.
        excused = {pod.name for pod in told if pod.problem or pod.phase == "Pending"}
        statuses, silent, codes = ctx.call(told, "activate", body, 1.0 + ctx.app.timeouts.request)
        refused = [pod for pod in told if codes.get(pod.name) == 409]
        if refused:
            statuses.update(_at_work(ctx, colour, refused, silent))
        listed = ctx.pods(colour)
        idle = [
            *(why for name, why in silent.items() if name not in excused),
            *(f"pod {name} is {status.state}" for name, status in statuses.items() if status.state != "ACTIVE"),
        ]
        if statuses and not idle and {pod.uid for pod in listed} == {pod.uid for pod in pods}:
            return
        pods = listed
        if clock.monotonic() >= deadline:
            raise NotReadyError(
                f"{colour} was made active (epoch {ctx.stored.record.epoch}) and not all of its pods took over within "
                f"{ctx.app.timeouts.activate:.0f} s: {'; '.join(idle[:5]) or 'its pods keep changing'}. "
                "Run the switch again to finish it, or the rollback to go back"
            )
        clock.sleep(POLL)


def _at_work(ctx: RunContext, colour: str, refused: t.Sequence[Pod], silent: dict[str, str]) -> dict[str, PodStatus]:
    """Pods that refuse to be told once more because they are at work in this epoch already, e.g. from an older list of
    partitions. Raises NotReadyError for any other refusal: somebody else commands them.
    """
    statuses, _silent = ask(ctx.ports, ctx.app, refused)
    epoch = ctx.stored.record.epoch
    working = {n: s for n, s in statuses.items() if s.state == "ACTIVE" and s.activated_epoch == epoch == s.epoch}
    left = [silent[pod.name] for pod in refused if pod.name not in working]
    if left:
        raise NotReadyError(f"{colour} refuses to take over: {'; '.join(left)}")
    for name in working:
        del silent[name]
    return working


def confirm(ctx: RunContext, colour: str, handoff: t.Mapping[TopicPartition, CommittedOffset]) -> None:
    """Until the broker holds, for every partition, a commit made in this epoch at or after the hand-off.

    From then on a pod that starts anew finds its place by the commits alone. One that started anew before stands by
    and is told again.
    """
    clock, epoch = ctx.ports.clock, ctx.stored.record.activated_epoch
    deadline = clock.monotonic() + ctx.app.timeouts.activate
    while True:
        ctx.lock.hold()
        committed = ctx.ports.kafka.committed(ctx.group(colour), list(handoff))
        behind = [str(tp) for tp, wanted in sorted(handoff.items()) if not _took_over(committed.get(tp), wanted, epoch)]
        if not behind:
            return
        if clock.monotonic() >= deadline:
            raise NotReadyError(
                f"Group {ctx.group(colour)} has no commit of epoch {epoch} for {len(behind)} partitions ({', '.join(behind[:5])}); "
                "run the switch again to finish it, or the rollback to go back"
            )
        clock.sleep(POLL)
        activate(ctx, colour, ctx.pods(colour), handoff)


def _took_over(committed: CommittedOffset | None, wanted: CommittedOffset, epoch: int) -> bool:
    return committed is not None and committed.offset >= wanted.offset and (commit_epoch(committed) or 0) >= epoch


def took_over(ctx: RunContext, colour: str) -> bool:
    """True when the colour has committed, since it became active, every partition that it was handed then."""
    ctx.topics = ctx.ports.kafka.topics(topic_names(ctx.ports, ctx.app, colour))
    handed, epoch = ctx.inherited_by(colour), ctx.stored.record.activated_epoch
    committed = ctx.ports.kafka.committed(ctx.group(colour), list(handed)) if handed else {}
    return all(_took_over(committed.get(tp), wanted, epoch) for tp, wanted in handed.items())


def activate_again(ctx: RunContext, colour: str) -> None:
    """Repeat the activation of a confirmed hot hand-over; pods at work answer that they are.

    A step-by-step run has no snapshot: it copied the offsets to the group, so idle pods simply go on from its commits.
    """
    snapshot = ctx.state.snapshot(ctx.stored.record.activated_epoch)
    if snapshot is None:
        resume(ctx, colour, demanded=True)
    elif snapshot.target == colour and snapshot.mode == "hot":
        activate(ctx, colour, ctx.pods(colour), _hand_off_now(ctx, snapshot))


def _hand_off_now(ctx: RunContext, snapshot: Snapshot) -> dict[TopicPartition, CommittedOffset]:
    """The snapshot's offsets for the partitions there are now; what came after it begins at the start of its log."""
    topics = ctx.ports.kafka.topics(topic_names(ctx.ports, ctx.app, ctx.stored.record.active))
    known = same_logs(snapshot, topics)
    later = [tp for tp in partitions_of(topics) if tp not in known]
    starts = ctx.ports.kafka.log_ranges(later) if later else {}
    return {**known, **{tp: CommittedOffset(log.start) for tp, log in starts.items()}}


def finish_activation(ctx: RunContext, colour: str) -> None:
    """Complete a run that flipped the record and died: activate from its snapshot, confirm, mark as verifying."""
    snapshot = ctx.state.snapshot(ctx.stored.record.activated_epoch)
    if snapshot is None or snapshot.target != colour:
        raise OffsetsError(
            f"{colour} was made active at epoch {ctx.stored.record.activated_epoch} and the snapshot of that hand-over is missing, "
            "so nobody knows where it has to begin"
        )
    offsets = _hand_off_now(ctx, snapshot)
    activate(ctx, colour, ctx.pods(colour), offsets)
    confirm(ctx, colour, offsets)
    ctx.lock.hold()
    ctx.stored = ctx.state.swap_record(ctx.stored, ctx.stored.record.confirm())
