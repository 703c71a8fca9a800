# Needs Python 3.11 or newer, make and git; everything else is installed into .venv.
# Variables: PYTHON (interpreter), HOST and PORT (make run), RUN_DIR (kept data, .run).

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run demo-story test test-nightly check format schema lock bench agreement-docs pictures clean set-up set-up-run set-up-web

BIN := .venv/bin
# Settings for commands that need neither a database nor a secret.
OFFLINE := PLATFORM_TESTING=1
TEST_JOBS ?= 2
URL ?= http://$(or $(HOST),127.0.0.1):$(or $(PORT),8000)
export PYTHON

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: set-up-run set-up-web ## install, start everything on this machine, print the address (PORT=8000)
	@exec $(BIN)/python -m annotation_platform.embedded run

demo-story: ## play the whole story against the running server (`make run` in another terminal)
	@$(BIN)/python -m demo.story --url $(URL) $(ARGS)

test: set-up set-up-web ## install and run all tests but the nightly ones
	@scripts/web test
	@$(BIN)/pytest -n $(TEST_JOBS) -m "not nightly" $(ARGS)

test-nightly: set-up set-up-web ## the slow tests
	@$(BIN)/pytest -m nightly $(ARGS)

check: set-up set-up-web ## formatting, lint, types, import rules, API schema, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(OFFLINE) $(BIN)/mypy .
	$(BIN)/lint-imports
	@scripts/check-schema
	$(OFFLINE) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	scripts/web check

format: set-up ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: set-up ## write docs/openapi.yaml anew
	$(OFFLINE) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

lock: set-up ## write requirements*.txt from requirements*.in (UPGRADE=1 for newest versions)
	@scripts/lock

bench: set-up ## measure the hot paths (benchmarks/README.md)
	@$(BIN)/python -m benchmarks $(ARGS)

agreement-docs: set-up ## draw the pictures of docs/agreement.md (installs matplotlib)
	@$(BIN)/pip install --quiet --requirement requirements-docs.in
	@$(BIN)/python scripts/agreement_pictures.py

pictures: set-up set-up-web ## take the pictures of every page from a demo of their own (docs/images)
	@$(BIN)/python -m demo.pictures $(ARGS)

clean: ## remove caches and .venv (kept data in .run stays)
	rm -rf .venv web/workbench/node_modules web/static/web/built .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

set-up:
	@scripts/set-up requirements-dev.txt

set-up-web:
	@scripts/web build

set-up-run:
	@scripts/set-up requirements.txt requirements-embedded.txt
