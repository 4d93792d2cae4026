# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Whether an alert is a reason to roll an application back. Its text comes from outside: it is compared, and never run. No I/O."""

from __future__ import annotations

import datetime
import json
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import rollback_target

ACTION = "rollback"
"""What the label bg_action of an alert has to say."""
MOST_ALERTS = 5
"""Alerts that are told one by one."""
MOST_TEXT = 80
"""Characters of a label that are shown."""
MOST_CAUSE = 200
"""Characters of an alert that are written to the journal."""
FRESH = 120
"""Seconds for which a message may wait before it is judged: the alert may have ended since, which nobody tells of."""


@dataclass(frozen=True)
class Alert:
    """One alert as Alertmanager sent it; a label that it does not have, or that is no text, is empty."""

    status: str
    name: str
    action: str
    app: str
    namespace: str
    colour: str
    starts_at: str
    summary: str
    labels: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def cause(self) -> str:
        """Name and summary for the journal, in one line."""
        return _shown(f"{self.name}: {self.summary}" if self.summary else self.name, MOST_CAUSE)


@dataclass(frozen=True)
class AlertVerdict:
    """rollback: whether to roll back. reason: why, or why not. cause: name and summary of the alert that is the reason."""

    rollback: bool
    reason: str
    cause: str = ""

    def as_result(self) -> dict[str, t.Any]:
        """JSON-ready."""
        return {"rollback": self.rollback, "reason": self.reason, "cause": self.cause}


def read_alerts(text: str) -> list[Alert]:
    """The alerts of a message: the list ``alerts`` as JSON, percent-encoded or not. Raises InvalidSettingsError."""
    try:
        found = json.loads(text if text.lstrip().startswith("[") else urllib.parse.unquote(text, errors="strict"))
    except (ValueError, RecursionError) as error:
        raise InvalidSettingsError([f"alerts is not JSON ({_shown(str(error))}); {_WANTED}"]) from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidSettingsError([f"alerts is no list of objects: {_shown(json.dumps(found))}; {_WANTED}"])
    return [_alert(item) for item in found]


_WANTED = "it must be the list 'alerts' of a message of Alertmanager's webhook as JSON, which may be percent-encoded"


def _alert(raw: t.Mapping[str, t.Any]) -> Alert:
    labels, annotations = _texts(raw.get("labels")), _texts(raw.get("annotations"))
    own = _texts(raw)
    return Alert(
        status=own.get("status", ""),
        name=labels.get("alertname", ""),
        action=labels.get("bg_action", ""),
        app=labels.get("app", ""),
        namespace=labels.get("namespace", ""),
        colour=labels.get("colour", ""),
        starts_at=own.get("startsAt", ""),
        summary=annotations.get("summary", ""),
        labels=labels,
    )


def judge_alerts(
    alerts: t.Sequence[Alert],
    app: str,
    namespace: str,
    record: ActiveRecord,
    journal: Journal,
    now: str,
    wanted: t.Mapping[str, str] | None = None,
    received: str = "",
) -> AlertVerdict:
    """Whether one of the alerts is a reason to roll ``app`` back now. now: RFC 3339. wanted: labels that it has to have besides.

    received: when the message came, RFC 3339; empty where nobody says.
    """
    late = _late(received, now)
    if late:
        return _no(late)
    ours = [alert for alert in alerts if (alert.app, alert.namespace) == (app, namespace)]
    if not ours:
        about = sorted({f"{_shown(alert.app) or 'none'} in {_shown(alert.namespace) or 'none'}" for alert in alerts})
        return _no(f"the message is not about {app} in {namespace} but about {_some(about) or 'nothing'}")
    objections = [(alert, _elsewhere(alert, wanted or {}) or _objection(alert, record)) for alert in ours]
    reasons = [alert for alert, objection in objections if not objection]
    if not reasons:
        return _no(_some([f"{_shown(alert.name) or 'an alert'} {objection}" for alert, objection in objections]))
    closed = _closed(record, journal, now)
    if closed:
        return _no(f"{reasons[0].cause} is a reason, but {closed}")
    return AlertVerdict(
        True,
        f"the alert began after {record.active} became active ({reasons[0].starts_at}): {reasons[0].cause}",
        reasons[0].cause,
    )


