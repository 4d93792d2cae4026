# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Requests to pods, and their answers. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpCall:
    """A request that is sent to pods. path: below the base path of the endpoint. body: JSON, None for no body."""

    method: str
    path: str
    body: t.Any = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One pod's answer. status is the HTTP code, or None when no answer came (then error says why)."""

    pod: str
    status: int | None
    body: t.Mapping[str, t.Any] | None = None
    """The answer where it is a JSON object."""
    error: str = ""
    answer: t.Any = None
    """The answer where it is any JSON."""
