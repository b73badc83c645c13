# `make demo` and `make test` need no step before them: they make .venv and fill it when
# pyproject.toml or requirements/ has changed.
PYTHON ?=
VENV := .venv/bin
SOURCES := rtdecode acquisition_bridge stimulus
NEEDS := pyproject.toml $(wildcard requirements/*)
# files of tests in the order of tests/conftest.py; a session in which tests hang ends after an hour
PYTEST := $(VENV)/pytest --dist loadfile --no-loadscope-reorder --session-timeout 3600

export PYTHON
# Tests start hundreds of processes, which would compile this project anew each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo docs test style types types-windows test-units test-system test-beside
.PHONY: test-long test-numerics test-numerics-short audit format clean

help:
	@echo "make demo      see a mouse's screen reconstructed live, for one minute"
	@echo "make test      every check that a change must pass"
	@echo "make test-long the fault matrix with real processes, and tests with their full counts"
	@echo "make test-numerics  the numerical tests under other arithmetic, thread counts and orders"
	@echo "make docs      write the documentation as a site to site/"
	@echo "make audit     compare the installed packages with the known vulnerabilities"
	@echo "make install   only make .venv"
	@echo "make format    let ruff format and mend what it can"
	@echo "make clean     remove .venv and caches"

install: .venv/.installed-run

.venv/.installed-run: $(NEEDS)
	bash requirements/install.sh run

.venv/.installed-test: $(NEEDS)
	bash requirements/install.sh test

demo: .venv/.installed-run
	$(VENV)/rtdecode demo

test: .venv/.installed-test
	$(MAKE) --no-print-directory style test-units
	$(MAKE) --jobs 2 --no-print-directory test-system test-beside

test-units: .venv/.installed-test
	$(PYTEST) -n 2 -m "not (system or faults or long)"

test-system: .venv/.installed-test
	$(PYTEST) -n 2 -m "system and not (faults or long)"

# System tests wait for a part of their time: for processes that start, and for runs to last as long
# as they must. The checks beside them take what is left, and no more.
test-beside: .venv/.installed-test
	@said="$$(nice -n 19 $(MAKE) --no-print-directory \
		types types-windows docs audit test-numerics-short 2>&1)"; \
		code=$$?; echo "$$said"; exit $$code

style: .venv/.installed-test
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/lint-imports

types: .venv/.installed-test
	$(VENV)/mypy

types-windows: .venv/.installed-test
	$(VENV)/mypy --platform win32 --cache-dir .mypy_cache_windows

docs: .venv/.installed-test
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict --quiet
	@echo "the documentation is in site/index.html"

audit: .venv/.installed-test
	$(VENV)/python requirements/audit.py

test-long: .venv/.installed-test
	$(VENV)/pytest -m "faults or long"

test-numerics: .venv/.installed-test
	$(VENV)/python tests/numerics_matrix.py

test-numerics-short: .venv/.installed-test
	$(VENV)/python tests/numerics_matrix.py --short

format: .venv/.installed-test
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

clean:
	rm -rf .venv site .mypy_cache .mypy_cache_windows .ruff_cache .pytest_cache .hypothesis .import_linter_cache
