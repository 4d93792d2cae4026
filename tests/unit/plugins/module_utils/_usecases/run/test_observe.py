# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rights a run asks for before it changes anything."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Right
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import parse_application
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import rights


def test_secrets_are_asked_for_by_name_and_only_where_they_are_used() -> None:
    raw = {"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}}
    reach = {"scheme": "https", "transport": "pod_ip", "token_secret": {"name": "control"}, "ca_secret": {"name": "ca"}}
    wanted = {Right("get", "secrets", name="control"), Right("get", "secrets", name="ca")}
    application = parse_application({**raw, "endpoint": reach})
    assert wanted <= set(rights(application, "hot"))
    assert not wanted & set(rights(application, "cold"))
    assert not any(right.resource == "secrets" for right in rights(parse_application(raw), "hot"))
