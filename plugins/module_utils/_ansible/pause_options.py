# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From the options of consumer_pause to a request: every fault is found before anything is contacted. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_reader import (
    Dialect,
    parse_dialect,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import BG_V1, CUSTOM, DIALECTS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint, parse_endpoint
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import PauseRequest

_TARGET = re.compile(r"^[^\x00-\x20/?#%{}]{1,255}\Z")
_BG_STATES = ("paused", "stopped", "running", "standby")

Params = t.Mapping[str, t.Any]


def parse_settings(params: Params) -> tuple[PauseRequest, Endpoint]:
    """What to do and how to reach the pods. Raises InvalidSettingsError that lists every fault at once."""
    faults: list[str] = []
    dialect = _dialect(params, faults)
    faults += _contradictions(params, dialect)
    defaults = (dialect.port, dialect.base_path) if dialect else ()
    endpoint, wrong = parse_endpoint(params["endpoint"] or {}, *defaults)
    faults += wrong
    faults += [
        f"{name} is {params[name]:g}; it must be more than 0 seconds"
        for name in ("timeout", "request_timeout")
        if params[name] <= 0
    ]
    if faults:
        raise InvalidSettingsError(faults)
    request = PauseRequest(
        kind=params["kind"],
        name=params["name"],
        state=params["state"],
        epoch=params["epoch"],
        standby=params["standby"],
        dialect=dialect,
        targets=tuple(params["targets"]),
        timeout=params["timeout"],
        request_timeout=params["request_timeout"],
    )
    return request, endpoint


def _dialect(params: Params, faults: list[str]) -> Dialect | None:
    name, custom = params["dialect"], params["custom_dialect"]
    if name != CUSTOM and custom:
        faults.append(f"custom_dialect has no effect with dialect {name}; set dialect to custom")
    if name == BG_V1:
        return None
    if name == CUSTOM and not custom:
        faults.append("custom_dialect is missing; dialect custom is described by it")
        return None
    dialect, wrong = parse_dialect(name, custom if name == CUSTOM else DIALECTS[name])
    faults += wrong
    return dialect


def _contradictions(params: Params, dialect: Dialect | None) -> list[str]:
    faults = []
    name, state, targets = params["dialect"], params["state"], params["targets"]
    known = tuple(dialect.states) if dialect else _BG_STATES
    if state not in known and (dialect is None or dialect.states):
        faults.append(f"state {state} is unknown to dialect {name}; it knows {', '.join(known)}")
    if params["epoch"] is None and (name == BG_V1 or (dialect and "epoch" in dialect.fields)):
        faults.append(f"epoch is missing; dialect {name} sends it with every command")
    what = (dialect.targets or "names for {target}") if dialect else ""
    needs = bool(dialect) and "target" in (dialect.fields if dialect else ())
    if needs and not targets:
        faults.append(f"targets is missing; dialect {name} needs the names of the {what}")
    if targets and not needs:
        faults.append(f"targets has no effect with dialect {name}")
    faults += [
        f"target {target!r} must have 1 to 255 characters without blanks and / ? # % {{ }}"
        for target in targets
        if not _TARGET.match(target)
    ]
    faults += [f"target {target!r} is listed twice" for target in sorted({x for x in targets if targets.count(x) > 1})]
    return faults
