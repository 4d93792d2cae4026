#!/usr/bin/env bash
# Build the archive for Galaxy from the staged copy and check it the way Galaxy and Automation Hub would: what is in it,
# that it installs beside its dependency, that Ansible finds its content, and galaxy-importer's rules.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export PATH="$root/.venv/bin:$PATH"
stage=$root/.cache/stage/ansible_collections/streamops/bluegreen
output=$root/.cache/archive

rm -rf "$output"
mkdir -p "$output"
cd "$stage"
ansible-galaxy collection build --output-path "$output"
archive=("$output"/streamops-bluegreen-*.tar.gz)

unexpected=$(tar -tzf "${archive[0]}" | cut -d / -f 1 | sort -u | grep -Evx \
    'CHANGELOG\.(md|rst)|CODE_OF_CONDUCT\.md|CONTRIBUTING\.md|COPYING|FILES\.json|MANIFEST\.json|README\.md|SECURITY\.md|changelogs|docs|examples|extensions|inventories|meta|monitoring|playbooks|plugins|roles' || true)
if [[ -n $unexpected ]]; then
    printf 'build_collection.sh: in the archive, but not for Galaxy (add to build_ignore in galaxy.yml): %s\n' "$unexpected" >&2
    exit 1
fi

# From here on only what the archive holds may be found.
installed=$output/installed
mkdir -p "$installed/ansible_collections"
cp -R "$root/.cache/collections/ansible_collections/kubernetes" "$installed/ansible_collections/"
export ANSIBLE_COLLECTIONS_PATH=$installed
cd "$output"
ansible-galaxy collection install --offline --collections-path "$installed" "${archive[0]}"
for playbook in "$installed"/ansible_collections/streamops/bluegreen/playbooks/*.yml; do
    ansible-playbook --syntax-check --inventory localhost, "streamops.bluegreen.$(basename "$playbook" .yml)"
done

# The importer's exit status covers only what stops an import; its other findings are warnings. It sets the collections
# path itself and finds kubernetes.core on Python's path, which is where the ansible package would have put it.
export GALAXY_IMPORTER_CHECK_REQUIRED_TAGS=true
PYTHONPATH=$installed python -m galaxy_importer.main "${archive[0]}" 2>&1 | tee importer.log
if grep -E '(WARNING|ERROR)' importer.log >&2; then
    echo "build_collection.sh: galaxy-importer has the findings above" >&2
    exit 1
fi
