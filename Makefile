# `make run` trains a network, `make test` runs the tests. Both need only python3 and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
SELDOM := '/tests/|/transformers/models/|/torch/_inductor/'  # compiled when they are imported

.DEFAULT_GOAL := help
.PHONY: help run test test-public test-slurm test-web test-gpu test-all lint format results parity bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[onnx,serve,test]'
	@$(BIN)/python -m compileall -qq -j 0 -x $(SELDOM) .venv/lib || true  # on all cores; pip has one
	@touch $(STAMP)

run: $(STAMP)  ## train LeNet on real digits, test its best checkpoint
	$(BIN)/dive fit cnn/lenet
	$(BIN)/dive test cnn/lenet

test: $(STAMP)  ## the quick tests, 10 to 25 minutes on two cores
	$(BIN)/pytest -q -n 2 -m "not public"

test-public: $(STAMP)  ## one batch of each recipe on public data whose files are in DIVE_DATA
	$(BIN)/pytest -q -n 2 -m public $$(grep -rlE --include='test_*.py' 'mark\.public|tests\.recipes' tests)

test-slurm: $(STAMP)  ## the SLURM scripts under a real SLURM, which apt-get downloads and nothing installs
	$(BIN)/pytest -q -m slow tests/distributed/test_real_slurm.py

test-web: $(STAMP)  ## the web pages in a real browser; skipped without Chromium
	$(BIN)/pytest -q -m slow tests/scripts/serve -k browser

test-gpu: $(STAMP)  ## what needs a GPU: each recipe in three precisions, resume, NCCL, speed; skipped without one
	$(BIN)/pytest -q -m slow tests/gpu tests/distributed/test_presets.py -k "gpu or GPU"

test-all: $(STAMP)  ## the slow tests: every offline recipe and its ablation trained to the end; public data too
	$(BIN)/pytest -q -m "slow or public"

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

results: $(STAMP)  ## find rows of RESULTS.md whose recipes changed, and measure them again
	$(BIN)/dive results --refresh
	$(BIN)/dive results --stale

parity: $(STAMP)  ## compare every network with an independent implementation: PARITY.md
	$(BIN)/dive verify --write

bench: $(STAMP)  ## measure the speed: BENCH.md; run nothing else meanwhile
	$(BIN)/dive bench --write

clean:  ## remove caches, not runs
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
