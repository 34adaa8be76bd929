# Two commands for a newcomer: `make demo` and `make test`. Both make .venv first, once.
# Another Python: make demo PYTHON=python3.12
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
    && echo "$$p" && break; done || true)
RUN := .venv/bin

.PHONY: help setup demo test slow lock clean

help:
	@echo "make demo   the whole story on drawn cells: train, pack, rehearse, report (under demo/)"
	@echo "make test   lint, types and tests"
	@echo "make slow   the long tests"
	@echo "make lock   resolve requirements.lock anew"
	@echo "make clean  remove .venv and demo/"

setup:
	@$(or $(PYTHON),python3) tools/setup_env.py

demo: setup
	@$(RUN)/python tools/demo.py

test: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/python -m pytest -m "not slow"

slow: setup
	$(RUN)/python -m pytest -m slow

lock: setup
	$(RUN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --upgrade -o requirements.lock

clean:
	rm -rf .venv demo
