"""Random schedules: pods of both colours, switches, aborts, rebalances and restarts in any order.

Every record must be processed exactly once, in order. Crashes are left out on purpose: a crash may repeat its own
uncommitted batch, which is tested on its own below.
"""

import random
from collections import Counter

import pytest

from bgconsumer import worker as worker_module
from bgconsumer.commands import Command
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, ContractError, State
from bgconsumer.worker import Worker
from tests.consumers.fakes import TEMPORARY, FakeClock, FakeKafka, FakeLedger, FakeMember, tp

PARTITIONS = 5


pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(worker_module, "BATCH_RECORDS", 3)


class World:
    """Two colours, an operator, and a scheduler that lets anything happen next."""

    def __init__(self, seed, crashes=False):
        self.random = random.Random(seed)
        self.crashes = crashes
        self.kafka = FakeKafka(PARTITIONS)
        self.rows = []
        self.record = ActiveRecord("blue", 1, "stable")
        self.pods = {"blue": [], "green": []}
        self.started = 0
        for colour in self.pods:
            for _ in range(self.random.randint(1, 3)):
                self.start(colour)

    def start(self, colour):
        self.started += 1
        contract = Contract(colour, self.random.random() < 0.8, 1e9, FakeClock())
        member = FakeMember(self.kafka, colour, f"{colour}-{self.started}")
        ledger = FakeLedger(rows=self.rows, colour=colour)
        self.pods[colour].append((contract, member, Worker(contract, member, ledger)))

    def restart(self, colour):
        _, member, worker = self.pods[colour].pop(self.random.randrange(len(self.pods[colour])))
        if self.crashes:
            member.crash()
        else:
            worker.stop(within=60)
            while not worker.step():
                self.step_one()
        self.start(colour)

    def step_one(self):
        everyone = [pod for pods in self.pods.values() for pod in pods]
        if everyone:
            contract, member, worker = self.random.choice(everyone)
            if self.random.random() < 0.3:
                contract.observe_record(self.record, contract._clock())
            if self.random.random() < 0.02:
                member.fail_commits = [TEMPORARY]
            worker.step()
        if self.random.random() < 0.5:
            self.kafka.produce(self.random.randrange(PARTITIONS))

    def happen(self, times):
        for _ in range(times):
            self.step_one()
            chance = self.random.random()
            if chance < 0.01:
                self.kafka.group(self.random.choice(["blue", "green"])).rebalance()
            elif chance < 0.015:
                self.restart(self.random.choice(["blue", "green"]))

    def command(self, colour, name, epoch, **fields):
        """Send to every pod; `True` when all of them are there."""
        done = []
        for contract, _, _ in self.pods[colour]:
            command = Command(name, epoch, **fields)
            try:
                contract.submit(command)
                done.append(contract.wait(command))
            except ContractError as error:
                # Not started yet, or caught by the record first; the next round finds it ready.
                if error.code not in ("starting", "conflict"):
                    raise
                done.append(False)
        return all(done)

    def handoff(self, colour):
        views = [contract.snapshot() for contract, _, _ in self.pods[colour]]
        parts = [part for view in views for part in view.view.partitions]
        if not all(view.drained and view.state is State.DRAINED for view in views):
            return None
        offsets = {part.tp: part.position for part in parts}
        complete = len(parts) == PARTITIONS and len(offsets) == PARTITIONS
        return offsets if complete else None

    def switch(self, source, target, abort):
        epoch = self.record.epoch
        self.record = ActiveRecord(source, epoch + 1, "switching")
        offsets = None
        while offsets is None:
            self.command(source, "pause", epoch + 1)
            self.happen(20)
            offsets = self.handoff(source)
        if abort:
            self.record = ActiveRecord(source, epoch + 2, "stable")
            self.resume(source, epoch + 2)
            return source
        self.record = ActiveRecord(target, epoch + 2, "switching")
        for _ in range(200):
            if self.command(target, "activate", epoch + 2, offsets=offsets):
                break
            self.happen(20)
        else:
            raise AssertionError("target never became active")
        self.record = ActiveRecord(target, epoch + 2, self.random.choice(["verifying", "stable"]))
        return target

    def resume(self, colour, epoch):
        for _ in range(200):
            if self.command(colour, "resume", epoch):
                return
            self.happen(20)
        raise AssertionError("source was not resumed")

    def run(self, switches):
        active, idle = "blue", "green"
        self.happen(100)
        for _ in range(switches):
            now = self.switch(active, idle, abort=self.random.random() < 0.3)
            active, idle = (now, "green" if now == "blue" else "blue")
            self.happen(self.random.randint(0, 150))
        for _ in range(3000):
            if len({row[:2] for row in self.rows}) == sum(self.kafka.log.values()):
                return
            for contract, _, worker in self.pods["blue"] + self.pods["green"]:
                contract.observe_record(self.record, contract._clock())
                worker.step()

    def counts(self):
        return Counter((part, offset) for part, offset, _, _ in self.rows)


def all_offsets(kafka):
    return {(tp(number), offset) for number in range(PARTITIONS) for offset in range(kafka.log.get(tp(number), 0))}


@pytest.mark.parametrize("seed", range(60))
def test_exactly_once_and_in_order(seed):
    world = World(seed)
    world.run(switches=4)
    counts = world.counts()
    assert set(counts) == all_offsets(world.kafka)
    assert [key for key, count in counts.items() if count > 1] == []
    for number in range(PARTITIONS):
        offsets = [offset for part, offset, _, _ in world.rows if part == tp(number)]
        assert offsets == sorted(offsets)


@pytest.mark.parametrize("seed", range(20))
def test_crashes_between_steps_lose_and_repeat_nothing(seed):
    # Between two steps nothing is processed and uncommitted, so even a crash is exact there.
    world = World(seed, crashes=True)
    world.run(switches=3)
    assert set(world.counts()) == all_offsets(world.kafka)
    assert max(world.counts().values()) == 1
