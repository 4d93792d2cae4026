# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

from __future__ import annotations


class ModuleDocFragment:
    """Connection to the Kubernetes API server, beside kubernetes.core.k8s_auth_options."""

    DOCUMENTATION = r"""
requirements:
  - kubernetes >= 33, < 38
options:
  api_server_timeout:
    description:
      - Seconds the Kubernetes API server has to answer one request.
      - A read with a temporary error is retried within this time. A write is sent once.
      - An address where nothing listens fails after 3 seconds in which it refused every connection, unless the server had answered
        the module before.
    type: float
    default: 10.0
"""

    NAMESPACE = r"""
options:
  namespace:
    description: Namespace of the objects.
    type: str
    required: true
"""
