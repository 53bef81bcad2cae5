# Everything that is done with this project, as verbs: `make help`.
# Each target sets up what it needs; PYTHON=… chooses the interpreter for that (3.11 or newer).

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := api worker operator cli
CHECKED := $(SOURCES) tests bench
# What a fresh machine can run: no cluster, no installation.
LEVELS := tests/unit tests/media tests/contract tests/simulation tests/kubernetes
PYTEST_ARGS ?=
# A third of what the tests take is waiting: for a heartbeat, a segment, a server.
TEST_PROCESSES ?= $(shell echo $$(( $$(nproc) + 1 )))
ARGS ?=
export URL

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= streammonitor/streammonitor:$(VERSION)
# Empty: what Dockerfile and kind choose.
PYTHON_IMAGE ?=
PIP_NO_INDEX ?=
# Minutes after which `make e2e` begins no further test on kind.
E2E_LIMIT ?= 35

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo watch test unit media e2e simulation bench lint docs fix generate manifests lock wheelhouse \
  image kind-up kind-demo kind-down clean

.DEFAULT:
	@echo "make: no target \"$@\"; make help shows them" >&2; exit 2

help:  ## Show these targets
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo "PYTHON=python3.12 chooses the interpreter, ARGS='…' goes to the command, PYTEST_ARGS='…' to pytest."

setup: $(READY)  ## Make the virtual environment (all other targets do that themselves)

demo: $(READY)  ## See a fleet watch live streams, lose a worker and its Redis: 90 s
	@$(BIN)/streammonitor demo $(ARGS)

watch: $(READY)  ## Watch a source: make watch URL=https://… [ARGS='--output jsonl']
	@test -n "$$URL" || { echo "make watch: no URL given; write make watch URL=https://… or URL=file.mp4" >&2; exit 2; }
	@$(BIN)/streammonitor watch $(ARGS) -- "$$URL"

test: $(READY)  ## Run all tests that this machine can run, but those of `make e2e`
	$(BIN)/pytest -n $(TEST_PROCESSES) $(LEVELS) $(PYTEST_ARGS)

unit: $(READY)  ## Run the unit tests: seconds
	$(BIN)/pytest tests/unit $(PYTEST_ARGS)

media: $(READY)  ## Run the tests on encoded clips
	$(BIN)/pytest -n $(TEST_PROCESSES) tests/media $(PYTEST_ARGS)

e2e: $(READY)  ## Use the package as a user would, and on a kind cluster where docker is there
	@if docker info >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory image || echo "no image: the tests on kind will skip" >&2; fi
	E2E_LIMIT=$(E2E_LIMIT) IMAGE=$(IMAGE) $(BIN)/pytest tests/e2e $(PYTEST_ARGS)

simulation: $(READY)  ## Run a fleet in virtual time, with faults: ARGS='--dense --seed 3'
	$(BIN)/python -m tests.support.fleet_sim $(ARGS)

bench: $(READY)  ## Measure costs against decoding alone and FFmpeg, weights of streams, planner, operator
	$(BIN)/python bench/suite.py $(ARGS)
	$(BIN)/python bench/weights.py
	$(BIN)/python bench/planner.py
	PYTHONPATH=. $(BIN)/python bench/control_plane.py
	PYTHONPATH=. $(BIN)/python bench/cluster.py --monitors 1000
	PYTHONPATH=. $(BIN)/python bench/cluster.py
	$(BIN)/python bench/heartbeats.py

lint: $(READY) docs  ## Check style, types, layers and the documentation's links
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## Build the documentation into build/site; fails on a link that leads nowhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

fix: $(READY)  ## Repair what can be repaired by machine
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

generate: $(READY)  ## Write the generated files: references of detectors and fields, CRD
	$(BIN)/python -m streammonitor_worker.catalogue
	$(BIN)/python -m streammonitor_worker.reference docs/detectors.md
	$(BIN)/python -m streammonitor_api.fleet.reference docs/contract.md
	$(BIN)/streammonitor crd --file manifests/crd.yaml
	$(BIN)/python -m streammonitor_api.resource.reference docs/streammonitor-fields.md

manifests: generate  ## Write manifests/ and the chart's copy of the CRD from code and chart (needs helm)
	cp manifests/crd.yaml charts/streammonitor/files/crd.yaml
	manifests/render > manifests/install.yaml.new
	mv manifests/install.yaml.new manifests/install.yaml

COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-annotate --custom-compile-command "make lock"
lock: $(READY)  ## Choose the newest versions of what the image contains, with their hashes
	$(COMPILE) --extra worker --extra operator pyproject.toml --output-file requirements.lock
	echo 'hatchling>=1.27' | $(COMPILE) - --output-file requirements-build.lock

# For machines whose containers reach no package index: make wheelhouse && make image PIP_NO_INDEX=1
# pip chooses what to fetch by the Python that it runs on, uv by that of the image.
wheelhouse: $(READY)  ## Fetch the wheels of the image, for its Python
	python=$$(docker run --rm --entrypoint python3 $(or $(PYTHON_IMAGE),$(shell sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)) \
	  -c 'import platform; print(platform.python_version(), platform.machine())') && set -- $$python && mkdir -p wheelhouse && \
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --generate-hashes --python-version $$1 \
	  --python-platform $$2-unknown-linux-gnu requirements.lock requirements-build.lock \
	  --output-file wheelhouse/requirements.txt && \
	$(BIN)/pip download --quiet --no-deps --require-hashes --only-binary :all: --dest wheelhouse \
	  --python-version $$1 $$(for tag in 2_17 2_24 2_26 2_27 2_28 2_31 2_34; do echo --platform manylinux_$${tag}_$$2; done) \
	  --platform manylinux2014_$$2 -r wheelhouse/requirements.txt

image:  ## Build the container image (docker alone is enough): IMAGE=…, PYTHON_IMAGE=…
	docker build --tag $(IMAGE) $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) \
	  --build-arg PIP_NO_INDEX=$(PIP_NO_INDEX) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
	  --build-arg CREATED=$$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || date -u +%Y-%m-%dT%H:%M:%SZ) .

kind-up: image  ## Make a kind cluster and install StreamMonitor there: KIND_NODE_IMAGE=…, METRICS_SERVER_MANIFEST=…
	@IMAGE=$(IMAGE) ./kind/up

kind-demo:  ## Watch live streams in the kind cluster, and see their incidents
	@IMAGE=$(IMAGE) ./kind/demo

kind-down:  ## Remove the kind cluster
	@./kind/down

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

# Brought up to date whenever pyproject.toml has changed, and made anew where its interpreter is
# gone. The stamp is written last, so a half-made environment has none.
$(READY): pyproject.toml
	@python=; for one in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14); do \
	  if "$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$one; break; fi; \
	done; \
	test -n "$$python" || { \
	  echo "Python 3.11 or newer is needed, $(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>&1 || true);" \
	    "install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "Making $(VENV) with $$($$python --version)"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "No virtual environment can be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	fi
	@echo "Installing what pyproject.toml names into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
