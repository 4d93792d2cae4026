# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``MetricsPlace``: the group of one application in a Pushgateway. HTTP by urllib3, so that its timeout is one for everything."""

from __future__ import annotations

import ssl
import threading
import time
import traceback
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.exposition import (
    Samples,
    check_library,
    from_text,
    to_text,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.refusal import root
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    MetricsError,
    MissingLibraryError,
    UnreadableMetricsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import OWN_LABELS, Sample

try:
    import urllib3

    URLLIB3_ERROR = ""
except ImportError:
    URLLIB3_ERROR = traceback.format_exc()
try:
    from prometheus_client import push_to_gateway
except ImportError:
    pass  # check_library says so before it is used

JOB = "bluegreen"
"""Label ``job`` of everything we push. With app and namespace it is the group that a push replaces."""
SIGN = "pushgateway_build_info"
"""What every Pushgateway says of itself, and nobody else."""
OF_THE_GATEWAY = ("push_time_seconds", "push_failure_time_seconds")
"""What it adds to each group."""
MOST = 64 * 1024 * 1024
"""Bytes that are read of an answer."""
T = t.TypeVar("T")


@dataclass(frozen=True)
class Gateway:
    """How a Pushgateway is reached. url: without user and password. timeout: seconds for all that is asked of it."""

    url: str
    ca_cert: str = ""
    user: str = ""
    password: str = ""
    token: str = ""
    timeout: float = 10.0


class Pushgateway:
    """The group with the labels job, app, namespace and ``labels``. The time begins to count with the first request."""

    def __init__(self, gateway: Gateway, app: str, namespace: str, labels: t.Mapping[str, str] | None = None) -> None:
        check_library()
        if URLLIB3_ERROR:
            raise MissingLibraryError("urllib3", URLLIB3_ERROR)
        self._gateway = gateway
        self._url = gateway.url.rstrip("/")
        self._key = {"app": app, "namespace": namespace, **(labels or {})}
        options = {"ssl_context": _tls(gateway.ca_cert)} if self._url.startswith("https:") else {}
        self._pool = urllib3.PoolManager(retries=False, **t.cast(t.Any, options))
        self._deadline: float | None = None
        self._headers: dict[str, str] = {}
        if gateway.user:
            self._headers = urllib3.make_headers(basic_auth=f"{gateway.user}:{gateway.password}")
        elif gateway.token:
            self._headers = {"Authorization": f"Bearer {gateway.token}"}

    def name(self) -> str:
        """See MetricsPlace."""
        return f"the Pushgateway {self._url}"

    def text(self, samples: t.Iterable[Sample]) -> str:
        """See MetricsPlace."""
        return to_text(samples)

    def read(self) -> str:
        """See MetricsPlace: the series of the group, without the labels that the gateway adds."""
        text = self._ask("GET", f"{self._url}/metrics").decode(errors="replace")
        lines = text.splitlines()
        if not any(line.startswith(SIGN) for line in lines):
            raise MetricsError(
                f"{self._url}/metrics answered, but not as a Pushgateway does ({SIGN} is missing); seen: {text[:200]!r}. Correct "
                "pushgateway.url"
            )
        group = {"job": JOB, **self._key}
        # The whole of a gateway that many use is long; its values have no quotes or line breaks in what is looked for.
        mine = [line for line in lines if all(f'{name}="{value}"' in line for name, value in group.items())]
        try:
            found = from_text("\n".join(mine) + "\n")
        except ValueError as error:
            raise UnreadableMetricsError(
                f"{self._url}/metrics answered with something that is not metrics: {error}"
            ) from error
        return to_text(
            Sample(
                sample.name,
                {key: label for key, label in sample.labels.items() if key not in ("job", "instance")},
                sample.value,
            )
            for sample in found
            if sample.name not in OF_THE_GATEWAY
            and not sample.labels.get("instance")  # of another group, which has one more label
            and sample.labels.keys() <= {"job", "instance", *self._key, *OWN_LABELS}  # as well
            and all(sample.labels.get(name) == value for name, value in group.items())
        )

    def replace(self, samples: t.Iterable[Sample]) -> None:
        """See MetricsPlace."""
        push_to_gateway(
            self._url, JOB, t.cast(t.Any, Samples(samples)), self._key, self._gateway.timeout, handler=self._handler
        )

    def _handler(
        self, url: str, method: str, timeout: float | None, headers: t.Sequence[tuple[str, str]], data: bytes
    ) -> t.Callable[[], None]:
        """How prometheus-client sends. timeout: not used; what was asked before counts as well."""

        def send() -> None:
            self._ask(method, url, dict(headers), data)

        return send

    def _ask(
        self, method: str, url: str, headers: t.Mapping[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._gateway.timeout
        deadline = self._deadline
        try:
            status, answer, location = _within(
                deadline - now,
                lambda: self._send(method, url, {**self._headers, **(headers or {})}, body, deadline),
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            advice = "Check that the Pushgateway runs and can be reached from here"
            if _is_late(error):
                told = f"was not answered within {self._gateway.timeout:g} s. {advice}, or raise pushgateway.timeout"
            else:
                told = f"failed: {root(error)}. {advice}, and pushgateway.url"
            raise MetricsError(f"{self._what(method)} {self._url} {told}") from error
        if status not in (200, 202):
            raise MetricsError(self._refused(method, status, answer, location))
        return answer

    def _send(
        self, method: str, url: str, headers: t.Mapping[str, str], body: bytes | None, deadline: float
    ) -> tuple[int, bytes, str]:
        response = self._pool.request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=max(0.001, deadline - time.monotonic())),
            redirect=False,
            preload_content=False,
        )
        try:
            answer = response.read(MOST + 1)
        finally:
            response.close()
        if len(answer) > MOST:
            raise UnreadableMetricsError(
                f"{self._what(method)} {self._url} failed: the answer is longer than {MOST} bytes"
            )
        return response.status, answer, response.headers.get("Location", "")

    @staticmethod
    def _what(method: str) -> str:
        return "Reading" if method == "GET" else "Pushing to"

    def _refused(self, method: str, status: int, answer: bytes, location: str) -> str:
        said = f"{self._what(method)} {self._url} was answered with {status}"
        if 300 <= status < 400:
            return f"{said}, a redirect to {_bare(location)}; name the address that answers in pushgateway.url"
        if status in (401, 403):
            return f"{said}. Check user and password, or token, of pushgateway"
        if status in (404, 405):
            return f"{said}: there is no Pushgateway. Correct pushgateway.url"
        return f"{said}: {answer[:200].decode(errors='replace').strip()!r}. The log of the Pushgateway may tell more"


def _is_late(error: Exception) -> bool:
    """Whether time ran out. urllib3 counts a connection that was refused, or a name that nobody knows, as that as well."""
    late = isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)
    return late and not isinstance(error, urllib3.exceptions.NewConnectionError)


def _within(seconds: float, work: t.Callable[[], T]) -> T:
    """What ``work`` returns or raises; TimeoutError where that takes too long, and where no time is left to begin. A name that is
    looked up, and a server that sends a byte now and then, have no other limit.
    """
    if seconds <= 0:
        raise TimeoutError
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, name="pushgateway", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def _tls(ca_cert: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_cert or None)
    except (OSError, ValueError) as error:
        raise InvalidSettingsError(
            [f"pushgateway.ca_cert: the file {ca_cert} holds no CA certificates in PEM that can be read: {error}"]
        ) from error


def _bare(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that can't be read"
    return f"{parts.scheme}://{host}{port}{parts.path}" if host else parts.path or "nowhere"
