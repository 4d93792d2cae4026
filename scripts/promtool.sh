#!/usr/bin/env bash
# Make .cache/promtool/promtool, Prometheus' tool that checks and tests alert rules, and print its path. Does nothing while it
# is there. Taken from Debian's package of Prometheus, which is unpacked and not installed; without apt an installed promtool
# of version 2.42 or newer does as well.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
directory=.cache/promtool
tool=$directory/promtool
oldest=2.42

works() { [[ -x $1 ]] && "$1" --version >/dev/null 2>&1; }

version() { "$1" --version 2>&1 | sed -n 's/^promtool, version \([0-9.]*\).*/\1/p'; }

recent() {
    local found
    found=$(version "$1")
    [[ -n $found && $(printf '%s\n' "$oldest" "$found" | sort --version-sort | head -n 1) == "$oldest" ]]
}

# Without lists apt knows no package.
from_package() {
    if [[ -z $(apt-cache madison prometheus 2>/dev/null) ]]; then
        if ((EUID)); then
            reason="apt has no package lists, and only root may fetch them (apt-get update)"
            return 1
        fi
        apt-get update -qq >&2 || true
    fi
    if ! (cd "$1" && apt-get download -qq prometheus) >"$1/log" 2>&1; then
        reason="apt-get download prometheus: $(tail -n 1 "$1/log")"
        return 1
    fi
    dpkg -x "$1"/prometheus_*.deb "$1/package"
    recent "$1/package/usr/bin/promtool" || {
        reason="the package of this system has version $(version "$1/package/usr/bin/promtool")"
        return 1
    }
    mv "$1/package/usr/bin/promtool" "$tool"
}

mkdir -p "$directory"
exec 9>"$directory/lock"
flock 9 # two runs at once must not unpack into one place
if ! works "$tool"; then
    reason="apt-get and dpkg are not there"
    scratch=$(mktemp -d "$directory/unfinished-XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    chmod 755 "$scratch"
    installed=$(type -P promtool || true)
    if command -v apt-get dpkg >/dev/null && from_package "$scratch"; then
        :
    elif [[ -n $installed ]] && recent "$installed"; then
        ln -sfn "$installed" "$tool"
    else
        printf 'promtool.sh: the alert rules cannot be tested without promtool %s or newer: %s; on the PATH: %s.\n' \
            "$oldest" "$reason" "${installed:-none}" >&2
        echo "Install Prometheus, or put promtool on the PATH, and try again." >&2
        exit 1
    fi
fi
echo "$PWD/$tool"
