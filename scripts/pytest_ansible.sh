#!/usr/bin/env bash
# Run the unit tests under pytest-ansible, in an environment of its own: installed beside ansible-test the plugin breaks it.
# Usage: scripts/pytest_ansible.sh [ARGUMENT of pytest...]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
environment=.cache/venv-pytest-ansible
scripts/venv.sh "$environment" requirements-pytest-ansible.txt

# inject-only: otherwise it makes a link from collections/ to this checkout itself, and copies and searches never end.
# tests is named and all but tests/unit ignored, because pytest would import the conftest.py of a directory that is named
# itself before pytest-ansible has set up the import of collections.
PYTHONPATH=scripts "$environment/bin/python" -m pytest -q -p module_context --ansible-unit-inject-only \
    tests --ignore-glob="$PWD/tests/[!u]*" "$@"
if [[ -e collections ]]; then
    echo "pytest_ansible.sh: pytest-ansible made collections/ in this checkout although it was told not to" >&2
    exit 1
fi
