# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Gathers everything a decision needs, in one go and in parallel. Reads only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus, parse_status
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.journal import Journal, journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    COLOURS,
    CommittedOffset,
    Group,
    LeaseState,
    LogRange,
    Pod,
    Right,
    Topic,
    TopicPartition,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.snapshot import snapshot_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.transactions import Transactions
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.open_transactions import open_transactions
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_lock import lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.state import State, StoredRecord

LEASES = "coordination.k8s.io"


@dataclass(frozen=True)
class ColourView:
    """One colour as seen at one moment. silent: pod name to why it gave no status."""

    colour: str
    group: Group
    workload: Workload | None
    pods: tuple[Pod, ...] = ()
    statuses: t.Mapping[str, PodStatus] = field(default_factory=dict)
    silent: t.Mapping[str, str] = field(default_factory=dict)
    committed: t.Mapping[TopicPartition, CommittedOffset] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """An application as seen at one moment. missing_topics were asked for and do not exist or may not be described.

    transactions: those open on the topics; None where nobody wanted to know.
    """

    stored: StoredRecord
    journal: Journal
    lock: LeaseState | None
    topics: t.Mapping[str, Topic]
    missing_topics: tuple[str, ...]
    ranges: t.Mapping[TopicPartition, LogRange]
    colours: t.Mapping[str, ColourView]
    min_isr: t.Mapping[str, int]
    transactions: Transactions | None = None

    @property
    def partitions(self) -> list[TopicPartition]:
        """Every partition of the application, sorted."""
        return partitions_of(self.topics)


def partitions_of(topics: t.Mapping[str, Topic]) -> list[TopicPartition]:
    """Every partition of these topics, sorted."""
    return sorted(TopicPartition(name, partition) for name, topic in topics.items() for partition in topic.partitions)


def topic_names(ports: Ports, app: Application, active: str) -> list[str]:
    """The application's topics: as configured, else those the active colour's group has committed."""
    if app.topics:
        return list(app.topics)
    names = sorted(ports.kafka.committed_topics(app.colours[active].group))
    if not names:
        fault = (
            f"application {app.name}: topics is empty and group {app.colours[active].group} has no committed offsets"
        )
        raise InvalidSettingsError([f"{fault} to take them from; list the topics"])
    return names


def view_colour(ports: Ports, app: Application, colour: str, ask_pods: bool = True) -> ColourView:
    """Workload, pods, their statuses and the group of one colour."""
    wanted = app.colours[colour]
    workload = ports.cluster.workload(app.workload_kind, wanted.workload)
    pods = ports.cluster.pods(workload) if workload else []
    statuses, silent = ask(ports, app, pods) if ask_pods else ({}, {})
    group = ports.kafka.groups([wanted.group])[wanted.group]
    return ColourView(colour, group, workload, tuple(pods), statuses, silent)


def ask(ports: Ports, app: Application, pods: t.Collection[Pod]) -> tuple[dict[str, PodStatus], dict[str, str]]:
    """Status of each pod, and for those that gave none, why."""
    statuses: dict[str, PodStatus] = {}
    silent: dict[str, str] = {}
    if not pods:
        return statuses, silent
    for name, reply in ports.consumers.call(pods, "status", None, app.timeouts.request).items():
        status, why = parse_status(reply)
        if status is None:
            silent[name] = why
        else:
            statuses[name] = status
    return statuses, silent


def observe(ports: Ports, app: Application, mode: str, with_transactions: bool = False) -> Observation:
    """Look at everything once. Cold mode asks nothing of the pods, so they are not called.

    with_transactions: also at those open on the topics, which only matter before a run. Raises InvalidSettingsError that
    names every missing right before anything else is read.
    """
    denied = ports.cluster.denied(rights(app, mode))
    if denied:
        where = f"namespace {app.namespace}: the identity that runs the playbook may not"
        raise InvalidSettingsError(
            [f"{where} {right}; grant it (examples/manifests/40-operator-rbac.yaml)" for right in denied]
        )
    state = State(ports, app.name)
    stored = state.record()
    first = ports.parallel.run(
        {
            "journal": state.journal,
            "lock": lambda: ports.cluster.lease(lock_name(app.name)),
            "names": lambda: topic_names(ports, app, stored.record.active),
            "blue": lambda: view_colour(ports, app, "blue", mode != "cold"),
            "green": lambda: view_colour(ports, app, "green", mode != "cold"),
        }
    )
    topics = ports.kafka.topics(first["names"])
    partitions = partitions_of(topics)
    second = ports.parallel.run(
        {
            "min_isr": lambda: ports.kafka.min_insync_replicas(list(topics)),
            "blue": lambda: ports.kafka.committed(app.colours["blue"].group, partitions),
            "green": lambda: ports.kafka.committed(app.colours["green"].group, partitions),
            "transactions": lambda: (
                open_transactions(ports.kafka, ports.clock, partitions) if with_transactions else None
            ),
        }
    )
    # After the commits: under live production a commit may lie beyond an end that was read before it.
    ranges = ports.kafka.log_ranges(partitions)
    return Observation(
        stored=stored,
        journal=first["journal"],
        lock=first["lock"],
        topics=topics,
        missing_topics=tuple(name for name in first["names"] if name not in topics),
        ranges=ranges,
        colours={colour: _with_offsets(first[colour], second[colour]) for colour in COLOURS},
        min_isr=second["min_isr"],
        transactions=second["transactions"],
    )


def rights(app: Application, mode: str) -> list[Right]:
    """The rights a run uses, by object where they can be limited to it: a missing one is found before any change."""
    workloads = "statefulsets" if app.workload_kind == "StatefulSet" else "deployments"
    listed = [Right(verb, "configmaps") for verb in ("list", "create")]
    for name in (record_name(app.name), journal_name(app.name)):
        listed += [Right(verb, "configmaps", name=name) for verb in ("get", "update")]
    listed.append(Right("get", "configmaps", name=snapshot_name(app.name, 1)))
    listed.append(Right("create", "leases", LEASES))
    listed += [Right(verb, "leases", LEASES, lock_name(app.name)) for verb in ("get", "update")]
    for colour in app.colours.values():
        listed.append(Right("get", workloads, "apps", colour.workload))
        listed.append(Right("patch", f"{workloads}/scale", "apps", colour.workload))
    listed.append(Right("list", "pods"))
    if workloads == "deployments":
        listed.append(Right("list", "replicasets", "apps"))
    if mode != "cold" and app.contract.transport == "api_proxy":
        listed += [Right("get", "pods/proxy"), Right("create", "pods/proxy")]
    secrets = (app.contract.token_secret, app.contract.ca_secret) if mode != "cold" else ()
    listed += [Right("get", "secrets", name=secret.name) for secret in secrets if secret]
    return listed


def _with_offsets(view: ColourView, committed: t.Mapping[TopicPartition, CommittedOffset]) -> ColourView:
    return ColourView(view.colour, view.group, view.workload, view.pods, view.statuses, view.silent, committed)
