# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A relay on a local port in front of a broker, for what happens on the way."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Passes bytes on in both directions. Use as a context manager."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.swallow = False
        """Nothing that comes from the broker is passed on."""

    @property
    def address(self) -> str:
        """host:port of the relay."""
        return f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Relay:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=5)

    def cut(self) -> None:
        """End every connection; new ones are taken."""
        while self._open:
            connection = self._open.pop()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client = self._server.accept()[0]
                broker = socket.create_connection(self._target, timeout=10)
            except OSError:
                return
            broker.settimeout(None)
            self._open += [client, broker]
            self._start(self._pass_on, client, broker, False)
            self._start(self._pass_on, broker, client, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        try:
            while received := source.recv(65536):
                if not (answers and self.swallow):
                    target.sendall(received)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
