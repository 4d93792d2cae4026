# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""When alerts arrive: are they a reason to roll back, and would a rollback go? Writes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.alert_guard import (
    faults_of_labels,
    judge_alerts,
    read_alerts,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import as_result, preflight


def on_alert(
    ports: Ports,
    app: Application,
    mode: str,
    text: str,
    labels: t.Mapping[str, str] | None = None,
    received: str = "",
) -> dict[str, t.Any]:
    """Judge the alerts by the stored state alone, and only where one is a reason look at everything as a rollback does.

    labels: that an alert has to have besides app and namespace. received: when they came, RFC 3339.
    """
    alerts, faults = read_alerts(text), faults_of_labels(labels or {})
    if faults:
        raise InvalidSettingsError(faults)
    store = Store(ports, app.name)
    record = store.record().record
    judged = (alerts, app.name, app.namespace)
    verdict = judge_alerts(*judged, record, store.journal(), ports.clock.now(), labels, received)
    if not verdict.rollback:
        return {"alert": verdict.as_result(), "record": record.to_data()}
    plan = preflight(ports, app, mode, "rollback")
    # The run is bound to the epoch of this look, so it is this state that the alerts have to be a reason in.
    verdict = judge_alerts(*judged, plan.seen.stored.record, plan.seen.journal, plan.now, labels, received)
    return {**as_result(plan), "alert": verdict.as_result()}
