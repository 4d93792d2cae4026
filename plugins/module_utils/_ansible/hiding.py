# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Secrets that ansible-core cannot know by itself: read from a Kubernetes Secret, from a kubeconfig, or part of an address."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

try:
    # From 2.22 on the controller masks what a module has registered, and the module itself masks nothing.
    from ansible.module_utils.secrets import register_secrets  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    register_secrets = None


def hide(module: AnsibleModule, secrets: t.Iterable[str]) -> None:
    """Let nothing that is shown of the module's result hold one of these."""
    values = {str(secret) for secret in secrets if str(secret)}
    module.no_log_values.update(values)
    if register_secrets is not None:
        register_secrets(values)
