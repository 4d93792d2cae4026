"""Try the built archive on every supported line of ansible-core: ``python -m scripts.matrix``.

Each line gets an environment of its own below .cache/matrix, with the Python that it wants, and there the archive is installed as a
user installs it. Then, in this order: sanity and unit tests of that ansible-core, and on the test bed a switch and a rollback that
are audited. A Python that can't be had is a failure that names it. Writes build/matrix.json; logs are in .cache/matrix/LINE/logs.

Needs scripts/stage.sh and scripts/build_collection.sh to have run, and the test bed for the step ``bed``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.environment import find_environment, new_names
from demo.sandbox import sandboxed

ROOT = Path(__file__).resolve().parents[1]
MATRIX = ROOT / ".cache" / "matrix"
OUT = ROOT / "build" / "matrix.json"
TIMEOUT = 1800
"""Seconds for one step: only a hang takes so long."""


class FailedError(Exception):
    """What a line failed at."""


@dataclass(frozen=True)
class Line:
    """One line of ansible-core and what it is tried with: pip requirements, and the ansible package kubernetes.core is taken from."""

    core: str
    python: str
    libraries: tuple[str, ...]
    package: str

    @property
    def home(self) -> Path:
        return MATRIX / self.core

    @property
    def name(self) -> str:
        return self.core


OLDEST = (
    "kafka-python==3.0.12",
    "kubernetes==33.1.0",
    "urllib3==2.5.0",
    "jmespath==1.0.1",
    "prometheus-client==0.26.0",
)
NEWEST = (
    "kafka-python>=3.0.12,<3.1",
    "kubernetes>=37.0.2,<38",
    "urllib3>=2.5,<3",
    "jmespath>=1.0.1,<2",
    "prometheus-client>=0.26,<0.27",
)
LINES = {
    "2.19": Line("2.19", "3.11", OLDEST, "ansible==12.3.0"),
    "2.20": Line("2.20", "3.12", NEWEST, "ansible==12.3.0"),
    "2.21": Line("2.21", "3.13", NEWEST, "ansible==14.5.0"),
    "2.22": Line("2.22", "3.13", NEWEST, "ansible==14.5.0"),
}
"""kubernetes.core is 6.2.0 in ansible 12.3.0, the lowest that galaxy.yml allows, and 6.6.0 in ansible 14.5.0."""
VERSIONS = """import importlib.metadata, platform
names = ("ansible-core", "kafka-python", "kubernetes", "urllib3", "jmespath", "prometheus-client")
print("python", platform.python_version(), *(f"{name} {importlib.metadata.version(name)}" for name in names))
"""


def find_python(version: str) -> str:
    """The interpreter: on the path, or one of pyenv's."""
    name = f"python{version}"
    candidates = [shutil.which(name), *sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")))]
    for candidate in filter(None, candidates):
        works = [candidate, "-c", "import ensurepip, venv"]
        if subprocess.run(works, capture_output=True, check=False).returncode == 0:
            return candidate
    raise FailedError(f"there is no {name} with ensurepip and venv: install it (Debian: apt-get install {name}-venv)")


def call(line: Line, name: str, command: list[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Run one command with its output in a log; the output, or FailedError with its end."""
    log = line.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, **(env or {}), "PATH": f"{line.home}/venv/bin:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise FailedError(f"{name} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}\nlog: {log}")
    return done.stdout


def environment(line: Line) -> str:
    """Lay the virtual environment and install the archive into a collections path of its own; what is in it."""
    python = find_python(line.python)
    venv, collections = line.home / "venv", line.home / "collections"
    stamp = venv / "holds.txt"
    wanted = repr((line.core, line.python, line.libraries, line.package))
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        call(line, "venv", [python, "-m", "venv", "--clear", str(venv)])
        following = f"{line.core.rpartition('.')[0]}.{int(line.core.rpartition('.')[2]) + 1}"
        core = f"ansible-core>={line.core}.0rc1,<{following}.0b1"
        pip = [str(venv / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        call(line, "install", [*pip, "install", core, *line.libraries, "confluent-kafka>=2.16.1,<2.17"])
        stamp.write_text(wanted, encoding="utf-8")
    _lay_dependency(line, collections)
    [archive] = (ROOT / ".cache" / "archive").glob("streamops-bluegreen-*.tar.gz")
    install = [
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--force",
        "--collections-path",
        str(collections),
    ]
    call(line, "galaxy", [*install, str(archive)], {"ANSIBLE_COLLECTIONS_PATH": str(collections)})
    versions = call(line, "versions", [str(venv / "bin/python"), "-c", VERSIONS])
    manifest = json.loads((collections / "ansible_collections/kubernetes/core/MANIFEST.json").read_text("utf-8"))
    return f"{versions.strip()} kubernetes.core {manifest['collection_info']['version']}"


def _lay_dependency(line: Line, collections: Path) -> None:
    target = collections / "ansible_collections" / "kubernetes" / "core"
    stamp = line.home / "package.txt"
    if target.exists() and stamp.is_file() and stamp.read_text(encoding="utf-8") == line.package:
        return
    shutil.rmtree(target, ignore_errors=True)
    wheels = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamops-bluegreen" / "wheels"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    call(line, "download", [*download, "--python-version", "3.13", "--dest", str(wheels), line.package])
    wheel = wheels / f"{line.package.replace('==', '-')}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        prefix = "ansible_collections/kubernetes/core/"
        packed.extractall(collections, [entry for entry in packed.namelist() if entry.startswith(prefix)])
    stamp.write_text(line.package, encoding="utf-8")


def sanity(line: Line) -> str:
    """ansible-test sanity of that version."""
    return _ansible_test(line, "sanity", "--local")


def units(line: Line) -> str:
    """The unit tests, under that version's ansible-test."""
    return _ansible_test(line, "units", "--venv")


def _ansible_test(line: Line, what: str, way: str) -> str:
    stage = line.home / f"stage-{what}"
    env = {"STAGE": str(stage), "ENVIRONMENT": str(line.home / "venv")}
    call(line, f"stage-{what}", ["scripts/stage.sh"], env)
    command = ["scripts/ansible_test.sh", what, way, "--color=no", f"--python={line.python}"]
    output = call(line, what, command, env)
    counts = [int(number) for number in re.findall(r"(\d+) passed", output)]
    return f"{sum(counts)} passed" if counts else f"{output.count('Running sanity test')} tests"


def bed(line: Line) -> str:
    """A switch and a rollback under traffic with the archive as installed, and the audit of every record."""
    arguments = ("-e", f"ansible_python_interpreter={line.home / 'venv/bin/python'}")
    with sandboxed(find_environment(bring_up=False), new_names(), line.home / "bed", replicas=2) as sandbox:
        operator = sandbox.operator
        operator.program = line.home / "venv/bin/ansible-playbook"
        operator.env = {
            **operator.env,
            "ANSIBLE_COLLECTIONS_PATH": str(line.home / "collections"),
            "PATH": f"{line.home}/venv/bin:{operator.env['PATH']}",
        }
        producer = sandbox.produce(100)
        try:
            operator.play("status", *arguments, name="status")
            seconds = [
                f"{playbook} {operator.real(playbook, *arguments, name=playbook).seconds:.1f} s"
                for playbook in ("switch", "rollback")
            ]
        finally:
            produced = producer.stop()
        report = sandbox.audits.audit("matrix", None, None, wait=90)
    found = {key: report[key]["count"] for key in ("lost", "duplicated", "outOfOrder")}
    if any(found.values()) or report["processed"] != produced["records"] or not produced["records"]:
        raise FailedError(f"the audit says {found}, {report['processed']} of {produced['records']} records processed")
    return f"{', '.join(seconds)}; {report['processed']} records, 0 lost, 0 twice, 0 out of order"


STEPS: dict[str, Callable[[Line], str]] = {"environment": environment, "sanity": sanity, "units": units, "bed": bed}


def main() -> int:
    """Try the lines; 0 when every step of each passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.matrix", description=__doc__)
    parser.add_argument("--line", action="append", choices=list(LINES), help="only this one (may be repeated)")
    parser.add_argument("--step", action="append", choices=list(STEPS), help="only this one, after the environment")
    options = parser.parse_args()
    wanted = [LINES[name] for name in options.line or LINES]
    steps = {name: step for name, step in STEPS.items() if name == "environment" or name in (options.step or STEPS)}
    results: dict[str, dict[str, str]] = {}
    for line in wanted:
        rows = results.setdefault(line.name, {})
        for name, step in steps.items():
            began = time.monotonic()
            try:
                told = f"ok   {step(line)}"
            except Exception as error:  # noqa: BLE001  one line's trouble must not hide another's
                told = f"FAIL {error}"
            rows[name] = told
            print(f"matrix: ansible-core {line.name} {name}, {time.monotonic() - began:.0f} s: {told}", flush=True)
            if told.startswith("FAIL") and name == "environment":
                break
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    failed = [f"{line} {step}" for line, rows in results.items() for step, told in rows.items() if told[:4] == "FAIL"]
    print(f"matrix: {len(results)} lines, " + (f"failed: {', '.join(failed)}" if failed else "all passed"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
