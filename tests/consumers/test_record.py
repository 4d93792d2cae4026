"""Reading the active record: from a file, and from an API server that is played here."""

import base64
import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import CommittedOffset
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition as EngineTp
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record import handoff_snapshot as engine
from bgconsumer import record as record_module
from bgconsumer.commands import Command
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, Handoff, RecordError, State
from bgconsumer.record import MOST_CHUNKS, ConfigMapSource, FileSource, RecordReader
from tests.consumers.fakes import TOPIC, tp
from tests.unit.waiting import NEVER, joined, until

DATA = {"active": "blue", "epoch": "7", "phase": "stable", "activated-epoch": "5", "rollback-allowed": "true"}


def test_file(tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(DATA))
    assert FileSource(file).read() == ActiveRecord("blue", 7, "stable", 5)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"active": "blue"}'])
def test_broken_file(tmp_path, text):
    file = tmp_path / "record.json"
    file.write_text(text)
    with pytest.raises(RecordError):
        FileSource(file).read()


def test_missing_file(tmp_path):
    with pytest.raises(RecordError, match=r"none\.json"):
        FileSource(tmp_path / "none.json").read()


class ApiServer(BaseHTTPRequestHandler):
    answer = (200, {"data": DATA})
    requests = []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.requests.append((self.path, self.headers["Authorization"], self.client_address))
        status, value = self.answer
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def api():
    handler = type("Handler", (ApiServer,), {"requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    joined(thread)


@pytest.fixture
def source(api, tmp_path):
    (tmp_path / "token").write_text("first\n")
    return ConfigMapSource(api[1], "orders", "order-consumer-active-version", tmp_path)


def test_config_map(api, source, tmp_path):
    assert source.read() == ActiveRecord("blue", 7, "stable", 5)
    (tmp_path / "token").write_text("renewed\n")
    source.read()
    (path, first, connection), (_, second, same_connection) = api[0].requests
    assert path == "/api/v1/namespaces/orders/configmaps/order-consumer-active-version"
    assert (first, second) == ("Bearer first", "Bearer renewed")
    assert connection == same_connection, "one connection is kept open"


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((404, {"message": "not found"}), "answered 404"),
        ((403, {"message": "forbidden"}), "answered 403"),
        ((200, b"<html>"), "orders/order-consumer-active-version"),
        ((200, {"data": {"active": "blue"}}), "phase is ''"),
        ((200, {}), "epoch is ''"),
        ((200, []), "expected a JSON object"),
    ],
)
def test_unusable_answers(api, source, answer, fragment):
    api[0].answer = answer
    with pytest.raises(RecordError, match=fragment):
        source.read()


def test_no_server(source, api, tmp_path):
    away = ConfigMapSource("http://127.0.0.1:1", "orders", "x", tmp_path)
    with pytest.raises(RecordError, match="orders/x"):
        away.read()


def test_no_token(api, tmp_path):
    with pytest.raises(RecordError, match="token"):
        ConfigMapSource(api[1], "orders", "x", tmp_path / "nowhere").read()


def test_reader_tells_the_contract_and_says_a_failure_once(tmp_path):
    contract, lines = Contract("blue", True, 10), []
    reader = RecordReader(contract, "blue", FileSource(tmp_path / "record.json"), lines.append)
    reader.read_once()
    reader.read_once()
    assert contract.snapshot().state is State.STARTING
    assert "record.json" in contract.snapshot().record_error
    assert len(lines) == 1
    (tmp_path / "record.json").write_text(json.dumps(DATA))
    reader.read_once()
    snapshot = contract.snapshot()
    assert (snapshot.state, snapshot.epoch, snapshot.record_error) == (State.ACTIVATING, 7, None)
    assert 9 < snapshot.lease_remaining <= 10


# --- the snapshot that the record names ---------------------------------------------------------------------------

NAME = "order-consumer-bg-snapshot-a"
RECORD = ActiveRecord("blue", 9, "verifying", 9, NAME)


def parts(epoch=9, target="blue", run_id="run-1", offsets=(5, 8)):
    """The data of the ConfigMaps, as the operator writes them."""
    handed = {EngineTp(TOPIC, number): CommittedOffset(offset) for number, offset in enumerate(offsets)}
    source = "green" if target == "blue" else "blue"
    return engine.to_chunks(
        engine.HandoffSnapshot(epoch, run_id, "hot", source, target, "-", handed, {}, {TOPIC: "id"})
    )


