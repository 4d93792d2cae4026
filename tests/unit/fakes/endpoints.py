# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the control endpoint of a consumer, in every dialect at once, with faults on demand.

It imitates requests and answers as they are documented by bg/v1, Spring Cloud Stream, Kafka Connect and Shawarma; it
consumes nothing. Tests of the use case call ``FakeEndpoint.handle``; on the test bed the text of this file is the program of
real pods, so it needs nothing but Python's own library.
"""

from __future__ import annotations

import json
import os
import pathlib
import ssl
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes]


class FakeEndpoint:
    """One pod. state: running, paused or stopped. partitions: how many it owns. token: asked of whoever commands.

    shared: a file that holds the state for all workers of a Connect cluster. fault: 500, broken, hang, slow, refuse, die,
    or empty; hang and slow take ``seconds``.
    """

    def __init__(self, pod: str = "p", partitions: int = 1, token: str = "", shared: str = "") -> None:
        self.pod = pod
        self.partitions = partitions
        self.token = token
        self.shared = pathlib.Path(shared) if shared else None
        self.state = "running"
        self.joined = True
        self.epoch = 1
        self.flagged = False
        """Spring's memory of having been paused, which a stop does not clear."""
        self.others: list[str] = []
        """States of the other destinations of Spring's binding, to which versions before 4.0.2 pass no command on."""
        self.fault = ""
        self.seconds = 0.0
        self.busy_until = 0.0
        self.commands: list[str] = []
        self.reads = 0

    def handle(self, method: str, path: str, body: t.Any, token: str = "") -> Answer:
        """HTTP code and answer."""
        if path.startswith("/test/"):
            return self._test(path, body)
        reads = method == "GET"
        if reads:
            self.reads += 1
        elif self.token and token != self.token:
            return _json(401, {"error": "unauthorised", "message": "token is missing or wrong"})
        if fault := self._failing(reads):
            return fault
        if not reads:
            self.commands.append(f"{method} {path} {json.dumps(body)}" if body is not None else f"{method} {path}")
        base, _slash, rest = path.removeprefix("/").partition("/")
        served = {
            "actuator": self._actuator,
            "seed": self._three_endpoints,
            "connectors": self._connect,
            "applicationstate": self._shawarma,
            "consumer": self._consumer,
        }.get(base)
        return served(method, rest, body) if served else _json(404, {"status": 404, "error": "Not Found", "path": path})

    def _test(self, path: str, body: t.Any) -> Answer:
        """What tests ask behind everybody's back."""
        if path == "/test/set":
            for name, value in body.items():
                setattr(self, name, value)
        return _json(
            200,
            {
                "pod": self.pod,
                "state": self.state,
                "joined": self.joined,
                "commands": self.commands,
                "reads": self.reads,
            },
        )

    def _failing(self, reads: bool) -> Answer | None:
        if self.fault == "500":
            return _json(500, {"error": "kafka_error", "message": "it broke"})
        if self.fault == "broken":
            return 200, b'{"apiVersion": "bg/v1", "sta'
        if self.fault == "refuse" and not reads:
            return _json(423, {"error": "fenced", "message": "this pod is fenced"})
        if self.fault == "hang":
            time.sleep(self.seconds)
        if self.fault == "die" and not reads:
            os._exit(7)
        if self.fault == "slow" and not reads and self.state == "running":
            self.busy_until = time.monotonic() + self.seconds
        return None

    @property
    def busy(self) -> bool:
        """Whether a record is still in work."""
        return time.monotonic() < self.busy_until

    def _actuator(self, method: str, path: str, body: t.Any) -> Answer:
        area, _slash, rest = path.partition("/")
        return self._bg(method, rest, body) if area == "kafka" else self._spring(method, rest, body)

    # --- bg/v1 ---------------------------------------------------------------------------------------------------

    def _bg(self, method: str, name: str, body: t.Any) -> Answer:
        if method == "GET":
            return _json(200, self._bg_status())
        if body["epoch"] < self.epoch:
            return _json(
                409, {"error": "stale_epoch", "message": f"epoch {body['epoch']} is stale", "epoch": self.epoch}
            )
        self.epoch = body["epoch"]
        if name == "pause":
            self.state, self.joined = "paused", self.joined and not body.get("leaveGroup")
        else:
            self.state, self.joined = "running", True
        return _json(202 if self.busy else 200, self._bg_status())

    def _bg_status(self) -> dict[str, t.Any]:
        running, joined = self.state == "running", self.joined
        owned = range(self.partitions if joined else 0)
        return {
            "apiVersion": "bg/v1",
            "color": "blue",
            "pod": self.pod,
            "state": "ACTIVE" if running else "PAUSING" if self.busy else "DRAINED",
            "epoch": self.epoch,
            "epochSource": "http" if self.commands else "configmap",
            "activatedEpoch": 1,
            "groupId": "g",
            "memberId": f"{self.pod}-1" if joined else "",
            "memberState": "stable" if joined else "unjoined",
            "inFlightRecords": int(self.busy),
            "queuedRecords": 0,
            "pendingCommits": 0,
            "processing": running or self.busy,
            "lastError": None,
            "partitions": [
                {
                    "topic": "t",
                    "partition": n,
                    "paused": not running,
                    "position": 10,
                    "committed": 9 if self.busy else 10,
                }
                for n in owned
            ],
        }

    # --- the others ----------------------------------------------------------------------------------------------

    def _three_endpoints(self, method: str, name: str, body: t.Any) -> Answer:
        if method == "GET":
            # A listener container without partitions never reports that it is paused.
            paused = self.state == "paused" and not self.busy and self.partitions > 0
            assigned = [f"t-{n}" for n in range(self.partitions)]
            return _json(200, {"paused": paused, "lag": 0, "assignedPartitions": assigned})
        self.state = {"pause": "paused", "resume": "running"}[name]
        return 200, self.state.encode()

    def _spring(self, method: str, name: str, body: t.Any) -> Answer:
        known = "orders-in-0"
        if method == "GET":
            state = "paused" if self.flagged else self.state
            row = {
                "bindingName": known,
                "name": "orders",
                "group": "g",
                "pausable": True,
                "state": state,
                "input": True,
            }
            rows = [
                {**row, "extendedInfo": {"password": "s3cret"}},
                *({**row, "state": other} for other in self.others),
            ]
            if not name:
                return _json(200, [*rows, {**row, "bindingName": "audit-out-0", "state": "running"}])
            found = rows if name == known else []
            return _json(200, found[0] if self.others else found)
        wanted = body["state"]
        if name == known and wanted in ("STOPPED", "STARTED"):
            self.state = "stopped" if wanted == "STOPPED" else "running"
        elif name == known:
            self.flagged = wanted == "PAUSED"
        return 204, b""

    def _connect(self, method: str, path: str, body: t.Any) -> Answer:
        name, _slash, command = path.partition("/")
        if name != "orders-sink":
            return _json(404, {"error_code": 404, "message": f"No status found for connector {name}"})
        if method == "GET":
            state = {"running": "RUNNING", "paused": "PAUSED", "stopped": "STOPPED"}[self._cluster()]
            worker = f"{self.pod}:8083"
            tasks = [] if state == "STOPPED" else [{"id": 0, "state": state, "worker_id": worker}]
            return _json(
                200,
                {"name": name, "connector": {"state": state, "worker_id": worker}, "tasks": tasks, "type": "sink"},
            )
        if self.fault == "rebalance":
            self.fault = ""
            return _json(
                409, {"error_code": 409, "message": "Cannot complete request because of a conflicting operation"}
            )
        self.state = {"pause": "paused", "stop": "stopped", "resume": "running"}[command]
        if self.shared:
            self.shared.write_text(self.state, encoding="utf-8")
        return (204 if command == "stop" else 202), b""

    def _cluster(self) -> str:
        if self.shared and self.shared.exists():
            return self.shared.read_text(encoding="utf-8")
        return self.state

    def _shawarma(self, method: str, path: str, body: t.Any) -> Answer:
        if method != "POST":
            return _json(405, {"error": "method not allowed"})
        self.state = {"active": "running", "inactive": "paused"}[body["status"]]
        return 200, b""

    def _consumer(self, method: str, path: str, body: t.Any) -> Answer:
        if method == "PUT":
            self.state = "paused" if body["hold"] else "running"
        return _json(200, {"consumer": {"hold": self.state == "paused", "epoch": (body or {}).get("epoch")}})


