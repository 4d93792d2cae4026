#!/usr/bin/env bash
# Build the documentation site in build/docs/html: our own pages, and a page for each module and role with all its options.
# Uses an environment of its own (.cache/venv-docs). Any warning of Sphinx and any broken link inside the site is an error.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
environment=.cache/venv-docs
site=build/docs
scripts/venv.sh "$environment" requirements-docs.txt
export PATH="$PWD/$environment/bin:$PATH"

rm -rf "$site"
mkdir -p "$site/source/reference"
chmod go-w "$site/source/reference" # antsibull-docs refuses a directory that others can write
python scripts/docs_pages.py lay "$site/source"
antsibull-docs --config-file scripts/antsibull.cfg collection --use-current --squash-hierarchy --fail-on-error \
    --no-indexes --no-breadcrumbs --no-add-antsibull-docs-version --dest-dir "$site/source/reference" streamops.bluegreen
sphinx-build --quiet --nitpicky --fail-on-warning --keep-going \
    --conf-dir scripts/docs_site --doctree-dir "$site/doctrees" "$site/source" "$site/html"
python scripts/docs_pages.py check "$site/html"
