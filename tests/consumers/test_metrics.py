"""What a pod shows to Prometheus: the names and labels, counters that only grow, and nothing that is secret."""

import dataclasses

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bgconsumer import metrics
from bgconsumer.config import load
from bgconsumer.faults import Fault, FaultyProcessor
from bgconsumer.model import State
from bgconsumer.view import MemberView
from tests.consumers.test_config import GOOD
from tests.consumers.test_http_api import Served
from tests.consumers.worker_pod import Pod

pytestmark = pytest.mark.usefixtures("no_waiting")
LABELS = {"app": "order-consumer", "colour": "blue", "consumergroup": "cc_order_demo_blue"}


def told(now, config=None):
    """Value by name, and by state; every series has the labels."""
    text = metrics.text(config or load(GOOD), now)
    found, types = {}, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            own = dict(sample.labels)
            state = own.pop("state", None)
            assert own == LABELS
            types[sample.name] = family.type
            found[sample.name if state is None else (sample.name, state)] = sample.value
    assert types == {
        "bg_consumer_records_processed_total": "counter",
        "bg_consumer_records_failed_total": "counter",
        "bg_consumer_records_in_flight": "gauge",
        "bg_consumer_epoch": "gauge",
        "bg_consumer_state": "gauge",
    }
    return found


def state_of(found):
    states = {key[1]: value for key, value in found.items() if isinstance(key, tuple)}
    assert set(states) == {state.value for state in State}
    assert sorted(states.values()) == [0] * (len(State) - 1) + [1]
    return next(state for state, value in states.items() if value)


def test_a_pod_before_it_has_read_the_record(kafka):
    found = told(Pod(kafka).now)
    assert (state_of(found), found["bg_consumer_epoch"], found["bg_consumer_records_processed_total"]) == (
        "STARTING",
        0,
        0,
    )


def test_an_active_pod_counts_what_it_processed_and_what_failed(kafka):
    pod = Pod(kafka)
    pod.worker._processor = FaultyProcessor(pod.ledger, Fault("errors", 0.1))
    pod.record("blue", 6)
    found = told(pod.steps())
    assert (state_of(found), found["bg_consumer_epoch"]) == ("ACTIVE", 6)
    assert (found["bg_consumer_records_processed_total"], found["bg_consumer_records_failed_total"]) == (18, 2)
    assert found["bg_consumer_records_in_flight"] == 0


def test_counters_survive_a_rebalance_and_a_pause(kafka):
    """They are those of the process: a rate over a switch is no nonsense."""
    pod = Pod(kafka)
    pod.record("blue", 6)
    pod.steps()
    pod.send("pause", 7)
    found = told(pod.steps())
    assert (state_of(found), found["bg_consumer_records_processed_total"], found["bg_consumer_epoch"]) == (
        "DRAINED",
        20,
        7,
    )
    pod.member.join()
    pod.record("green", 8)
    kafka.produce(0, 5)
    found = told(pod.steps())
    assert (state_of(found), found["bg_consumer_records_processed_total"]) == ("STANDBY", 20)
    pod.record("blue", 10)
    assert told(pod.steps())["bg_consumer_records_processed_total"] == 25


def test_in_flight(kafka):
    now = dataclasses.replace(Pod(kafka).now, view=MemberView(in_flight=7))
    assert told(now)["bg_consumer_records_in_flight"] == 7


@pytest.fixture
def pod():
    served = Served(BG_TOKEN="hush-token", KAFKA_SASL_PLAIN_PASSWORD="hush-password")
    yield served
    served.close()


def scraped(pod):
    pod.connection.request("GET", "/metrics")
    answer = pod.connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def test_it_is_scraped_over_http_without_a_token(pod):
    pod.start()
    code, kind, text = scraped(pod)
    assert (code, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert text == metrics.text(pod.config, pod.contract.snapshot())
    assert "hush" not in text
    assert pod.ask("GET", "/actuator/kafka/status")[0] == 200, "the connection is still good"


def test_to_be_scraped_changes_nothing(pod):
    pod.start()
    before = pod.contract.snapshot()
    assert len({scraped(pod) for _ in range(3)}) == 1
    now = pod.contract.snapshot()
    assert dataclasses.replace(now, lease_remaining=0) == dataclasses.replace(before, lease_remaining=0)
