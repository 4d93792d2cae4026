"""What the consumer thread publishes about its group member, and the two judgements made from it."""

from __future__ import annotations

from dataclasses import dataclass

from bgconsumer.model import Committed, State, TopicPartition

STABLE, REBALANCING, UNJOINED = "stable", "rebalancing", "unjoined"


@dataclass(frozen=True)
class Desired:
    """Where the pod should be. A new object with a new ``serial`` is made at every decision.

    ``epoch`` is the epoch of the decision; for the target ACTIVE it is the epoch written beside every commit, and
    ``reign`` the one at which its colour became active.
    ``joined`` tells whether the pod is to be a member of its group once the target is reached. ``by_record``: decided
    from the active record, not by a command.
    """

    target: State
    epoch: int
    joined: bool
    serial: int
    reign: int = 0
    by_record: bool = False


@dataclass(frozen=True)
class PartitionView:
    """One assigned partition. Offsets are the next offset to process, `None` = not known or never."""

    tp: TopicPartition
    paused: bool
    position: int
    committed: Committed | None
    start_offset: int | None = None
    first_processed: int | None = None
    last_processed: int | None = None
    last_processed_at: float | None = None
    processed_total: int = 0


@dataclass(frozen=True)
class MemberView:
    """A consistent picture of the member, taken by the consumer thread between two of its steps."""

    member_state: str = UNJOINED
    member_id: str = ""
    generation: int = 0
    partitions: tuple[PartitionView, ...] = ()
    in_flight: int = 0
    queued: int = 0
    pending_commits: int = 0
    processed_total: int = 0
    failed_total: int = 0
    """Of these, the records that failed and were put aside."""
    last_rebalance_at: float | None = None
    last_poll: float | None = None
    last_error: str | None = None

    @property
    def succeeded_total(self) -> int:
        """Records that this process has completed since it started."""
        return self.processed_total - self.failed_total


def is_drained(state: State, view: MemberView) -> bool:
    """Nothing is being processed, nothing can start, and the broker holds every position."""
    return (
        state in (State.DRAINED, State.STANDBY)
        and view.member_state != REBALANCING
        and view.in_flight == view.queued == view.pending_commits == 0
        and all(
            part.paused and part.committed is not None and part.committed.offset == part.position
            for part in view.partitions
        )
    )


def is_active(state: State, lease_remaining: float, view: MemberView) -> bool:
    """Every assigned partition may be processed now, from an offset the broker has acknowledged."""
    return (
        state is State.ACTIVE
        and lease_remaining > 0
        and view.member_state == STABLE
        and all(not part.paused and part.committed is not None for part in view.partitions)
    )
