"""The contract over HTTP/1.1 with keep-alive. Handlers submit and wait; they never touch Kafka."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bgconsumer import commands, metrics, status
from bgconsumer.config import Config
from bgconsumer.contract import Contract
from bgconsumer.model import ContractError, State

BASE = "/actuator/kafka"
MAX_BODY_BYTES = 64 * 1024  # commands are a few fields

Answer = tuple[int, dict[str, Any] | str]
"""Code and body: JSON, or the text that Prometheus reads."""


class Api:
    """Maps requests to answers; knows nothing of sockets."""

    def __init__(self, config: Config, contract: Contract, healthy: Callable[[], str | None]) -> None:
        self._config = config
        self._contract = contract
        self._healthy = healthy  # returns what is wrong with the process, or None

    def get(self, path: str, pod: str | None = None) -> Answer:
        self._check_address(path, pod)
        now = self._contract.snapshot()
        if path == f"{BASE}/status":
            return 200, status.status(self._config, now)
        if path in ("/metrics-lite", f"{BASE}/metrics-lite"):
            return 200, status.metrics(self._config, now)
        if path == "/metrics":
            return 200, metrics.text(self._config, now)
        if path in ("/healthz/live", "/healthz/ready"):
            fault = self._healthy()
            if fault is None and path == "/healthz/ready":
                fault = self._not_ready()
            return (200, {"ok": True}) if fault is None else (503, {"error": "unhealthy", "message": fault})
        raise ContractError(404, "not_found", f"no such path: {path}")

    def _not_ready(self) -> str | None:
        # A standby pod is ready: readiness says that the pod can be used for a switch, not that it works now.
        now = self._contract.snapshot()
        if now.record is None:
            return f"the active record was not read yet: {now.record_error or 'no answer so far'}"
        return "fenced" if now.state is State.FENCED else None

    def post(self, path: str, body: bytes, epoch: str | None, token: str | None, pod: str | None = None) -> Answer:
        name = path.removeprefix(f"{BASE}/")
        if not path.startswith(f"{BASE}/") or name not in commands.NAMES:
            raise ContractError(404, "not_found", f"no such command: {path}")
        if self._config.token and not hmac.compare_digest(self._config.token.encode(), (token or "").encode()):
            raise ContractError(401, "unauthorised", "header X-BG-Token is missing or wrong")
        self._check_address(name, pod)
        if not self._config.kafka_enabled:
            raise ContractError(503, "kafka_disabled", "KAFKA_ENABLED is 0")
        try:
            value = json.loads(body or b"{}")
        except ValueError as error:
            raise ContractError(400, "bad_request", f"{name}: body is not JSON: {error}") from error
        command = commands.parse(name, value, epoch)
        self._contract.submit(command)
        done = self._contract.wait(command)
        return (200 if done else 202), status.status(self._config, self._contract.snapshot())

    def _check_address(self, what: str, pod: str | None) -> None:
        # The address of a pod that is gone is soon that of another one.
        if pod is not None and pod != self._config.pod:
            raise ContractError(421, "misdirected", f"{what}: this is pod {self._config.pod}, the request is for {pod}")

    def refuse(self, error: ContractError) -> Answer:
        epoch = self._contract.snapshot().epoch
        return error.status, {"error": error.code, "message": str(error), "epoch": epoch}


class _Handler(BaseHTTPRequestHandler):
    """One connection; ``api`` is set on the subclass made by `serve`."""

    api: Api
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes; Nagle would hold the second for 40 ms
    timeout = 900  # an operator's idle pooled connection, not for ever

    def do_GET(self) -> None:
        self._answer(lambda: self.api.get(self.path.partition("?")[0], self.headers.get("X-BG-Pod")))

    def do_POST(self) -> None:
        self._answer(self._post)

    def _post(self) -> Answer:
        try:
            body = self._chunked_body() if "Transfer-Encoding" in self.headers else self._sized_body()
        except ValueError as error:
            self.close_connection = True  # what was not read would be taken for the next request
            raise ContractError(400, "bad_request", f"request body: {error}") from error
        path = self.path.partition("?")[0]
        return self.api.post(
            path, body, self.headers.get("X-BG-Epoch"), self.headers.get("X-BG-Token"), self.headers.get("X-BG-Pod")
        )

    def _sized_body(self) -> bytes:
        return self._read(self.headers.get("Content-Length", "0"), 10, MAX_BODY_BYTES)

    def _chunked_body(self) -> bytes:
        """``kubectl create --raw`` sends its input in chunks, and the API server passes them on."""
        if self.headers["Transfer-Encoding"].lower() != "chunked":
            raise ValueError(f"Transfer-Encoding {self.headers['Transfer-Encoding']!r} is not known")
        body = b""
        while chunk := self._read(self._line().partition(";")[0], 16, MAX_BODY_BYTES - len(body)):
            body += chunk
            if self._line():
                raise ValueError("chunk is longer than it says")
        while self._line():
            pass  # trailer fields
        return body

    def _line(self) -> str:
        line = self.rfile.readline(1024)
        if not line.endswith(b"\r\n"):
            raise ValueError(f"broken chunk line {line[:40]!r}")
        return line[:-2].decode("latin-1").strip()

    def _read(self, length: str, base: int, most: int) -> bytes:
        size = int(length, base) if length.isalnum() else -1
        if not 0 <= size <= most:
            raise ValueError(f"length {length!r}, expected 0 to {most}")
        data = self.rfile.read(size)
        if len(data) < size:
            raise ValueError(f"ended after {len(data)} of {size} bytes")
        return data

    def _answer(self, handle: Callable[[], Answer]) -> None:
        try:
            code, value = handle()
        except ContractError as error:
            code, value = self.api.refuse(error)
        body = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(code)
        self.send_header("Content-Type", metrics.CONTENT_TYPE if isinstance(value, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Probes come every second; the log is for what happens to the consumer."""


class Server(ThreadingHTTPServer):
    """One thread per connection; connections do not hold up the end of the process."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away in the middle of an answer is no event."""


def serve(api: Api, port: int) -> Server:
    """Bind ``port`` on every address (0 = any free port) and return the server, not yet serving."""
    handler = type("Handler", (_Handler,), {"api": api})
    return Server(("", port), handler)
