# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The active record: the one ConfigMap that pods obey. Parsing, checking and the legal transitions; no I/O."""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError

COLOURS = ("blue", "green")
PHASES = ("stable", "switching", "rolling-back", "verifying")
IN_HANDOVER = ("switching", "rolling-back")
KEYS = (
    "active",
    "epoch",
    "activated-epoch",
    "phase",
    "previous-version",
    "switch-timestamp",
    "rollback-allowed",
    "rollback-window",
    "run-id",
    "snapshot",
)
"""Keys of the ConfigMap that are the record; all others are somebody else's."""
_WHOLE_NUMBER = re.compile(r"^[0-9]{1,15}\Z")


def other_colour(colour: str) -> str:
    """The colour that is not ``colour``."""
    return "green" if colour == "blue" else "blue"


def record_name(app: str) -> str:
    """Name of the ConfigMap that holds the record."""
    return f"{app}-active-version"


@dataclass(frozen=True)
class ActiveRecord:
    """Which colour processes, and since when.

    epoch grows by one at every transition; activated_epoch is the epoch at which ``active`` became active, and snapshot the
    ConfigMap that holds what it was handed then (empty: its group's commits alone tell where it stands). run_id is the run
    that wrote last: two runs that meet never write the same bytes, so each knows its own write. foreign holds keys of
    others, kept as they are.
    """

    active: str
    epoch: int
    activated_epoch: int
    phase: str = "stable"
    previous: str = ""
    switch_timestamp: str = ""
    rollback_allowed: bool = True
    rollback_window: int = 3600
    run_id: str = ""
    snapshot: str = ""
    foreign: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def first(cls, active: str, rollback_window: int = 3600) -> ActiveRecord:
        """The record of an application that was never switched."""
        return cls(active=active, epoch=1, activated_epoch=1, rollback_window=rollback_window)

    @classmethod
    def parse(cls, name: str, data: t.Mapping[str, str]) -> ActiveRecord:
        """Read the ConfigMap's data. Raises InvalidSettingsError that lists every nonsense found, by key."""
        faults = _faults(name, data)
        if faults:
            raise InvalidSettingsError(faults)
        epoch = int(data["epoch"])
        phase = data.get("phase", "stable")
        fallback = epoch if phase not in IN_HANDOVER else epoch - 1  # a record written by hand
        return cls(
            active=data["active"],
            epoch=epoch,
            activated_epoch=int(data.get("activated-epoch") or fallback),
            phase=phase,
            previous=data.get("previous-version", ""),
            switch_timestamp=data.get("switch-timestamp", ""),
            rollback_allowed=data.get("rollback-allowed", "true") == "true",
            rollback_window=int(data.get("rollback-window") or 3600),
            run_id=data.get("run-id", ""),
            snapshot=data.get("snapshot", ""),
            foreign={key: value for key, value in data.items() if key not in KEYS},
        )

    def to_data(self) -> dict[str, str]:
        """The whole data of the ConfigMap."""
        return {
            **self.foreign,
            "active": self.active,
            "epoch": str(self.epoch),
            "activated-epoch": str(self.activated_epoch),
            "phase": self.phase,
            "previous-version": self.previous,
            "switch-timestamp": self.switch_timestamp,
            "rollback-allowed": "true" if self.rollback_allowed else "false",
            "rollback-window": str(self.rollback_window),
            "run-id": self.run_id,
            "snapshot": self.snapshot,
        }

    @property
    def armed(self) -> bool:
        """A hand-over began and the active colour has not changed yet: pods that start now stand by."""
        return self.phase in IN_HANDOVER

    @property
    def standby(self) -> str:
        """The colour that is not active."""
        return other_colour(self.active)

    def window_closed(self, now: str) -> str:
        """Why a rollback comes too late, or empty while the window is open. now: RFC 3339."""
        if not self.switch_timestamp:
            return ""
        try:
            age = (_time(now) - _time(self.switch_timestamp)).total_seconds()
        except (ValueError, TypeError):  # a time without a zone can't be compared
            return f"switch-timestamp {self.switch_timestamp!r} is not an RFC 3339 time with a zone: the rollback window can't be judged"
        if age <= self.rollback_window:
            return ""
        return (
            f"the rollback window of {self.rollback_window} s closed {int(age - self.rollback_window)} s ago; "
            f"use a switch to {self.previous} instead, which runs every gate"
        )

    def arm(self, direction: str, run_id: str) -> ActiveRecord:
        """Begin a hand-over: pods that start now stay STANDBY, older commands are stale."""
        return replace(self, phase=phase_of(direction), epoch=self.epoch + 1, run_id=run_id)

    def flip(self, direction: str, now: str, phase: str = "verifying", snapshot: str = "") -> ActiveRecord:
        """Make the other colour active at a new epoch; its pods begin where the snapshot (name of its ConfigMap) says."""
        epoch = self.epoch + 1
        return replace(
            self,
            active=self.standby,
            previous=self.active,
            epoch=epoch,
            activated_epoch=epoch,
            phase=phase,
            switch_timestamp=now,
            rollback_allowed=direction == "switch",
            snapshot=snapshot,
        )

    def settle(self) -> ActiveRecord:
        """The run is over."""
        return replace(self, phase="stable")

    def claim(self, run_id: str) -> ActiveRecord:
        """The same state in another run's name: whoever read it before can't swap it any more."""
        return replace(self, run_id=run_id)

    def abort(self, run_id: str, proven: bool = True) -> ActiveRecord:
        """Give an armed hand-over up: same colour, new epoch, so that commands of the given-up run are stale.

        proven: the active colour was settled before that run; one that was not stays ``verifying``.
        """
        return replace(self, phase="stable" if proven else "verifying", epoch=self.epoch + 1, run_id=run_id)


