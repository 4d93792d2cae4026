# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Pushgateway on a local port, as far as groups go: PUT replaces one, /metrics shows all. Made after what 1.5.1 answers."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from prometheus_client.parser import text_string_to_metric_families

Group = tuple[tuple[str, str], ...]
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
OWN = """# HELP pushgateway_build_info A metric with a constant '1' value labeled by version.
# TYPE pushgateway_build_info gauge
pushgateway_build_info{branch="HEAD",goversion="go1.19.8",revision="",version="1.5.1"} 1
# TYPE go_threads gauge
go_threads 9
"""


def _go(value: float) -> str:
    """A number as Go writes it: 3, 0.146, 1.76726882e+09."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:.17g}" if value == int(value) else repr(float(value))
    return next(short for places in range(18) if float(short := f"{value:.{places}e}") == value)


@dataclass
class FakePushgateway:
    """status, location and body: what is answered instead, where they are set. silent: nothing is answered until the end.

    drip: a byte is sent now and then, without an end. wanted: header Authorization without which nothing is answered.
    """

    status: int = 0
    location: str = ""
    body: bytes | None = None
    silent: bool = False
    drip: bool = False
    wanted: str = ""
    context: ssl.SSLContext | None = None
    groups: dict[Group, Series] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    on_push: t.Callable[[], None] = lambda: None
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> FakePushgateway:
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gateway.requests.append((self.command, self.path))
                if gateway.silent and gateway._over.wait():
                    self.close_connection = True
                    return
                if gateway.drip:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    while not gateway._over.is_set():
                        self.wfile.write(b"x")
                        time.sleep(0.05)
                    return
                status, answer = gateway._handle(self.command, self.path, body, self.headers.get("Authorization", ""))
                self.send_response(status)
                if gateway.location:
                    self.send_header("Location", gateway.location)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - http.server's name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.context:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def pushes(self) -> int:
        """How often something was written."""
        return sum(method != "GET" for method, _path in self.requests)

    def _handle(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        if self.wanted and authorization != self.wanted:
            return 401, b"Unauthorized"
        if self.status or self.body is not None:
            return self.status or 200, self.body or b""
        if method == "GET" and path == "/metrics":
            return 200, self.text().encode()
        if method != "PUT" or not path.startswith("/metrics/job/"):
            return 404, b"404 page not found"
        parts = [unquote_plus(part) for part in path.removeprefix("/metrics/").split("/")]
        self.put(dict(zip(parts[::2], parts[1::2], strict=True)), body.decode())
        self.on_push()
        return 200, b""

    def put(self, group: dict[str, str], text: str) -> None:
        """Replace a group."""
        key = tuple(sorted(group.items()))
        self.groups[key] = {
            (sample.name, tuple(sorted({"instance": "", **sample.labels, **group}.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        labels = tuple(sorted({"instance": "", **group}.items()))
        self.groups[key] |= {("push_time_seconds", labels): 1.7e9, ("push_failure_time_seconds", labels): 0}

    def series(self, app: str) -> dict[str, float]:
        """What is shown of an application, without the labels of its group: ``name{label="value"}`` and value."""
        return {
            name
            + "".join(
                f" {key}={value}" for key, value in labels if key not in ("job", "instance", "app", "namespace")
            ): value
            for group in self.groups.values()
            for (name, labels), value in group.items()
            if ("app", app) in labels and not name.startswith("push_")
        }

    def text(self) -> str:
        """The answer to GET /metrics."""
        lines = [
            f"{name}{{{','.join(map(_pair, labels))}}} {_go(number)}"
            for group in self.groups.values()
            for (name, labels), number in group.items()
        ]
        return OWN + "".join(f"{line}\n" for line in sorted(lines))


def _pair(label: tuple[str, str]) -> str:
    name, value = label
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def basic(user: str, password: str) -> str:
    """The header of basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
