"""The contract over a real socket, with a consumer thread that is played."""

import http.client
import json
import threading

import pytest

from bgconsumer import commands, http_api
from bgconsumer.config import load
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, Committed, State
from bgconsumer.view import STABLE, UNJOINED, MemberView, PartitionView
from tests.consumers.fakes import tp
from tests.consumers.test_config import GOOD
from tests.unit.waiting import HANG, joined, until


class Served:
    def __init__(self, **environment):
        self.config = load({**GOOD, "HTTP_PORT": "0", **environment})
        self.contract = Contract("blue", True, 10)
        self.fault = None
        self.server = http_api.serve(http_api.Api(self.config, self.contract, lambda: self.fault), 0)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=HANG)

    def close(self):
        self.connection.close()
        self.server.shutdown()
        self.server.server_close()
        joined(self.thread)

    def ask(self, method, path, body=None, **headers):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def post(self, name, body, **headers):
        return self.ask("POST", f"/actuator/kafka/{name}", body, **headers)

    def settle(self):
        want = self.contract.desired
        part = PartitionView(tp(3), want.target is not State.ACTIVE, 5, Committed(5, 6), start_offset=2)
        self.contract.publish(MemberView(STABLE if want.joined else UNJOINED, partitions=(part,)), want.serial, True)

    def start(self):
        self.contract.observe_record(ActiveRecord("blue", 6, "stable"), self.contract._clock())
        self.settle()


@pytest.fixture
def pod():
    served = Served()
    yield served
    served.close()


def test_status(pod):
    pod.start()
    code, status = pod.ask("GET", "/actuator/kafka/status?fresh=true")
    assert code == 200
    expected = {
        "apiVersion": "bg/v1",
        "color": "blue",
        "pod": "order-consumer-blue-1",
        "state": "ACTIVE",
        "desired": "ACTIVE",
        "epoch": 6,
        "activeEpoch": 6,
        "activatedEpoch": 6,
        "epochSource": "configmap",
        "processing": True,
        "active": True,
        "drained": False,
        "groupId": "cc_order_demo_blue",
        "memberState": "stable",
        "subscription": ["order-events", "order-retries"],
        "inFlightRecords": 0,
        "pendingCommits": 0,
        "assignedPartitions": ["order-events-3"],
    }
    assert {key: status[key] for key in expected} == expected
    assert 9000 < status["leaseRemainingMs"] <= 60_000
    assert status["partitions"] == [
        {
            "topic": "order-events",
            "partition": 3,
            "paused": False,
            "position": 5,
            "committed": 5,
            "committedEpoch": 6,
            "startOffset": 2,
            "firstProcessedOffset": None,
            "lastProcessedOffset": None,
            "lastProcessedAt": None,
            "processedTotal": 0,
        }
    ]


def test_pause_is_202_until_it_is_drained_and_then_200(pod):
    pod.start()
    code, status = pod.post("pause", {"epoch": 7, "waitMs": 0})
    assert (code, status["state"], status["drained"]) == (202, "PAUSING", False)
    pod.settle()
    code, status = pod.post("pause", {"epoch": 7, "waitMs": 0})
    assert (code, status["state"], status["drained"]) == (200, "DRAINED", True)


def settle_when_told(pod):
    """Play the consumer thread once the next command has come."""
    before = pod.contract.desired

    def settle():
        until("the command has come", lambda: pod.contract.desired, lambda desired: desired is not before, every=0.005)
        pod.settle()

    thread = threading.Thread(target=settle)
    thread.start()
    return thread


def test_a_waiting_command_answers_when_it_is_done(pod):
    pod.start()
    settling = settle_when_told(pod)
    assert pod.post("pause", {"epoch": 7, "waitMs": 60_000})[0] == 200
    joined(settling)


def test_without_wait_ms_a_command_waits_for_a_moment(pod, monkeypatch):
    monkeypatch.setattr(commands, "DEFAULT_WAIT_MS", 60_000)
    pod.start()
    settling = settle_when_told(pod)
    assert pod.post("pause", {"epoch": 7})[0] == 200
    joined(settling)


def test_resume_wakes_the_reader_and_waits_for_what_it_brings(pod):
    pod.start()
    pod.post("pause", {"epoch": 6, "waitMs": 0})
    pod.settle()
    code, status = pod.post("resume", {"epoch": 6, "waitMs": 0})
    assert (code, status["state"]) == (202, "DRAINED")
    pod.contract.read_wanted.clear()

    def reader():
        assert pod.contract.read_wanted.wait(HANG)
        pod.start()

    thread = threading.Thread(target=reader)
    thread.start()
    code, status = pod.post("resume", {"epoch": 6, "waitMs": 60_000})
    joined(thread)
    assert (code, status["state"], status["active"]) == (200, "ACTIVE", True)


def test_a_command_for_another_pod_changes_nothing(pod):
    """An address that was given to the next pod: it must not take the command of the one that had it before."""
    pod.start()
    for name in ("pause", "prepare", "resume", "fence"):
        code, error = pod.post(name, {"epoch": 7}, **{"X-BG-Pod": "order-consumer-blue-2"})
        assert (code, error["error"], error["epoch"]) == (421, "misdirected", 6)
    assert pod.contract.desired.target is State.ACTIVE
    assert not pod.contract.read_wanted.is_set()
    assert pod.ask("GET", "/actuator/kafka/status", **{"X-BG-Pod": "order-consumer-blue-2"})[0] == 421
    assert pod.ask("GET", "/actuator/kafka/status", **{"X-BG-Pod": "order-consumer-blue-1"})[0] == 200
    assert pod.post("pause", {"epoch": 7, "waitMs": 0}, **{"X-BG-Pod": "order-consumer-blue-1"})[0] == 202


