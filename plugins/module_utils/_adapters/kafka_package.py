# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""kafka-python without what we do not use of it.

Python runs a package's ``__init__`` before any part of it, and that of ``kafka`` imports a producer, a consumer and an admin
client: a third of the time of the whole import, in every call of a module. Here it waits until somebody asks for one of its names.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
import typing as t


class _Package(types.ModuleType):
    """A package that is found, but not run yet. Asked for a name that it does not have, it is run, and a package like any."""

    def __getattr__(self, name: str) -> t.Any:
        self.__class__ = types.ModuleType  # type: ignore[assignment]
        spec = self.__spec__
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)


def postpone() -> None:
    """Call this before the first import of ``kafka``; later it changes nothing."""
    spec = None if "kafka" in sys.modules else importlib.util.find_spec("kafka")
    if spec is None:
        return
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _Package
    sys.modules["kafka"] = package
    # ``from kafka import errors`` would ask for a name that is not there yet.
    with contextlib.suppress(ImportError):
        importlib.import_module("kafka.errors")
