# `make` lists what there is. Everything runs in .venv, which is made on first use and again when versions change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DESK ?= desks/demo
# Those whose cases are held against a baseline.
DESKS ?= desks/demo desks/it
PORT ?= 8080
DATA ?= data
export DATA
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE := 1

.DEFAULT_GOAL := help
.PHONY: help setup run demo demo-drafts test check format clean eval \
	bench bench-encoder bench-spine bench-intervals bench-gates bench-throughput bench-triage bench-stated-risk \
	bench-retrieval bench-index-scale bench-kill-build bench-rebuild bench-drafting bench-fast-path bench-large \
	bench-service bench-crash bench-live-knowledge bench-postgres-outage bench-soak bench-console bench-replay bench-page openapi reference \
	test-service test-browser axe screenshots

help: ## List the commands
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv and install everything (the other commands do this by themselves)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up .venv (some minutes on the first run)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --progress-bar on --disable-pip-version-check --constraint constraints.txt --editable '.[eval,tune,postgres,dev]'
	@touch $@

run: $(READY) ## Build the demo desk on the first run and serve it on 127.0.0.1:8080, with a key to try it
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/firstline serve $(DESK) --port $(PORT) --with-key

demo: $(READY) ## Print three suggestions: a draft, a handoff, a no-reply
	@$(BIN)/firstline build $(DESK) --if-missing
	@for ticket in draft handoff no_reply; do \
	  echo; $(BIN)/firstline suggest $(DESK) --ticket desks/demo/tickets/$$ticket.json || exit $$?; done

test: check axe ## Lint, types, import contracts, then all tests (those of the console need Chromium, see test-browser)
	@$(BIN)/pytest

check: $(READY) ## Lint, types and import contracts only
	@$(BIN)/ruff format --check --quiet . || { echo "Run 'make format'."; exit 1; }
	@$(BIN)/ruff check --no-cache --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-service: $(READY) ## Only the served API: thousands of requests of every sort (API_EXAMPLES), two desks, threats, storage
	@API_EXAMPLES=$${API_EXAMPLES:-200} $(BIN)/python -m pytest -q -rP tests/integration/test_api_cases.py
	@$(BIN)/python -m pytest -q tests/contract tests/integration/test_desks_apart.py tests/integration/test_scopes.py

test-browser: $(READY) ## Only the console in a real Chromium; fails where there is none
	@command -v $${CHROMIUM:-chromium} >/dev/null || { echo "Chromium is missing: install it (Debian: apt-get install chromium), or name it: make test-browser CHROMIUM=/path"; exit 2; }
	@command -v npm >/dev/null || { echo "npm is missing, which brings axe-core: install it (Debian: apt-get install npm)"; exit 2; }
	@$(MAKE) --no-print-directory axe
	@BROWSER=required $(BIN)/pytest tests/browser

# The accessibility checks of the console; without npm they are left out of `make test`.
axe:
	@test -f tests/browser/node_modules/axe-core/axe.min.js || { command -v npm >/dev/null && npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent; } || true

screenshots: $(READY) ## Pictures of every page of the console into var/screenshots, light and dark, wide and narrow
	@$(BIN)/firstline build $(DESK) --if-missing
	@PYTHONPATH=tests:. $(BIN)/python -m browser.screenshots var/screenshots

bench-console: $(READY) ## The console with 10,000 tickets, in a real Chromium: when pages are of use, their weight, what shifts
	@$(BIN)/firstline build $(DESK) --if-missing
	@PYTHONPATH=tests:. $(BIN)/python -m browser.console_bench

reference: $(READY) ## Write docs/reference out of the code: handoff reasons, measures, the service's metrics
	@$(BIN)/python -m eval.reference && $(BIN)/python -m serve.reference

openapi: $(READY) ## Write openapi.json, the API's description, after a change of routes
	@$(BIN)/python -m serve.openapi

format: $(READY) ## Format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

demo-drafts: $(READY) ## Print twenty drafts beside their sources, to be read
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.demo_drafts $(DESK)