def put(directory, chunks, name=NAME):
    for index, chunk in enumerate(chunks):
        (directory / f"{engine.chunk_name(name, index)}.json").write_text(json.dumps(chunk))


def read(directory, record=RECORD):
    return FileSource(directory / "record.json").read_snapshot(record)


def in_three(monkeypatch, **fields):
    monkeypatch.setattr(engine, "CHUNK", 512 * 1024)
    whole = len(parts(**fields)[0]["offsets"])
    monkeypatch.setattr(engine, "CHUNK", -(-whole // 3))
    return parts(**fields)


def test_snapshot_as_the_operator_writes_it(tmp_path):
    put(tmp_path, parts())
    assert read(tmp_path) == Handoff({tp(0): 5, tp(1): 8}, {TOPIC: "id"})


def test_snapshot_in_parts(tmp_path, monkeypatch):
    chunks = in_three(monkeypatch)
    assert len(chunks) == 3
    put(tmp_path, chunks)
    assert read(tmp_path).offsets == {tp(0): 5, tp(1): 8}
    assert engine.MOST_CHUNKS == MOST_CHUNKS


def test_snapshot_in_config_maps(api, source):
    api[0].answer = (200, {"data": parts()[0]})
    assert source.read_snapshot(RECORD).offsets == {tp(0): 5, tp(1): 8}
    assert api[0].requests[0][0] == f"/api/v1/namespaces/orders/configmaps/{NAME}"


@pytest.mark.parametrize("fields", [{"epoch": 7}, {"target": "green"}])
def test_a_snapshot_of_another_hand_over_is_refused(tmp_path, fields):
    put(tmp_path, parts(**fields))
    with pytest.raises(RecordError, match="is not that of blue at epoch 9"):
        read(tmp_path)


@pytest.mark.parametrize("other", [{"run_id": "run-2"}, {"epoch": 11}])
def test_parts_of_two_snapshots_do_not_pass_for_one(tmp_path, monkeypatch, other):
    chunks = in_three(monkeypatch)
    put(tmp_path, [*chunks[:2], in_three(monkeypatch, **other)[2]])
    with pytest.raises(RecordError, match="is not that of blue at epoch 9"):
        read(tmp_path)


def test_parts_that_do_not_fit_together_are_refused(tmp_path, monkeypatch):
    first, second, third = in_three(monkeypatch)
    put(tmp_path, [first, third, second])
    with pytest.raises(RecordError, match="not whole"):
        read(tmp_path)


def test_a_part_that_is_missing(tmp_path, monkeypatch):
    put(tmp_path, in_three(monkeypatch)[:2])
    with pytest.raises(RecordError, match=f"{NAME}-2"):
        read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": ""},
        {"offsets": "x"},
        {"offsets": "AAAA"},
        {"epoch": "9 "},
        {"run-id": None},
        {"target": None},
        {"chunks": "0"},
        {"chunks": "²"},
        {"chunks": "9"},
        {"chunks": None},
    ],
)
def test_torn_snapshots_are_refused(tmp_path, change):
    chunk = {key: value for key, value in {**parts()[0], **change}.items() if value is not None}
    put(tmp_path, [chunk])
    with pytest.raises(RecordError, match=NAME):
        read(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"topics": []},
        {"topics": {TOPIC: [5]}, "topic_ids": {}},
        {"topics": {TOPIC: [[0, "x"]]}, "topic_ids": {}},
        {"topics": {TOPIC: [[0, -1]]}, "topic_ids": {}},
        {"topics": {TOPIC: [[0, 5]]}, "topic_ids": []},
    ],
)
def test_snapshots_that_say_something_else_are_refused(tmp_path, body):
    text = base64.b64encode(zlib.compress(json.dumps(body).encode())).decode()
    put(tmp_path, [{**parts()[0], "offsets": text}])
    with pytest.raises(RecordError, match=NAME):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../secrets/other", "a?b", "", "A"])
def test_only_a_name_is_asked_for(tmp_path, name):
    with pytest.raises(RecordError, match="no name of a ConfigMap"):
        read(tmp_path, ActiveRecord("blue", 9, "stable", 9, name))


