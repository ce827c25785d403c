# `make help` lists the targets. Everything installs what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Ansible refuses to run in any other locale than one of UTF-8.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := C.UTF-8
endif

LOCALCLOUD_PACKAGES := podman runc mmdebstrap debian-archive-keyring lxcfs xfsprogs nftables iproute2 openssh-client
TEST_PACKAGES := chromium fonts-dejavu-core iptables redis-server

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([^:]+):.*## (.*)/\1\t\2/' | expand -t 14

.venv/.installed: requirements.txt
	@tools/create-venv

.PHONY: env
env: .venv/.installed ## set up .venv with the locked Python packages

.PHONY: dev
dev: env ## the service alone on http://localhost:8000, for working on the app
	@cd app && exec ../.venv/bin/python -m service.dev

.PHONY: lock
lock: env ## renew requirements.txt, those of the app on hosts and in functions, and of the local cloud's functions
	uv pip compile --quiet --upgrade --python-version 3.12 --universal --generate-hashes --no-annotate --no-header \
		requirements.in app/pyproject.toml --extra service --extra hosts --extra functions --extra heic --output-file requirements.txt
	uv pip compile --quiet --python-version 3.13 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate --no-header \
		--constraint requirements.txt app/pyproject.toml --extra service --extra hosts --output-file app/requirements.txt
	uv pip compile --quiet --python-version 3.13 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate --no-header \
		--constraint requirements.txt app/pyproject.toml --extra service --extra functions --output-file app/service/functions/requirements.txt
	uv pip compile --quiet --upgrade --python-version 3.13 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate --no-header \
		localcloud/services/functions/host/requirements.in --output-file localcloud/services/functions/host/requirements.txt

.PHONY: up
up: env machine ## start the local cloud
	@python -m localcloud up

.PHONY: down
down: env ## remove the local cloud and all it made (DESTROY_DATA=1: with what it holds)
	@python -m localcloud down $(if $(DESTROY_DATA),--destroy-data)

.PHONY: status
status: env ## every AWS resource beside the real thing
	@python -m localcloud status

BASE_URL ?= https://mustache.localhost:8443
CA_FILE ?= $(wildcard .localcloud/authority/ca.pem)

.PHONY: contract
contract: env ## test what the site promises, over HTTP (BASE_URL=... CA_FILE=...)
	@python -m pytest tests/contract --base-url $(BASE_URL) $(if $(CA_FILE),--ca-file $(CA_FILE))

LABEL ?= load

.PHONY: load
load: env ## find how many users the site carries (BASE_URL=... LABEL=stage1)
	@python -m benchmarks.load --host $(BASE_URL) --label $(LABEL)

.PHONY: prices
prices: env ## what each stage costs by traffic: a table, docs/prices.md and its chart (ARGUMENTS="--pages 250000")
	@tools/prices $(ARGUMENTS)

.PHONY: guide
guide: env ## the pages of docs/, with what the data draws, as a site in build/guide
	@python -m guide

.PHONY: scale
scale: env ## docs/scale.md: what half a million users would need, on paper
	@tools/scale

# `make stage1 ARGUMENTS="-e web_instance_type=t3.medium"`; INVENTORY=aws for a real account.
INVENTORY ?= local
ARGUMENTS ?=
PLAYBOOK := ansible-playbook -i inventories/$(INVENTORY)

stage%: env machine ## bring the site to a stage: stage1, ...
	@$(PLAYBOOK) playbooks/$@.yml $(ARGUMENTS)

.PHONY: machine
machine: # Debian packages that the local cloud needs
	@test $(INVENTORY) != local || tools/install-debian-packages $(LOCALCLOUD_PACKAGES)

# With JSON=1 there is nothing but that on standard output.
.PHONY: advise
advise: env ## does the site need another stage, and which? It only reads (JSON=1; ARGUMENTS="-e load=FILE")
ifdef JSON
	@file=$$(mktemp) && trap 'rm -f "$$file"' EXIT && \
		$(PLAYBOOK) playbooks/advise.yml -e advise_file="$$file" $(ARGUMENTS) >&2 && cat "$$file"
else
	@$(PLAYBOOK) playbooks/advise.yml $(ARGUMENTS)
endif

.PHONY: deploy backup restore manage destroy
deploy: env ## bring the app in app/, or VERSION=..., to the site without a failed request
	@$(PLAYBOOK) playbooks/deploy.yml $(if $(VERSION),-e app_version=$(VERSION)) $(ARGUMENTS)

