"""Reads the active record once a second and tells the contract."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import urllib3

from bgconsumer.contract import Contract
from bgconsumer.model import NOTHING_HANDED, ActiveRecord, Handoff, RecordError, parse_snapshot

READ_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MOST_CHUNKS = 8
"""ConfigMaps of one snapshot: the first is named in the record, the others are ``<name>-1`` and so on."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,240}")


class RecordSource(Protocol):
    """Reads the record and the snapshot that it names as they are now; both raise `RecordError`."""

    def read(self) -> ActiveRecord: ...

    def read_snapshot(self, record: ActiveRecord) -> Handoff: ...


def read_chunks(record: ActiveRecord, read: Callable[[str], Mapping[str, Any]]) -> Handoff:
    """All parts of the record's snapshot; the first says how many there are."""
    if not _NAME.fullmatch(record.snapshot):
        raise RecordError(f"snapshot {record.snapshot!r} is no name of a ConfigMap")  # nor part of an address
    first = read(record.snapshot)
    chunks = str(first.get("chunks", ""))
    if chunks not in map(str, range(1, MOST_CHUNKS + 1)):
        raise RecordError(f"snapshot {record.snapshot} has {chunks!r} chunks, expected 1 to {MOST_CHUNKS}")
    rest = [read(f"{record.snapshot}-{index}") for index in range(1, int(chunks))]
    return parse_snapshot(record, [first, *rest])


class FileSource:
    """The record as a JSON file ``{"active": "blue", "epoch": "1", "phase": "stable"}``, outside Kubernetes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> ActiveRecord:
        return ActiveRecord.from_data(self._data(self._path))

    def read_snapshot(self, record: ActiveRecord) -> Handoff:
        """The snapshot lies beside the record, ``<name>.json``."""
        return read_chunks(record, lambda name: self._data(self._path.with_name(f"{name}.json")))

    def _data(self, path: Path) -> dict[str, Any]:
        try:
            return _object(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RecordError(f"active record {path}: {error}") from error


class ConfigMapSource:
    """The record as a ConfigMap, read through the API server with the pod's service account.

    A plain GET without ``resourceVersion`` is answered from a quorum; a mounted volume or a watch cache would
    lag behind a switch.
    """

    def __init__(self, api_server: str, namespace: str, name: str, account: Path = SERVICE_ACCOUNT) -> None:
        self._url = f"{api_server}/api/v1/namespaces/{namespace}/configmaps"
        self._namespace, self._name = namespace, name
        self._token = account / "token"
        timeout = urllib3.Timeout(total=TIMEOUT_SECONDS)
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, ca_certs=str(account / "ca.crt"), timeout=timeout, retries=False
        )

    def read(self) -> ActiveRecord:
        return ActiveRecord.from_data(self._data(self._name))

    def read_snapshot(self, record: ActiveRecord) -> Handoff:
        return read_chunks(record, self._data)

    def _data(self, name: str) -> dict[str, Any]:
        what = f"ConfigMap {self._namespace}/{name}"
        try:
            # The kubelet renews the token in place, so it is read every time.
            headers = {"Authorization": f"Bearer {self._token.read_text(encoding='utf-8').strip()}"}
            answer = self._pool.request("GET", f"{self._url}/{name}", headers=headers)
            if answer.status != 200:
                raise RecordError(f"{what}: API server answered {answer.status}: {answer.data[:200]!r}")
            return _object(_object(json.loads(answer.data)).get("data") or {})
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise RecordError(f"{what}: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecordError(f"active record: expected a JSON object, got {type(value).__name__}")
    return value


class RecordReader(threading.Thread):
    """Keeps the contract's lease alive for as long as the record can be read."""

    def __init__(self, contract: Contract, colour: str, source: RecordSource, log: Callable[[str], None]) -> None:
        super().__init__(name="record", daemon=True)
        self._colour = colour
        self._contract = contract
        self._source = source
        self._log = log
        self._failing: str | None = None
        self._known: tuple[tuple[str, int], Handoff] | None = None

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
        missing: str | None = None
        try:
            record = self._source.read()
            # What the record says counts at once, however long its snapshot takes to be read.
            self._contract.observe_record(record, started, self._known_of(record))
            if self._known_of(record) is None:
                self._known = ((record.snapshot, record.activated_epoch), self._source.read_snapshot(record))
                self._contract.observe_record(record, started, self._known_of(record))
        except RecordError as error:
            missing = str(error)
        except Exception as error:  # noqa: BLE001  a thread that ends here would stop the pod for good, a minute later
            missing = f"unexpected {error!r}"
        if missing is not None:
            self._contract.record_failed(missing)
            if self._failing != missing:  # say it once, not every second
                self._log(f"active record not read: {missing}")
        self._failing = missing

    def _known_of(self, record: ActiveRecord) -> Handoff | None:
        """What this colour was handed, `None` as long as that was not read; it is read once a reign."""
        if not record.snapshot or record.active != self._colour:
            return NOTHING_HANDED
        key = (record.snapshot, record.activated_epoch)
        return self._known[1] if self._known is not None and self._known[0] == key else None
