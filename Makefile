# BootOS. `make help` lists the targets. Everything a target needs, it installs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(shell grep -v '^\#' debian-packages.txt)
TEST_PACKAGES := $(shell grep -v '^\#' debian-packages-test.txt)
IMAGE := build/image
# Many tests wait for a process that they started, so there is one worker more for every two processors.
WORKERS := $(shell echo $$(( $$(nproc) * 3 / 2 )))
# the tests that build whole images
BUILDS := tests/vm/test_image_build.py tests/vm/test_example_recipe.py

.DEFAULT_GOAL := help
# Tests start Python hundreds of times: without byte code each start compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup host host-test image demo test test-all lint unit mutations validators attacks fuzz vm vm-faults vm-families vm-matrix vm-builds bench budgets lock schema clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# $(call install,NAMES): those of these Debian packages that are missing
define install
missing=$$(for name in $(1); do \
  dpkg-query -W -f '$${db:Status-Abbrev}' $$name 2>/dev/null | grep -q '^ii' || echo $$name; done); \
if [ -n "$$missing" ]; then \
  echo "installing:" $$missing; \
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
fi
endef

host: ## install the Debian packages that are missing (root)
	@$(call install,$(PACKAGES))

host-test: host ## and those that only tests need
	@$(call install,$(TEST_PACKAGES))

$(VENV)/.done: requirements.lock pyproject.toml src/bootos/__init__.py
	@$(MAKE) --no-print-directory host
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

setup: host $(VENV)/.done ## host packages and the Python environment in .venv

image: setup ## build the in-memory operating system into build/image
	$(BIN)/bootos image build --output $(IMAGE)

demo: image ## a virtual machine from power-on to its next boot; report in build/demo/report.json
	$(BIN)/python -m bootos.lab.demo --image $(IMAGE) --output build/demo

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -n auto

unit: setup host-test ## the tests that need no virtual machine
	$(BIN)/pytest -q -m 'not vm and not full' -n $(WORKERS) --dist worksteal

attacks: setup host-test ## every attack on a server, what comes of it, and the tests that make it
	$(BIN)/python tests/attack/attacktable.py

fuzz: setup ## 100,000 requests by chance to a server: answers of 5xx, hangs, memory. REQUESTS, MINUTES and SEED bound it
	PYTHONPATH=tests/fuzz $(BIN)/python tests/fuzz/run.py --requests $(or $(REQUESTS),100000) --minutes $(or $(MINUTES),60) \
	  --seed $(or $(SEED),0)

mutations: setup ## mutate every captured output of a tool: how many, and what was lost and added
	PYTHONPATH=tests/contract:tests/double $(BIN)/python tests/contract/mutationtable.py

validators: setup host-test ## DMTF's validators on the lab's Redfish service; with SCHEMAS=DIR (its CSDL files) all three, with MOCKUPS=DIR the drivers on its mockups
	SCHEMAS='$(SCHEMAS)' MOCKUPS='$(MOCKUPS)' $(BIN)/pytest -q -rP -m 'full and not vm' -n $(WORKERS) --dist worksteal

vm: image host-test ## the tests that boot virtual machines
	$(BIN)/pytest -q -m 'vm and not full' -o log_cli=true -o log_cli_level=INFO

test: lint image unit vm ## everything that has to hold before a change lands

# A machine of the lab has one processor, so two lots run side by side, the long ones first; what ends makes room for
# the next.
test-all: lint image unit validators ## `test` and the full matrices
	@$(MAKE) --no-print-directory -j2 vm-faults vm-families vm-matrix vm-builds

vm-faults: image host-test ## every fault at every step of a job
	$(BIN)/pytest -q -m vm tests/vm/faults -o log_cli=true -o log_cli_level=INFO

vm-families: image host-test ## every hardware family, and every tool of theirs that misbehaves
	$(BIN)/pytest -q -m vm tests/vm/families -o log_cli=true -o log_cli_level=INFO

vm-matrix: image host-test ## every boot path, and all other tests with virtual machines
	$(BIN)/pytest -q -m vm $(addprefix --ignore=,tests/vm/faults tests/vm/families $(BUILDS)) -o log_cli=true -o log_cli_level=INFO

vm-builds: image host-test ## images built twice, interrupted, and by a recipe with every setting
	$(BIN)/pytest -q -m vm $(BUILDS) -o log_cli=true -o log_cli_level=INFO

bench: image ## what a boot, an inventory and a rebuild cost; how fast a job reaches one of 1,000 machines
	$(BIN)/python benchmarks/boot.py --image $(IMAGE)
	$(BIN)/python benchmarks/boot.py --image $(IMAGE) --direct --cpus 2 --runs 2
	$(BIN)/python benchmarks/memory.py 640 512 448 384 320 --image $(IMAGE)
	$(BIN)/python benchmarks/inventory.py --image $(IMAGE)
	$(BIN)/python benchmarks/rebuild.py --full --image $(IMAGE)
	$(BIN)/python benchmarks/dispatch.py
	$(BIN)/python benchmarks/keep_alive.py
	$(BIN)/python benchmarks/connections.py
	$(BIN)/python benchmarks/budget.py --image $(IMAGE)

budgets: ## the budgets beside the figures that were measured last
	$(BIN)/python benchmarks/budget.py --image $(IMAGE)

schema: setup ## write the published JSON Schemas and the template reference anew
	$(BIN)/python -m bootos.wire.schema

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra dev \
	  pyproject.toml -o requirements.lock --upgrade

clean: ## remove what was built (the caches too)
	rm -rf build $(VENV)
