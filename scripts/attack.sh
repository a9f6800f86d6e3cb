#!/bin/sh
# Attacks a release server on this machine, and prints what honest people noticed. Usage: scripts/attack.sh
# Further arguments go to the program: --seconds 20, --attacks seeks,bursts30
set -eu
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/release

scripts/setup.sh test
messages=$(cargo build --release -p server --bench attack --message-format=json-render-diagnostics)
program=$(printf '%s\n' "$messages" | sed -n 's/.*"executable":"\([^"]*\/deps\/attack-[^"]*\)".*/\1/p')
# The server last: building the program also builds a server, but with the features of the tests.
cargo build --release -p server --bins
# Ten thousand connections need more descriptors than programs usually have.
ulimit -n "$(ulimit -Hn)"
exec "$program" --server "$programs/triptych-server" "$@"
