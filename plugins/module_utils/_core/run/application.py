# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The description of an application, checked whole: every fault is found before anything is contacted. No I/O."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import KINDS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint, parse_endpoint
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import COLOURS

MODES = ("hot", "cold")

# The longest suffix we add is "-bg-snapshot-" and an epoch of up to 15 digits with its chunk; names hold 253.
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_TOPIC = re.compile(r"^[a-zA-Z0-9._-]{1,249}\Z")
_GROUP = re.compile(r"^(?!\s)[^\x00-\x1f\x7f]{1,255}(?<!\s)\Z")
"""Kafka takes any text; one that begins or ends with a blank is a mistake."""
_WORKLOAD = re.compile(r"^(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


@dataclass(frozen=True)
class Colour:
    """One colour: its consumer group and its workload."""

    group: str
    workload: str


@dataclass(frozen=True)
class Timeouts:
    """Seconds. start: pods Ready and joined; pause: source drained; activate: target processing; lock: another run to end."""

    start: float = 120
    pause: float = 20
    activate: float = 30
    lock: float = 60
    request: float = 5


@dataclass(frozen=True)
class Application:
    """A blue/green application. topics empty: every topic the active group has committed offsets for.

    out_of_range: what a run does with a commit that retention passed, fail or earliest. max_lag: records.
    max_transaction_age: seconds; the default is that of the brokers' transaction.max.timeout.ms.
    """

    name: str
    namespace: str
    colours: t.Mapping[str, Colour]
    topics: tuple[str, ...] = ()
    workload_kind: str = "Deployment"
    max_lag: int = 1000
    max_transaction_age: int = 900
    out_of_range: str = "fail"
    replicas: int | None = None
    lock_ttl: int = 15
    endpoint: Endpoint = field(default_factory=Endpoint)
    timeouts: Timeouts = field(default_factory=Timeouts)

    def out_of_range_in(self, direction: str) -> str:
        """What a run of this direction does with a commit that retention passed.

        A rollback goes on at the start of the log whatever is set: the records are gone, and the version that let them go is ill.
        """
        return "earliest" if direction == "rollback" else self.out_of_range


def parse_application(raw: t.Mapping[str, t.Any], mode: str = "hot", target: str = "") -> Application:
    """Check and read the description. Raises InvalidSettingsError that lists every fault at once."""
    reader = _Reader(raw)
    name = reader.text("name", _NAME, "at most 63 lower case letters, digits and '-'", required=True)
    namespace = reader.text("namespace", _NAME, "a Kubernetes namespace", required=True)
    colours = {colour: reader.colour(colour) for colour in COLOURS}
    reader.different(colours)
    application = Application(
        name=name,
        namespace=namespace,
        colours=colours,
        topics=reader.topics(),
        workload_kind=reader.choice("workload_kind", "Deployment", KINDS),
        max_lag=reader.number("max_lag", 1000, least=0),
        max_transaction_age=reader.number("max_transaction_age", 900, least=0),
        out_of_range=reader.choice("out_of_range", "fail", ("fail", "earliest")),
        replicas=reader.number("replicas", 0, least=1) if raw.get("replicas") else None,
        lock_ttl=reader.number("lock_ttl", 15, least=5),
        endpoint=reader.endpoint(),
        timeouts=reader.timeouts(),
    )
    reader.unknown_keys()
    if mode not in MODES:
        reader.fault(f"mode {mode!r} is unknown; this version can do {', '.join(MODES)}")
    if target and target not in COLOURS:
        reader.fault(f"colour {target!r} is unknown; it must be blue or green")
    if reader.faults:
        raise InvalidSettingsError(reader.faults)
    return application


def _quote(value: t.Any) -> str:
    """Advice on a name that YAML took for something else, or put a line break into."""
    if isinstance(value, (bool, int, float)):
        return f"; YAML reads it as a {'boolean' if isinstance(value, bool) else 'number'}, put it in quotes"
    if isinstance(value, str) and value != value.strip():
        return "; take the blank or line break off its end (YAML's '>' and '|' leave one, '>-' and '|-' do not)"
    return ""


class _Reader:
    """Reads values and remembers every fault instead of stopping at the first."""

    KEYS = (
        "name",
        "namespace",
        "topics",
        "blue",
        "green",
        "workload_kind",
        "max_lag",
        "max_transaction_age",
        "out_of_range",
        "replicas",
        "lock_ttl",
        "endpoint",
        "timeouts",
    )

    def __init__(self, raw: t.Mapping[str, t.Any]) -> None:
        self.raw = raw
        self.faults: list[str] = []
        self.who = f"application {raw.get('name') or '(without name)'}"

    def fault(self, text: str) -> None:
        self.faults.append(f"{self.who}: {text}")

    def text(self, key: str, pattern: re.Pattern[str], means: str, required: bool = False) -> str:
        value = self.raw.get(key)
        if value in (None, ""):
            if required:
                self.fault(f"{key} is missing; set it to {means}")
            return ""
        if not isinstance(value, str) or not pattern.match(value):
            self.fault(f"{key} is {value!r}; it must be {means}{_quote(value)}")
        return str(value)

    def choice(self, key: str, default: str, choices: t.Sequence[str]) -> str:
        value = self.raw.get(key) or default
        if value not in choices:
            self.fault(f"{key} is {value!r}; it must be one of {', '.join(choices)}")
        return str(value)

    def number(
        self, key: str, default: int, least: int, where: t.Mapping[str, t.Any] | None = None, most: int = 10**9
    ) -> int:
        source = self.raw if where is None else where
        value = source.get(key, default)
        try:
            number = int(default if value is None else value)
        except (TypeError, ValueError, OverflowError):
            number = least - 1
        if not least <= number <= most:
            self.fault(f"{key} is {value!r}; it must be a whole number from {least} to {most}")
        return number

    def colour(self, colour: str) -> Colour:
        raw = self.section(colour)
        group, workload = raw.get("group") or "", raw.get("workload") or f"{self.raw.get('name')}-{colour}"
        if not group:
            self.fault(f"{colour}.group is missing; set it to the consumer group id of the {colour} version")
        elif not isinstance(group, str) or not _GROUP.match(group):
            self.fault(
                f"{colour}.group is {group!r}; a group id has 1 to 255 characters, none of them a line break, "
                f"and no blank at either end{_quote(group)}"
            )
        if not isinstance(workload, str) or not _WORKLOAD.match(workload):
            self.fault(
                f"{colour}.workload is {workload!r}; it must be the name of a "
                f"{self.raw.get('workload_kind') or 'Deployment'}{_quote(workload)}"
            )
        for key in sorted(set(raw) - {"group", "workload"}):
            self.fault(f"{colour}.{key} is unknown; known are group and workload")
        return Colour(str(group), str(workload))

    def different(self, colours: t.Mapping[str, Colour]) -> None:
        blue, green = colours["blue"], colours["green"]
        if blue.group and blue.group == green.group:
            self.fault(
                f"blue and green share the group {blue.group}; each colour needs a group of its own, or both process at once"
            )
        if blue.workload == green.workload:
            self.fault(f"blue and green share the workload {blue.workload}; each colour needs one of its own")

    def topics(self) -> tuple[str, ...]:
        value = self.raw.get("topics") or []
        if isinstance(value, str):
            value = [topic.strip() for topic in value.split(",") if topic.strip()]
        if not isinstance(value, (list, tuple)):
            self.fault(f"topics is {value!r}; it must be a list of topic names")
            return ()
        for topic in value:
            if not isinstance(topic, str) or not _TOPIC.match(topic):
                self.fault(
                    f"topic {topic!r} is not a topic name (letters, digits, '.', '_' and '-', at most 249){_quote(topic)}"
                )
        return tuple(dict.fromkeys(map(str, value)))

    def section(self, key: str) -> t.Mapping[str, t.Any]:
        value = self.raw.get(key) or {}
        if not isinstance(value, dict):
            self.fault(f"{key} is {value!r}; it must be a dictionary")
            return {}
        return value

    def endpoint(self) -> Endpoint:
        endpoint, faults = parse_endpoint(self.section("endpoint"))
        for fault in faults:
            self.fault(fault)
        return endpoint

    def timeouts(self) -> Timeouts:
        raw = self.section("timeouts")
        known = Timeouts()
        values = {}
        for key in ("start", "pause", "activate", "lock", "request"):
            values[key] = float(self.number(key, int(getattr(known, key)), least=1, where=raw, most=86400))
        for key in sorted(set(raw) - set(values)):
            self.fault(f"timeouts.{key} is unknown; known are {', '.join(values)}")
        return Timeouts(**values)

    def unknown_keys(self) -> None:
        for key in sorted(set(self.raw) - set(self.KEYS)):
            self.fault(f"{key} is unknown; known are {', '.join(self.KEYS)}")
