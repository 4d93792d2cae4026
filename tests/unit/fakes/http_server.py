# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server on a local port that answers as scripted and keeps every request."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t
from dataclasses import dataclass, field
from email.message import Message

from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG


@dataclass(frozen=True)
class Request:
    """A request that came."""

    method: str
    path: str
    headers: Message
    body: t.Any


@dataclass
class HttpServer:
    """answers: per ``METHOD path`` (without query) what to answer, one after the other; the last one stays.

    An answer is (code, body); a body that is not bytes is sent as JSON. delay: seconds before every answer, at most until
    the server's end. together: where requests meet before any of them is answered.
    """

    answers: dict[str, list[tuple[int, t.Any]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    delay: float = 0.0
    together: threading.Barrier | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> HttpServer:
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.requests.append(
                    Request(self.command, self.path, self.headers, json.loads(body) if body else None)
                )
                if script.together:
                    script.together.wait(HANG)
                if script.delay and script._over.wait(script.delay):
                    self.close_connection = True
                    return
                status, answer = script.next(f"{self.command} {self.path.split('?')[0]}")
                encoded = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - http.server's name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Port it listens on, at 127.0.0.1."""
        return int(self._server.server_address[1])

    def next(self, route: str) -> tuple[int, t.Any]:
        """The answer to a request; 404 where none is scripted."""
        planned = self.answers.get(route)
        if not planned:
            return 404, {"kind": "Status", "apiVersion": "v1", "message": f"{route} not found", "code": 404}
        return planned.pop(0) if len(planned) > 1 else planned[0]

    def sent(self, method: str) -> list[Request]:
        """Requests with this method."""
        return [request for request in self.requests if request.method == method]
