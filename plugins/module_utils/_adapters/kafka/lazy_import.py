# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""kafka-python without what we do not use of it.

Python runs a package's ``__init__`` before any part of it. That of ``kafka`` imports a producer, a consumer and an admin client,
those of the protocol build the classes of a hundred messages: almost half of the time of the whole import, in every call of a module.
Here they wait until somebody asks for one of their names that is not in the parts we use.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
import typing as t

USED: dict[str, tuple[str, ...]] = {
    "kafka": (),
    "kafka.protocol.admin": ("groups",),
    "kafka.protocol.consumer": ("offsets", "group"),
}
"""Packages that are postponed, and the parts of each that are searched for a name before all of it is run."""


class _Package(types.ModuleType):
    """A package that is found, but not run yet. Asked for a name that its used parts do not have, it is run: one like any."""

    def __getattr__(self, name: str) -> t.Any:
        for part in USED[self.__name__] if not name.startswith("__") else ():
            found = getattr(importlib.import_module(f"{self.__name__}.{part}"), name, None)
            if found is not None:
                return found
        self.__class__ = types.ModuleType  # type: ignore[assignment]
        spec = self.__spec__
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)


def postpone() -> None:
    """Call this before the first import of ``kafka``; later it changes nothing."""
    if "kafka" in sys.modules:
        return
    for name in USED:
        # Without the library, or with a broken one, nothing is put here; whoever needs it says so.
        with contextlib.suppress(ImportError):
            _put(name)
    # ``from kafka import errors`` would ask for a name that is not there yet.
    with contextlib.suppress(ImportError):
        importlib.import_module("kafka.errors")


def _put(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is not None:
        package = importlib.util.module_from_spec(spec)
        package.__class__ = _Package
        sys.modules[name] = package
