"""Random schedules: pods of both colours, switches, aborts, rebalances, restarts and kills in any order.

Every record must be processed exactly once, in order. Only a pod that is killed in the middle of a batch may repeat
what it had not committed, in its own colour.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from bgconsumer import worker as worker_module
from bgconsumer.commands import Command
from bgconsumer.contract import Contract
from bgconsumer.model import NOTHING_HANDED, ActiveRecord, ContractError, Handoff, State, counts
from bgconsumer.worker import Worker
from tests.consumers.fakes import TEMPORARY, FakeClock, FakeLedger, FakeMember, GroupBroker, tp

PARTITIONS = 5


pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(worker_module, "BATCH_RECORDS", 3)


class KilledError(Exception):
    """The process ends here."""


class World:
    """Two colours, an operator, and a scheduler that lets anything happen next.

    crashes: restarts are kills between two steps. kills: they come in the middle of a batch, too.
    """

    def __init__(self, seed, crashes=False, kills=False):
        self.random = random.Random(seed)
        self.crashes = crashes
        self.kills = kills
        self.kafka = GroupBroker(PARTITIONS)
        self.rows = []
        self.forgiven = Counter()
        self.record = ActiveRecord("blue", 1, "stable", 1)
        self.snapshots = {}
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
        pod = (contract, member, Worker(contract, member, ledger))
        if self.kills:
            ledger.during = self.maybe_killed
        self.pods[colour].append(pod)

    def maybe_killed(self, _record):
        if self.random.random() < 0.002:
            raise KilledError

    def restart(self, colour):
        pod = self.random.choice(self.pods[colour])
        _, member, worker = pod
        self.pods[colour].remove(pod)
        if self.crashes:
            member.crash()
        else:
            worker.stop(within=60)
            while not worker.step():
                self.step_one()
        self.start(colour)

    def killed(self, colour, pod):
        """What it had processed and not committed may be processed once more."""
        offsets = self.kafka.group(colour).offsets
        for part in pod[2]._partitions:
            for row in self.rows:
                if row[0] == part and row[2] == colour and row[1] >= offsets[part].offset:
                    self.forgiven[row[:2]] += 1
        self.pods[colour].remove(pod)
        pod[1].crash()
        self.start(colour)

    def read(self, contract, colour):
        """The record as it is now; its snapshot now and then cannot be read."""
        contract._clock.now += 0.001
        record, handoff = self.record, NOTHING_HANDED
        if record.snapshot and record.active == colour:
            handoff = None if self.random.random() < 0.2 else self.snapshots[record.activated_epoch]
        contract.observe_record(record, contract._clock(), handoff)

    def step_one(self):
        everyone = [(colour, pod) for colour, pods in self.pods.items() for pod in pods]
        if everyone:
            colour, pod = self.random.choice(everyone)
            contract, member, worker = pod
            if self.random.random() < 0.3:
                self.read(contract, colour)
            if self.random.random() < 0.02:
                member.fail_commits = [TEMPORARY]
            if self.random.random() < 0.02:
                member.fail_topic_ids = [TEMPORARY]
            try:
                worker.step()
            except KilledError:
                self.killed(colour, pod)
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
        for contract, _, _ in list(self.pods[colour]):
            command = Command(name, epoch, **fields)
            try:
                contract.submit(command)
                done.append(contract.wait(command))
            except ContractError as error:
                # Not started yet; the next round finds it ready.
                if error.code != "starting":
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

    def start_of(self, part, committed, inherited):
        """What the operator hands over: the source's commit, or what it was handed itself and did not touch."""
        commit = committed.get(part)
        if part in inherited and (commit is None or not counts(commit, self.record.activated_epoch)):
            return inherited[part]
        return commit.offset if commit else 0

    def switch(self, source, target, abort, paused=True):
        """One run. abort: it is given up; paused: after it has paused the source."""
        before = self.record
        epoch = before.epoch
        self.record = replace(before, epoch=epoch + 1, phase="switching")
        offsets = None
        while paused and offsets is None:
            self.command(source, "pause", epoch + 1)
            self.happen(20)
            offsets = self.handoff(source)
        if not paused:
            self.happen(20)
        if abort:
            self.record = replace(before, epoch=epoch + 2)
            self.at_work(source, epoch + 2)
            return source
        inherited = self.snapshots.get(before.activated_epoch, NOTHING_HANDED).offsets
        committed = self.kafka.group(source).offsets
        handed = {tp(number): self.start_of(tp(number), committed, inherited) for number in range(PARTITIONS)}
        self.snapshots[epoch + 2] = Handoff(handed, dict(self.kafka.topic_ids))
        self.record = ActiveRecord(target, epoch + 2, "verifying", epoch + 2, f"snapshot-{epoch % 4}")
        self.at_work(target, epoch + 2)
        self.record = replace(self.record, phase=self.random.choice(["verifying", "stable"]))
        return target

    def at_work(self, colour, epoch, woken=None):
        """Let things happen until all pods work. woken: whether somebody wakes them; now and then nobody comes."""
        woken = self.random.random() < 0.7 if woken is None else woken
        for _ in range(400):
            if woken:
                self.command(colour, "resume", epoch)
            self.happen(20)
            if all(contract.snapshot().active for contract, _, _ in self.pods[colour]):
                return
        raise AssertionError(f"{colour} never came to work")

    def by_hand(self, colour):
        """Somebody pauses the colour at work and lets it go on, at the same epoch."""
        epoch = self.record.epoch
        while not self.command(colour, "pause", epoch):
            self.happen(20)
        self.happen(20)
        self.at_work(colour, epoch, woken=True)

    def run(self, switches):
        active, idle = "blue", "green"
        self.happen(100)
        for _ in range(switches):
            if self.random.random() < 0.3:
                self.by_hand(active)
            abort = self.random.random() < 0.4
            now = self.switch(active, idle, abort, paused=not abort or self.random.random() < 0.5)
            active, idle = (now, "green" if now == "blue" else "blue")
            self.happen(self.random.randint(0, 150))
        self.kills = False
        for _ in range(3000):
            if len({row[:2] for row in self.rows}) == sum(self.kafka.log.values()):
                return
            for colour, pods in self.pods.items():
                for pod in list(pods):
                    self.read(pod[0], colour)
                    try:
                        pod[2].step()
                    except KilledError:
                        self.killed(colour, pod)

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


@pytest.mark.parametrize("seed", range(40))
def test_kills_repeat_what_was_not_committed_and_nothing_else(seed):
    world = World(seed, crashes=True, kills=True)
    world.run(switches=4)
    counts = world.counts()
    assert set(counts) == all_offsets(world.kafka)
    assert {key: count - 1 for key, count in counts.items() if count - 1 > world.forgiven[key]} == {}
    colours = {key: {row[2] for row in world.rows if row[:2] == key} for key, count in counts.items() if count > 1}
    assert [key for key, seen in colours.items() if len(seen) > 1] == []


def test_the_schedules_above_did_kill_in_the_middle_of_batches():
    def forgiven(seed):
        world = World(seed, crashes=True, kills=True)
        world.run(switches=4)
        return sum(world.forgiven.values())

    assert sum(forgiven(seed) for seed in range(10)) > 0
