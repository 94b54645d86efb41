VENV := .venv
export TRIAGE_HOME ?= $(CURDIR)/.triage

.PHONY: help setup run test check bench clean
help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv (repeating it does nothing)
	@scripts/setup

run: setup ## Train on the sample desk, triage its inbox before your eyes, serve on 127.0.0.1:8000
	@$(VENV)/bin/triage demo examples/desk || [ $$? -eq 130 ]

test: setup ## Run all tests
	@$(VENV)/bin/pytest

check: setup ## Format, lint, types, contracts and tests
	@scripts/check

bench: setup ## Say which benchmarks there are
	@grep -H -m1 '^"""' bench/*.py | sed 's/:"""/  /'

clean: ## Remove what setup and run have made
	rm -rf $(VENV) .triage build *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