backup: env ## dump the database to the bucket now
	@$(PLAYBOOK) playbooks/backup.yml $(ARGUMENTS)

restore: env ## replace the database by a dump (asks for the words)
	@$(PLAYBOOK) playbooks/restore.yml $(ARGUMENTS)

manage: env ## run COMMAND, a management command of the app, on a host that can
	@$(PLAYBOOK) playbooks/manage.yml -e "manage='$(COMMAND)'" $(ARGUMENTS)

destroy: env ## last backup, then remove everything (asks for the word)
	@$(PLAYBOOK) playbooks/destroy.yml $(ARGUMENTS)

STAGE ?= 1

.PHONY: check-aws
check-aws: env ## see what a real account lacks and what a STAGE costs, before anything is made
	@ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=false ansible-playbook -i inventories/aws playbooks/check-aws.yml -e stage=$(STAGE) $(ARGUMENTS)

.PHONY: lint
# Reading the local inventory would start a local cloud, which no linter needs.
lint: export ANSIBLE_INVENTORY := /dev/null
lint: export ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED := false
lint: env ## ruff, yamllint and ansible-lint
	@ruff check && ruff format --check && yamllint --strict . && ansible-lint --offline --strict

# The tests, from the quickest to the slowest: each is a target of its own.
.PHONY: test
test: lint test-app test-unit test-cloud ## set up, then run all tests

.PHONY: test-packages
test-packages: env
	@tools/install-debian-packages $(LOCALCLOUD_PACKAGES) $(TEST_PACKAGES)

.PHONY: test-app
test-app: test-packages ## the app: picture core, service, pages in a browser
	pytest app/tests -n 2 -m "not moves"

.PHONY: test-moves
test-moves: test-packages ## a database whose move is cut off, sessions that move while a service is used (not in `make test`)
	pytest tests/cloud -m moves -p no:randomly
	pytest app/tests -m moves

.PHONY: test-unit
test-unit: test-packages ## modules, inventories and the local cloud without a host
	pytest tests/unit -n 2

# In two lanes, since hosts mostly wait. A file stays in one of them, in one order: what takes minutes on
# real hosts must fail the same way when it is run again. -v says what each lane is at.
LANES := -n 2 --dist loadfile --no-loadscope-reorder -p no:randomly -v
.PHONY: test-cloud
test-cloud: test-packages ## real hosts: the local cloud, the stages, Molecule
	pytest tests/cloud -m "not moves" $(LANES) --durations 25

# A quarter of an hour on its own (`cut-off`, `rows-cut-off`: three), with a machine to itself: it measures what
# visitors notice.
# `CLIMB=straight`, `wider`, `thousand-pictures`, `bigger-box`, `lighter`, `straight-to-adapt`,
# `cached-sessions`, `elastic`, `straight-to-elastic`, `serverless`, `straight-to-serverless`,
# `elastic-to-functions`, `from-functions`, `rows-to-dynamodb`, `straight-to-dynamodb`,
# `cut-off`, `rows-cut-off`; `CLIMB=` for all.
# `PACE=aws`: the local cloud with AWS's manners, which takes some minutes more.
CLIMB ?= up-and-down
PACE ?= instant

.PHONY: test-ladder
test-ladder: test-packages ## the ladder up and down with visitors on the site (not in `make test`)
	LOCALCLOUD_PACE=$(PACE) pytest tests/ladder$(if $(CLIMB),/test_ladder.py::test_visitors_keep_all_they_have[$(CLIMB)])

.PHONY: test-rights
test-rights: test-packages ## the stages as somebody with docs/aws-policy*.json only (not in `make test`)
	MUSTACHE_DEPLOYER=1 pytest tests/cloud/test_stage1.py tests/cloud/test_stages.py \
		tests/cloud/test_adapt.py tests/cloud/test_serverless.py $(LANES)

.PHONY: test-modules
test-modules: test-packages ## modules whose resources take minutes to come and go (not in `make test`)
	pytest tests/modules -p no:randomly

.PHONY: test-dev
test-dev: env ## the contract against `make dev` (not in `make test`)
	python -m tests.contract.dev

.PHONY: test-crash
test-crash: test-packages ## kill -9 the local cloud in the middle of its calls (CRASH_ROUNDS=3; not in `make test`)
	pytest tests/crash -p no:randomly

.PHONY: molecule
molecule: env machine ## test the roles on hosts of the local cloud (SCENARIO=web)
	@for each in $(or $(SCENARIO),$(notdir $(patsubst %/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))); do \
		molecule test --scenario-name $$each || exit; done
