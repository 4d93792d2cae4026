# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Ports that are made at their first use. Nothing connects, and no library is imported, before."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Cluster, Consumers, Kafka, Ports

Params = t.Mapping[str, t.Any]


class LazyPort:
    """Stands for an object that is made when one of its attributes is first asked for."""

    def __init__(self, make: t.Callable[[], t.Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: t.Any = None

    def __getattr__(self, name: str) -> t.Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def ports_of(**made: t.Callable[[], t.Any]) -> Ports:
    """Ports of which these are made when they are needed. A module that has no options for one does not use it."""
    kafka, cluster, consumers = (LazyPort(made.get(name, _absent)) for name in ("kafka", "cluster", "consumers"))
    return Ports(
        kafka=t.cast(Kafka, kafka),
        cluster=t.cast(Cluster, cluster),
        consumers=t.cast(Consumers, consumers),
        clock=SystemClock(),
        parallel=ThreadParallel(),
    )


def _absent() -> t.NoReturn:
    raise NotImplementedError("the module has no options for this port")
