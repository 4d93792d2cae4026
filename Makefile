# Targets for people and for CI; `make help` lists them. scripts/steps.py says what check and test consist of.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

IN_ENV := . scripts/env.sh &&

.PHONY: help venv collections check format unit test test-full sanity molecule docs demo demo-bad-version demo-alert bench-offsets bench-pause bench-start bed-up bed-down matrix release clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: ## Make or refresh .venv from requirements-dev.txt (PYTHON=... chooses the interpreter)
	@scripts/venv.sh .venv requirements-dev.txt

collections: venv ## Lay out .cache/collections: kubernetes.core and a link to this checkout
	@.venv/bin/python scripts/fetch_collections.py

check: collections ## Format, lint, types, unit and simulation tests (about a minute on two cores)
	@exec .venv/bin/python scripts/run_steps.py check

format: venv ## Rewrite Python files in the project's format
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format --quiet .

unit: collections ## Unit and simulation tests only; ARGS="-k word" is passed to pytest
	@$(IN_ENV) pytest -q $(wildcard tests/unit tests/consumers tests/testbed tests/tooling tests/simulation) $(ARGS)

test: collections ## Everything: check, ansible-test, docs, archive, and all tests on the test bed
	@exec .venv/bin/python scripts/run_steps.py test

test-full: collections ## As test, with every schedule of the simulation
	@exec .venv/bin/python scripts/run_steps.py test-full

sanity: collections ## ansible-test sanity; ARGS="--test pylint" narrows it down
	@$(IN_ENV) scripts/stage.sh
	@$(IN_ENV) scripts/ansible_test.sh sanity --local $(ARGS)

molecule: collections ## All molecule scenarios on the test bed; SCENARIO=name runs one
	@$(IN_ENV) scripts/molecule.sh $(if $(SCENARIO),--scenario-name $(SCENARIO),--all)

docs: collections ## The documentation as a site, with every option of every module and role; writes build/docs/html
	@$(IN_ENV) scripts/docs_site.sh

demo: collections ## A switch and a rollback on the test bed, with the proof that nothing was lost
	@PATH="$$PWD/.venv/bin:$$PATH" LC_ALL=C.UTF-8 python -m demo # keeps KUBECONFIG and KAFKA_*: they choose your own cluster

demo-bad-version: collections ## Switches to versions that are no good, which roll themselves back; ARGS="--good 20" tries good ones
	@PATH="$$PWD/.venv/bin:$$PATH" LC_ALL=C.UTF-8 python -m demo.bad_version $(ARGS)

demo-alert: collections ## An alert of a real Prometheus rolls back a version that begins to fail; ARGS="--times 1" is one alert
	@PATH="$$PWD/.venv/bin:$$PATH" LC_ALL=C.UTF-8 python -m demo.alert $(ARGS)

bench-offsets: collections ## Copy a group's offsets with the module and with Kafka's own tool; writes build/bench/offsets.json
	@$(IN_ENV) python -m testbed up
	@$(IN_ENV) PYTHONPATH="$$ANSIBLE_COLLECTIONS_PATH" python -m benchmarks.offsets

bench-pause: collections ## Pause 10 to 100 pods with the module and with a loop of tasks; writes build/bench/pause.json
	@$(IN_ENV) python -m testbed up
	@$(IN_ENV) PYTHONPATH="$$ANSIBLE_COLLECTIONS_PATH" python -m benchmarks.pause

bench-start: collections ## Time status, plan, switch and rollback; ARGS="--beside PATH" compares a checkout; writes build/bench/start.json
	@$(IN_ENV) python -m testbed up
	@$(IN_ENV) PYTHONPATH="$$ANSIBLE_COLLECTIONS_PATH" python -m benchmarks.start $(ARGS)

matrix: collections ## The archive on every supported ansible-core; ARGS="--line 2.21 --step bed" narrows it down
	@$(IN_ENV) scripts/stage.sh
	@$(IN_ENV) scripts/build_collection.sh >/dev/null
	@$(IN_ENV) python -m testbed up
	@$(IN_ENV) PYTHONPATH="$$ANSIBLE_COLLECTIONS_PATH" python -m scripts.matrix $(ARGS)

bed-up: collections ## Start the test bed: real Kafka and real Kubernetes (first time: about ten minutes)
	@$(IN_ENV) python -m testbed up

bed-down: collections ## Stop the test bed
	@$(IN_ENV) python -m testbed down

release: collections ## Build and check the archive of the version in galaxy.yml; tags and uploads nothing
	@$(IN_ENV) antsibull-changelog lint
	@$(IN_ENV) scripts/stage.sh
	@$(IN_ENV) scripts/build_collection.sh
	@ls -l .cache/archive/streamops-bluegreen-*.tar.gz

clean: ## Remove what the tooling made in this checkout (not the caches shared between checkouts)
	@rm -rf .cache .venv .ansible .hypothesis build collections tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
