"""Reads the active record once a second and tells the contract."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import urllib3

from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord, RecordError

READ_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class RecordSource(Protocol):
    """Returns the record's ``data`` as it is now; raises `RecordError`."""

    def read(self) -> ActiveRecord: ...


class FileSource:
    """The record as a JSON file ``{"active": "blue", "epoch": "1", "phase": "stable"}``, outside Kubernetes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> ActiveRecord:
        try:
            return ActiveRecord.from_data(_object(json.loads(self._path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            raise RecordError(f"active record {self._path}: {error}") from error


class ConfigMapSource:
    """The record as a ConfigMap, read through the API server with the pod's service account.

    A plain GET without ``resourceVersion`` is answered from a quorum; a mounted volume or a watch cache would
    lag behind a switch.
    """

    def __init__(self, api_server: str, namespace: str, name: str, account: Path = SERVICE_ACCOUNT) -> None:
        self._url = f"{api_server}/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._what = f"ConfigMap {namespace}/{name}"
        self._token = account / "token"
        timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, ca_certs=str(account / "ca.crt"), timeout=timeout, retries=False
        )

    def read(self) -> ActiveRecord:
        try:
            # The kubelet renews the token in place, so it is read every time.
            headers = {"Authorization": f"Bearer {self._token.read_text(encoding='utf-8').strip()}"}
            answer = self._pool.request("GET", self._url, headers=headers)
            if answer.status != 200:
                raise RecordError(f"{self._what}: API server answered {answer.status}: {answer.data[:200]!r}")
            return ActiveRecord.from_data(_object(_object(json.loads(answer.data)).get("data") or {}))
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise RecordError(f"{self._what}: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecordError(f"active record: expected a JSON object, got {type(value).__name__}")
    return value


class RecordReader(threading.Thread):
    """Keeps the contract's lease alive for as long as the record can be read."""

    def __init__(self, contract: Contract, source: RecordSource, log: Callable[[str], None]) -> None:
        super().__init__(name="record", daemon=True)
        self._contract = contract
        self._source = source
        self._log = log
        self._failing: str | None = None

    def run(self) -> None:
        while True:
            started = time.monotonic()
            self.read_once()
            # A new assignment waits for a read of its own.
            if self._contract.read_wanted.wait(max(0.0, READ_SECONDS - (time.monotonic() - started))):
                self._contract.read_wanted.clear()

    def read_once(self) -> None:
        """One read. The lease counts from before the request, the latest moment the answer can vouch for."""
        started = time.monotonic()
        try:
            self._contract.observe_record(self._source.read(), started)
            self._failing = None
        except RecordError as error:
            self._contract.record_failed(str(error))
            if self._failing != str(error):  # say it once, not every second
                self._failing = str(error)
                self._log(f"active record not read: {error}")
