# Two commands for a newcomer: `make demo` and `make test`. Both make .venv first, once.
# Another Python: make demo PYTHON=python3.12
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
    && echo "$$p" && break; done || true)
RUN := .venv/bin
# Processes of the tests: on two cores three end a ninth sooner than two, for a sixth is waiting.
JOBS ?= 3

.PHONY: help setup demo test slow docs docs-tools lock clean

help:
	@echo "make demo   the whole story on drawn cells: train, pack, rehearse, report (under demo/)"
	@echo "make test   lint, types and tests (in three processes; JOBS=1: one after the other)"
	@echo "make slow   the long tests"
	@echo "make docs   this documentation as a site with a search (site/index.html)"
	@echo "make lock   resolve requirements.lock and requirements-docs.lock anew"
	@echo "make clean  remove .venv, demo/ and site/"

setup:
	@$(or $(PYTHON),python3) tools/setup_env.py

demo: setup
	@$(RUN)/python tools/demo.py

test: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy --num-workers auto
	$(RUN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal

slow: setup
	$(RUN)/python -m pytest -m slow

docs-tools: setup
	@$(RUN)/uv pip install -q --python $(RUN)/python --require-hashes -r requirements-docs.lock

docs: docs-tools
	@NO_MKDOCS_2_WARNING=1 $(RUN)/python -m mkdocs build --strict
	@echo "Look at site/index.html; it needs no server and no network."

lock: setup
	$(RUN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --upgrade -o requirements.lock
	$(RUN)/uv pip compile --group pyproject.toml:docs -c requirements.lock --universal --generate-hashes --python-version 3.11 --upgrade -o requirements-docs.lock

clean:
	rm -rf .venv demo site
