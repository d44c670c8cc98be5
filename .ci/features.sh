#!/usr/bin/env bash
# Nothing may be compiled twice into one folder: a dependency must have the same features in `cargo run`
# and `make cluster`, which build binaries, and in `make test`, which builds tests as well.
set -euo pipefail
cd "$(dirname "$0")/.."

features() {
	cargo tree --locked --prefix none --format '{p} [{f}]' "$@" | sed -E 's/ \((\*|proc-macro)\)//g' | sort -u
}

differ=$(comm -23 <(features --edges normal,build) <(features --workspace --edges normal,build,dev))
if [ -n "$differ" ]; then
	echo "These have other features in tests than in binaries; make what adds them a normal dependency, or name"
	echo "the features in the workspace's Cargo.toml:"
	echo "$differ"
	exit 1
fi
