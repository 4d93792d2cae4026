# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""One run at a time: a Lease that a run renews while it works and that another takes over only after it expired."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import LeaseState
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ConflictError, LockedError
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

POLL = 0.5
"""Seconds between two looks at somebody else's lock."""
MOST_RENEWALS = 3
"""Renewals in a row, where each takes a third of the lock's life: then the API server is slow, and the lock is ours."""


def lock_name(app: str) -> str:
    """Name of the Lease."""
    return f"{app}-bg-lock"


class RunLock:
    """The lock of one application, held by one run id.

    Expiry is judged as Kubernetes' own leader election does: another holder's Lease that was not renewed for its
    duration *while we watched*, on our own monotonic clock. Clocks of two machines are never compared.
    """

    def __init__(self, ports: Ports, app: str, run_id: str, ttl: int) -> None:
        self._ports = ports
        self._name = lock_name(app)
        self._run_id = run_id
        self._ttl = ttl
        self._lease: LeaseState | None = None
        self._renewed = 0.0
        self.was_ours = False
        """True when the run held the lock before this object took it: somebody else of the run gives it back."""

    def acquire(self, timeout: float) -> None:
        """Take the lock, waiting up to ``timeout`` seconds. Raises LockedError naming the holder."""
        clock, cluster = self._ports.clock, self._ports.cluster
        deadline = clock.monotonic() + timeout
        watched: tuple[str, str] | None = None
        since = 0.0
        while True:
            lease = cluster.lease(self._name)
            if lease is None or lease.holder in ("", self._run_id):
                self.was_ours = lease is not None and lease.holder == self._run_id
                if self._put(lease):
                    return
                continue
            if (lease.holder, lease.renew_time) != watched:
                watched, since = (lease.holder, lease.renew_time), clock.monotonic()
            elif clock.monotonic() - since > lease.duration_seconds:
                if self._put(lease):
                    return
                continue
            if clock.monotonic() >= deadline:
                raise LockedError(
                    f"Run {lease.holder} holds the lock {self._name} and still renews it; nothing was changed. "
                    "Wait for it to end, or check it with the status playbook",
                    {"lock_holder": lease.holder},
                )
            clock.sleep(POLL)

    def hold(self) -> None:
        """Keep the lock: renew it when a third of its life is over. Raises LockedError when another run took it.

        A renewal that took as long is followed by another, as the process may have stood still after it.
        """
        for _try in range(MOST_RENEWALS):
            if self._lease is not None and self._ports.clock.monotonic() - self._renewed <= self._ttl / 3:
                return
            self._renew()

    def _renew(self) -> None:
        lease = self._ports.cluster.lease(self._name)
        if lease is None:  # somebody deleted it
            if self._put(None):
                return
            lease = self._ports.cluster.lease(self._name)
        ours = self._lease is None or lease is None or lease.resource_version == self._lease.resource_version
        if lease is not None and lease.holder == self._run_id and not ours:
            raise LockedError(
                f"Another process renews the lock {self._name} under the same run id {self._run_id}: each run needs a run id "
                "of its own. This one stops here"
            )
        if lease is None or lease.holder != self._run_id or not self._put(lease):
            holder = lease.holder if lease and lease.holder else "another run, which is over"
            raise LockedError(
                f"The lock {self._name} was taken over by {holder}; this run ({self._run_id}) stops here and leaves the rest "
                "to that one"
            )

    def release(self) -> None:
        """Give the lock back, if it is still ours. A lock that can't be given back expires by itself."""
        lease = self._ports.cluster.lease(self._name)
        if lease is not None and lease.holder == self._run_id:
            try:
                self._ports.cluster.put_lease(self._name, "", self._ttl, lease.resource_version)
            except ConflictError:
                pass
        self._lease = None

    def _put(self, lease: LeaseState | None) -> bool:
        """Write ourselves into the Lease as we read it; False when somebody was faster."""
        started = self._ports.clock.monotonic()
        self._lease = None  # where the answer is lost, nobody knows which version is ours
        try:
            version = lease.resource_version if lease else None
            # Another module of the same run may have asked for longer.
            ttl = max(self._ttl, lease.duration_seconds if lease and lease.holder == self._run_id else 0)
            self._lease = self._ports.cluster.put_lease(self._name, self._run_id, ttl, version)
        except ConflictError:
            return False
        self._renewed = started
        return True