def _late(received: str, now: str) -> str:
    """Why a message is too old to be believed, or empty: one that waited says "firing" of an alert that has ended since."""
    if not received:
        return ""
    try:
        waited = (datetime.datetime.fromisoformat(now) - datetime.datetime.fromisoformat(received)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # a time without a zone can't be compared
        return f"when the message came is {_shown(received)!r}: no RFC 3339 time with a zone"
    if -FRESH <= waited <= FRESH:
        return ""
    return f"the message came {waited:.0f} s ago, and what it says may be over. Alertmanager sends another one while the alert fires"


def faults_of_labels(labels: t.Mapping[str, t.Any]) -> list[str]:
    """What is wrong with the labels that alerts have to have: an empty one would be that of every alert without it."""
    return [
        f"alert_labels.{name} is {value!r}; it must be the text that the label has, in quotes where YAML takes it for a number"
        for name, value in labels.items()
        if not isinstance(value, str) or not value
    ]


def _elsewhere(alert: Alert, wanted: t.Mapping[str, str]) -> str:
    """Which label tells that it is about another place with the same names, or empty."""
    for name, value in wanted.items():
        if alert.labels.get(name, "") != value:
            return f"is about another place: its label {name} is {_shown(alert.labels.get(name, ''))!r}, not {value!r}"
    return ""


def _objection(alert: Alert, record: ActiveRecord) -> str:
    """Why this alert is no reason, or empty."""
    if alert.action != ACTION:
        return f"does not ask for it: its label bg_action is {_shown(alert.action)!r}, not {ACTION!r}"
    if alert.status != "firing":
        return f"is {_shown(alert.status) or 'without a status'}, not firing"
    if alert.colour != record.active:
        return f"is about colour {_shown(alert.colour)!r}, and {record.active} is active"
    if not record.switch_timestamp:
        return "can't be about a switch: nothing was ever switched"
    try:
        began, flip = map(datetime.datetime.fromisoformat, (alert.starts_at, record.switch_timestamp))
        after = began > flip
    except (ValueError, TypeError, OverflowError):  # a time without a zone can't be compared
        return f"began at {_shown(alert.starts_at)!r} and the flip was at {record.switch_timestamp!r}: not two RFC 3339 times"
    return "" if after else f"began at {alert.starts_at}, not after the flip at {record.switch_timestamp}"


def _closed(record: ActiveRecord, journal: Journal, now: str) -> str:
    """Why no alert may roll the application back now, or empty."""
    unfinished = journal.unfinished
    # A rollback that is under way is what is asked for: if it lives it has the lock, if it died it is finished.
    if record.armed and not (unfinished and unfinished.direction == "rollback"):
        run = f"run {unfinished.run_id} (switch to {unfinished.target})" if unfinished else "a hand-over"
        return f"{run} is under way; if it died, the status says what to run"
    window = record.window_closed(now)
    if window:
        return window
    back = rollback_target(record, journal, now)
    if back.refused:
        return back.refused
    if back.colour == record.active:
        return f"a rollback would leave {record.active} active: it did not become so by the last switch"
    return ""


def _no(reason: str) -> AlertVerdict:
    return AlertVerdict(False, f"No rollback: {reason}.")


def _texts(found: t.Any) -> dict[str, str]:
    items = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in items if isinstance(value, str)}


def _shown(text: str, most: int = MOST_TEXT) -> str:
    """Text from outside for one line of a terminal or a journal."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= most else line[: most - 1] + "…"


def _some(items: t.Sequence[str]) -> str:
    more = f"; {len(items) - MOST_ALERTS} more" if len(items) > MOST_ALERTS else ""
    return "; ".join(items[:MOST_ALERTS]) + more
