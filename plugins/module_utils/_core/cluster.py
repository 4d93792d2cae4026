# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Objects of the cluster, as far as anybody here needs them. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

KINDS = ("Deployment", "StatefulSet")
"""What a workload can be."""


@dataclass(frozen=True)
class Pod:
    """A pod of a workload, in whatever phase it is."""

    name: str
    uid: str
    ip: str = ""
    phase: str = "Running"
    ready: bool = False
    terminating: bool = False
    problem: str = ""
    """Why it cannot run, in Kubernetes' own words (``ErrImagePull: ...``), or empty. Not of one with a container that runs."""
    trouble: str = ""
    """Why a container of it cannot run, also where others do. Explains; excuses nothing."""
    ended: str = ""
    """How a container of a terminating pod ended, where it did not end by itself (``exit code 137``), or empty."""
    restarts: int = 0
    """Of all its containers together."""


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet. replicas is what is wanted, grace the seconds its pods are given to stop."""

    kind: str
    name: str
    uid: str
    replicas: int
    selector: str = ""
    """Its label selector; makes lists shorter, ownership decides."""
    outdated: str = ""
    """Why pods of an older template may be among its pods (``0 of 2 pods run its template, the rollout is paused``), or empty."""
    scaled_by: tuple[str, ...] = ()
    """Field managers other than ours that own ``spec.replicas``."""
    grace: int = 30
    ordered: bool = False
    """Whether its pods stop one after the other (a StatefulSet with OrderedReady)."""


@dataclass(frozen=True)
class Scaler:
    """A HorizontalPodAutoscaler or a ScaledObject of KEDA. least: the replicas it goes down to; paused: it does nothing now."""

    kind: str
    name: str
    workload: str
    least: int = 1
    paused: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name} (of {self.workload}, at least {self.least})"


@dataclass(frozen=True)
class StoredObject:
    """A ConfigMap as stored: its data and the version a compare-and-swap must name. metadata: as Kubernetes keeps it."""

    name: str
    data: t.Mapping[str, str]
    resource_version: str
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)
    immutable: bool = False


@dataclass(frozen=True)
class LeaseState:
    """A Lease as stored. renew_time is only ever compared for equality, never with our own clock."""

    name: str
    holder: str
    duration_seconds: int
    renew_time: str
    resource_version: str


class Place(t.NamedTuple):
    """A namespace. exists: None where it may not be seen."""

    namespace: str
    exists: bool | None = None

    def __str__(self) -> str:
        return f"namespace {self.namespace}{', which does not exist' if self.exists is False else ''}"


class Right(t.NamedTuple):
    """A right in the application's namespace; name is empty where the verb has none (create, list) or all count."""

    verb: str
    resource: str
    api_group: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.api_group if self.api_group else ''}{' ' + self.name if self.name else ''}"


def is_path(kubeconfig: str) -> bool:
    """Whether a kubeconfig that was given as text looks like a path, and not like the content of a file."""
    return kubeconfig.isprintable() and not kubeconfig.lstrip().startswith(("{", "["))
