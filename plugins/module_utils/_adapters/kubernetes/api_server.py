# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""HTTP to the Kubernetes API server: one pool of TLS connections, a timeout on every request, errors in plain words.

Connection options are read by kubernetes.core's own code, so they mean here what they mean there. Its client is not
used: it asks the server for its API before the first request, and we know the dozen paths we need.
"""

from __future__ import annotations

import errno
import json
import ssl
import threading
import time
import traceback
import typing as t
from urllib.parse import urlencode

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes import credentials
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    ConflictError,
    InvalidSettingsError,
    MissingLibraryError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.headers import UNSENDABLE, sendable

try:
    import urllib3
    from kubernetes.client.rest import RESTClientObject

    KUBERNETES_IMPORT_ERROR = ""
except ImportError:
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as kubernetes_core

LIBRARY = "kubernetes"
POOL_SIZE = 64
"""Connections kept; pods are asked all at once."""
RETRY = 0.2
"""Seconds between two attempts of a read."""
TOO_MANY_REQUESTS = 429
OPTIONS = {"Impersonate-User": "impersonate_user", "Impersonate-Group": "impersonate_groups"}
FILE_ERRORS = frozenset({errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
_PASSING = frozenset({TOO_MANY_REQUESTS, 500, 502, 503, 504})


class ApiServer:
    """Sends requests to the API server. Safe to use from several threads; connects at the first request.

    auth: kubernetes.core's authentication options by their Ansible names; what is missing is taken from the environment
    (``K8S_AUTH_*``), the kubeconfig or the pod's service account. timeout: seconds for one request, or for all the
    attempts of a read. answered: whether the server did so before, to this process or to an earlier one; then no error is taken for
    one that stays.
    """

    def __init__(self, auth: t.Mapping[str, t.Any], timeout: float = 10.0, answered: bool = False) -> None:
        if KUBERNETES_IMPORT_ERROR:
            raise MissingLibraryError(LIBRARY, KUBERNETES_IMPORT_ERROR)
        self._auth = {name: value for name, value in auth.items() if value is not None}
        self.timeout = timeout
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None
        self._configuration: t.Any = None
        self._spec: t.Mapping[str, t.Any] = {}
        self._refusals = refusal.Refusals(answered)
        self._headers: list[tuple[str, str]] = []
        self.host = "(not configured)"
        """URL of the API server."""

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: t.Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[int, bytes]:
        """One request, no second attempt. Returns HTTP code and body; raises urllib3's HTTPError when none came."""
        pool = self._connected()
        # One header for each group that is impersonated: the API server takes a list for the name of one.
        sent = urllib3.HTTPHeaderDict(self._headers)
        for name, value in {**self._authorization(), **(headers or {})}.items():
            sent[name] = value
        response = pool.request(
            method,
            self.host + path,
            body=body,
            headers=sent,
            timeout=urllib3.Timeout(total=timeout or self.timeout),
            retries=False,
            redirect=False,
        )
        self._refusals.answered = True
        return response.status, response.data

    def read(self, what: str, path: str, query: t.Mapping[str, str] | None = None) -> dict[str, t.Any] | None:
        """GET an object or a list; None when it does not exist. Tried again while the error may pass.

        what: for messages (``ConfigMap orders/x``).
        """
        url = f"{path}?{urlencode(query)}" if query else path
        deadline = time.monotonic() + self.timeout
        self._refusals.begin()
        while True:
            left = max(RETRY, deadline - time.monotonic())
            failure: BlueGreenError
            try:
                status, body = self.send("GET", url, headers={"Accept": "application/json"}, timeout=left)
                if status == 404:
                    return None
                if status < 300:
                    return t.cast("dict[str, t.Any]", json.loads(body))
                failure, passes = self._refused(f"read {what}", status, body), status in _PASSING
            except urllib3.exceptions.HTTPError as error:
                # A server that restarts may answer a handshake with anything, and certificates are renewed under way.
                passes = self._refusals.answered or not _is_final(error)
                failure = self._unreachable(f"read {what}", error)
                if self._refusals.seen(error):
                    peer, option = self._asked(error)
                    raise ClusterError(f"Could not read {what}: {refusal.words(peer)}. Check {option}") from error
            if not passes or time.monotonic() + 2 * RETRY > deadline:
                raise failure
            time.sleep(RETRY)

    def write(
        self, verb: str, what: str, method: str, path: str, body: t.Any, content_type: str = "application/json"
    ) -> dict[str, t.Any] | None:
        """Send a change once (again only while the server says that it did not take it); None when the object does not exist.

        Raises ConflictError on 409, and ClusterError otherwise; without an answer the outcome is unknown.
        """
        encoded = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                status, answer = self.send(method, path, encoded, headers)
            except urllib3.exceptions.HTTPError as error:
                raise self._unreachable(f"{verb} {what}", error) from error
            if status == 404:
                return None
            if status < 300:
                return t.cast("dict[str, t.Any]", json.loads(answer))
            if status != TOO_MANY_REQUESTS or time.monotonic() + 2 * RETRY > deadline:
                raise self._refused(f"{verb} {what}", status, answer)
            time.sleep(RETRY)

    def _connected(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                configuration, headers = self._configured()
                configuration.connection_pool_maxsize = POOL_SIZE
                self._headers = _lines(headers)
                # Remembered, because renewing a token puts the kubeconfig's own host back.
                self.host = str(configuration.host)
                self._configuration = configuration
                self._pool = RESTClientObject(configuration).pool_manager
            return self._pool

    def _configured(self) -> tuple[t.Any, t.Mapping[str, t.Any]]:
        """The client's configuration, and the headers of an impersonation."""
        given = self._auth.get("kubeconfig")
        if wrong := credentials.no_kubeconfig(given):
            raise InvalidSettingsError([wrong])
        try:
            self._spec = kubernetes_core._create_auth_spec(None, **self._auth)  # noqa: SLF001
            configuration = kubernetes_core._create_configuration(self._spec)  # noqa: SLF001
            headers = kubernetes_core._create_headers(None, **self._auth)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - of any kind, as the content of a file has it
            why = credentials.why_unusable(given, error)
            raise ClusterError(f"No Kubernetes cluster is configured: {why}") from None
        if not sendable(str(self._spec.get("api_key") or "")):
            raise InvalidSettingsError([f"api_key {UNSENDABLE}"])
        if not str(configuration.host).startswith(("https://", "http://")):
            source = "host" if self._spec.get("host") else "server of the kubeconfig"
            raise InvalidSettingsError([f"{source} is {configuration.host!r}; it must be a URL, https://HOST:PORT"])
        return configuration, headers

    @property
    def credentials(self) -> str:
        """What our identity comes from, for messages."""
        return credentials.told({**self._spec, "impersonate_user": dict(self._headers).get("Impersonate-User")})

    def _authorization(self) -> dict[str, str]:
        # Asked for at each request, because tokens of cloud providers and service accounts are renewed under way.
        settings = self._configuration.auth_settings()
        if "BearerToken" in settings:
            return {"Authorization": settings["BearerToken"]["value"]}
        if self._configuration.username and self._configuration.password:
            return {"Authorization": self._configuration.get_basic_auth_token()}
        return {}

    def _unreachable(self, what: str, error: Exception) -> ClusterError:
        if _is_final(error):
            return ClusterError(
                f"Could not {what}: no connection to the Kubernetes API server {self.host}: {error}. Check the options host, proxy, "
                "ca_cert, client_cert and client_key, or what the kubeconfig says of them"
            )
        peer, option = self._asked(error)
        return ClusterError(
            f"Could not {what}: no answer from {peer} within {self.timeout:g} s ({error}). Check {option} and the network"
        )

    def _asked(self, error: Exception) -> tuple[str, str]:
        """Who the request was sent to, and what says so, for messages."""
        if not isinstance(error, urllib3.exceptions.ProxyError):
            return f"the Kubernetes API server {self.host}", "the host or kubeconfig option"
        proxy = urllib3.util.parse_url(str(self._configuration.proxy))._replace(auth=None)  # a password may be in it
        return f"the proxy {proxy.url} before the Kubernetes API server {self.host}", "the proxy option"

    def _refused(self, what: str, status: int, body: bytes) -> BlueGreenError:
        kind: type[BlueGreenError] = ConflictError if status == 409 else ClusterError
        by = f" (identity: {self.credentials})" if status in (401, 403) else ""
        return kind(f"Could not {what}: the Kubernetes API server {self.host} answered {status}: {reason(body)}{by}")


def _is_final(error: Exception) -> bool:
    """Whether the next attempt would fail in the same way: an address that is none, certificates that do not fit or are not there."""
    cause = refusal.root(error)
    if isinstance(cause, ssl.SSLError):
        return not refusal.is_cut_off(cause)
    # Of the system's errors those of files; those of connections may pass.
    unreadable = isinstance(cause, OSError) and cause.errno in FILE_ERRORS
    return unreadable or isinstance(error, urllib3.exceptions.LocationValueError)


def _lines(headers: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Headers one by one. Raises InvalidSettingsError for what can't be sent."""
    lines = [
        (name, str(one)) for name, value in headers.items() for one in (value if isinstance(value, list) else [value])
    ]
    faults = [f"{OPTIONS[name]} {value!r} {UNSENDABLE}" for name, value in lines if not sendable(value)]
    if faults:
        raise InvalidSettingsError(faults)
    return lines


def reason(body: bytes) -> str:
    """What a Status object, or any other error body, says."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("message"):
        return str(said["message"])
    return body[:300].decode(errors="replace").strip() or "no reason given"
