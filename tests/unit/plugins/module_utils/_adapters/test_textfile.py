# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file for node_exporter: replaced as a whole, readable, and only if it is ours."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.textfile import Textfile
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MetricsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample

MINE = {"app": "orders", "namespace": "shop"}
SAMPLES = [Sample("bg_epoch", MINE, 3), Sample("bg_switch_in_progress", MINE, 0)]


def place(path: Path) -> Textfile:
    return Textfile(str(path), "orders", "shop")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    file = place(tmp_path / "orders.prom")
    assert file.read() == ""
    file.replace(SAMPLES)
    assert file.read() == file.text(SAMPLES)
    file.replace(SAMPLES[:1])
    assert file.read() == file.text(SAMPLES[:1]) != file.text(SAMPLES)
    assert [path.name for path in tmp_path.iterdir()] == ["orders.prom"]


def test_an_exporter_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        place(tmp_path / "orders.prom").replace(SAMPLES)
        assert os.umask(0o077) == 0o077, "put back"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "orders.prom").stat().st_mode) == 0o644


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place(tmp_path / "orders.prom")
    file.replace(SAMPLES)

    def fails(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(MetricsError, match=r"Can't write the file .*/orders\.prom: No space left on device"):
        file.replace(SAMPLES[:1])
    assert file.read() == file.text(SAMPLES)
    assert [path.name for path in tmp_path.iterdir()] == ["orders.prom"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('bg_epoch{app="other",namespace="shop"} 1\n', "metrics of others (bg_epoch, app other, namespace shop)"),
        ('bg_epoch{app="orders",namespace="elsewhere"} 1\n', "app orders, namespace elsewhere"),
        ("node_thing 1\n", "metrics of others (node_thing)"),
        ("bg_epoch 1\n", "metrics of others (bg_epoch)"),
        ("hello\n", "is not a file of metrics"),
        (b"\xff\xfe", "is not a file of metrics"),
    ],
)
def test_a_file_of_others_is_left_alone(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = tmp_path / "A.prom"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MetricsError) as refused:
        place(path).read()
    assert f"The file {path} was left alone: it" in refused.value.message
    assert said in refused.value.message


def test_nobody_can_foresee_the_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with the process id was opened before, which a link that was put there led elsewhere."""
    renamed: list[str] = []
    monkeypatch.setattr(Path, "replace", lambda self, _target: renamed.append(self.name))
    for _turn in range(2):
        place(tmp_path / "orders.prom").replace([])
    assert len(set(renamed)) == 2
    assert all(name.startswith(".bg_metrics-") and not name.endswith(".prom") for name in renamed)


def test_an_empty_file_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "orders.prom").touch()
    assert place(tmp_path / "orders.prom").read() == ""


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"none is not a folder\. Create it"):
        place(tmp_path / "none/orders.prom").read()


def test_no_file(tmp_path: Path) -> None:
    (tmp_path / "orders.prom").mkdir()
    with pytest.raises(MetricsError, match="exists and is not a file"):
        place(tmp_path / "orders.prom").read()


def test_no_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_given: False)  # root may do everything
    with pytest.raises(MetricsError, match=f"no right to write to the folder {tmp_path}"):
        place(tmp_path / "orders.prom").read()


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"Can't use .*File name too long"):
        place(tmp_path / ("x" * 300 + ".prom")).read()
