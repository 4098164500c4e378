# Everything runs in .venv, made from locked, hashed versions. `make` alone lists the targets.
PYTHON ?= python3
# torch has no hash here on purpose: its CPU build differs by platform. To take it from PyTorch's
# own index: make test TORCH='torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch==2.13.0
# The Python of Debian's, on which its package is built.
DEB_PYTHON ?= /usr/bin/python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' connector/__init__.py)
WHEEL := dist/triaged-$(VERSION)-py3-none-any.whl
# Every file in a package bears the time of the last commit: who builds it again gets the same.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1580601600)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench e2e docs fix build wheel deb sbom

help:
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

.venv/serving: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-deps --editable .
	touch $@

.venv/building: .venv/serving requirements-build.lock
	$(PIP) install --require-hashes --requirement requirements-build.lock
	touch $@

.venv/developing: .venv/serving requirements-dev.lock
	$(PIP) install $(TORCH)
	$(PIP) install --require-hashes --requirement requirements-dev.lock
	touch $@

setup: .venv/developing ## make .venv with all that working on triaged needs (torch included)

demo: .venv/serving ## tickets arrive at a practice desk and are triaged before your eyes
	$(BIN)/triaged demo

test: .venv/developing ## every test: unit, contract, docs, end to end
	$(BIN)/python -m pytest

check: .venv/developing ## style, types, import contracts, sizes, docs = code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/docs

bench: .venv/developing ## measure; tables in docs/reference/measurements.md come from here
	for script in tests/bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

e2e: .venv/developing ## only the tests that run the daemon as a process
	$(BIN)/python -m pytest tests/e2e

docs: .venv/developing ## write the generated reference pages and schemas anew
	$(BIN)/python docs/generate.py

fix: .venv/developing ## mend what the formatter and linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: wheel deb sbom ## all that is given to people, in dist/

wheel: .venv/building ## wheel and source distribution; the same commit gives the same bytes
	$(BIN)/python -m hatchling build

deb: wheel ## Debian package for this release of Debian, with all that it needs
	$(BIN)/python package/deb.py $(WHEEL) --python $(DEB_PYTHON)

sbom: wheel ## what is in it, with licences, as CycloneDX
	rm -rf build/sbom
	$(PYTHON) -m venv --without-pip build/sbom
	$(PIP) --python build/sbom/bin/python install --require-hashes --requirement requirements.lock
	$(PIP) --python build/sbom/bin/python install --no-deps $(WHEEL)
	$(BIN)/cyclonedx-py environment build/sbom/bin/python --pyproject pyproject.toml \
	  --output-reproducible --output-file $(WHEEL:-py3-none-any.whl=.cdx.json)
