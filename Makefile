# What a person can ask of this repository.

# Tools of `make lint` that do not come with Rust; installed without root, each version in a folder of its own.
TOOLS := $(or $(GUILDHALL_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/guildhall/tools)
BUF_VERSION := 1.75.0
DENY_VERSION := 0.20.2
SCHEMATHESIS_VERSION := 4.32.5
BUF := $(TOOLS)/buf-$(BUF_VERSION)/bin/buf
DENY := $(TOOLS)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
SCHEMATHESIS := $(TOOLS)/schemathesis-$(SCHEMATHESIS_VERSION)/bin/schemathesis

# Each profile has a folder in which nothing is compiled twice: target/release for `run` and `cluster`,
# target/debug for `test`, `lint` and `openapi`, target/dist for `bench`. All of them select the whole
# workspace, so dependencies have the same features everywhere; .ci/features.sh makes sure of that.
ARGS ?= --demo

.PHONY: help run cluster dist test faults bench lint advisories openapi schemathesis proto-baseline

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the whole platform with demo data (ARGS="…" replaces --demo)
	cargo run --release --locked -- $(ARGS)

cluster: ## Start a process per service on PostgreSQL and NATS, with demo data (CLUSTER_ARGS="--messaging 2")
	cargo build --release --locked --workspace --bins
	target/release/guildhall-cluster $(CLUSTER_ARGS)

# Runs tests beside one platform that they share.
SHARED := target/debug/guildhall-test-platform
CLUSTER := GUILDHALL_TEST_SHAPE=cluster $(SHARED)

# A test in a folder `both` runs on both shapes: one process with SQLite, and a cluster on PostgreSQL and NATS.
# One in a folder `faults` kills processes and cuts networks: it runs alone, with `make faults`.
test: ## Run every test but the faults
	cargo build --locked --workspace --bins --tests # the tests start the real binaries; one build for both
	@if cargo nextest --version >/dev/null 2>&1; then \
		$(SHARED) cargo nextest run --locked --workspace && cargo test --locked --workspace --doc \
			&& $(CLUSTER) cargo nextest run --locked --workspace --profile cluster; \
	else \
		cargo test --locked --workspace --exclude guildhall-tests -- --skip faults:: \
			&& $(SHARED) cargo test --locked -p guildhall-tests --lib --test contract --test journeys \
			&& $(CLUSTER) cargo test --locked --workspace -- both::; \
	fi

faults: export GUILDHALL_TEST_KILLS := $(or $(KILLS),3)
faults: ## Kill processes, cut networks and stop brokers, one test at a time (KILLS=20 for a release)
	cargo build --locked --workspace --bins --tests
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked --workspace --profile faults; \
	else \
		cargo test --locked -p guildhall-events faults:: -- --test-threads 1 \
			&& cargo test --locked -p guildhall-tests --test faults -- --test-threads 1; \
	fi

dist: ## Build the binaries for operators into target/dist, as fast as they get
	cargo build --profile dist --locked --workspace --bins

bench: dist ## Measure it against the floors of this machine (BENCH_ARGS="--case send-rest-64 --rounds 5")
	target/dist/guildhall-bench $(BENCH_ARGS)

lint: $(BUF) $(DENY) ## Check format, Rust, protos, their compatibility, licences and sources
	cargo fmt --all --check
	.ci/features.sh
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@! cargo tree --locked -p guildhall-gateway -e normal --prefix none | grep -E '^(sea-orm|sqlx|rusqlite)' \
		|| { echo "the gateway has no database, but links the above"; exit 1; }
	$(BUF) lint proto
	$(BUF) format proto --diff --exit-code
	$(BUF) breaking proto --against proto/baseline.json
	$(DENY) --locked check licenses bans sources

advisories: $(DENY) ## Check dependencies against RustSec's advisories, where their database can be fetched
	.ci/advisories $(DENY)

openapi: ## Write gateway/openapi.json anew from the code
	cargo run --locked -- openapi > gateway/openapi.json.new || { rm -f gateway/openapi.json.new; exit 1; }
	mv gateway/openapi.json.new gateway/openapi.json

schemathesis: $(SCHEMATHESIS) ## Try every operation of the API against its document (SCHEMATHESIS_ARGS="--seed 2")
	cargo build --locked --workspace --bins
	gateway/tests/schemathesis/run $(SCHEMATHESIS) target/debug/guildhall $(SCHEMATHESIS_ARGS)

proto-baseline: $(BUF) ## Make the protos of now the ones that later changes must not break (after a release)
	$(BUF) build proto --exclude-source-info -o 'proto/baseline.json.new#format=json'
	python3 -m json.tool --indent 1 proto/baseline.json.new > proto/baseline.json # a line a field, so that a diff can be read
	rm proto/baseline.json.new

# A Python without venv can still install into a folder.
$(BUF):
	python3 -m venv $(TOOLS)/buf-$(BUF_VERSION) && $(TOOLS)/buf-$(BUF_VERSION)/bin/python -m pip install --quiet buf-bin==$(BUF_VERSION) \
		|| python3 -m pip install --quiet --upgrade --target $(TOOLS)/buf-$(BUF_VERSION) buf-bin==$(BUF_VERSION)

$(SCHEMATHESIS):
	python3 -m venv $(TOOLS)/schemathesis-$(SCHEMATHESIS_VERSION)
	$(TOOLS)/schemathesis-$(SCHEMATHESIS_VERSION)/bin/python -m pip install --quiet schemathesis==$(SCHEMATHESIS_VERSION)

# Its release profile asks for fat LTO, minutes of linking for a tool that runs for seconds.
$(DENY):
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo install --locked cargo-deny --version $(DENY_VERSION) --root $(TOOLS)/cargo-deny-$(DENY_VERSION)