def test_activate_is_no_command(pod):
    pod.start()
    assert pod.post("activate", {"epoch": 8, "offsets": {}})[0] == 404


def test_status_of_a_pod_that_never_was_active(pod):
    pod.contract.observe_record(ActiveRecord("green", 6, "stable"), pod.contract._clock())
    pod.settle()
    status = pod.ask("GET", "/actuator/kafka/status")[1]
    assert (status["activatedEpoch"], status["activeEpoch"]) == (None, None)


def test_refusals_carry_the_pods_epoch(pod):
    pod.start()
    code, error = pod.post("pause", {"epoch": 5})
    assert (code, error["error"], error["epoch"]) == (409, "stale_epoch", 6)
    assert "epoch 5" in error["message"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{broken", {}),
        (b"\xff", {}),
        ({}, {}),
        ({"epoch": 7}, {"X-BG-Epoch": "8"}),
    ],
)
def test_bad_requests_leave_the_connection_usable(pod, body, headers):
    pod.start()
    code, error = pod.post("pause", body, **headers)
    assert (code, error["error"]) == (400, "bad_request")
    port = pod.connection.sock.getsockname()
    assert pod.ask("GET", "/actuator/kafka/status")[0] == 200
    assert pod.connection.sock.getsockname() == port, "the connection was kept open"


def test_epoch_by_header(pod):
    pod.start()
    assert pod.post("pause", {"waitMs": 0}, **{"X-BG-Epoch": "7"})[1]["epoch"] == 7


def chunked(pod, raw):
    pod.connection.putrequest("POST", "/actuator/kafka/pause")
    pod.connection.putheader("Transfer-Encoding", "chunked")
    pod.connection.endheaders()
    pod.connection.send(raw)
    answer = pod.connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_chunked_body(pod):
    pod.start()
    code, status = chunked(pod, b'9\r\n{"epoch":\r\n10;ext=1\r\n 7, "waitMs": 0}\r\n0\r\nTrailer: x\r\n\r\n')
    assert (code, status["epoch"]) == (202, 7)
    assert pod.ask("GET", "/actuator/kafka/status")[0] == 200


@pytest.mark.parametrize("raw", [b"zz\r\n", b"-1\r\n", b"2\r\n{}x\r\n0\r\n\r\n", b"5" * 2000, b"fffffff\r\n", b"\r\n"])
def test_broken_chunks_end_the_connection(pod, raw):
    pod.start()
    code, error = chunked(pod, raw)
    assert (code, error["error"]) == (400, "bad_request")
    assert pod.connection.sock is None, "closed by the pod"
    assert pod.contract.snapshot().epoch == 6


@pytest.mark.parametrize("length", ["-1", "x", "99999999"])
def test_broken_lengths_end_the_connection(pod, length):
    pod.connection.putrequest("POST", "/actuator/kafka/pause")
    pod.connection.putheader("Content-Length", length)
    pod.connection.endheaders()
    answer = pod.connection.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (400, "close")
    assert json.loads(answer.read())["error"] == "bad_request"


def test_unknown_paths(pod):
    assert pod.ask("GET", "/")[0] == 404
    assert pod.post("explode", {"epoch": 7})[0] == 404
    assert pod.ask("POST", "/pause", {"epoch": 7})[0] == 404


def test_health(pod):
    assert pod.ask("GET", "/healthz/live")[0] == 200
    code, answer = pod.ask("GET", "/healthz/ready")
    assert (code, "not read" in answer["message"]) == (503, True)
    pod.contract.observe_record(ActiveRecord("green", 6, "stable"), pod.contract._clock())
    pod.settle()
    assert pod.contract.snapshot().state is State.STANDBY
    assert pod.ask("GET", "/healthz/ready")[0] == 200
    pod.fault = "the consumer thread has ended"
    assert pod.ask("GET", "/healthz/live")[0] == 503
    assert pod.ask("GET", "/healthz/ready")[0] == 503


def test_a_fenced_pod_is_not_ready(pod):
    pod.start()
    pod.post("fence", {"epoch": 7, "waitMs": 0})
    pod.settle()
    assert pod.ask("GET", "/healthz/live")[0] == 200
    assert pod.ask("GET", "/healthz/ready")[0] == 503


@pytest.mark.parametrize("path", ["/metrics-lite", "/actuator/kafka/metrics-lite"])
def test_metrics(pod, path):
    pod.start()
    code, metrics = pod.ask("GET", path)
    assert (code, metrics["state"], metrics["assigned"], metrics["processedTotal"]) == (200, "ACTIVE", 1, 0)


def test_token():
    pod = Served(BG_TOKEN="secret")
    try:
        pod.start()
        assert pod.post("pause", {"epoch": 7})[0] == 401
        assert pod.post("pause", {"epoch": 7}, **{"X-BG-Token": "wrong"})[0] == 401
        assert pod.contract.desired.target is State.ACTIVE
        assert pod.post("pause", {"epoch": 7, "waitMs": 0}, **{"X-BG-Token": "secret"})[0] == 202
        assert pod.ask("GET", "/actuator/kafka/status")[0] == 200
    finally:
        pod.close()


def test_kafka_disabled():
    pod = Served(KAFKA_ENABLED="0")
    try:
        pod.start()
        assert pod.post("pause", {"epoch": 7})[:1] == (503,)
        assert pod.ask("GET", "/healthz/ready")[0] == 200
    finally:
        pod.close()
