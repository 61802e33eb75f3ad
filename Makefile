# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv and .tools.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
HELM := $(VENV)/.helm
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 2

.PHONY: demo test slow long conformance check setup prometheus controlplane clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "Python 3.11 or newer is needed, and $(PYTHON) is none; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) (a minute or two) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) >/dev/null; } || \
	    { rm -rf $(VENV); echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

prometheus:
	@sh tools/prometheus.sh

demo: setup prometheus
	@$(BIN)/rollouts demo $(ARGS)

test: setup
	@sh tools/prometheus.sh || echo "going on: the tests that need Prometheus are skipped" >&2
	@$(BIN)/python -m pytest -m 'not slow and not long' $(TOGETHER) --ignore tests/conformance $(ARGS)

controlplane: setup
	@$(BIN)/rollouts sandbox build

# Helm's library is large, and only the tests of the chart need it.
$(HELM): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,chart]'
	@touch $@

slow: setup prometheus
	@$(BIN)/python -m pytest -m slow $(TOGETHER) --ignore tests/conformance $(ARGS)

long: setup prometheus controlplane $(HELM)
	@$(BIN)/python -m pytest -m long $(TOGETHER) --ignore tests/conformance $(ARGS)

conformance: setup prometheus controlplane
	@$(BIN)/python -m pytest --control-plane real $(TOGETHER) $(ARGS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=.:tests/unit:tests/property:tests/controllers:tests/e2e:tests/conformance \
	    $(BIN)/mypy --explicit-package-bases --exclude 'tests/controllers/conftest.py' analysis crds kube rollouts routers sandbox tests bench tools
	@$(BIN)/lint-imports
	@$(BIN)/python -m crds.generate --check

clean:
	rm -rf $(VENV) .tools build .pytest_cache .mypy_cache .ruff_cache
