# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""By what we are known to the API server, in words. What wins is decided by kubernetes.core; this says what that was."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.paths import is_place, paths_in
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import is_path

Auth = t.Mapping[str, t.Any]

COMPLETE = (("username", "password"), ("api_key",), ("cert_file", "key_file"))
"""What is enough of an identity together with host, by the names that kubernetes.core uses inside."""
VAULT = b"$ANSIBLE_VAULT"
HOME = "~/.kube/config"
_ADVICE = "Set kubeconfig (or K8S_AUTH_KUBECONFIG), or host and api_key"


def told(auth: Auth) -> str:
    """What the identity comes from. auth: options of kubernetes.core, with what the environment adds to them."""
    who = f", impersonating {auth['impersonate_user']}" if auth.get("impersonate_user") else ""
    return _source(auth) + who


def _source(auth: Auth) -> str:
    if auth.get("host") and any(all(auth.get(name) for name in names) for names in COMPLETE):
        used = next(names[0] for names in COMPLETE if all(auth.get(name) for name in names))
        return {"username": "username and password", "cert_file": "client_cert and client_key"}.get(used, used)
    context = f", context {auth['context']}" if auth.get("context") else ""
    if isinstance(auth.get("kubeconfig"), dict):
        return f"the dictionary in kubeconfig{context}"
    if auth.get("kubeconfig"):
        return f"kubeconfig {_named(paths_in(auth['kubeconfig']))}{context}"
    outside = (
        f"KUBECONFIG {_named(paths_in(os.environ['KUBECONFIG']))}"
        if os.environ.get("KUBECONFIG")
        else f"kubeconfig {HOME}"
    )
    if context or not in_pod():
        return outside + context
    ignored = "; KUBECONFIG does not count in a pod, set K8S_AUTH_KUBECONFIG" if os.environ.get("KUBECONFIG") else ""
    return f"the service account of this pod{ignored}"


def in_pod() -> bool:
    """Whether this is a pod with a service account, which then comes before KUBECONFIG."""
    from kubernetes.config import incluster_config  # not at the top: every module imports this file, and few need that

    there = incluster_config.SERVICE_HOST_ENV_NAME in os.environ
    return there and Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file()


def no_kubeconfig(given: t.Any) -> str:
    """What is wrong with the option, or empty. Content that was given for a path is not shown."""
    if given is None or isinstance(given, dict) or (isinstance(given, str) and is_path(given)):
        return ""
    found = "a text that is no path" if isinstance(given, str) else f"a {type(given).__name__}"
    return f"kubeconfig is {found}; it must be the path of a file, or its content as a dictionary (| from_yaml)"


def why_unusable(given: t.Any, error: Exception) -> str:
    """Why no configuration could be made of the options and the environment. given: the option kubeconfig."""
    if isinstance(given, dict):
        return f"{str(error) or type(error).__name__}. {_ADVICE}"
    source, paths = _files(given)
    for path in paths:
        if _is_vaulted(path):
            advice = f"\"{{{{ lookup('ansible.builtin.unvault', '{path}') | from_yaml }}}}\""
            return (
                f"{path}, named by {source}, is encrypted with Ansible Vault. Set kubeconfig (bg_kubernetes.kubeconfig of the "
                f"roles) to its content: {advice}"
            )
    said = str(error) or type(error).__name__
    return f"{said}{_where(source, paths)}. {_ADVICE}"


def _files(given: t.Any) -> tuple[str, list[Path]]:
    """What names kubeconfigs, and the files."""
    named = [("kubeconfig", given), *((name, os.environ.get(name)) for name in ("K8S_AUTH_KUBECONFIG", "KUBECONFIG"))]
    source, value = next(((name, value) for name, value in named if value), ("the default", HOME))
    return source, paths_in(value)


def _named(paths: t.Sequence[Path]) -> str:
    return os.pathsep.join(str(path) for path in paths if is_place(path))


def _is_vaulted(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(VAULT)) == VAULT
    except (OSError, ValueError):
        return False


def _where(source: str, paths: t.Sequence[Path]) -> str:
    """The files that were looked for, as the end of a sentence."""
    if source == "the default":
        return f" (neither kubeconfig nor K8S_AUTH_KUBECONFIG nor KUBECONFIG is set, and {HOME} gives none)"
    if not paths:
        return f" ({source} is a text that is no path)"
    folder = "" if all(path.is_absolute() for path in paths) else f" in {Path.cwd()}"
    if not (named := _named(paths)):
        return f" ({source} is a path that does not exist{folder})"
    missing = "" if any(is_place(path) and path.exists() for path in paths) else ", which does not exist"
    return f" ({source} is {named}{folder}{missing})"
