# One command per job; `make` alone lists them. Needs python3 (3.10 or newer), make and a POSIX shell, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOG := $(VENV)/setup.log
DIST := $(VENV)/dist
EXTRAS := [dev,examples,notebook,parquet,postgresql,report,search,slurm,torch]
PIP := $(BIN)/python -m pip --no-input --disable-pip-version-check
ARGS ?=

# What is run here is the installed wheel: neither ./src nor another project's path may shadow it.
unexport PYTHONPATH
unexport PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

# $(call stage,MESSAGE,COMMAND): one line per stage. The log holds what the last stage said; its end is shown on failure.
define stage
	@echo '$(1)'; { $(2); } >$(LOG) 2>&1 || { \
	    status=$$?; echo 'FAILED: $(1). The end of $(LOG):' >&2; tail -n 25 $(LOG) >&2; exit $$status; }
endef

.PHONY: help
help: ## list the jobs
	@echo 'usage: make JOB [ARGS="options for the job"]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r job text; do \
	    printf '%-14s %s\n' "$$job" "$$text"; done

# --- setup: each stage leaves a stamp in .venv, written only when it succeeded ------------------------------------------

.PHONY: setup
setup: $(VENV)/.installed ## create .venv, install every pinned version, build the wheel and install it

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo 'reproof needs Python 3.10 or newer; name one with: make setup PYTHON=python3.X' >&2; exit 1; }
	@rm -rf $(VENV) && mkdir -p $(VENV)
	$(call stage,creating $(VENV) ($(shell $(PYTHON) --version 2>&1)),$(PYTHON) -m venv $(VENV))
	@touch $@

$(VENV)/.build-tools: constraints.txt $(VENV)/.created
	$(call stage,installing the build tools,$(PIP) install --quiet --constraint constraints.txt build hatchling)
	@touch $@

# What the wheel is made of, by content: deleted files count, touched ones do not.
.PHONY: FORCE
$(VENV)/.sources: FORCE $(VENV)/.created
	@find src pyproject.toml README.md LICENSE -type f ! -name '*.py[co]' -exec cksum {} + | LC_ALL=C sort >$@.new; \
	    if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(VENV)/.wheel: $(VENV)/.sources $(VENV)/.build-tools
	$(call stage,building the wheel,rm -rf $(DIST) && $(BIN)/python -m build --no-isolation --outdir $(DIST))
	@touch $@

# Where the pins hold already, pip changes nothing and asks no network. Bytecode is compiled here, by all cores and
# whatever PYTHONDONTWRITEBYTECODE says: without it every start of Python costs three times as much.
$(VENV)/.dependencies: constraints.txt pyproject.toml $(VENV)/.build-tools | $(VENV)/.wheel
	$(call stage,installing what constraints.txt pins (a minute or two the first time),$(PIP) install --quiet \
	    --no-compile --constraint constraints.txt "$$(ls $(DIST)/*.whl)$(EXTRAS)" && $(PIP) check)
	$(call stage,compiling bytecode,$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true)
	@touch $@

# What the processes that tests start are spared: tests/light_start.py.
$(VENV)/.light-start: tests/light_start.py $(VENV)/.created
	@cd $(VENV)/lib/python3*/site-packages && cp "$(CURDIR)/$<" reproof_light_start.py && \
	    echo 'import os; "REPROOF_LIGHT_START" in os.environ and __import__("reproof_light_start")' \
	    >reproof_light_start.pth
	@touch $@

$(VENV)/.installed: $(VENV)/.wheel $(VENV)/.dependencies $(VENV)/.light-start
	$(call stage,installing the wheel,$(PIP) install --quiet --no-deps --no-index --force-reinstall $(DIST)/*.whl)
	@touch $@

# --- jobs -------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## check an ordinary training, then one that forgets a seed: its line, proof, fix and page
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo.sh $(ARGS)

.PHONY: pictures
pictures: setup ## make the pictures of README.md from a real check; needs Chromium
	@PATH="$(CURDIR)/$(BIN):$$PATH" python benchmarks/pictures.py

.PHONY: demo-search
demo-search: setup ## search by Optuna, keep the best trial, train it again, certify it
	@PATH="$(CURDIR)/$(BIN):$$PATH" OMP_WAIT_POLICY=passive examples/demo_search.sh $(ARGS)

# passive: the threads of PyTorch that have nothing to do leave the cores to the other trainings, instead of spinning.
# At most half of the time of a training process is left: tests/light_start.py.
PYTEST = OMP_WAIT_POLICY=passive $(BIN)/pytest --installed --color=no -q -n 2 --dist worksteal

.PHONY: quick
quick: setup ## run the unit and property tests; ARGS="-k digest" for some
	@$(PYTEST) --tier quick tests/unit tests/property $(ARGS)

.PHONY: test
test: setup ## run every behaviour once; ARGS="tests/integration -k show" for some
	@$(PYTEST) --tier test --durations=10 $(ARGS)

.PHONY: thorough
thorough: setup ## run all tests, with every case of every table
	@$(PYTEST) --tier thorough --durations=10 $(ARGS)

.PHONY: check
check: setup lint test ## all that CI runs: format, lint, types, import contracts, changelog, tests

.PHONY: lint
lint: format-check ruff types contracts changelog-check ## all checks but the tests

.PHONY: format
format: setup ## format the code and repair what ruff can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: bench
bench: setup ## measure what recording costs and how fast comparing is
	@$(BIN)/python benchmarks/recording.py
	@$(BIN)/python benchmarks/comparing.py

.PHONY: changelog
changelog: setup ## show the changelog of the next release
	@$(BIN)/towncrier build --draft --version next

.PHONY: clean
clean: ## remove .venv and everything that the tools leave
	@rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: format-check ruff types contracts changelog-check
format-check: setup
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: run `make format`' >&2; exit 1; }
ruff: setup
	@$(BIN)/ruff check --quiet .
types: setup
	@$(BIN)/mypy --no-color-output
contracts: setup
	@NO_COLOR=1 $(BIN)/lint-imports --no-logo --no-cache
changelog-check: setup
	@$(BIN)/towncrier build --draft --version next >$(LOG).changelog 2>&1 || { cat $(LOG).changelog >&2; exit 1; }
