# `make serve` and `make test` install everything that they need into .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
ROWS ?= 1000000
CLAIMS ?= 1000000
DATABASES ?= sqlite postgresql
BASE ?= HEAD
ROUNDS ?= 10
SIZES ?= 10000 100000
BUDGET ?= 900
EXAMPLES ?= 5
# How long a failure of `make operate` lasts, and a frozen database; by what the durations of the alerts are divided.
SECONDS ?= 14
FROZEN ?= 30
SPEED ?= 60
# Of the tests: they wait for servers and PostgreSQL, and two processes leave a fifth of two cores idle.
PROCESSES ?= 3
BIN := .venv/bin
# The tests start the program several hundred times, so the compiled modules are kept.
unexport PYTHONDONTWRITEBYTECODE
# Modules are compiled when they are first imported: most never are.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile
UPGRADE ?= --upgrade
# Installs many packages in a tenth of the time of pip, but does not read its configuration.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 $(UPGRADE)

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: .venv/served ## Set up, migrate, load the starter claims, serve on HOST:PORT
	@$(BIN)/counterclaim migrate
	@$(BIN)/counterclaim starter
	@exec $(BIN)/counterclaim serve --host $(HOST) --port $(PORT)

test: .venv/tested ## Set up and run every test, on SQLite and on PostgreSQL
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal

races: .venv/tested ## Run long randomized tests of history, caches, queries and concurrent writes: about an hour
	TEST_STEPS=2400 TEST_RACES=1000 $(BIN)/python -m pytest -q -s tests/history
	TEST_STEPS=900 $(BIN)/python -m pytest -q tests/plans/test_same_answers.py tests/topics/test_candidates.py \
		tests/http/test_cache_middleware.py
	TEST_EXAMPLES=10 $(BIN)/python -m pytest -q tests/comparison tests/imports -m hypothesis -k 'not postgresql'

plans: .venv/tested ## Count the rows that every query reads in CLAIMS=1000000 claims: some minutes
	TEST_CLAIMS=$(CLAIMS) $(BIN)/python -m pytest -n 2 tests/plans/test_plans.py

cover: .venv/tested ## Run every test, and report line and branch coverage
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

bench: .venv/tested .bench/peers/made ## Compare reads and writes with other servers: CLAIMS=1000000 DATABASES="sqlite postgresql"
	$(BIN)/python -m benchmarks.reads --claims $(CLAIMS) --databases "$(DATABASES)" --chart
	$(BIN)/python -m benchmarks.peer_pairs --databases "$(DATABASES)"
	$(BIN)/python -m benchmarks.peer_pairs --table

bench-quick: .venv/tested .bench/peers/made ## The same with 10,000 claims, in less than five minutes
	$(BIN)/python -m benchmarks.reads --claims 10000 --databases "$(DATABASES)" --quick

bench-import: .venv/tested ## Compare an import with raw inserts: ROWS=1000000 DATABASES="sqlite postgresql"
	$(BIN)/python -m benchmarks.imports --rows $(ROWS) --databases "$(DATABASES)"

bench-peer: .venv/tested ## Compare the CPU time per request with a hand-written peer and with bare uvicorn: ONLY=cold,hot
	$(BIN)/python -m benchmarks.peer_pairs --databases "$(DATABASES)" $(if $(ONLY),--only $(ONLY))
	$(BIN)/python -m benchmarks.peer_pairs --table

bench-pair: .venv/tested ## Compare the CPU time per request with an older commit: BASE=HEAD~1 ROUNDS=10 ONLY=page-hot,post
	@$(BIN)/python -m benchmarks.pair $(BASE) --rounds $(ROUNDS) --databases "$(DATABASES)" $(if $(ONLY),--only $(ONLY)) $(if $(SAVE),--save)

bench-takedowns: .venv/tested ## Measure takedowns, and reads meanwhile: CLAIMS=1000000 DATABASES="sqlite postgresql"
	$(BIN)/python -m benchmarks.takedowns --claims $(CLAIMS) --databases "$(DATABASES)"

bench-files: .venv/tested ## Measure files on SQLite: rows per second, memory, ranges: CLAIMS=100000
	$(BIN)/python -m benchmarks.files $(if $(filter-out 1000000,$(CLAIMS)),--claims $(CLAIMS))

