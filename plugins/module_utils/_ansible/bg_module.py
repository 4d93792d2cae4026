# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What the bg_ modules share: their options, the checked application, and the diff of the active record."""

from __future__ import annotations

import datetime
import secrets
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    application_option,
    kafka_argument_spec,
    kubernetes_argument_spec,
    prometheus_options,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.hiding import hide
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.interrupts import signals_as_errors
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import (
    Prometheus,
    parse_prometheus,
    userinfo_in,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import COLOURS, PHASES
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    MODES,
    Application,
    parse_application,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import (
    ON_NO_GO,
    ROLLBACK,
    BakeRequest,
    Limits,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import ACTIONS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    MetricRequest,
    parse_metric_gates,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

DIRECTIONS = ("switch", "rollback")
WORDS = (*COLOURS, *MODES, *DIRECTIONS, *PHASES, *ACTIONS, "GO", "NO-GO")
"""What one task of a run takes from the result of another."""
UseCase = t.Callable[["AnsibleModule", Ports, Application], dict[str, t.Any]]


def application_argument_spec(**own: dict[str, t.Any]) -> dict[str, t.Any]:
    """Options of a bg_ module: the application, the mode, both connections, and its own."""
    return {
        **kafka_argument_spec(),
        **kubernetes_argument_spec(),
        "application": application_option(),
        **prometheus_options(),
        "mode": {"type": "str", "default": "hot"},
        **own,
    }


def run_options() -> dict[str, dict[str, t.Any]]:
    """Options of the modules that act for a run."""
    return {
        "direction": {"type": "str", "choices": list(DIRECTIONS), "default": "switch"},
        "target": {"type": "str", "default": ""},
        "run_id": {"type": "str"},
        "who": {"type": "str", "default": ""},
        "expected_epoch": {"type": "int"},
    }


def bake_options() -> dict[str, dict[str, t.Any]]:
    """Options of the watch between hand-over and settle."""
    known = Limits()
    return {
        "bake": {"type": "float", "default": 0},
        "on_no_go": {"type": "str", "choices": list(ON_NO_GO), "default": ROLLBACK},
        "bake_limits": {
            "type": "dict",
            "default": {},
            "options": {
                "throughput": {"type": "float", "default": known.throughput},
                "error_ratio": {"type": "float", "default": known.error_ratio},
                "min_records": {"type": "int", "default": known.min_records},
            },
        },
        "reason": {"type": "str", "default": ""},
        "progress": {"type": "float", "default": 5},
        # Only the action plugin sets it: watch this many seconds at most, continuing where the slice before ended.
        "_slice": {"type": "dict"},
    }


def _bake_of(params: t.Mapping[str, t.Any]) -> BakeRequest:
    part = params["_slice"] or {}
    limits = {key: value for key, value in (params["bake_limits"] or {}).items() if value is not None}
    return BakeRequest(
        params["bake"], params["on_no_go"], Limits(**limits), part.get("seconds"), part.get("resume") or ""
    )


def request_of(module: AnsibleModule) -> RunRequest:
    """What the operator asked for; a run without a name gets one."""
    params = module.params
    run_id = params["run_id"] or f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    asked = (params["target"], params["direction"], params["mode"], run_id, params["who"], params["expected_epoch"])
    return RunRequest(*asked, reason=params["reason"], bake=_bake_of(params), metrics=metrics_of(params)[1])


def metrics_of(params: t.Mapping[str, t.Any]) -> tuple[Prometheus | None, MetricRequest]:
    """The Prometheus server, and what to ask it. Raises InvalidSettingsError that lists every fault at once.

    A rollback asks nothing, so nothing that is wrong here may hold it up.
    """
    raw, rows = params["prometheus"], params["metric_gates"]
    if params["direction"] == "rollback":
        return None, MetricRequest()
    if raw is None:
        if rows:
            raise InvalidSettingsError(
                ["metric_gates needs prometheus: set its url (bg_prometheus in the inventory), or leave the gates out"]
            )
        return None, MetricRequest()
    server, faults = parse_prometheus(raw)
    gates, more = parse_metric_gates(rows)
    if faults + more:
        raise InvalidSettingsError(faults + more)
    return server, MetricRequest(
        gates, server.url, server.timeout, server.max_age, server.matchers, server.on_no_answer
    )


def check_readable(secrets_known: t.Collection[str]) -> None:
    """Raise InvalidSettingsError when Ansible will hide words of a result because they hold a secret.

    Ansible replaces a secret wherever it occurs. One that is a colour, or a part of it, leaves results that no task can use.
    """
    if any(secret and secret in word for secret in secrets_known for word in WORDS):
        fault = (
            "a password, token or key that this module was given (sasl_plain_password or another secret option or its environment "
            "variable, endpoint.token, prometheus.token, kubeconfig) is a colour, a mode or another word that results are made of, or "
            "a part of one. Ansible hides it wherever it occurs, so that nobody could read them. Choose a longer secret"
        )
        raise InvalidSettingsError([fault])


def _check_lock(app: Application, api_server_timeout: float) -> None:
    if app.lock_ttl <= api_server_timeout:
        fault = (
            f"application {app.name}: lock_ttl is {app.lock_ttl} s and api_server_timeout {api_server_timeout:g} s; the lock must "
            "last longer than one request, or it is lost while a renewal is under way"
        )
        raise InvalidSettingsError([fault])


def run_application(module: AnsibleModule, use_case: UseCase) -> None:
    """Check the application, connect, run the use case, and end the module with its result and the record's diff."""

    def call() -> dict[str, t.Any]:
        given = module.params["prometheus"] or {}
        hide(module, userinfo_in(str(given.get("url") or "")))
        app = parse_application(module.params["application"], module.params["mode"], module.params["target"] or "")
        check_readable(module.no_log_values)
        _check_lock(app, module.params["api_server_timeout"])
        prometheus = metrics_of(module.params)[0]
        if prometheus and prometheus.exposes:
            module.warn(f"prometheus.{prometheus.exposes} is sent to {prometheus.url} unencrypted; set an https URL")
        # An earlier process of this run has met them all, and now the source may stand still: who refuses is being restarted.
        resumes = (module.params.get("_slice") or {}).get("resume")
        goes_on = bool(module.params.get("only") or module.params.get("judged") or resumes)
        ports = build_ports(
            module.params,
            app.namespace,
            app.endpoint,
            lambda secret: hide(module, [secret]),
            answered=goes_on,
            prometheus=prometheus,
        )
        try:
            with signals_as_errors():
                result = use_case(module, ports, app)
        except BlueGreenError as error:
            error.result.pop("record_before", None)  # only for the diff
            raise
        before = result.pop("record_before", None)
        if before is not None:
            result["diff"] = {"before": before, "after": result["record"]}
        return result

    run(module, call)
