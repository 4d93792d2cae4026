# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Gathers everything a decision needs, in one go and in parallel. Reads only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Place,
    Pod,
    Right,
    Scaler,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import Transactions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods import bg_v1
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus, parse_status
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import COLOURS, record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    SLOTS,
    snapshot_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.open_transactions import (
    open_transactions,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store, StoredRecord

LEASES = "coordination.k8s.io"
OPERATOR_RIGHTS = "examples/manifests/40-operator-rbac.yaml"


@dataclass(frozen=True)
class ColourView:
    """One colour as seen at one moment. silent: pod name to why it gave no status. ended: pods that ended and are listed.

    everything: all commits of its group, of whatever topic; pending: partitions whose offsets an open transaction holds.
    """

    colour: str
    group: Group
    workload: Workload | None
    pods: tuple[Pod, ...] = ()
    statuses: t.Mapping[str, PodStatus] = field(default_factory=dict)
    silent: t.Mapping[str, str] = field(default_factory=dict)
    committed: t.Mapping[TopicPartition, CommittedOffset] = field(default_factory=dict)
    pending: frozenset[TopicPartition] = frozenset()
    ended: tuple[str, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        """Names and addresses of the pods, by which members of the group are known as theirs."""
        return {pod.name: pod.ip for pod in self.pods}

    @property
    def owned(self) -> set[TopicPartition]:
        """Every partition that a member of the group owns, of whatever topic."""
        return {tp for member in self.group.members for tp in member.assignment}


@dataclass(frozen=True)
class Surroundings:
    """What lives beside the application and only matters before a run.

    transactions: those open on its topics. scalers: what scales its workloads by itself; None where it may not be seen.
    elsewhere: topics beside the application's that a colour's group has commits for. others: groups beside its own that its
    pods are members of, each with a pod.
    """

    transactions: Transactions
    scalers: tuple[Scaler, ...] | None
    elsewhere: t.Mapping[str, t.Collection[str]]
    others: t.Mapping[str, str]


@dataclass(frozen=True)
class Observation:
    """An application as seen at one moment. missing_topics were asked for and do not exist or may not be described.

    around: what lives beside it; None where nobody wanted to know.
    """

    stored: StoredRecord
    journal: Journal
    lock: LeaseState | None
    topics: t.Mapping[str, Topic]
    missing_topics: tuple[str, ...]
    ranges: t.Mapping[TopicPartition, LogRange]
    colours: t.Mapping[str, ColourView]
    min_isr: t.Mapping[str, int]
    around: Surroundings | None = None

    @property
    def partitions(self) -> list[TopicPartition]:
        """Every partition of the application, sorted."""
        return partitions_of(self.topics)


def partitions_of(topics: t.Mapping[str, Topic]) -> list[TopicPartition]:
    """Every partition of these topics, sorted."""
    return sorted(TopicPartition(name, partition) for name, topic in topics.items() for partition in topic.partitions)


def topic_names(ports: Ports, app: Application, active: str) -> list[str]:
    """The application's topics: as configured, else those that the active colour's group reads or has committed."""
    if app.topics:
        return list(app.topics)
    name = app.colours[active].group
    found = ports.parallel.run(
        {"committed": lambda: ports.kafka.committed_topics(name), "groups": lambda: ports.kafka.groups([name])}
    )
    read = {tp.topic for member in found["groups"][name].members for tp in member.assignment}
    names = sorted(read | found["committed"])
    if not names:
        fault = f"application {app.name}: topics is empty and group {name} reads nothing and has no committed offsets"
        raise InvalidSettingsError([f"{fault} to take them from; list the topics"])
    return names


def view_colour(ports: Ports, app: Application, colour: str, ask_pods: bool, with_ended: bool) -> ColourView:
    """Workload, pods, their statuses and the group of one colour."""
    wanted = app.colours[colour]
    workload = ports.cluster.workload(app.workload_kind, wanted.workload)
    pods = ports.cluster.pods(workload) if workload else []
    ended = ports.cluster.ended_pods(workload) if workload and with_ended else []
    statuses, silent = ask(ports, app, pods) if ask_pods else ({}, {})
    group = ports.kafka.groups([wanted.group])[wanted.group]
    return ColourView(colour, group, workload, tuple(pods), statuses, silent, ended=tuple(ended))


def ask(ports: Ports, app: Application, pods: t.Collection[Pod]) -> tuple[dict[str, PodStatus], dict[str, str]]:
    """Status of each pod, and for those that gave none, why."""
    if not pods:
        return {}, {}
    statuses, silent, _codes = tell(ports, pods, bg_v1.STATUS, app.timeouts.request)
    return statuses, silent


def tell(
    ports: Ports, pods: t.Collection[Pod], call: HttpCall, timeout: float
) -> tuple[dict[str, PodStatus], dict[str, str], dict[str, int | None]]:
    """Send a request of bg/v1; statuses in the answers, why others gave none, and every HTTP code. timeout: seconds, for all."""
    statuses: dict[str, PodStatus] = {}
    silent: dict[str, str] = {}
    codes: dict[str, int | None] = {}
    for name, reply in ports.consumers.send(pods, call, timeout).items():
        status, why = parse_status(reply)
        codes[name] = reply.status
        if status is None:
            silent[name] = why
        else:
            statuses[name] = status
    return statuses, silent, codes


def check_rights(ports: Ports, app: Application, mode: str) -> None:
    """Raise InvalidSettingsError that names every right which a run needs and we lack, and who we are.

    What does not exist is told first, as far as it may be seen: nobody has a right to an object whose name is misspelt.
    """
    wanted = list(dict.fromkeys(rights(app, mode)))  # one Secret may hold both the token and the CA
    names = ports.cluster.denied(wanted)
    if not names:
        return
    denied = [right for right in wanted if str(right) in names]
    who, place = ports.cluster.identity(), ports.cluster.place()
    if place.exists is False:
        raise InvalidSettingsError([f"{place}; check its name, and the cluster that {who} leads to"])
    if len(denied) == len(wanted):
        fault = (
            f"{place}: {who} has none of the rights that a run needs there ({', '.join(names)}). Check the name of the namespace "
            f"and who that is, or grant them ({OPERATOR_RIGHTS})"
        )
        raise InvalidSettingsError([fault])
    missing = _missing_workloads(ports, app, denied)
    faults = [
        f"{app.workload_kind} {name} does not exist in {place}; check its name, or deploy it"
        for name in sorted(missing)
    ]
    raise InvalidSettingsError(faults + [_denial(place, who, right) for right in denied if right.name not in missing])


def _missing_workloads(ports: Ports, app: Application, denied: t.Collection[Right]) -> set[str]:
    """Workloads that may be read, something else with which is denied, and that are not there."""
    concerned = {right.name for right in denied if right.api_group == "apps" and right.name}
    unreadable = {right.name for right in denied if right.verb == "get"}
    return {name for name in concerned - unreadable if ports.cluster.workload(app.workload_kind, name) is None}


def _denial(place: Place, who: str, right: Right) -> str:
    name = f", or correct the name {right.name} if it is wrong" if right.name else ""
    return f"{place}: {who} may not {right}; grant it ({OPERATOR_RIGHTS}){name}"


def observe(ports: Ports, app: Application, mode: str, surroundings: bool = False) -> Observation:
    """Look at everything once. surroundings: also at what lives beside the application, which only matters before a run."""
    store = Store(ports, app.name)
    stored = store.record()
    # In cold mode pods need not speak bg/v1; those that do tell whether they stand by.
    asked = mode != "cold" or surroundings
    first = ports.parallel.run(
        {
            "journal": store.journal,
            "lock": lambda: ports.cluster.lease(lock_name(app.name)),
            "names": lambda: topic_names(ports, app, stored.record.active),
            "blue": lambda: view_colour(ports, app, "blue", asked, surroundings),
            "green": lambda: view_colour(ports, app, "green", asked, surroundings),
        }
    )
    topics = ports.kafka.topics(first["names"])
    partitions = partitions_of(topics)
    views: dict[str, ColourView] = {colour: first[colour] for colour in COLOURS}
    second = ports.parallel.run(
        {
            "min_isr": lambda: ports.kafka.min_insync_replicas(list(topics)),
            "blue": lambda: ports.kafka.committed_or_pending(app.colours["blue"].group, partitions),
            "green": lambda: ports.kafka.committed_or_pending(app.colours["green"].group, partitions),
            "around": lambda: _surroundings(ports, app, views, partitions) if surroundings else None,
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
        colours={
            colour: replace(views[colour], committed=second[colour][0], pending=second[colour][1]) for colour in COLOURS
        },
        min_isr=second["min_isr"],
        around=second["around"],
    )


def _surroundings(
    ports: Ports, app: Application, views: t.Mapping[str, ColourView], partitions: t.Sequence[TopicPartition]
) -> Surroundings:
    names = {tp.topic for tp in partitions}
    found = ports.parallel.run(
        {
            "transactions": lambda: open_transactions(ports.kafka, ports.clock, partitions),
            "scalers": lambda: _scalers(ports, app),
            "others": lambda: _other_groups(ports, app, views),
            **{colour: _committed_topics(ports, view.group.group_id) for colour, view in views.items()},
        }
    )
    return Surroundings(
        found["transactions"], found["scalers"], {colour: found[colour] - names for colour in views}, found["others"]
    )


def _committed_topics(ports: Ports, group: str) -> t.Callable[[], set[str]]:
    return lambda: ports.kafka.committed_topics(group)


def _scalers(ports: Ports, app: Application) -> tuple[Scaler, ...] | None:
    try:
        return tuple(ports.cluster.scalers([colour.workload for colour in app.colours.values()]))
    except ClusterError:
        return None


def _other_groups(ports: Ports, app: Application, views: t.Mapping[str, ColourView]) -> dict[str, str]:
    """Groups beside the application's own that a pod of it is a member of, with the pod's name."""
    own = {colour.group for colour in app.colours.values()}
    pods = {pod.ip: pod.name for view in views.values() for pod in view.pods if pod.ip}
    # Whoever has members is Stable or about to be; groups that only hold commits are not asked for.
    names = [
        g.group_id for g in ports.kafka.list_groups() if g.group_id not in own and g.state not in ("Empty", "Dead")
    ]
    if not pods or not names:
        return {}
    found = ports.kafka.groups(names)
    return {
        name: pods[member.host.lstrip("/")]
        for name, group in sorted(found.items())
        for member in group.members
        if member.host.lstrip("/") in pods
    }


def rights(app: Application, mode: str) -> list[Right]:
    """The rights a run uses, by object where they can be limited to it: a missing one is found before any change."""
    workloads = "statefulsets" if app.workload_kind == "StatefulSet" else "deployments"
    listed = [Right("create", "configmaps")]
    slots = [snapshot_name(app.name, slot) for slot in SLOTS]
    for name in (record_name(app.name), journal_name(app.name), *slots):
        listed += [Right(verb, "configmaps", name=name) for verb in ("get", "update")]
    listed.append(Right("create", "leases", LEASES))
    listed += [Right(verb, "leases", LEASES, lock_name(app.name)) for verb in ("get", "update")]
    for colour in app.colours.values():
        listed.append(Right("get", workloads, "apps", colour.workload))
        listed.append(Right("patch", f"{workloads}/scale", "apps", colour.workload))
    listed.append(Right("list", "pods"))
    if workloads == "deployments":
        listed.append(Right("list", "replicasets", "apps"))
    if mode != "cold" and app.endpoint.transport == "api_proxy":
        listed += [Right("get", "pods/proxy"), Right("create", "pods/proxy")]
    secrets = (app.endpoint.token_secret, app.endpoint.ca_secret) if mode != "cold" else ()
    listed += [Right("get", "secrets", name=secret.name) for secret in secrets if secret]
    return listed
