VENV := .venv
BIN := $(VENV)/bin
# More arguments, for example: make test ARGS="-k policy"
ARGS ?=
# How many tests run at a time; most of them wait for processes. Files stay whole, those with the longest tests first.
AT_ONCE ?= 3
PYTEST = $(BIN)/pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

.PHONY: help setup run test test-peers check bench clean
help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv (repeating it does nothing)
	@scripts/setup

# The sample desk lives in this folder, unless the environment or .env names another home.
ifeq ($(shell grep -s '^TRIAGE_HOME=' .env),)
run: export TRIAGE_HOME ?= $(CURDIR)/.triage
endif
# Ctrl-C is how this ends: `trap` keeps the shell, and so make, from calling that an error.
run: setup ## Train on the sample desk, triage its inbox before your eyes, serve on 127.0.0.1:8000
	@trap : INT; $(BIN)/triage demo examples/desk $(ARGS) || [ $$? -eq 130 ]

# 5 is pytest's word for "there are no tests".
test: setup ## Run all tests
	@$(PYTEST) $(ARGS) || [ $$? -eq 5 ]

test-peers: setup ## Install real ticketing systems, mail and chat servers, and test the channels on them
	@tests/peers/install
	@$(PYTEST) tests/peers tests/integration/channels/test_webhooks.py $(ARGS)

check: setup ## Format, lint, types, contracts and tests
	@scripts/check $(ARGS)

bench: setup ## Say which benchmarks there are
	@for file in bench/[!_]*.py; do \
		printf '  $(BIN)/python %-22s %s\n' "$$file" "$$(sed -n '1s/^"""//;1s/"""$$//;1p' "$$file")"; \
	done

clean: ## Remove what setup, run and check have made
	rm -rf $(VENV) .venv.lock .triage .peers build *.egg-info .coverage .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find kb triage tests bench -name __pycache__ -prune -exec rm -rf {} +
