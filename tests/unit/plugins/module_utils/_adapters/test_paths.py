# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which text a message may show, because it surely is a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.paths import is_place, paths_in


def test_what_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("config", str(tmp_path / "config"), "~/config", str(tmp_path / "of-a-folder-that-is-there"), "/"):
        assert list(map(is_place, paths_in(text))) == [True], text


@pytest.mark.parametrize(
    "text", ["hush", "/hush", "a/hush", "/nowhere/hush", "~nobody-of-this-name/hush", "hu\x00sh", "x" * 10_000]
)
def test_any_other_text_may_be_a_secret(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not any(map(is_place, paths_in(text)))


def test_several_are_told_apart(tmp_path: Path) -> None:
    there, gone = str(tmp_path), "/nowhere/hush"
    assert list(map(is_place, paths_in(os.pathsep.join([there, "", gone])))) == [True, False]


def test_the_content_of_a_file_is_none() -> None:
    assert paths_in("users:\n- user:\n    token: hush\n") == paths_in('{"users": []}') == []
