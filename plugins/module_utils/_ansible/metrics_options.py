# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From options to where metrics are published and what of them the stored state does not tell. Every fault at once."""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible.module_utils.common.parameters import env_fallback

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import Spec, application_option
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.headers import UNSENDABLE, sendable
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    Application,
    parse_application,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metrics import STAGES, Begin
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import OWN_LABELS

if t.TYPE_CHECKING:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import MetricsPlace

Params = t.Mapping[str, t.Any]
LEAST, MOST = 0.1, 600.0
"""Seconds for a Pushgateway."""


def metrics_options() -> Spec:
    """Options of bg_metrics beside those of the connection to Kubernetes."""
    secret = {"type": "str", "no_log": True}
    return {
        "application": application_option(),
        "pushgateway": {
            "type": "dict",
            "options": {
                # Hidden until it is known to hold no user and password, see hide_less.
                "url": {"type": "str", "required": True, "no_log": True},
                "ca_cert": {"type": "path"},
                "user": {"type": "str", "fallback": (env_fallback, ["BG_PUSHGATEWAY_USER"])},
                "password": {**secret, "fallback": (env_fallback, ["BG_PUSHGATEWAY_PASSWORD"])},
                "token": {**secret, "fallback": (env_fallback, ["BG_PUSHGATEWAY_TOKEN"])},
                "timeout": {"type": "float", "default": 10.0},
            },
        },
        "textfile": {"type": "path"},
        "labels": {"type": "dict", "default": {}},
        "gates": {"type": "dict", "default": {}},
        "begins": {
            "type": "dict",
            "options": {
                "direction": {"type": "str", "choices": ["switch", "rollback"], "default": "switch"},
                "at": {"type": "str", "required": True},
            },
        },
    }


def hide_less(params: Params, hidden: set[str]) -> None:
    """Let messages name the address of the Pushgateway, unless a user or password is in it."""
    url = (params["pushgateway"] or {}).get("url") or ""
    if not _fault_of_url(url):
        hidden.discard(url)


@dataclass(frozen=True)
class Asked:
    """What was asked for. judged: rows of gates by stage. labels: of every sample."""

    app: Application
    judged: dict[str, list[dict[str, str]]]
    begins: Begin | None
    labels: dict[str, str]


def warnings_of(params: Params) -> list[str]:
    """What is possible and not wise."""
    given = params["pushgateway"] or {}
    secret = next((name for name in ("token", "password") if given.get(name)), "")
    if not secret or not (given.get("url") or "").startswith("http:"):
        return []
    return [
        f"pushgateway.{secret} is sent in the clear, because pushgateway.url begins with http://. Use an https address"
    ]


def read_options(params: Params) -> Asked:
    """Check everything but the secrets of the cluster. Raises InvalidSettingsError that lists every fault."""
    app, faults = None, []
    try:
        app = parse_application(params["application"])
    except InvalidSettingsError as error:
        faults += error.faults
    given, begins = params["pushgateway"], params["begins"]
    faults += _faults_of_gateway(given) if given else []
    faults += _faults_of_textfile(params["textfile"]) + _faults_of_gates(params["gates"])
    faults += _faults_of_begin(begins) if begins else []
    faults += _faults_of_labels(params["labels"])
    if app is None or faults:
        raise InvalidSettingsError(faults)
    return Asked(app, params["gates"], Begin(begins["direction"], begins["at"]) if begins else None, params["labels"])


def build_places(params: Params, app: Application) -> list[MetricsPlace]:
    """Where to publish, of options that were checked. Raises InvalidSettingsError for CA certificates that can't be read."""
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pushgateway import (
        Gateway,
        Pushgateway,
    )
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.textfile import Textfile

    places: list[MetricsPlace] = []
    if params["pushgateway"]:
        given = {name: value for name, value in params["pushgateway"].items() if value is not None}
        places.append(Pushgateway(Gateway(**given), app.name, app.namespace, params["labels"]))
    if params["textfile"] is not None:
        places.append(Textfile(params["textfile"], app.name, app.namespace, params["labels"]))
    return places


