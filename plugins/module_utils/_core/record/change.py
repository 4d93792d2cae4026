# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From the active record as it is to the requested one, one legal transition at a time. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ConflictError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    IN_HANDOVER,
    ActiveRecord,
)

VOLATILE = ("switch-timestamp", "run-id")
"""Left out of diffs: a prediction and the change it predicted have different times and authors."""


def change_record(
    record: ActiveRecord, active: str | None, phase: str | None, rollback_window: int | None, now: str, run_id: str
) -> ActiveRecord:
    """The record with the wanted colour, phase and window; equal to ``record`` when it is so already.

    The epoch grows with every change of the colour, when a hand-over begins and when it is given up, so that commands
    of before are stale. None leaves a value as it is.
    """
    changed = record
    wanted_phase = phase or record.phase
    if active is not None and active != record.active:
        rolls_back = "rolling-back" in (record.phase, wanted_phase)
        # A flip ends the hand-over that it was armed for: in its phase pods of the new colour would stand by.
        flipped = "verifying" if phase is None and record.armed else wanted_phase
        changed = record.flip("rollback" if rolls_back else "switch", now, flipped)
    elif wanted_phase != record.phase:
        if wanted_phase in IN_HANDOVER:
            changed = record.arm("rollback" if wanted_phase == "rolling-back" else "switch", run_id)
        elif wanted_phase == "stable" and record.armed:
            changed = record.abort(run_id)
        else:
            changed = replace(record, phase=wanted_phase)
    if rollback_window is not None:
        changed = replace(changed, rollback_window=rollback_window)
    return changed if changed == record else replace(changed, run_id=run_id)


def rollback_refusal(record: ActiveRecord, changed: ActiveRecord, now: str) -> str:
    """Why this change is a rollback that the record does not allow, or empty.

    A rollback is what is called so (phase rolling-back), and a change back to previous-version that no switch was armed
    for. One that is under way is not stopped: it was allowed when it was armed, and a switch that is not settled yet may
    always be taken back.
    """
    called_so = changed.phase == "rolling-back" != record.phase
    goes_back = changed.active != record.active and changed.active == record.previous
    if record.armed or not (called_so or (goes_back and changed.phase != "switching")):
        return ""
    if not record.previous:
        return "nothing was ever switched: the record has no previous-version"
    if not record.rollback_allowed:
        return "rollback-allowed is false: the last change was itself a rollback, or somebody forbade it"
    return record.window_closed(now) if record.phase == "stable" else ""


def flip_refusal(record: ActiveRecord, changed: ActiveRecord, phase: str | None) -> str:
    """Why the colour may not change in this way, or empty. phase: what was asked for, None where nothing was.

    Pods of the new colour become active when they read such a record, from commits that are the whole truth only after a hand-over.
    A task that sets colour and phase, as the play does that creates the record, does not know that one is under way.
    """
    if changed.active == record.active:
        return ""
    if changed.phase in IN_HANDOVER:
        return f"phase {changed.phase} would keep the pods of {changed.active} from working: set verifying or stable with it"
    if not record.armed:
        return (
            f"{record.active} is active since epoch {record.activated_epoch} and no hand-over was begun, so {changed.active} would begin "
            "from old offsets. Run the switch playbook; or arm the record first (phase: switching), or name expected_epoch, or set force"
        )
    if phase != "verifying":
        return (
            f"run {record.run_id or '(unnamed)'} has begun a hand-over from {record.active} ({record.phase}, epoch {record.epoch}), and "
            f"{record.active} may still be at work. Finish it with the switch or the rollback playbook; to flip by hand, set the phase "
            "(verifying), or expected_epoch, or force"
        )
    return ""


def check_expected(name: str, record: ActiveRecord | None, active: str | None, epoch: int | None) -> None:
    """Raise ConflictError when the record is not the one the change was thought out for."""
    wanted = {"active": active, "epoch": epoch}
    seen = {"active": record.active if record else None, "epoch": record.epoch if record else None}
    wrong = [
        f"{key} is {seen[key] if record else 'absent'}, expected {value}"
        for key, value in wanted.items()
        if value is not None and seen[key] != value
    ]
    if wrong:
        raise ConflictError(
            f"ConfigMap {name} was not changed: {' and '.join(wrong)}. Somebody else changed it; check it before you decide",
            {"record": record.to_data() if record else None},
        )


def shown(data: t.Mapping[str, str] | None) -> dict[str, str]:
    """The record as a diff shows it."""
    return {key: value for key, value in sorted((data or {}).items()) if key not in VOLATILE}
