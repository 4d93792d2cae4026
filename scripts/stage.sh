#!/usr/bin/env bash
# Copy the files that git tracks or would track, with the dependencies beside them, to
# $STAGE/ansible_collections/streamops/bluegreen: ansible-test insists on that path and refuses symbolic links.
# What git ignores is not there, so nothing can come to depend on it. STAGE is .cache/stage unless it is set: two runs of
# ansible-test at the same time need two copies.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
stage=${STAGE:-.cache/stage}
target=$stage/ansible_collections/streamops/bluegreen

mkdir -p "$target/tests"
# tests/output holds the virtual environment of `ansible-test units`, which takes half a minute to make.
find "$target" -mindepth 1 -maxdepth 1 ! -name tests -exec rm -rf {} +
find "$target/tests" -mindepth 1 -maxdepth 1 ! -name output -exec rm -rf {} +
git ls-files --cached --others --exclude-standard --deduplicate -z |
    while IFS= read -r -d '' file; do
        if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi # listed, but deleted in the working tree
    done |
    xargs -0 --no-run-if-empty cp --parents --no-dereference --preserve=mode,timestamps --target-directory "$target"
find "$stage/ansible_collections" -mindepth 1 -maxdepth 1 ! -name streamops -exec rm -rf {} +
find .cache/collections/ansible_collections -mindepth 1 -maxdepth 1 ! -name streamops \
    -exec cp -R --target-directory "$stage/ansible_collections" {} +

# ansible-test finds the files to test through git: its rules are those of a collection, and what is beside the collection
# in this repository is checked by `make check`. The files stay there for the build of the archive.
cd "$target"
git init --quiet
printf '/%s\n' benchmarks consumers demo examples molecule scripts testbed "tests/*" >.git/info/exclude
printf '!/tests/%s\n' config.yml integration sanity unit >>.git/info/exclude
git add --all