def _faults_of_gates(given: Params) -> list[str]:
    verdicts = (gates.GO, gates.WARN, gates.NO_GO)
    wanted = f"a gate has a name, and a verdict that is {', '.join(verdicts[:2])} or {verdicts[2]}"
    faults = []
    for stage, rows in given.items():
        if stage not in STAGES:
            faults.append(f"gates: stage {stage!r} is unknown; known are {', '.join(STAGES)}")
        elif not isinstance(rows, list):
            faults.append(f"gates: {stage} is {rows!r:.200}; it must be a list of gates as bg_run returns them")
        else:
            faults += [f"gates: {stage} holds {row!r:.200}; {wanted}" for row in rows if not _is_gate(row, verdicts)]
    return faults


def _is_gate(row: t.Any, verdicts: t.Collection[str]) -> bool:
    named = isinstance(row, dict) and isinstance(row.get("name"), str) and bool(row["name"])
    return named and row.get("verdict") in verdicts


def _faults_of_labels(given: Params) -> list[str]:
    taken = OWN_LABELS | {"job", "instance"}
    faults = []
    for name, value in given.items():
        if not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", str(name)) or str(name).startswith("__") or name in taken:
            faults.append(
                f"labels: {name!r:.200} can't be used; it must be the name of a label, of letters, digits and _, and none of "
                f"{', '.join(sorted(taken))}"
            )
        if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_.:-]+", value):
            faults.append(f"labels: {name!r:.200} is {value!r:.200}; it must be a text of letters, digits and _ . : -")
    return faults


def _faults_of_begin(given: Params) -> list[str]:
    try:
        known = datetime.datetime.fromisoformat(given["at"]).tzinfo is not None
    except ValueError:
        known = False
    return (
        []
        if known
        else [f"begins.at is {given['at']!r}; it must be an RFC 3339 time with a zone, like 2026-01-01T03:00:00Z"]
    )


def _faults_of_gateway(given: Params) -> list[str]:
    faults = []
    url, user, password, token = (given.get(name) or "" for name in ("url", "user", "password", "token"))
    fault = _fault_of_url(url)
    if fault:
        faults.append(f"pushgateway.url {fault}")
    elif given.get("ca_cert") and not url.startswith("https:"):
        faults.append(f"pushgateway.ca_cert is for an https address, and pushgateway.url is {url}")
    if bool(user) != bool(password):
        faults.append("pushgateway: user and password are needed together")
    if user and token:
        faults.append("pushgateway: give either user and password or token")
    if ":" in user:
        faults.append("pushgateway.user has a colon, which no user of basic authentication can have")
    faults += [
        f"pushgateway.{name} {UNSENDABLE}"
        for name, value in (("user", user), ("password", password), ("token", token))
        if not sendable(value)
    ]
    timeout = given.get("timeout")
    if timeout is not None and not LEAST <= timeout <= MOST:  # nor is what is not a number
        faults.append(f"pushgateway.timeout is {timeout}; it must be a number from {LEAST:g} to {MOST:g} seconds")
    return faults


def _fault_of_url(url: str) -> str:
    """Why this can't be the address of a Pushgateway, without a word of it; or empty."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "can't be read as an address; like http://pushgateway:9091"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password; give them in pushgateway.user and pushgateway.password"
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\\"'<>{}|^`")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in url or not plain:
        return "is no address of a Pushgateway; it begins with http:// or https:// and has no query, like http://pushgateway:9091"
    return ""


def _faults_of_textfile(path: str | None) -> list[str]:
    if path is None:
        return []
    if not path.endswith(".prom") or "\0" in path or path.endswith("/.prom") or path == ".prom":
        return [
            f"textfile is {path!r}; it must be the path of a file whose name ends in .prom, or no exporter reads it"
        ]
    return []
