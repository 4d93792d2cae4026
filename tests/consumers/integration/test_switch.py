"""The real client on a real broker: nothing lost, nothing repeated, whatever happens to the pods."""

from __future__ import annotations

import json
import random
import subprocess
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.consumers.integration.harness import flip, in_parallel, pause, switch, wake
from tests.unit.waiting import HANG, gone, until

pytestmark = pytest.mark.bed
RATE = "300"


@pytest.fixture
def traffic(app):
    producer = app.tool("bgtools.producer", "--rate", RATE, "--linger", "250")
    yield producer
    if producer.poll() is None:
        producer.kill()
        producer.wait()


def end_of(producer: subprocess.Popen[bytes]) -> None:
    producer.terminate()
    assert gone(producer) == 0, "every record was acknowledged"


def proven(app, producer, changes):
    """End the traffic, audit, and check that exactly these changes of colour happened."""
    time.sleep(1)
    end_of(producer)
    report = app.audit()
    assert report["lost"]["count"] == 0, report["lost"]
    assert report["duplicated"]["count"] == 0, report["duplicated"]
    assert report["outOfOrder"]["count"] == 0, report["outOfOrder"]
    assert report["processed"] > 500
    found = [(change["from"], change["to"], change["epoch"], change["partitions"]) for change in report["changes"]]
    assert found == changes
    return report


def at_work(app, colour):
    """Wait until every partition has been worked on since the activation, so that a change of colour has two sides."""

    def everywhere(found):
        return len(found) == app.partitions and all(first is not None for _, first in found.values())

    until(f"{colour} works on every partition", lambda: firsts(app, colour), everywhere)


def firsts(app, colour):
    return {
        str(part["partition"]): (part["startOffset"], part["firstProcessedOffset"])
        for pod in app.colour(colour)
        for part in pod.status()["partitions"]
    }


def test_switch_and_back_under_traffic(app, traffic):
    app.start_all()
    at_work(app, "blue")
    handoff = switch(app, "blue", "green", 1)
    at_work(app, "green")
    assert firsts(app, "green") == {number: (at, at) for number, at in handoff[app.name].items()}
    switch(app, "green", "blue", 3)
    at_work(app, "blue")
    report = proven(app, traffic, [("blue", "green", 3, 12), ("green", "blue", 5, 12)])
    for change in report["changes"]:
        for part in change["perPartition"].values():
            assert part["firstTargetOffset"] == part["lastSourceOffset"] + 1
    assert [pod.terminate() for pod in app.pods] == [0] * 4


def test_source_killed_while_paused(app, traffic):
    """A rebalance in the middle of a pause: the rest takes over paused, at the committed positions."""
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    before = pause(app, "blue", 2)
    victim, survivor = app.colour("blue")
    generation = survivor.status()["generation"]
    victim.kill()  # the broker notices when the session runs out
    app.wait_owned("blue")
    assert survivor.status()["generation"] > generation
    after = pause(app, "blue", 2)
    assert after == before, "nothing was processed during the pause"
    flip(app, "green", 3, after)
    wake(app, "green", 3)
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_pod_added_while_paused_stays_paused(app, traffic):
    app.start_all(each=1)
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    before = pause(app, "blue", 2)
    extra = app.start("blue")
    extra.wait_started()
    until("the new pod has partitions", lambda: extra.status()["partitions"])
    assert extra.status()["state"] == "STANDBY"
    assert pause(app, "blue", 2) == before
    flip(app, "green", 3, before)
    wake(app, "green", 3)
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])
    assert extra.status()["state"] == "STANDBY"


def test_target_killed_right_after_the_flip_with_nobody_to_wake_it(app, traffic):
    """Its replacement reads the same record and snapshot as the others: the operator may be dead by then."""
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    handoff = pause(app, "blue", 2)
    victim = app.colour("green")[0]
    flip(app, "green", 3, handoff)
    victim.kill()
    app.start("green").wait_started()
    app.wait_owned("green")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_target_restarted_after_a_part_was_worked_on(app, traffic):
    """Partitions that were worked on in this reign go on from there, the others from the snapshot."""
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    handoff = pause(app, "blue", 2)
    first, second = app.colour("green")
    assert second.post("prepare", epoch=3, standby="hot")[0] == 200  # of the flip's epoch: the record does not undo it
    flip(app, "green", 3, handoff)
    until("the first works", first.status, lambda seen: seen["active"])
    time.sleep(1)
    first.terminate()
    app.start("green").wait_started()
    app.wait_owned("green")
    assert second.status()["state"] == "STANDBY"
    wake(app, "green", 3)
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_pause_by_hand_and_back_at_the_same_epoch(app, traffic):
    app.start_all()
    at_work(app, "blue")
    before = pause(app, "blue", 1)
    time.sleep(2.5)
    assert pause(app, "blue", 1) == before, "the record alone does not undo it"
    wake(app, "blue", 1)
    at_work(app, "blue")
    proven(app, traffic, [])


