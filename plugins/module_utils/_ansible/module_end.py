# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From a use case to the end of a module: the only place that calls exit_json and fail_json."""

from __future__ import annotations

import traceback
import typing as t
from dataclasses import asdict, is_dataclass

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.paths import is_place, paths_in
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.hiding import hide
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.limits import out_of_limits
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
    MissingLibraryError,
)

SECRET_KEYS = frozenset(
    {
        "token",
        "password",
        "secret",
        "client-key-data",
        "client-certificate-data",
        "access-token",
        "refresh-token",
        "id-token",
    }
)


def run(module: AnsibleModule, use_case: t.Callable[[], t.Any]) -> t.NoReturn:
    """Run the use case and end the module with its result (a dictionary or a dataclass).

    An expected error becomes a failure with the same result keys, as far as they are known. Anything unexpected is left
    to Ansible, which shows it with a traceback. ``diff`` is returned only in diff mode, and may be a function that makes it;
    ``warnings`` become warnings.
    """
    kubeconfig = module.params.get("kubeconfig")
    hide(module, secrets_of(kubeconfig))
    paths = paths_in(kubeconfig) if isinstance(kubeconfig, str) else []
    if paths and all(map(is_place, paths)):
        # The option is hidden for the content that it may have; a message about a file has to name it.
        module.no_log_values.discard(kubeconfig)
    try:
        faults = out_of_limits(module.params)
        if faults:
            raise InvalidSettingsError(faults)
        result = use_case()
    except MissingLibraryError as error:
        module.fail_json(msg=missing_required_lib(error.library), exception=error.trace)
    except BlueGreenError as error:
        unforeseen = error.__cause__ is not None and not isinstance(error.__cause__, (BlueGreenError, OSError))
        trace = {"exception": "".join(traceback.format_exception(error))} if unforeseen else {}
        module.fail_json(**_shown(module, {"changed": False, **error.result, "msg": error.message, **trace}))
    module.exit_json(
        **_shown(module, asdict(result) if is_dataclass(result) and not isinstance(result, type) else result)
    )


def secrets_of(kubeconfig: t.Any) -> set[str]:
    """Secret values of a kubeconfig that was given as a dictionary; Ansible must not print them."""
    if isinstance(kubeconfig, dict):
        found = {value for key, value in kubeconfig.items() if key in SECRET_KEYS and isinstance(value, str) and value}
        return found.union(*(secrets_of(value) for value in kubeconfig.values()))
    if isinstance(kubeconfig, list):
        return set().union(*(secrets_of(item) for item in kubeconfig))
    return set()


def _shown(module: AnsibleModule, result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    for warning in result.get("warnings", ()):
        module.warn(warning)
    shown = {key: value for key, value in result.items() if key not in ("warnings", "diff")}
    diff = result.get("diff") if module._diff else None  # noqa: SLF001 - no public name tells the mode
    return shown if diff is None else {**shown, "diff": diff() if callable(diff) else diff}
