#!/bin/sh
# Times the cryptography of messages, compares the server with bare GStreamer pipelines, and prints a table for each. Usage: [RUNS=5] [CLIP=FILM] scripts/bench.sh
# Further arguments go to the benchmark itself: --rows 1,3 measures these rows only, --folder FOLDER keeps the clips there.
set -eu
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/release
folder=$(mktemp -d)
bench=
clean() {
    # SIGTERM and not SIGKILL, so that it can end its servers.
    if [ -n "$bench" ]; then kill "$bench" 2>/dev/null && wait "$bench" || :; fi
    rm -r "$folder"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

scripts/setup.sh test
# Read before building, which causes load itself.
load=$(cut -d ' ' -f 1-3 /proc/loadavg)
# The server last: building the benchmark also builds a server, but with the features of the tests.
messages=$(cargo build --release -p server --bench streaming --message-format=json-render-diagnostics)
program=$(printf '%s\n' "$messages" | sed -n 's/.*"executable":"\([^"]*\/deps\/streaming-[^"]*\)".*/\1/p')
cargo build --release -p server --bins

say() { printf '%-10s %s\n' "$1" "$2"; }
say date "$(date -u '+%Y-%m-%d %H:%M UTC')"
say processors "$(nproc) x$(sed -n '/^model name/{s/.*://p;q;}' /proc/cpuinfo)"
say load "$load (1, 5 and 15 minutes, before building)"
say rustc "$(rustc --version | cut -d ' ' -f 2-)"
say gstreamer "$(gst-launch-1.0 --version | sed -n 's/^gst-launch-1.0 version //p')"
say revision "$(git describe --always --dirty 2>/dev/null || echo unknown)"
echo

cargo bench --quiet -p common --features e2e --bench letters
echo

# In the background and waited for: a shell that waits in the foreground hears no signal.
"$program" --server "$programs/triptych-server" --folder "$folder" \
    --runs "${RUNS:-5}" ${CLIP:+--clip "$CLIP"} "$@" &
bench=$!
result=0
wait "$bench" || result=$?
bench=
exit "$result"
