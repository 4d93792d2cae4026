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
        the module before, or an earlier step of its run. Once it has answered, other errors of a connection are retried, too.
    type: float
    default: 10.0
notes:
  - 'Who connects is decided as by kubernetes.core, the first of these that is there: O(host) with O(api_key), with O(username) and
    O(password) or with O(client_cert) and O(client_key); O(kubeconfig) or O(context); the service account of the pod that the
    module runs in; E(KUBECONFIG), else C(~/.kube/config). Each option may come from its E(K8S_AUTH_*) variable. So inside a pod
    with a service account E(KUBECONFIG) does not count, and E(K8S_AUTH_KUBECONFIG) does. Every refusal names the identity and
    what it came from.'
  - A kubeconfig that Ansible Vault encrypted is refused as a path. Give its content, read with the lookup
    P(ansible.builtin.unvault#lookup) and the filter P(ansible.builtin.from_yaml#filter).
"""

    NAMESPACE = r"""
options:
  namespace:
    description: Namespace of the objects.
    type: str
    required: true
"""