bench-memory: .venv/tested ## Measure the memory of a worker over 200,000 mixed requests, and the SQLite log: SIZES="250 5000"
	$(BIN)/python -m benchmarks.memory --claims $(if $(filter-out 10000 100000,$(SIZES)),$(SIZES),250 5000) --save
	$(BIN)/python -m benchmarks.log_size --save

bench-feeds: .venv/tested ## Measure feeds on both databases: SIZES="10000 100000"
	$(BIN)/python -m benchmarks.feeds --claims $(SIZES) --save

fuzz: .venv/tested .bench/fuzz/made ## Send generated requests to both databases with Schemathesis: EXAMPLES=5, about half an hour
	$(BIN)/python -m benchmarks.fuzzing --examples $(EXAMPLES) --databases "$(DATABASES)"

look: .venv/served .bench/look/made ## Open every page in Chromium, test it with axe, save pictures in .bench/look/pictures: ONLY="home topic"
	@nice .bench/look/bin/python -m benchmarks.look --server $(BIN)/python $(if $(ONLY),--only "$(ONLY)")

clients: .venv/tested .bench/clients/made .bench/clients-node/made ## Read files with other programs, generate clients: ONLY=polars SAVE=yes
	@nice .bench/clients/bin/python -m benchmarks.clients --server $(BIN)/python --node .bench/clients-node $(if $(ONLY),--only "$(ONLY)") $(if $(SAVE),--save)

calc: .venv/tested ## Fill in the sheet for imports in LibreOffice Calc, and import it: needs soffice and python3-uno
	@nice $(BIN)/python -m benchmarks.calc

operate: .venv/tested ## Let databases, disks and workers fail, and note every answer and alert: ONLY="table locked" DATABASES=sqlite SECONDS=14 FROZEN=30 SPEED=60 SAVE=yes
	@$(BIN)/python -m benchmarks.operate $(if $(ONLY),--only "$(ONLY)") $(if $(filter command line environment,$(origin DATABASES)),--databases "$(DATABASES)") \
		--seconds $(SECONDS) --frozen $(FROZEN) --speed $(SPEED) $(if $(SAVE),--save)

torture: .venv/tested ## Kill, cut the power of, fill and race a running service, and count what is lost: ONLY="kills power" KILLS=200 CUTS=1000 SAVE=yes
	@nice $(BIN)/python -m benchmarks.torture $(if $(ONLY),--only "$(ONLY)") --databases "$(DATABASES)" \
		$(if $(KILLS),--kills $(KILLS)) $(if $(CUTS),--cuts $(CUTS)) $(if $(RACES),--races $(RACES)) $(if $(SAVE),--save)

bench-pages: .venv/tested ## Measure what pages cost: bytes, CPU time cold and hot, start and memory
	$(BIN)/python -m benchmarks.pages --save

bench-machines: .venv/tested ## Measure a standby that lags, is promoted, and connection poolers: some minutes
	$(BIN)/python -m benchmarks.machines --save

bench-mirrors: .venv/tested ## Compare the first copy of a mirror with an import of the same claims: ROWS=100000
	$(BIN)/python -m benchmarks.mirrors $(if $(filter-out 1000000,$(ROWS)),--rows $(ROWS)) --save

failover: .venv/tested .bench/failover/made ## Let servers of PostgreSQL with Patroni fail under load, in network namespaces: needs root and etcd-server: ONLY="killed frozen" SAVE=yes
	@$(BIN)/python -m benchmarks.failover $(if $(ONLY),--only $(ONLY)) $(if $(SAVE),--save)

bench-caches: .venv/tested ## Measure Varnish with a purger: reads that reach the service, and old answers: some minutes
	$(BIN)/python -m benchmarks.caches --databases "$(DATABASES)" --save

bench-fairness: .venv/tested ## Measure how long polite readers wait while others ask for expensive answers: CLAIMS=10000
	$(BIN)/python -m benchmarks.fairness --claims $(CLAIMS) --save

lint: .venv/tested ## Lint and check types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint ## Run the linters, the type checker and the contract tests
	$(BIN)/python -m pytest -q -n 2 tests/contract -k 'not postgresql'

