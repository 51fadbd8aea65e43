# Each target is one line; python3, make and git are all that must be there.
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench docs clean

# Files that decide what .venv holds: a change of them, and only that, sets up again.
.venv/.ready: pyproject.toml uv.lock scripts/setup.py
	@python3 scripts/setup.py && touch $@

help:    ## this list
	@sed -n 's/^\([a-z]*\): *.*## /\1\t/p' $(MAKEFILE_LIST)

setup: .venv/.ready ## .venv with everything, and the command .venv/bin/weighbridge

demo: .venv/.ready ## 336,776 flights: a faulty copy, the diff, a report; deliveries, broken and repaired
	@$(PY) -m tests.servers && $(PY) -m demo

test: .venv/.ready ## every test, on real servers that the tests start themselves
	@$(PY) -m tests.servers && $(PY) -m tests.clients && $(PY) -m pytest -n 2 --dist worksteal tests

check: .venv/.ready ## format, lint, types, import rule, unit tests: under a minute
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/basedpyright && .venv/bin/lint-imports && $(PY) -m pytest tests/unit $(wildcard tests/docs) -m "not server and not long" -n 2 -q

bench: .venv/.ready ## the server, deliveries, and diffs beside their peers: bench/SERVING.md, DELIVERIES.md, RESULTS.md (long)
	@$(PY) -m bench.serving && $(PY) -m bench.deliveries && $(PY) bench/run.py

docs: .venv/.ready ## the examples and links of docs/ are true
	@$(PY) -m pytest tests/docs -q

clean: ## forget what set-up, tests and demo have made
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis demo-report.html demo-verdict.json
