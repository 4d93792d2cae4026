"""Each file below plugins/ has its test where a newcomer looks, or is in the list of tests/README.md, and then has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path.relative_to(ROOT / "plugins")
    for folder in ("action", "module_utils", "modules", "plugin_utils")
    for path in (ROOT / "plugins" / folder).rglob("*.py")
    if path.name != "__init__.py"
)


def listed() -> set[str]:
    """Files of the list; a name without a folder is beside the one before it."""
    found: set[str] = set()
    for row in re.findall(
        r"^\| (`[^|]*\.py`) \|", (ROOT / "tests/README.md").read_text(encoding="utf-8"), re.MULTILINE
    ):
        folder = ""
        for name in re.findall(r"`([^`]+)`", row):
            path = name if "/" in name else folder + name
            folder = path[: path.rfind("/") + 1]
            found.add(path if path.startswith(("modules/", "plugin_utils/")) else f"module_utils/{path}")
    return found


def has_test(file: Path) -> bool:
    folder = ROOT / "tests/unit/plugins" / file.parent
    return any((folder / f"test_{file.stem}{end}.py").exists() for end in ("", "_action"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_its_test_is_found(file: Path) -> None:
    assert has_test(file) != (file.as_posix() in listed())


def test_the_list_names_files() -> None:
    assert listed() <= {file.as_posix() for file in FILES}
