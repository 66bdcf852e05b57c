# The only commands to remember. Each first makes the virtual environment, when it is missing or out of date.
#
#   PYTHON=python3.12 make test       another Python (3.11, 3.12 or 3.13)
#   VENV=.venv-312 make test          another place for the environment, to keep two
#   make test ARGS="-k book -x"       arguments for what the target runs

PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
ARGS ?=
BIN := $(VENV)/bin

# pytest's workers: one for each core, eight at most. JOBS=0 runs the tests in one process (for --pdb).
JOBS ?= auto

unexport PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help run test check bench docs format clean wheels constraints
MAKEFLAGS += --no-print-directory

# ── The environment ───────────────────────────────────────────────────────────
# A stamp carries the checksum of what it was made from, so that neither a checkout that only touches files nor a half
# finished set-up can pass for a finished one. Moving the folder or naming another Python makes it anew.

checksum = $(shell { $(1); } 2>/dev/null | cksum | cut -d' ' -f1)
PINS := $(VENV)/.pins-$(call checksum,cat constraints.txt; pwd -P; $(PYTHON) -V 2>&1)
READY := $(VENV)/.ready-$(call checksum,cat constraints.txt pyproject.toml plugins/*/pyproject.toml)
PEERS_READY := $(PEERS)/.pins-$(call checksum,cat constraints-peers.txt; pwd -P; $(PYTHON) -V 2>&1)

$(PINS):
	@tools/make_venv.sh "$(PYTHON)" "$(VENV)" constraints.txt
	@touch $@

$(READY): $(PINS)
	@rm -f $(VENV)/.ready-*
	@echo "set-up: installing polycore, polycore-mm and polycore-arb from this folder" >&2
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e . -e plugins/mm -e plugins/arb
	@touch $@

$(PEERS_READY):
	@tools/make_venv.sh "$(PYTHON)" "$(PEERS)" constraints-peers.txt
	@touch $@

# ── The targets ───────────────────────────────────────────────────────────────

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: $(READY) ## trade the bundled recording with both plugins: no keys, no internet
	@exec $(BIN)/polycore run --plugins mm,arb $(ARGS)

test: $(READY) ## all tests, of the core and of the plugins
	@exec $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 $(ARGS)

check: $(READY) ## format, lint, types, import contracts, docs: all but the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases $(wildcard tests plugins/*/tests benchmarks)
	$(BIN)/lint-imports
	@$(MAKE) docs

bench: $(READY) ## the benchmarks, beside their peers in .venv-peers; BENCH_PARTIAL=1 goes on without peers
	@$(MAKE) $(PEERS_READY) || test -n "$(BENCH_PARTIAL)"
	@exec $(BIN)/python -m benchmarks $(ARGS)

docs: $(READY) ## the documentation, into docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html

format: $(READY) ## format the code and apply the safe fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

wheels: $(READY) ## source archives and wheels of the three distributions, into dist/
	@rm -rf dist
	@for folder in . plugins/mm plugins/arb; do \
	    said=$$($(BIN)/python -m build --no-isolation --outdir dist $$folder 2>&1) || { echo "$$said"; exit 1; }; \
	done
	@ls dist

clean: ## remove all that make has made, its environments too
	@for folder in $(VENV) $(PEERS) .venv-uv; do [ ! -f "$$folder/.made-by-make" ] || rm -rf "$$folder"; done
	rm -rf dist docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

# Resolved for every Python from 3.11 on and every platform in one list, and no release younger than three days.
# Without UPGRADE=1 the versions that are there stay as long as pyproject.toml allows them.
COMPILE = .venv-uv/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --generate-hashes --only-binary :all: --exclude-newer "3 days" --no-annotate \
    --custom-compile-command "make constraints UPGRADE=1" $(if $(UPGRADE),--upgrade)

constraints: ## resolve constraints.txt and constraints-peers.txt anew; UPGRADE=1 takes newer versions
	@tools/make_venv.sh "$(PYTHON)" .venv-uv tools/uv.txt
	@$(COMPILE) pyproject.toml --extra polymarket --extra fast --group dev -o constraints.txt >/dev/null
	@printf '%s\n' 'polymarket-client>=0.14,<0.16' nautilus-trader | $(COMPILE) - -o constraints-peers.txt >/dev/null
	@echo uv | $(COMPILE) - -o tools/uv.txt >/dev/null
	@rm -rf .venv-uv
