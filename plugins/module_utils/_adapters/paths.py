# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Which text is the path of a file. A kubeconfig is given as one, and its content, a secret, comes here by mistake."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import is_path


def paths_in(value: t.Any) -> list[Path]:
    """The files that a kubeconfig given as text names; none where it can be no path."""
    if not is_path(str(value)):
        return []
    # Path.expanduser raises for a user whom nobody knows.
    return [Path(os.path.expanduser(part)) for part in str(value).split(os.pathsep) if part]  # noqa: PTH111


def is_place(path: Path) -> bool:
    """Whether this surely is a path: the file or its folder is there. Any other text may be a secret that came here by mistake."""
    try:
        return path.exists() or (path.is_absolute() and len(path.parts) > 2 and path.parent.is_dir())
    except (OSError, ValueError):  # a text that can be no path
        return False