bench: bench-encoder bench-spine bench-intervals bench-gates bench-throughput bench-triage bench-stated-risk bench-retrieval bench-index-scale bench-kill-build bench-rebuild bench-drafting bench-fast-path bench-large bench-service bench-crash bench-live-knowledge bench-postgres-outage bench-soak bench-console bench-replay bench-page ## Run every bench (some hours, alone on the machine)

bench-encoder: $(READY) ## The encoder beside torch and other runtimes: speed, exactness, memory, start (training rows under DATA)
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.encoder $(DESK)

bench-spine: $(READY) ## Demo desk: share of drafts, handoffs, start-up and process times against their bars
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.spine $(DESK)

bench-intervals: $(READY) ## Whether 95 % intervals contain the truth: 1,000 trials each on simulated cases
	@OMP_NUM_THREADS=1 $(BIN)/python -m eval.benches.intervals

bench-gates: $(READY) ## Demo desk: 20 builds with other seeds must pass the gates, planted faults must fail them
	@$(BIN)/python -m eval.benches.gates $(DESK)

bench-throughput: $(READY) ## Demo desk: 10,000 cases in a row, tickets per second and memory
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.throughput $(DESK)

bench-triage: $(READY) ## Public tickets under DATA: fields, beside peers (a look at their test rows; goes into the ledger)
	@$(BIN)/python -m eval.benches.triage

bench-stated-risk: $(READY) ## Whether thresholds keep the error that they state: 200 splits each (training rows under DATA)
	@$(BIN)/python -m eval.benches.stated_risk

bench-retrieval: $(READY) ## Public articles under DATA: search, beside peers (a look at their test rows; goes into the ledger)
	@$(BIN)/python -m eval.benches.retrieval

bench-index-scale: $(READY) ## Search at 10,000 to 1,000,000 passages, and how soon a change shows (Exchange articles under DATA)
	@$(BIN)/python -m eval.benches.index_scale $(DESK)

bench-kill-build: $(READY) ## 500 builders killed at random: is a generation corrupt, is one lost?
	@$(BIN)/python -m eval.benches.kill_build $(DESK)

bench-rebuild: $(READY) ## Building a knowledge base beside the encoder alone, and again after one edit (Exchange articles under DATA)
	@$(BIN)/python -m eval.benches.rebuild $(DESK)

bench-fast-path: $(READY) ## Demo desk served: CPU of POST /v1/triage, beside that of the encoder alone
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.fast_path $(DESK)

bench-drafting: $(READY) ## Whether the check of drafts catches faults, on sentences about articles nothing was developed on
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.drafting $(DESK)

bench-large: $(READY) ## A field of 1,500 labels and a history of 200,000 tickets (training rows under DATA)
	@$(BIN)/python -m eval.benches.large

bench-service: $(READY) ## Demo desk served: requests a second and times, 1 to 1,000 clients, CPU beside the encoder's
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.service $(DESK)

bench-crash: $(READY) ## Demo desk served: kill -9 under write load (KILLS, 200), is anything lost that was acknowledged?
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.crash_service $(DESK)

bench-live-knowledge: $(READY) ## Two workers: 50 swaps of generations and 500 changes of articles under load (SWAPS, CHANGES)
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.live_knowledge $(DESK)

bench-postgres-outage: $(READY) ## A real PostgreSQL stopped and started under write load, one worker and two (OUTAGES, 10)
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -W ignore -m eval.benches.postgres_outage $(DESK)

bench-soak: $(READY) ## Demo desk served at half load (SOAK_MIN, 30): memory, open files, the write-ahead log
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.soak $(DESK)

eval: $(READY) ## The desks' cases against their committed baselines: exit code 1 where a gate fails
	@for desk in $(DESKS); do \
	  $(BIN)/firstline build $$desk --if-missing && $(BIN)/firstline eval gate $$desk || exit 1; \
	done

bench-replay: $(READY) ## A change of thresholds replayed over 5,000 tickets, beside a build and a full re-run
	@$(BIN)/firstline build $(DESK) --if-missing
	@$(BIN)/python -m eval.benches.replay $(DESK)

bench-page: $(READY) ## Write BENCHMARKS.md from var/bench
	@$(BIN)/python -m eval.benches.page

clean: ## Remove what was made: .venv, var and caches
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