def phase_of(direction: str) -> str:
    """Phase of the record while a run of this direction (switch or rollback) hands over."""
    return "rolling-back" if direction == "rollback" else "switching"


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _faults(name: str, data: t.Mapping[str, str]) -> list[str]:
    where = f"ConfigMap {name}"
    faults = []
    if data.get("active") not in COLOURS:
        faults.append(f"{where}: active is {data.get('active')!r}; it must be blue or green")
    if not _WHOLE_NUMBER.match(data.get("epoch", "")) or int(data["epoch"]) < 1:
        faults.append(f"{where}: epoch is {data.get('epoch')!r}; it must be a whole number of 1 or more")
    elif data.get("activated-epoch"):
        activated = data["activated-epoch"]
        if not _WHOLE_NUMBER.match(activated):
            faults.append(f"{where}: activated-epoch is {activated!r}; it must be a whole number")
        elif int(activated) > int(data["epoch"]):
            # What a manifest leaves that is applied again: it knows active and epoch, and nothing of activated-epoch.
            faults.append(
                f"{where}: epoch {data['epoch']} is older than activated-epoch {activated}, so the record was reverted "
                "to an earlier state. Stop what did it, then set active to the colour that really processes, and epoch to "
                f"{int(activated) + 1}"
            )
    if data.get("phase", "stable") not in PHASES:
        faults.append(f"{where}: phase is {data.get('phase')!r}; it must be one of {', '.join(PHASES)}")
    if data.get("previous-version", "") not in ("", *COLOURS):
        faults.append(f"{where}: previous-version is {data.get('previous-version')!r}; it must be blue, green or empty")
    if data.get("rollback-allowed", "true") not in ("true", "false"):
        faults.append(f"{where}: rollback-allowed is {data.get('rollback-allowed')!r}; it must be 'true' or 'false'")
    window = data.get("rollback-window") or "3600"
    if not _WHOLE_NUMBER.match(window):
        faults.append(f"{where}: rollback-window is {window!r}; it must be whole seconds")
    return faults
