# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Metrics``: the HTTP API of a Prometheus server."""

from __future__ import annotations

import base64
import ssl
import threading
import traceback
import typing as t
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    ERROR,
    GARBAGE,
    TIMEOUT,
    Answer,
    Prometheus,
    read_answer,
)

try:
    import urllib3
except ImportError:
    MISSING = traceback.format_exc()
else:
    MISSING = ""

MOST = 1024 * 1024
"""Bytes of an answer: one number takes a few hundred."""
PART = 64 * 1024


class PrometheusAdapter:
    """Asks one server. Every question has the whole time that the settings name, and not a second more."""

    def __init__(self, server: Prometheus) -> None:
        if MISSING:
            raise MissingLibraryError("urllib3", MISSING)
        self._server = server
        self._pool: t.Any = None
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity", **authorization(server)}

    def instant(self, query: str) -> Answer:
        """See the port."""
        future: Future[Answer] = Future()
        # A server that sends a byte a second keeps every timeout of a socket from passing, so somebody else looks at the clock.
        # The thread ends with its own timeouts, or with the process.
        threading.Thread(target=self._answer, args=(query, future), name="bg-prometheus", daemon=True).start()
        try:
            return future.result(timeout=self._server.timeout)
        except FutureTimeoutError:
            return _late(self._server.timeout)

    def _answer(self, query: str, future: Future[Answer]) -> None:
        try:
            future.set_result(self._ask(query))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            future.set_exception(error)

    def _ask(self, query: str) -> Answer:
        timeout = self._server.timeout
        try:
            response = self._connections().request(
                "POST",
                f"{self._server.url}/api/v1/query",
                # VictoriaMetrics answers for half a minute ago, unless it is told not to; others ignore it.
                fields={"query": query, "timeout": f"{timeout:g}", "nocache": "1"},
                encode_multipart=False,
                headers=self._headers,
                timeout=urllib3.Timeout(total=timeout),
                retries=False,  # nor is a redirect followed: whoever it leads to would be sent who we are
                preload_content=False,
            )
            with response:
                body = b""
                for part in response.stream(PART, decode_content=False):
                    body += part
                    if len(body) > MOST:
                        return Answer(GARBAGE, said=f"more than {MOST} bytes", again=True)
        except urllib3.exceptions.NewConnectionError as error:  # which urllib3 calls a timeout, too
            return Answer(ERROR, said=f"no connection: {_words(error)}", again=True)
        except urllib3.exceptions.TimeoutError:
            return _late(timeout)
        except _UnusableError as error:
            return Answer(ERROR, said=str(error))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(ERROR, said=f"no answer: {_words(error)}", again=True)
        return read_answer(response.status, body, response.headers.get("Location", ""))

    def _connections(self) -> t.Any:
        if self._pool is None:
            self._pool = urllib3.PoolManager(ssl_context=_tls(self._server))
        return self._pool


class _UnusableError(Exception):
    """A file that is needed can't be used."""


def _tls(server: Prometheus) -> ssl.SSLContext | None:
    if not server.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=server.ca_cert or None)
    except (OSError, ValueError) as error:
        raise _UnusableError(f"prometheus.ca_cert {server.ca_cert} holds no CA certificates: {error}") from error
    if not server.validate_certs:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def authorization(server: Prometheus) -> dict[str, str]:
    """The header that says who we are, or none."""
    if server.token:
        return {"Authorization": f"Bearer {server.token}"}
    if server.user:
        pair = base64.b64encode(f"{server.user}:{server.password}".encode(errors="surrogateescape")).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}


def _late(timeout: float) -> Answer:
    return Answer(TIMEOUT, said=f"nothing within {timeout:g} s", again=True)


def _words(error: BaseException) -> str:
    """What a library's error says of its cause."""
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:300] or type(reason).__name__
