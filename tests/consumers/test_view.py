"""The two judgements a pod makes about itself."""

from dataclasses import replace

import pytest

from bgconsumer.model import Committed, State
from bgconsumer.view import REBALANCING, STABLE, UNJOINED, MemberView, PartitionView, is_active, is_drained
from tests.consumers.fakes import tp

PAUSED = PartitionView(tp(0), paused=True, position=5, committed=Committed(5, 6))
QUIET = MemberView(STABLE, partitions=(PAUSED, replace(PAUSED, tp=tp(1))))
WORKING = MemberView(STABLE, partitions=(replace(PAUSED, paused=False),))


@pytest.mark.parametrize("state", [State.DRAINED, State.STANDBY])
@pytest.mark.parametrize("view", [QUIET, MemberView(UNJOINED), MemberView(STABLE)])
def test_drained(state, view):
    assert is_drained(state, view)


@pytest.mark.parametrize(
    "view",
    [
        replace(QUIET, member_state=REBALANCING),
        replace(QUIET, in_flight=1),
        replace(QUIET, queued=1),
        replace(QUIET, pending_commits=1),
        replace(QUIET, partitions=(PAUSED, replace(PAUSED, paused=False))),
        replace(QUIET, partitions=(PAUSED, replace(PAUSED, position=6))),
        replace(QUIET, partitions=(PAUSED, replace(PAUSED, position=4))),
        replace(QUIET, partitions=(PAUSED, replace(PAUSED, committed=None))),
    ],
)
def test_not_drained(view):
    assert not is_drained(State.DRAINED, view)


@pytest.mark.parametrize("state", [State.STARTING, State.ACTIVATING, State.ACTIVE, State.PAUSING])
def test_not_drained_in_other_states(state):
    assert not is_drained(state, QUIET)


def test_active():
    assert is_active(State.ACTIVE, 0.1, WORKING)
    assert is_active(State.ACTIVE, 0.1, MemberView(STABLE))


@pytest.mark.parametrize(
    ("state", "lease", "view"),
    [
        (State.ACTIVATING, 1.0, WORKING),
        (State.ACTIVE, 0.0, WORKING),
        (State.ACTIVE, 1.0, replace(WORKING, member_state=REBALANCING)),
        (State.ACTIVE, 1.0, replace(WORKING, member_state=UNJOINED)),
        (State.ACTIVE, 1.0, QUIET),
        (State.ACTIVE, 1.0, MemberView(STABLE, partitions=(replace(PAUSED, paused=False, committed=None),))),
    ],
)
def test_not_active(state, lease, view):
    assert not is_active(state, lease, view)