openapi: .venv/tested ## Regenerate the examples, docs/openapi.json, docs/mapping.schema.json and the tables of docs/
	$(BIN)/python -m tests.contract.examples
	$(BIN)/python -m tests.contract.openapi_document > docs/openapi.json
	$(BIN)/python -m tests.contract.mapping_schema > docs/mapping.schema.json
	$(BIN)/python -m tests.contract.reference

baseline: .venv/tested ## Renew the contract that later releases are compared with: only with a release (docs/stability.md)
	$(BIN)/python -m tests.contract.baseline

mutate: .venv/tested ## Count the small faults in the comparison rules that their tests find: BUDGET=900 seconds ONLY="rounding spread"
	@nice $(BIN)/python -m benchmarks.mutation $(ONLY) --budget $(BUDGET)

wheel: .venv/tested ## Build the source distribution and the wheel in dist/
	rm -rf build dist
	$(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python

pins: .venv/tested ## Update all pinned packages, with hashes (make pins UPGRADE= only adds new ones)
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --extra all -o requirements-all.txt
	$(COMPILE) pyproject.toml --extra all --group dev -o requirements-dev.txt
	$(COMPILE) --group build -o requirements-build.txt
	$(COMPILE) --group benchmark -o benchmarks/requirements.txt
	$(COMPILE) --group fuzz -o benchmarks/requirements-fuzz.txt
	$(COMPILE) --group look -o benchmarks/requirements-look.txt
	$(COMPILE) --group clients -o benchmarks/requirements-clients.txt
	$(COMPILE) --group failover -o benchmarks/requirements-failover.txt

.venv/made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/served: .venv/made requirements-build.txt requirements.txt pyproject.toml
	$(PIP) --require-hashes -r requirements-build.txt -r requirements.txt
	$(PIP) --no-build-isolation --no-index --editable .
	@touch $@

# Where uv reaches no package index, pip installs the same files.
.venv/tested: .venv/made requirements-build.txt requirements.txt requirements-dev.txt pyproject.toml
	sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > .venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	$(UV) -r requirements-build.txt -r requirements-dev.txt || \
		$(PIP) --require-hashes -r requirements-build.txt -r requirements-dev.txt
	$(PIP) --no-build-isolation --no-index --editable .
	@touch .venv/served $@

.bench/peers/made: .venv/made benchmarks/requirements.txt
	$(PYTHON) -m venv .bench/peers
	.bench/peers/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r benchmarks/requirements.txt
	.bench/peers/bin/python -m pip --disable-pip-version-check check
	@touch $@

.bench/fuzz/made: .venv/made benchmarks/requirements-fuzz.txt
	$(PYTHON) -m venv .bench/fuzz
	.bench/fuzz/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r benchmarks/requirements-fuzz.txt
	.bench/fuzz/bin/python -m pip --disable-pip-version-check check
	@touch $@

.bench/failover/made: .venv/made benchmarks/requirements-failover.txt
	$(PYTHON) -m venv .bench/failover
	.bench/failover/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r benchmarks/requirements-failover.txt
	.bench/failover/bin/python -m pip --disable-pip-version-check check
	@touch $@

.bench/look/made: .venv/made benchmarks/requirements-look.txt
	$(PYTHON) -m venv .bench/look
	.bench/look/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r benchmarks/requirements-look.txt
	.bench/look/bin/python -m pip --disable-pip-version-check check
	@touch $@

.bench/clients/made: .venv/made benchmarks/requirements-clients.txt
	$(PYTHON) -m venv .bench/clients
	.bench/clients/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r benchmarks/requirements-clients.txt
	.bench/clients/bin/python -m pip --disable-pip-version-check check
	@touch $@

# Without Node.js its programs are not run, and the table says so.
.bench/clients-node/made: benchmarks/clients/node/package.json
	mkdir -p .bench/clients-node
	cp benchmarks/clients/node/package.json .bench/clients-node
	if command -v npm; then npm install --prefix .bench/clients-node --no-audit --no-fund --no-package-lock --ignore-scripts; fi
	@touch $@

.PHONY: help serve test races plans cover bench bench-quick bench-import bench-peer bench-pair bench-takedowns bench-feeds bench-files bench-pages bench-fairness bench-machines bench-mirrors bench-caches failover clients operate torture fuzz look calc mutate lint check openapi baseline wheel pins