def _json(status: int, answer: t.Any) -> Answer:
    return status, json.dumps(answer).encode()


def handler(endpoint: FakeEndpoint) -> type[BaseHTTPRequestHandler]:
    """Serves the endpoint over HTTP/1.1 with keep-alive."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(text) if text else None
            header = os.environ.get("TOKEN_HEADER", "X-BG-Token")
            status, answer = endpoint.handle(self.command, self.path, body, self.headers.get(header) or "")
            head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            self.wfile.write(head.encode() + (b"" if status == 204 else answer))

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    return Handler


class Server(ThreadingHTTPServer):
    """One thread per connection."""

    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    """Serve port 8080 (PORT), over TLS with the files of TLS_DIRECTORY."""
    threading.stack_size(256 * 1024)
    settings = os.environ
    endpoint = FakeEndpoint(
        settings.get("HOSTNAME", "p"),
        int(settings.get("PARTITIONS", "1")),
        settings.get("TOKEN", ""),
        settings.get("SHARED", ""),
    )
    endpoint.fault, endpoint.seconds = settings.get("FAULT", ""), float(settings.get("SECONDS", "0"))
    server = Server(("", int(settings.get("PORT", "8080"))), handler(endpoint))
    if settings.get("TLS_DIRECTORY"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = pathlib.Path(settings["TLS_DIRECTORY"])
        context.load_cert_chain(files / "tls.crt", files / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
