# make demo    sets up .venv and runs the pipeline on a synthetic bookshop
# make check   sets up .venv and runs what is quick: lint, types, fast tests
# make test    sets up .venv and runs everything
# make help    lists all targets

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NPM_READY := web_demo/node_modules/.package-lock.json

# Interpreters that phones still have, by the TensorFlow Lite release whose operators they know.
# Their wheels exist for some Python versions only. Without one, the tests with it are skipped.
OLDER := 2.14=tflite-runtime==2.14.0 2.17=ai-edge-litert==1.0.1

# What `make check` leaves out.
QUICK := not slow and not browser and not android and not real_data

.PHONY: help demo check test lint types ruff-check ruff-format spelling imports unit notebooks \
  dist wheel-base wheel-demo schemas docs-reference upgrade clean

help:
	@echo "make demo        set up .venv and run the pipeline on a synthetic bookshop (runs/demo)"
	@echo "make check       set up .venv and run lint, types and the fast tests (under 90 seconds)"
	@echo "make test        set up .venv and run everything: lint, types, all tests, the notebooks"
	@echo "make lint        only ruff, mypy, import-linter and codespell"
	@echo "make types       only mypy"
	@echo "make unit        only pytest, without the notebooks"
	@echo "make notebooks   only the notebooks"
	@echo "make dist        build the sdist and the wheel into dist/ and check what they hold"
	@echo "make wheel-base  install the wheel alone into a bare environment and recommend with it"
	@echo "make wheel-demo  install the wheel with [train] into a bare environment, run kd-tf demo"
	@echo "make schemas     write the JSON Schemas in docs/reference anew"
	@echo "make docs-reference  write the pages on the command line and the configuration anew"
	@echo "make upgrade     resolve the newest versions and write constraints.txt anew"
	@echo "make clean       remove .venv, caches, npm packages, dist and runs/demo"

$(READY): setup.cfg constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"kd_tf needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.11 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); \
	    echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing into $(VENV) (once, some minutes, about 3.4 GB on disk)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[train,dev,notebook]'
	@touch $@

demo: $(READY)
	@$(BIN)/kd-tf demo --out runs/demo
	@echo
	@echo "In a browser:  $(BIN)/kd-tf preview runs/demo/bundle"
	@echo "On a phone:    make -C android_demo apk BUNDLE=runs/demo/bundle"

# What the browser page runs on, and what its tests control a browser with.
$(NPM_READY): web_demo/package.json web_demo/package-lock.json
	@if command -v npm >/dev/null; then \
	  npm ci --prefix web_demo --no-audit --no-fund --silent && touch $@; \
	else echo "npm is missing: the tests in a browser are skipped"; fi

$(VENV)/older/.ready: $(READY)
	@for one in $(OLDER); do \
	  at=$(VENV)/older/$${one%%=*}; \
	  $(PYTHON) -m venv $$at && $$at/bin/python -m pip install --quiet --disable-pip-version-check \
	    "$${one#*=}" 'numpy==1.26.4' || \
	    { rm -rf $$at; echo "$$one does not install here: its tests are skipped"; }; \
	done
	@mkdir -p $(VENV)/older && touch $@

test: lint $(READY) $(NPM_READY) $(VENV)/older/.ready
	@KD_TF_OLDER_RUNTIMES="$$(for at in $(CURDIR)/$(VENV)/older/2.*; do \
	  test -x $$at/bin/python && echo $${at##*/}=$$at/bin/python; done)" \
	  $(BIN)/pytest -n auto --nbmake

check: lint
	@$(BIN)/pytest -n auto -m "$(QUICK)" tests

lint: ruff-check ruff-format types imports spelling

ruff-check: $(READY)
	@$(BIN)/ruff check .

ruff-format: $(READY)
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

spelling: $(READY)
	@$(BIN)/codespell

unit: $(READY) $(NPM_READY)
	@$(BIN)/pytest -n auto tests

notebooks: $(READY)
	@$(BIN)/pytest --nbmake notebooks

dist: $(READY)
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist . >$(VENV)/build.log 2>&1 || \
	  { cat $(VENV)/build.log; exit 1; }
	@$(BIN)/python scripts/check_distributions.py dist

# Both take the bundle of tests/golden: no training, nothing of this checkout but the wheel.
wheel-base: dist
	@$(PYTHON) scripts/try_wheel.py dist

wheel-demo: dist
	@$(PYTHON) scripts/try_wheel.py dist --train

schemas: $(READY)
	@$(BIN)/python scripts/write_schemas.py

docs-reference: $(READY)
	@$(BIN)/python scripts/write_reference.py

upgrade:
	@rm -rf $(VENV)/upgrade && $(PYTHON) -m venv $(VENV)/upgrade
	@$(VENV)/upgrade/bin/python -m pip install --quiet --disable-pip-version-check \
	  '.[train,dev,notebook]'
	@{ echo '# Every version that the project is tested with. Written by: make upgrade'; \
	   $(VENV)/upgrade/bin/python -m pip freeze --all --exclude pip --exclude kd_tf; \
	 } > constraints.new
	@mv constraints.new constraints.txt && rm -rf $(VENV)/upgrade
	@echo "constraints.txt is new: run make test, then commit it"

clean:
	@rm -rf $(VENV) web_demo/node_modules runs/demo .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache build dist *.egg-info
