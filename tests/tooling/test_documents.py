"""What the documents name is there: files that they link to, options, modules, roles, commands and tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HERE = "https://github.com/streamops/bluegreen/"
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\n")
DOCUMENTS = [ROOT / name for name in TRACKED if name.endswith(".md") and (ROOT / name).exists()]


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.partition("#")[0]
        if path.startswith(HERE):
            kind, _, rest = path.removeprefix(HERE).partition("/")
            if kind not in ("blob", "tree"):
                continue
            branch, _, inside = rest.partition("/")
            assert branch == "main", f"{target} names another branch"
            assert (ROOT / inside).exists(), f"{target}: no {inside}"
        elif path and "://" not in path and not path.startswith("mailto:"):
            assert (document.parent / path).exists(), f"{target} is not there"


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_names_exist(document: Path) -> None:
    """Modules, roles, playbooks, ``make`` targets, tests and ``bg_`` variables by the name that is written."""
    text = document.read_text(encoding="utf-8")
    plugins = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    plugins |= {"bg_action"}  # the label of an alert that asks for a rollback
    known = plugins | {path.name for path in (ROOT / "roles").iterdir()}
    known |= {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    for name in re.findall(r"streamops\.bluegreen\.([a-z_]+)", text):
        assert name in known, f"streamops.bluegreen.{name} is nothing of this collection"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target} does not exist"
    for variable in set(re.findall(r"(?<![\w/.-])bg_[a-z_]+(?![\w/*-]|\.yml)", text)):
        assert variable in _variables() | plugins | _metrics(), f"{variable} is no variable, module or metric"


def test_tests_that_documents_name_exist() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests += "\n".join(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    for document in DOCUMENTS:
        for name in set(re.findall(r"\btest_[a-z0-9_]+(?![a-z0-9_*])", document.read_text(encoding="utf-8"))):
            assert name in tests, f"{ids(document)} names {name}"


def test_defaults_of_a_role_are_its_options() -> None:
    for role in (ROOT / "roles").iterdir():
        if role.name == "application":
            continue  # its defaults are made of the variables that it documents
        defaults = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))
        specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        assert set(defaults) == set(specs["argument_specs"]["main"]["options"]), role.name


def test_every_variable_of_the_documents_is_known_to_preflight() -> None:
    """It refuses any other that begins with bg_."""
    known = yaml.safe_load((ROOT / "roles/preflight/vars/main.yml").read_text(encoding="utf-8"))["preflight_known"]
    assert set(known) == _variables()
    assert known == sorted(known)


def _metrics() -> set[str]:
    """Those that are exported, and the label of alerts that ask for a rollback."""
    exported = yaml.safe_load((ROOT / "tests/monitoring/exported.yml").read_text(encoding="utf-8"))
    return {name for names in exported.values() for name in names} | {"bg_action"}


def _variables() -> set[str]:
    """Those that the role ``application`` documents, and what a host or a play is told besides."""
    specs = yaml.safe_load((ROOT / "roles/application/meta/argument_specs.yml").read_text(encoding="utf-8"))
    told = {"bg_direction", "bg_hosts", "bg_kafka", "bg_kubernetes"}
    told |= {"bg_alert_labels", "bg_metric_gates", "bg_metrics", "bg_prometheus"}
    return set(specs["argument_specs"]["main"]["options"]) | told
