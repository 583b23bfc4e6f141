# spinedet: `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SIZE ?= demo

.DEFAULT_GOAL := help
.PHONY: help setup demo study test test-fast test-slurm wheel-test image lint format bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install everything pinned

$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -c constraints.txt torch
	$(PY) -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: setup ## draw a phantom cohort, train both planes, test on three centres, report (10 minutes on 2 cores)
	$(PY) -m spinedet.train +experiment=lumbar trainer.accelerator=cpu trainer.deterministic=true out=runs/demo

study: setup ## the seed study on phantoms: external tests, transfer to the neck, one page (45 minutes on 2 cores), or SIZE=yi2023
	$(PY) -m spinedet.study size=$(SIZE) out=runs/study/$(SIZE)

# One thread in each process: two that share two cores with two threads each are many times slower.
test: setup ## run the tests
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -n auto --dist worksteal

# Everything that neither trains nor predicts: files, formats, scores, pages, settings, architecture.
FAST := tests/core tests/scoring tests/report tests/formats tests/datasets tests/cli tests/runs tests/experiments \
	tests/test_architecture.py

test-fast: setup ## run the tests that take seconds (about two minutes on two cores)
	$(PY) -m pytest -n auto --dist worksteal $(FAST)

test-slurm: setup ## run the tests that need Slurm (Debian: apt-get install slurm-wlm munge), on a scheduler of their own
	SPINEDET_SLURM=1 $(PY) -m pytest -rs tests/slurm

wheel-test: setup ## install the wheel alone in empty environments and use it; PYTHONS="python3.11 python3.12" names the interpreters
	SPINEDET_WHEEL="$(or $(PYTHONS),$(PY))" $(PY) -m pytest -rs tests/distribution/test_empty_environment.py

image: ## build the container image with Docker
	docker build -f containers/Dockerfile -t spinedet \
		--build-arg VERSION="$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/spinedet/__init__.py)" \
		--build-arg WEIGHTS_SHA256="$$(sha256sum src/spinedet/weights/model/weights.safetensors | cut -d' ' -f1)" .

lint: setup ## check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: setup ## put the code into shape
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: setup ## measure against the peers
	$(PY) -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(PY) -m benchmarks.performance.scoring
