"""A contract with a consumer thread that is played."""

import pytest

from bgconsumer.commands import Command
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, Committed, ContractError, State
from bgconsumer.view import STABLE, UNJOINED, MemberView, PartitionView
from tests.consumers.fakes import FakeClock, tp


class Pod:
    """A contract with a consumer thread that always reaches what is wanted."""

    def __init__(self, colour="blue", hot=True, lease=10.0):
        self.clock = FakeClock()
        self.contract = Contract(colour, hot, lease, self.clock)
        self.parts = [(0, Committed(5, None)), (1, None)]

    def record(self, active, epoch, phase="stable", since=None):
        """A read of the record; since: its activated epoch."""
        record = ActiveRecord(active, epoch, phase, epoch if since is None else since)
        self.contract.observe_record(record, self.clock.now)

    def send(self, name, epoch, **fields):
        self.contract.submit(Command(name, epoch, **fields))

    def refused(self, name, epoch, **fields):
        before = self.contract.desired
        with pytest.raises(ContractError) as error:
            self.send(name, epoch, **fields)
        assert self.contract.desired is before, "a refused command changed something"
        return error.value.status, error.value.code

    def settle(self):
        want = self.contract.desired
        running = want.target is State.ACTIVE
        committed = running or want.target is State.DRAINED
        parts = tuple(
            PartitionView(tp(number), not running, 5, Committed(5, 1) if committed else value)
            for number, value in self.parts
        )
        view = MemberView(STABLE if want.joined else UNJOINED, partitions=parts if want.joined else ())
        self.contract.publish(view, want.serial, reached=True)
        return self.state

    @property
    def state(self):
        return self.contract.snapshot().state

    def may_process(self):
        return self.state is State.ACTIVE and self.contract.may_process(self.contract.desired.serial)


def active_pod(epoch=6):
    pod = Pod()
    pod.record("blue", epoch)
    assert pod.settle() is State.ACTIVE
    return pod


def standby_pod(epoch=6):
    pod = Pod("green")
    pod.record("blue", epoch)
    assert pod.settle() is State.STANDBY
    return pod
