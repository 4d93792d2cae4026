"""The real client on a real broker: nothing lost, nothing repeated, whatever happens to the pods."""

from __future__ import annotations

import subprocess
import time

import pytest
from confluent_kafka import Producer

from tests.consumers.integration.harness import activate, eventually, in_parallel, pause, switch

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
    assert producer.wait(30) == 0, "every record was acknowledged"


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

    def everywhere():
        found = firsts(app, colour)
        return len(found) == app.partitions and all(first is not None for _, first in found.values())

    eventually(f"{colour} works on every partition", everywhere, 60)


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
    eventually(
        "green has processed every partition", lambda: all(f is not None for _, f in firsts(app, "green").values())
    )
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
    app.write_record("green", 3, "switching")
    activate(app, "green", 3, after)
    app.write_record("green", 3, "stable")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_pod_added_while_paused_stays_paused(app, traffic):
    app.start_all(each=1)
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    before = pause(app, "blue", 2)
    extra = app.start("blue")
    extra.wait_started()
    eventually("the new pod has partitions", lambda: extra.status()["partitions"])
    assert extra.status()["state"] == "STANDBY"
    assert pause(app, "blue", 2) == before
    app.write_record("green", 3, "switching")
    activate(app, "green", 3, before)
    app.write_record("green", 3, "stable")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])
    assert extra.status()["state"] == "STANDBY"


def test_target_killed_between_flip_and_activate(app, traffic):
    """Its replacement comes up in standby and is activated with the hand-off like the others."""
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    handoff = pause(app, "blue", 2)
    app.write_record("green", 3, "switching")
    app.colour("green")[0].terminate()
    replacement = app.start("green")
    replacement.wait_started()
    app.wait_owned("green")
    assert replacement.status()["state"] == "STANDBY"
    activate(app, "green", 3, handoff)
    app.write_record("green", 3, "verifying")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_target_restarted_after_a_part_was_activated(app, traffic):
    """Partitions that were worked on in this epoch go on from there, the others from the hand-off."""
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    handoff = pause(app, "blue", 2)
    app.write_record("green", 3, "switching")
    first, second = app.colour("green")
    assert first.post("activate", epoch=3, offsets=handoff, waitMs=5000)[0] == 200
    time.sleep(1)
    first.terminate()
    app.start("green").wait_started()
    app.wait_owned("green")
    assert second.status()["state"] == "STANDBY"
    activate(app, "green", 3, handoff)
    app.write_record("green", 3, "verifying")
    at_work(app, "green")
    proven(app, traffic, [("blue", "green", 3, 12)])


def test_abort_resumes_the_source(app, traffic):
    app.start_all()
    at_work(app, "blue")
    app.write_record("blue", 2, "switching")
    pause(app, "blue", 2)
    app.write_record("blue", 3, "stable")
    answers = in_parallel(app.colour("blue"), lambda pod: pod.post("resume", epoch=3, waitMs=5000))
    assert [code for code, _ in answers] == [200, 200]
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

    def stopped_for_good():
        status = pod.status()  # paused: the batch that was in hand when the lease ran out is committed
        return status if not status["processing"] and all(part["paused"] for part in status["partitions"]) else None

    stopped = eventually("the pod has stopped", stopped_for_good, 20)
    time.sleep(1)
    assert [part["position"] for part in pod.status()["partitions"]] == [p["position"] for p in stopped["partitions"]]
    assert (stopped["state"], stopped["leaseRemainingMs"] <= 0) == ("ACTIVE", True)
    app.write_record("blue", 1, "stable")
    eventually("the pod goes on", lambda: pod.status()["processing"])
    proven(app, traffic, [])


def test_transaction_markers_are_not_lost_records(app):
    """The commit and abort markers of transactions, and aborted records, take offsets that nobody processes."""
    app.start("blue").wait_started()
    app.wait_owned("blue")
    producer = Producer({"bootstrap.servers": app.bootstrap, "transactional.id": app.name})
    producer.init_transactions(30)
    for turn in range(6):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(app.name, b"x", partition=partition)
        producer.flush(10)  # an abort drops what was not sent yet
        if turn % 3 == 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    report = app.audit(wait=30)
    assert report["ok"], report
    # In each of two partitions: 4 committed records, 4 commit markers, 2 aborted records with their markers.
    assert (report["offsets"], report["processed"], report["emptyOffsets"]) == (24, 8, 16)
    app.write_record("blue", 2, "switching")
    offsets = pause(app, "blue", 2)
    assert offsets[app.name]["0"] == 9, "behind the last committed record, although the log ends at 12"