class Source:
    """A record and a snapshot that can each be readable or not."""

    def __init__(self, record=RECORD):
        self.record, self.snapshot = record, None
        self.asked = 0
        self.meanwhile = lambda: None

    def read(self):
        if isinstance(self.record, Exception):
            raise self.record
        return self.record

    def read_snapshot(self, record):
        self.asked += 1
        self.meanwhile()
        if self.snapshot is None:
            raise RecordError("snapshot not read")
        return self.snapshot


@pytest.fixture
def reading():
    contract, source, lines = Contract("blue", True, 10), Source(), []
    return contract, source, RecordReader(contract, "blue", source, lines.append), lines


def test_a_snapshot_that_fails_once_is_read_the_next_time_and_then_no_more(reading):
    contract, source, reader, lines = reading
    reader.read_once()
    assert contract.handoff(9) is None
    snapshot = contract.snapshot()
    assert (snapshot.state, snapshot.record_error) == (State.ACTIVATING, "snapshot not read")
    assert snapshot.lease_remaining > 9, "the record itself was read"
    source.snapshot = Handoff({tp(0): 5})
    for _ in range(3):
        reader.read_once()
    assert contract.handoff(9) is source.snapshot
    assert contract.snapshot().record_error is None
    assert (source.asked, len(lines)) == (2, 1)


def test_what_the_record_says_counts_before_its_snapshot_is_read(reading):
    contract, source, reader, _ = reading
    seen = []
    source.meanwhile = lambda: seen.append(contract.snapshot())
    reader.read_once()
    (meanwhile,) = seen
    assert meanwhile.state is State.ACTIVATING
    assert meanwhile.lease_remaining > 9


def test_the_next_reign_has_a_snapshot_of_its_own(reading):
    contract, source, reader, _ = reading
    source.snapshot = Handoff({tp(0): 5})
    reader.read_once()
    source.record = ActiveRecord("green", 11, "verifying", 11, "order-consumer-bg-snapshot-b")
    reader.read_once()
    assert source.asked == 1, "what the other colour was handed is not for this one"
    source.record, source.snapshot = ActiveRecord("blue", 13, "verifying", 13, NAME), Handoff({tp(0): 7})
    reader.read_once()
    assert contract.handoff(13) is source.snapshot


def test_no_snapshot_is_named(reading):
    contract, source, reader, _ = reading
    source.record = ActiveRecord("blue", 9, "stable", 9)
    reader.read_once()
    assert contract.handoff(9) == Handoff()
    assert source.asked == 0


def test_no_error_ends_the_reader(reading):
    contract, source, reader, lines = reading
    source.record = RuntimeError("who would have thought")
    reader.read_once()
    assert "who would have thought" in contract.snapshot().record_error
    assert "who would have thought" in lines[0]
    source.record = RECORD
    reader.read_once()
    assert contract.snapshot().state is State.ACTIVATING


def test_a_wake_is_followed_by_a_read_at_once(monkeypatch, reading):
    contract, source, reader, _ = reading
    monkeypatch.setattr(record_module, "READ_SECONDS", NEVER)
    source.record = ActiveRecord("green", 8, "stable", 8)
    reader.start()
    until("the record is read", lambda: contract.snapshot().epoch, lambda epoch: epoch == 8)
    source.record, source.snapshot = RECORD, Handoff()
    contract.submit(Command("resume", 9))
    until("it is read again", lambda: contract.desired.target, lambda target: target is State.ACTIVE)


def test_without_a_wake_the_flip_is_read_within_a_second(reading):
    """It waits for a wake for a second at most, and reads all the same when there was none."""
    contract, source, reader, _ = reading
    source.record = ActiveRecord("green", 8, "stable", 8)
    waited = []

    class NoWake(threading.Event):
        def wait(self, timeout=None):
            waited.append((timeout, contract.snapshot().epoch, contract.desired.target))
            if len(waited) == 2:
                raise SystemExit  # nothing else ends a reader
            source.record, source.snapshot = RECORD, Handoff()
            return False

    contract.read_wanted = NoWake()
    with pytest.raises(SystemExit):
        reader.run()
    assert all(0 <= timeout <= 1 for timeout, _, _ in waited)
    (_, before, _), (_, _, after) = waited
    assert (before, after) == (8, State.ACTIVE)