@pytest.mark.parametrize("woken", [True, False], ids=["woken", "by the record"])
def test_switches_in_a_row(app, traffic, woken, record_property):
    """With the times from each flip to the first record of the target; not woken, pods look once a second."""
    app.start_all()
    at_work(app, "blue")
    delays, changes, source, target, epoch = [], [], "blue", "green", 1
    for _ in range(6):
        app.write_record(source, epoch + 1, "switching")
        offsets = pause(app, source, epoch + 1)
        name = app.write_snapshot(target, epoch + 2, offsets)
        flipped = time.time()
        app.write_record(target, epoch + 2, "verifying", name)
        if woken:
            in_parallel(app.colour(target), lambda pod, epoch=epoch: pod.post("resume", epoch=epoch + 2, waitMs=5000))
        at_work(app, target)
        delays.append(first_after(app, target, epoch + 2) - flipped)
        changes.append((source, target, epoch + 2, app.partitions))
        source, target, epoch = target, source, epoch + 2
        time.sleep(random.random())
    record_property("seconds from flip to first record", sorted(delays))
    proven(app, traffic, changes)


def first_after(app, colour, epoch):
    """Wall-clock time of the first record that a pod of the colour processed in this epoch, from the ledger."""
    reader = Consumer({"bootstrap.servers": app.bootstrap, "group.id": "none", "enable.auto.commit": False})
    topic = f"{app.name}-ledger"
    parts = [TopicPartition(topic, number) for number in reader.list_topics(topic, 10).topics[topic].partitions]
    ends = {part.partition: reader.get_watermark_offsets(part, 10) for part in parts}
    wanted = {number for number, (low, high) in ends.items() if high > low}
    reader.assign([TopicPartition(topic, number, ends[number][0]) for number in wanted])
    found = []
    while wanted:
        for message in reader.consume(500, 1.0):
            row = json.loads(message.value())
            if (row["c"], row["e"]) == (colour, epoch):
                found.append(row["ns"] / 1e9)
            if message.offset() >= ends[message.partition()][1] - 1:
                wanted.discard(message.partition())
    reader.close()
    return min(found)


def test_abort_resumes_the_source(app, traffic):
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    pause(app, "blue", 2)
    app.write_record("blue", 3, "stable")
    wake(app, "blue", 3)
    assert app.colour("blue")[0].post("pause", epoch=2)[0] == 409
    at_work(app, "blue")
    proven(app, traffic, [])


def test_cold_switch_through_an_empty_group(app, traffic):
    """The source leaves its group, the offsets are committed to the target's, the target starts from the record."""
    app.start("blue").wait_started()
    app.wait_owned("blue")
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    (source,) = app.colour("blue")
    offsets = pause(app, "blue", 2)
    code, status = source.post("pause", epoch=2, leaveGroup=True, waitMs=10_000)
    assert (code, status["memberState"], status["partitions"]) == (200, "unjoined", [])
    app.commit_outside("green", offsets[app.name])
    app.write_record("green", 3, "verifying")
    app.start("green", BG_STANDBY="cold").wait_started()
    app.wait_owned("green")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_lease_stops_a_pod_that_cannot_read_the_record(app, traffic):
    app.start("blue", BG_LEASE_SECONDS="3").wait_started()
    app.wait_owned("blue")
    (pod,) = app.colour("blue")
    app.record_file.unlink()

    def for_good(status):  # paused: the batch that was in hand when the lease ran out is committed
        return not status["processing"] and all(part["paused"] for part in status["partitions"])

    stopped = until("the pod has stopped", pod.status, for_good)
    time.sleep(1)
    assert [part["position"] for part in pod.status()["partitions"]] == [p["position"] for p in stopped["partitions"]]
    assert (stopped["state"], stopped["leaseRemainingMs"] <= 0) == ("ACTIVE", True)
    app.write_record("blue", 1, "stable")
    until("the pod goes on", pod.status, lambda status: status["processing"])
    proven(app, traffic, [])


def test_transaction_markers_are_not_lost_records(app):
    """The commit and abort markers of transactions, and aborted records, take offsets that nobody processes."""
    app.start("blue").wait_started()
    app.wait_owned("blue")
    producer = Producer({"bootstrap.servers": app.bootstrap, "transactional.id": app.name})
    producer.init_transactions(HANG)
    for turn in range(6):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(app.name, b"x", partition=partition)
        producer.flush(HANG)  # an abort drops what was not sent yet
        if turn % 3 == 2:
            producer.abort_transaction(HANG)
        else:
            producer.commit_transaction(HANG)
    report = app.audit()
    assert report["ok"], report
    # In each of two partitions: 4 committed records, 4 commit markers, 2 aborted records with their markers.
    assert (report["offsets"], report["processed"], report["emptyOffsets"]) == (24, 8, 16)
    app.write_record("blue", 2, "switching")
    offsets = pause(app, "blue", 2)
    assert offsets[app.name]["0"] == 9, "behind the last committed record, although the log ends at 12"
