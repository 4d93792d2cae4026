"""Reading the active record: from a file, and from an API server that is played here."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, RecordError, State
from bgconsumer.record import ConfigMapSource, FileSource, RecordReader

DATA = {"active": "blue", "epoch": "7", "phase": "stable", "rollback-allowed": "true"}


def test_file(tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(DATA))
    assert FileSource(file).read() == ActiveRecord("blue", 7, "stable")


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
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def source(api, tmp_path):
    (tmp_path / "token").write_text("first\n")
    return ConfigMapSource(api[1], "orders", "order-consumer-active-version", tmp_path)


def test_config_map(api, source, tmp_path):
    assert source.read() == ActiveRecord("blue", 7, "stable")
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
    reader = RecordReader(contract, FileSource(tmp_path / "record.json"), lines.append)
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
