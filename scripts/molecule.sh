#!/usr/bin/env bash
# Run molecule's test sequence on the test bed. Usage: scripts/molecule.sh --all | --scenario-name NAME
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

# --all would be content with the default scenario, which only starts and stops the bed.
scenarios=(molecule/*/molecule.yml)
if [[ ${#scenarios[@]} -lt 2 ]]; then
    echo "molecule.sh: no scenario beside molecule/default: nothing would be tested" >&2
    exit 1
fi

# Scenarios have applications of their own and mostly wait; all of them are run even when one fails.
workers=()
if [[ "$*" == *--all* ]]; then
    workers=(--workers 2 --continue-on-failure)
fi

# Producers have sessions of their own, so a signal for this group does not reach them.
# shellcheck disable=SC2329  # the trap calls it
stop_producers() {
    for recorded in build/sandbox/*/producer.pid; do
        [[ ! -e "$recorded" ]] || python -m demo.sandbox stop "$(basename "$(dirname "$recorded")")" &
    done
    wait
}
trap 'stop_producers; exit 143' TERM INT

python -m testbed up
environment=$(python -m testbed env)
eval "$environment"
molecule=(molecule --base-config molecule/config.yml)
"${molecule[@]}" test "${workers[@]}" "$@" && exit
status=$?
# A scenario that failed has left its application and its producer at work. Neither is a reason to hide the failure.
"${molecule[@]}" cleanup "$@" || echo "molecule.sh: not everything that the failed scenarios made is gone" >&2
exit "$status"
