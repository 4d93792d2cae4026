# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples as text and back."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import exposition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample

SAMPLES = [
    Sample("bg_epoch", {"app": "b"}, 3),
    Sample("bg_epoch", {"app": "a"}, 1767268840.123456),
    Sample("bg_colour_info", {"app": "a", "consumergroup": 'a"b\\c, d}ä'}, 1),
]
TEXT = """\
# HELP bg_colour_info Always 1. Joins a colour to the names that other exporters know it by.
# TYPE bg_colour_info gauge
bg_colour_info{app="a",consumergroup="a\\"b\\\\c, d}ä"} 1.0
# HELP bg_epoch Epoch of the active record.
# TYPE bg_epoch gauge
bg_epoch{app="a"} 1.767268840123456e+09
bg_epoch{app="b"} 3.0
"""


def test_the_text_has_an_order_of_its_own() -> None:
    assert exposition.to_text(SAMPLES) == exposition.to_text(reversed(SAMPLES)) == TEXT


def test_there_and_back() -> None:
    assert exposition.to_text(exposition.from_text(TEXT)) == TEXT


def test_what_others_publish_is_shown_as_theirs() -> None:
    assert exposition.to_text([Sample("up", {}, 1)]) == "# HELP up \n# TYPE up untyped\nup 1.0\n"


@pytest.mark.parametrize("text", ["<html>", "bg_epoch{app= 3", "bg_epoch three", "{}"])
def test_what_is_no_text_of_metrics(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the library's, and none where it has none
        exposition.from_text(text)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "IMPORT_ERROR", "Traceback")
    with pytest.raises(MissingLibraryError, match="prometheus-client could not be imported"):
        exposition.check_library()
