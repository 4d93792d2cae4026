# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The snapshot a module was given: as data, as a file, or as the ConfigMap of a hand-over."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError, OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import GroupSnapshot, parse
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

ENGINE_SNAPSHOT = re.compile(r"(?P<app>.+)-bg-snapshot-[ab]")


def given_snapshot(params: t.Mapping[str, t.Any], ports: Ports) -> GroupSnapshot | None:
    """The snapshot of the options ``snapshot``, ``snapshot_file`` or ``snapshot_config_map``, or None.

    Raises InvalidSettingsError when it is missing or incomplete.
    """
    if params["snapshot"] is not None:
        return parse(params["snapshot"], "snapshot")
    if params["snapshot_file"] is not None:
        return parse(_from_file(params["snapshot_file"]), params["snapshot_file"])
    if params["snapshot_config_map"] is not None:
        return _from_config_map(ports, params["snapshot_config_map"], params["namespace"])
    return None


def _from_file(path: str) -> t.Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettingsError([f"snapshot_file {path} cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise InvalidSettingsError([f"snapshot_file {path} is not JSON: {error}"]) from error


def _from_config_map(ports: Ports, name: str, namespace: str) -> GroupSnapshot:
    # Only this source needs Kubernetes, and the state's code.
    from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store

    named = ENGINE_SNAPSHOT.fullmatch(name)
    if named is None:
        raise InvalidSettingsError(
            [
                f"snapshot_config_map {name} is not the name of a hand-over's snapshot (<application>-bg-snapshot-a or -b)"
            ]
        )
    try:
        stored = Store(ports, named["app"]).stored_snapshot(name)
    except OffsetsError as error:
        raise InvalidSettingsError([f"{error.message} (namespace {namespace})"]) from error
    return GroupSnapshot("", dict(stored.offsets), stored.topic_ids)
