# Commands for people. What they do stands in image_build/setup.sh and in the programs that they call.
PORT ?= 8080
DATA ?= data
IMAGE ?= standard
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Packages, Docker and real-time priorities need root. The environment goes along: it says where pip and npm look.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env)
PYTHON := .venv/bin/python
PYTEST := $(SUDO) $(PYTHON) -m pytest

.PHONY: help run setup setup-dev test test-all bench chaos setup-image hardware image test-image job-image lint format pictures release lock clean

help: ## Show these commands
	@echo "Reality as a Service. Commands, as in \`make run PORT=8080 DATA=data\`:"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Start the appliance on the simulated robot; Ctrl-C stops it
	@exec $(SUDO) .venv/bin/raas up --port "$(PORT)" --data "$(DATA)"

setup: ## Install what running needs, as far as it is missing
	@$(SUDO) image_build/setup.sh run

setup-dev: ## Install what testing needs, too
	@$(SUDO) image_build/setup.sh dev

# Most long tests wait for a robot or a browser: three workers keep two cores busy.
SIDE_BY_SIDE := -n 3 --dist loadfile
# Real processes on a shared machine: what failed is tried once more, alone, and named; what fails twice is broken.
AGAIN := || { echo; echo "Once more, only what failed:"; $(PYTEST) --last-failed --last-failed-no-failures=none; }

test: setup-dev ## Check everything that needs no Raspberry Pi (about 20 minutes)
	@$(PYTEST) $(SIDE_BY_SIDE) $(AGAIN)

test-all: setup-dev ## The same with the slow tests
	@$(PYTEST) -m "not chaos and not image and not pi"

chaos: setup-dev ## Break things on purpose
	@$(PYTEST) -m chaos

bench: setup-dev ## Measure loop, steps and start of a job on this machine
	@$(SUDO) $(PYTHON) -m tests.bench

setup-image: setup-dev ## Install what building and booting the SD-card image needs, too
	@$(SUDO) image_build/setup.sh image

image: setup-image ## Build the SD-card image
	@$(SUDO) $(PYTHON) -m image_build.sd_image

test-image: setup-image ## Build the SD-card image and boot it in an emulator
	@$(PYTEST) -m image --capture=no
	@.ci/image-inputs > .ci/image-booted

job-image: setup ## Build the container image that jobs run in, if its sources changed; IMAGE=large: the one with torch
	@$(SUDO) $(PYTHON) -m image_build.job_image build --image "$(IMAGE)"

lint: setup-dev ## Check style, types and imports only
	@$(PYTEST) tests/style -q

format: ## Lay out the code, and mend what can be mended by itself
	@$(PYTHON) -m ruff format . && $(PYTHON) -m ruff check --fix --quiet .

hardware: setup-dev ## Draw the robot's wiring, and make and picture the parts to print
	@$(SUDO) image_build/setup.sh hardware
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PYTHON) -m hardware.build

pictures: setup-dev ## Make the pictures of the documents anew
	@$(SUDO) $(PYTHON) docs/pictures.py
	@$(PYTHON) -m docs.structure

release: setup-dev ## Build what is published, from the last commit, into the empty folder build/release
	@$(SUDO) $(PYTHON) -m image_build.release

lock: ## Resolve the newest allowed versions of all dependencies
	@image_build/lock.sh

clean: ## Remove everything that set-up made; data stays
	@$(SUDO) rm -rf .venv .cache build appliance/webui/static/vendor *.egg-info gym_raas/build gym_raas/*.egg-info
