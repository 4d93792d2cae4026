#!/usr/bin/env bash
# Run ansible-test in the staged copy (scripts/stage.sh, same STAGE). Usage: scripts/ansible_test.sh ARGUMENT...
# Environment: ENVIRONMENT = virtual environment whose ansible-test it is (default: .venv).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${ENVIRONMENT:-$PWD/.venv}/bin:$PATH"

# ansible-test's own name for the file depends on the pip version that the installed ansible-core asks for.
version=$(python -c '
import sys, types
from ansible_test._internal.python_requirements import get_venv_packages
python = types.SimpleNamespace(version="%d.%d" % sys.version_info[:2])
print(get_venv_packages(python)["pip"].replace(".", "_"))')
cache=$HOME/.ansible/test/cache
if [[ ! -e $cache/get_pip_$version.py ]]; then
    mkdir -p "$cache"
    # In one step: another run may look at the same time.
    cp scripts/get_pip.py "$cache/.get_pip.$$"
    mv "$cache/.get_pip.$$" "$cache/get_pip_$version.py"
fi

cd "${STAGE:-.cache/stage}/ansible_collections/streamops/bluegreen"
exec ansible-test "$@"
