#!/usr/bin/env bash
# Make a virtual environment hold what a requirements file asks for; does nothing while that file is unchanged.
# Usage: scripts/venv.sh DIRECTORY REQUIREMENTS_FILE
# Environment: PYTHON = interpreter to use (default: the first usable one of Python 3.11, 3.12, 3.13).
set -euo pipefail

directory=$1
requirements=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usable() { # ansible-core 2.19 supports Python 3.11 to 3.13; Debian ships ensurepip in a package of its own
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 /usr/bin/python3}; do
        if usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "venv.sh: no Python 3.11, 3.12 or 3.13 with venv and ensurepip found (tried: ${PYTHON:-python3.11 python3.12" \
        "python3.13 python3 /usr/bin/python3}). Install one (Debian: apt-get install python3-venv) or set PYTHON." >&2
    return 1
}

# The included files count too: a changed range anywhere means another installation.
wanted() {
    sed -n 's/^-r //p' "$requirements" | xargs cat "$requirements" | sha256sum | cut -d ' ' -f 1
}

mkdir -p .cache
exec 9>".cache/$(basename "$directory").lock"
flock 9 # two runs at once must not install into one environment

stamp=$directory/requirements.sha256
wanted=$(wanted)
if [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && "$directory/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

rm -f "$stamp"
if ! "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "creating $directory with $("$python" --version)"
    "$python" -m venv --clear "$directory"
fi
echo "installing $requirements into $directory"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade --requirement "$requirements"
"$directory/bin/python" -m pip check --disable-pip-version-check >/dev/null ||
    "$directory/bin/python" -m pip check --disable-pip-version-check
echo "$wanted" >"$stamp"
