#!/usr/bin/env bash
# Check types with mypy. The plugins are named by their place in the collections path, because that is the name under which
# they import each other; messages name the file in the checkout.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
plugins=.cache/collections/ansible_collections/streamops/bluegreen/plugins
paths=("$plugins" scripts)
for path in consumers/python demo testbed; do
    if [[ -d $path ]]; then paths+=("$path"); fi # demo comes last
done
mypy --no-error-summary "${paths[@]}" | sed "s#^${plugins%plugins}##"
