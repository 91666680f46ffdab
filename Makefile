# Every target installs what it needs into .venv by itself. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Ends all that it has started, when a signal ends it. make sends one to its own child alone: that must not be a shell.
SUPERVISED = PYTHONPATH=deploy/development:tests exec $(BIN)/python -m
# With --quiet mkdocs would not be strict, so that what it says is shown on a failure only.
SITE = NO_MKDOCS_2_WARNING=1 PYTHONPATH=deploy/development $(BIN)/mkdocs build --strict --site-dir build/site

.DEFAULT_GOAL := help
.PHONY: help attack demo test e2e e2e-controllers e2e-fresh-user e2e-upgrades node controllers image screenshots bench bench-page endurance memory soak soak-survivors simulate gpu torch-tests generate docs matrix matrix-slice release local lint format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kube-rendezvous needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Installing into $(VENV) (with torch: some minutes and 6 GB the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable '.[operator,torch,cli,plot]' --group dev
	@touch $@

demo: $(INSTALLED) ## Train on a real local control plane, lose nodes: torchrun beside survivors (3 minutes)
	@PYTHONPATH=deploy/development exec $(BIN)/python -m rendezvous_demo $(ARGS)

local: $(INSTALLED) ## Start a local control plane with the operator; Ctrl-C ends it
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local up $(ARGS)

# Most of a test's time is waiting: for heartbeats, limits, processes. Each worker has a control plane of its own. Those of
# survivors, with their dozens of torch processes, come alone.
WORKERS ?= 4
SURVIVAL := tests/integration/survival tests/survivor_soak
test: $(INSTALLED) ## Run all tests; the integration tests on a real API server
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local build --for-tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(SURVIVAL:%=--ignore=%) $(WITHOUT:%=--ignore=%) $(ARGS)
	@test -n "$(ARGS)" || $(BIN)/python -m pytest $(SURVIVAL)

ON_DEMAND := tests/e2e/controllers tests/e2e/test_upgrades.py tests/e2e/test_fresh_user.py
e2e: $(INSTALLED) ## Test on a real node of this machine, as root; or on your cluster: KUBECONFIG=… IMAGE=…
	@test -n "$$KUBECONFIG" || PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node build
	@test -n "$$KUBECONFIG" || PYTHONPATH=deploy/development $(BIN)/python -m pytest tests/node
	@PYTHONPATH=deploy/development $(BIN)/python -m pytest tests/e2e $(ON_DEMAND:%=--ignore=%) $(ARGS)

e2e-upgrades: $(INSTALLED) ## A job of four goes from the former release to this one and back, as root (12 minutes)
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node build
	@PYTHONPATH=deploy/development $(BIN)/python -m pytest --timeout 1800 tests/e2e/test_upgrades.py $(ARGS)

e2e-fresh-user: $(INSTALLED) ## A stranger with nothing but a release gets a job, by docs/from-a-release.md, as root (10 minutes)
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node build
	@PYTHONPATH=deploy/development $(BIN)/python -m pytest --timeout 2400 tests/e2e/test_fresh_user.py $(ARGS)

# And what runs without them, on a node with the newest feature gates.
GATED := tests/e2e/controllers/test_kueue.py tests/e2e/controllers/test_jobset.py \
  tests/e2e/controllers/test_jobset_in_place.py tests/e2e/test_first_step.py \
  tests/e2e/test_examples.py tests/e2e/test_survivors_told.py
e2e-controllers: $(INSTALLED) ## With the controllers of other projects; then with the newest feature gates; as root
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node build --controllers
	@PYTHONPATH=deploy/development $(BIN)/python -m pytest --timeout 900 $(or $(ARGS),tests/e2e/controllers)
	@test -n "$(ARGS)" || PYTHONPATH=deploy/development GATES=newest $(BIN)/python -m pytest --timeout 900 $(GATED)

node: $(INSTALLED) ## Start a real cluster of one node, with the images, as root; Ctrl-C ends it
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node up --images $(ARGS)

controllers: $(INSTALLED) ## The same node, beside it JobSet, Kueue, Trainer, LeaderWorkerSet and the training operator
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local node up --images --controllers $(ARGS)

image: $(INSTALLED) ## Build the images: make image IMAGE_TOOL=podman BASE=python:3.13-slim
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local image $(ARGS)

screenshots: $(INSTALLED) ## Draw the dashboard's pictures of the documentation anew (docs/images)
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local build
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/integration/dashboard/test_a_thousand_members.py $(ARGS)

bench: $(INSTALLED) ## Measure beside torch's c10d and torchrun: table, build/bench.json, thresholds (8 to 14 minutes)
	@$(SUPERVISED) performance $(ARGS)

bench-page: $(INSTALLED) ## Show the runs of the bench that are kept in docs/bench: docs/reference/benchmarks.md, curves
	@PYTHONPATH=deploy/development:tests $(BIN)/python -m performance.curves docs/bench docs/images
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_docs

endurance: $(INSTALLED) ## One survivor, 200 changes of membership: descriptors, threads, memory (4 minutes)
	@$(SUPERVISED) performance.endurance $(ARGS)

memory: $(INSTALLED) ## Measure the operator's memory: idle, standing by, 100 rendezvous of 8
	@$(SUPERVISED) performance.operator_memory $(ARGS)

MINUTES ?= 30
soak: $(INSTALLED) ## Random kills, deletes, joins and operator restarts: make soak MINUTES=30, or HOURS=24
	@$(SUPERVISED) soak \
	  $(if $(HOURS),--hours $(HOURS) --picture build/soak.png --json build/soak.json,--minutes $(MINUTES)) $(ARGS)

SCHEDULES ?= 500
soak-survivors: $(INSTALLED) ## Random losses, stops, arrivals; processes live on: make soak-survivors SCHEDULES=500
	@$(SUPERVISED) survivor_soak --schedules $(SCHEDULES) $(ARGS)

gpu: $(INSTALLED) ## The survivors' tests by NCCL, all trainers on one GPU (needs CUDA and its torch)
	@$(BIN)/python -c 'import sys, torch; torch.cuda.is_available() or sys.exit("make gpu: torch sees no GPU here")'
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local build
	@TRAINER_DEVICE=cuda $(BIN)/python -m pytest tests/integration/survival -k "not jax" $(ARGS)

torch-tests: $(INSTALLED) ## Run PyTorch's own tests of agents and launcher on this backend: make torch-tests TORCH_SOURCE=…
	@$(SUPERVISED) torch_tests $(if $(TORCH_SOURCE),--source '$(TORCH_SOURCE)') $(ARGS)

attack: $(INSTALLED) ## Try what a hostile neighbour or proxy can do, on a real API server (docs/security.md; 30 minutes)
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_local build
	@ATTACK=full $(BIN)/python -m pytest -s --timeout 1800 tests/integration/chart/test_trainer_attempts.py \
	  tests/integration/chart/test_neighbours.py tests/integration/handlers/test_leaving_at_once.py \
	  tests/integration/handlers/test_floods.py tests/integration/handlers/test_hostile_objects.py \
	  tests/integration/handlers/test_bad_proxy.py $(ARGS)

SEEDS ?= 0:20000
simulate: $(INSTALLED) ## Long run of the simulator on all cores: make simulate SEEDS=0:1000000 PROCESSES=2
	@PYTHONPATH=tests $(BIN)/python -m simulation.whole --seeds $(SEEDS) $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

generate: $(INSTALLED) ## Write anew what follows from crds/ and the chart: CRD templates, deploy/kustomize, docs/reference
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_chart $(ARGS)
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_docs $(ARGS)

docs: $(INSTALLED) ## Build the documentation site into build/site; needs no network
	@said=$$($(SITE) 2>&1) || { echo "$$said" >&2; exit 1; }; echo 'build/site/index.html'

matrix: $(INSTALLED) ## The integration core on each version of everything, into docs/matrix.json: make matrix CELLS=kubernetes=1.31
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_matrix $(CELLS)

matrix-slice: $(INSTALLED) ## A few of these tests on the oldest Kubernetes, if it was ever built here
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_matrix.ci_slice

release: $(INSTALLED) ## Make all artifacts from the newest commit: make release VERSION=0.2.0 KEY=release.pem
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_release --version '$(VERSION)' $(if $(KEY),--key '$(KEY)') $(ARGS)

lint: $(INSTALLED) ## Check style, types, the direction of imports, and the documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@PYTHONPATH=deploy/development $(BIN)/python -m rendezvous_docs --check
	@said=$$($(SITE) 2>&1) || { echo "$$said" >&2; exit 1; }

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

clean: ## Remove what the targets made here (the cache of built programs stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
