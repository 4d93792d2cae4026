# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Remove a consumer group with all its offsets."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError, OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import OffsetRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import (
    Desired,
    members_refusal,
    plan_offsets,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.empty_group import members_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.offset_sources import (
    refuse_other_kinds,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import (
    empty_out,
    result_of,
)


def remove_group(ports: Ports, request: OffsetRequest, check: bool = False) -> dict[str, t.Any]:
    """Afterwards the broker does not know the group. The module's result, as of set_offsets.

    Raises GroupNotEmptyError when the group has members, OffsetsError when it is still there afterwards.
    """
    found = ports.kafka.groups([request.group_id])[request.group_id]
    refuse_other_kinds(found)
    result = _result(ports, found)
    if found.kind == "absent":
        return result
    result["changed"] = True
    evicted: list[dict[str, t.Any]] = []
    if not found.is_empty:
        if check:
            warning = f"A real run would be refused now: {members_refusal(found, 'deleted')}"
            return {**result, "members": members_of(found), "warnings": [warning]}
        evicted = empty_out(ports, request, found, "deleted", result)
        found = ports.kafka.groups([request.group_id])[request.group_id]
        result = {**_result(ports, found), "changed": True, "evicted": evicted}
    if not check:
        try:
            ports.kafka.delete_group(request.group_id)
        except GroupNotEmptyError as error:
            joined = members_of(ports.kafka.groups([request.group_id])[request.group_id])
            raise GroupNotEmptyError(error.message, {**result, "changed": bool(evicted), "members": joined}) from error
        left = ports.kafka.groups([request.group_id])[request.group_id]
        if left.kind != "absent":
            raise OffsetsError(
                f"Group {request.group_id} was deleted and is there again ({left.kind}, {left.state}, "
                f"{len(left.members)} members); somebody uses it",
                {**result, "members": members_of(left)},
            )
    return result


def _result(ports: Ports, group: Group) -> dict[str, t.Any]:
    # What an open transaction has goes with the group, so nobody has to wait for its end.
    current = ports.kafka.committed_or_pending(group.group_id, None)[0] if group.kind != "absent" else {}
    topics = ports.kafka.topics({tp.topic for tp in current})
    gone = Desired(None, removed=True, reason="state is absent")
    return result_of(group, topics, plan_offsets(current, dict.fromkeys(current, gone), {}))
