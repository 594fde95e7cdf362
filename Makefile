# The whole developer interface; .ci/run and a reviewer use the same targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# PYTHON=/path/to/python chooses another interpreter than the newest that fits.
PYTHON ?= $(shell .ci/find-python 3.13 3.12 3.11)
# The oldest Python that must work, if this machine has it beside the one above.
OLDEST := $(shell .ci/find-python 3.11)
# Azure runs Python 3.13, and the package is compiled by the version that it is for.
PACKAGE := $(if $(filter $(PYTHON),$(shell .ci/find-python 3.13)),package)
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --require-hashes
# Extras are kept: with a pin that has none, pip 23 takes the newest release of a package for the one with the extra.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
ON_ALL_CORES := -n auto --dist worksteal
# What the oldest Python must show besides the demo; the emulator's own tests and the worker's are left to the newest.
QUICK_TESTS := $(wildcard $(addprefix tests/,sync config engine graph keyvault cli))

.PHONY: help setup demo test bench scale check format lock ci smoke oldest package clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/.dev ## make .venv with everything that development needs

demo: .venv/.runtime ## show the main job on a local Microsoft 365: no account, no configuration
	.venv/bin/python -m shared demo

test: .venv/.dev ## run the tests; the summary names what was not run, and why
	.venv/bin/python -m pytest -q $(ON_ALL_CORES)

bench: .venv/.dev ## measure the mirror on a local Microsoft 365, and write docs/performance.md
	.venv/bin/python -m tests.bench --repeat 3 --write

scale: .venv/.dev ## count what runs in shards cost, and write docs/scale.md
	.venv/bin/python -m tests.scale --write

check: .venv/.dev ## format, lint, types, import rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: .venv/.dev ## mend format, and what the linter can mend by itself
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

lock: .venv/.dev ## bring both lock files in line with pyproject.toml
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) --group dev --constraints requirements.txt --output-file tests/requirements.txt

package: .venv/.dev ## build dist/contacts-mirror.zip, what Azure gets; needs Python 3.13
	.venv/bin/python infra/scripts/package.py dist/contacts-mirror.zip

ci: check smoke oldest $(PACKAGE) ## everything that must hold before a merge
	HYPOTHESIS_PROFILE=ci PYTEST_ADDOPTS='--cov --cov-report=' $(MAKE) test
	.venv/bin/coverage report
	.venv/bin/coverage report --include='shared/sync/*' --fail-under=100

smoke: .venv-runtime/.runtime ## the command line and the Function app with nothing but requirements.txt
	.venv-runtime/bin/python -m shared --help
	.venv-runtime/bin/python -c "from function_app import app; print(*(one.get_function_name() for one in app.get_functions()))"

ifdef OLDEST
oldest: .venv-oldest/.dev ## the demo, the core and the adapters on the oldest Python that must work
	.venv-oldest/bin/python -m shared demo >/dev/null
	HYPOTHESIS_PROFILE=deterministic .venv-oldest/bin/python -m pytest -q $(ON_ALL_CORES) $(QUICK_TESTS)
else
oldest:
	@echo 'Not run on Python 3.11: this machine has none.'
endif

clean: ## remove everything that the targets above made
	rm -rf .venv .venv-runtime .venv-oldest dist .coverage .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.SECONDARY: # the stamps are kept
# A stamp newer than its lock file means that nothing has to be installed.
%/.runtime: requirements.txt
	$(if $(or $(PYTHON),$(OLDEST)),,$(error Python 3.11, 3.12 or 3.13 with venv is needed: none was found))
	$(if $(findstring oldest,$*),$(OLDEST),$(PYTHON)) -m venv --clear $*
	$*/bin/python $(PIP_INSTALL) -r requirements.txt
	@touch $@

%/.dev: %/.runtime tests/requirements.txt
	$*/bin/python $(PIP_INSTALL) -r requirements.txt -r tests/requirements.txt
	@touch $@
