"""A pod whose consumer thread is stepped by hand, on a Kafka in memory."""

from bgconsumer.commands import Command
from bgconsumer.contract import Contract
from bgconsumer.model import NOTHING_HANDED, ActiveRecord, Handoff
from bgconsumer.worker import Worker
from tests.consumers.fakes import TOPIC, FakeClock, FakeLedger, FakeMember, tp


class Pod:
    def __init__(self, kafka, colour="blue", name="blue-1", hot=True):
        self.clock = FakeClock()
        self.contract = Contract(colour, hot, 10.0, self.clock)
        self.member = FakeMember(kafka, colour, name)
        self.ledger = FakeLedger(colour=colour)
        self.worker = Worker(self.contract, self.member, self.ledger)

    def record(self, active, epoch, phase="stable", since=None, handed=NOTHING_HANDED):
        """A read of the record; since: its activated epoch; handed: what its snapshot holds, None = not readable."""
        record = ActiveRecord(active, epoch, phase, epoch if since is None else since)
        self.contract.observe_record(record, self.clock.now, handed)

    def send(self, name, epoch, **fields):
        self.contract.submit(Command(name, epoch, **fields))

    def steps(self, count=6):
        for _ in range(count):
            self.worker.step()
        return self.now

    @property
    def now(self):
        return self.contract.snapshot()

    def offsets(self, partition):
        return [offset for part, offset, _, _ in self.ledger.rows if part == tp(partition)]

    def part(self, partition):
        return next(part for part in self.now.view.partitions if part.tp == tp(partition))


def committed(kafka, colour="blue"):
    return kafka.group(colour).offsets


def handing(*offsets, topic_id="first-id"):
    """A snapshot that holds an offset for partitions 0, 1, ..."""
    return Handoff({tp(number): offset for number, offset in enumerate(offsets)}, {TOPIC: topic_id})
