"""The steps of `make check` and `make test`: what is run, in which order, and what may still be absent.

A command is run by bash from the root of the checkout in the environment of scripts/env.sh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

STAGED = ".cache/stage/ansible_collections/streamops/bluegreen"
PYTHON_VERSION = '"$(python -c \'import sys; print("%d.%d" % sys.version_info[:2])\')"'
# The bed's variables reach only the steps that use the bed.
BED_ENVIRONMENT = 'environment="$(python -m testbed env)" && eval "$environment"'


class Share(Enum):
    """How a step shares the machine with others."""

    POOL = "takes one of the workers"
    BACKGROUND = "runs beside the workers"
    ALONE = "waits until every other step has passed, then has the machine to itself"


@dataclass(frozen=True)
class Step:
    """One line of the output.

    command: bash; a non-zero exit status is a failure.
    after: names of steps that have to pass first.
    needs: the only excuse for a step that is not there: while this path does not exist the step is reported as ABSENT
        and not run. Once the path exists, nothing to run is a failure like any other.
    timeout: seconds until the step is stopped and counts as failed. It ends a hang and does not judge the machine: the
        same step takes three times as long on a busy one.
    show: print the last line of the output beside the name (the counts of a test runner).
    always: run even when an earlier step failed (cleaning up).
    """

    name: str
    command: str
    after: tuple[str, ...] = ()
    needs: str | None = None
    timeout: int = 1800
    share: Share = Share.POOL
    show: bool = False
    always: bool = False


def pytest(name: str, path: str) -> Step:
    """Return the step that runs the tests below path; pytest itself fails when it finds none (exit status 5)."""
    return Step(name, f"pytest -q {path}", needs=path, show=True)


# Samples of the schedules; the whole of them belongs to `make test-full`.
SIMULATION = pytest("simulation", "tests/simulation")
SIMULATION_IN_SHORT = replace(SIMULATION, command=f"SIMULATION_PART=8 {SIMULATION.command}")
SIMULATION_IN_PART = replace(SIMULATION, command=f"SIMULATION_PART=2 {SIMULATION.command}")
# Half of their time they wait for peers that are silent on purpose.
UNIT = replace(pytest("unit", "tests/unit"), command="pytest -q -n 2 --dist worksteal tests/unit")
LINT = Step("ansible-lint", "ansible-lint --offline --nocolor -q")
# The scenarios of molecule are two thirds of its work, and are run anyway where they are linted.
LINT_IN_SHORT = replace(LINT, command=f"{LINT.command} --exclude molecule")
# 15 runs of each random schedule took 11 minutes on two processors of their own.
SIMULATION_IN_FULL = replace(
    SIMULATION, command="SIMULATION_RUNS=100 pytest -q -n 2 --dist worksteal tests/simulation", timeout=7200
)

# The longest first: they decide how long the whole takes.
CHECK = (
    UNIT,
    SIMULATION_IN_SHORT,
    LINT_IN_SHORT,
    Step("types", "scripts/types.sh"),
    pytest("unit consumers", "tests/consumers"),
    pytest("unit testbed", "tests/testbed"),
    pytest("unit tooling", "tests/tooling"),
    Step("format", "ruff format --check ."),
    Step("ruff", "ruff check --output-format=concise ."),
    Step("yamllint", "yamllint --strict --format=parsable ."),
    Step("shellcheck", "git ls-files -z --cached --others --exclude-standard -- .ci/run '*.sh' | xargs -0 shellcheck"),
    Step("changelog", "antsibull-changelog lint"),
)

COLLECTION = (
    Step("stage", "scripts/stage.sh"),
    Step(
        "sanity",
        f"scripts/ansible_test.sh sanity --local --color=no --python={PYTHON_VERSION}",
        after=("stage",),
    ),
    Step(
        "units",
        # In a copy of its own, so that it does not have to wait for sanity.
        "export STAGE=.cache/stage-units && scripts/stage.sh"
        f" && scripts/ansible_test.sh units --venv --color=no --python={PYTHON_VERSION}",
        needs="tests/unit/plugins",
    ),
    Step(
        "docs",
        "antsibull-docs --config-file scripts/antsibull.cfg lint-collection-docs --plugin-docs"
        f" --validate-collection-refs=all --disallow-unknown-collection-refs {STAGED}",
        after=("stage",),
    ),
    # A quarter of a minute, and three quarters more where its environment has to be made.
    Step("docs site", "scripts/docs_site.sh", show=True),
    Step("archive", "scripts/build_collection.sh", after=("stage",)),
    # Here the plugin has to show that it finds the collection; every unit test under it once more belongs to `make test-full`.
    Step(
        "pytest-ansible",
        'scripts/pytest_ansible.sh --ignore="$PWD/tests/unit/plugins/module_utils"',
        needs="tests/unit/plugins",
        show=True,
    ),
)
PYTEST_ANSIBLE_IN_FULL = replace(COLLECTION[-1], command="scripts/pytest_ansible.sh")
# Each test starts Ansible, which is what takes the time.
PLAYBOOKS = Step("playbooks", "pytest -q -n 2 --dist worksteal tests/playbooks", needs="tests/playbooks", show=True)

# Two minutes of processor time; without promtool it downloads it.
ALERTS = Step(
    "alert rules", "scripts/promtool.sh && pytest -q -n 2 tests/monitoring", needs="tests/monitoring", show=True
)

BED = (
    # From empty caches this compiles Kubernetes, which takes minutes, so it starts first.
    Step("bed up", "python -m testbed up", needs="testbed/cli.py", timeout=2400, share=Share.BACKGROUND),
    Step(
        "bed faults",
        # These mostly wait, for brokers and an API server that were stopped. Nobody else may use the bed meanwhile.
        f"{BED_ENVIRONMENT} && pytest -q -m 'disturbing and not long' tests",
        after=("bed up",),
        share=Share.BACKGROUND,
        show=True,
    ),
    Step(
        "bed tests",
        # By file, in the order of tests/conftest.py. A worker for each processor: most of the time is spent in Python's starts.
        f"{BED_ENVIRONMENT} && pytest -q -n 2 --dist loadfile --no-loadscope-reorder --durations=25"
        " -m 'bed and not disturbing and not long and not monitoring' tests",
        after=("bed up",),
        timeout=3600,
        share=Share.ALONE,
        show=True,
    ),
    Step("molecule", "scripts/molecule.sh --all", after=("bed up",), share=Share.ALONE),
    Step("demo", "python -m demo", after=("bed up",), needs="demo", share=Share.ALONE),
    Step(
        "monitoring",
        # Prometheus is part of no other step: whoever needs none of it waits for none of it. What the step judges is that the alert
        # rolled back and nothing else did, not how fast this machine is.
        f"python -m testbed up --with monitoring && {BED_ENVIRONMENT} && pytest -q -m monitoring tests"
        " && python -m demo.alert --times 1 --within 600",
        after=("bed up",),
        needs="demo/alert.py",
        share=Share.ALONE,
    ),
    Step("bed down", "python -m testbed down", needs="testbed/cli.py", share=Share.ALONE, always=True),
)

LONG = Step(
    "long bed tests",
    f"{BED_ENVIRONMENT} && pytest -q -m 'long' tests",
    after=("bed up",),
    timeout=2400,
    share=Share.ALONE,
    show=True,
)

MATRIX = Step(
    "matrix",
    f"{BED_ENVIRONMENT} && python -m scripts.matrix",
    after=("bed up", "archive"),
    timeout=5400,
    share=Share.ALONE,
    show=True,
)
# Every other step runs on the oldest line.
NEWEST = replace(
    MATRIX, name="newest ansible-core", command=f"{BED_ENVIRONMENT} && python -m scripts.matrix --line 2.21 --step bed"
)

# A newer sanity test has rules that the oldest does not know.
SANITY_OF_NEWEST = Step(
    "sanity newest", "python -m scripts.matrix --line 2.21 --step sanity", after=("archive",), show=True
)

# ansible-test runs the unit tests as well: once more by plain pytest is for the inner loop only.
UNDER_TEST = (LINT, *(step for step in CHECK if step not in (SIMULATION_IN_SHORT, UNIT, LINT_IN_SHORT)))
TEST = (
    BED[0],
    SIMULATION_IN_PART,
    *COLLECTION,
    SANITY_OF_NEWEST,
    PLAYBOOKS,
    ALERTS,
    *UNDER_TEST,
    *BED[1:-1],
    NEWEST,
    BED[-1],
)
PLANS = {
    "check": CHECK,
    "test": TEST,
    "test-full": (
        BED[0],
        SIMULATION_IN_FULL,
        *COLLECTION[:-1],
        PYTEST_ANSIBLE_IN_FULL,
        PLAYBOOKS,
        ALERTS,
        *UNDER_TEST,
        *BED[1:-1],
        LONG,
        MATRIX,
        BED[-1],
    ),
}
