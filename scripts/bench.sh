#!/bin/sh
# Times the cryptography of messages, compares the server with bare GStreamer pipelines, has a client follow a link whose rate
# changes and two watch together, and prints a table for each. Usage: [RUNS=5] [CLIP=FILM] scripts/bench.sh
# Further arguments go to the benchmark itself: --rows 1,3 measures these rows only, --folder FOLDER keeps the clips there.
# Row 11 is the client on the changing link and row 12 two clients that watch together, which are programs of their own.
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

# value NAME ARGUMENTS: the value of an option among them, if it is there.
value() {
    name=$1
    shift
    printf '%s\n' "$@" | sed -n -e "/^--$name\$/{n;p;q;}" -e "s/^--$name=//p"
}
rows=$(value rows "$@")
clips=$(value folder "$@")
case ",$rows," in ,, | *,11,*) has_ladder=true ;; *) has_ladder=false ;; esac
case ",$rows," in ,, | *,12,*) has_together=true ;; *) has_together=false ;; esac

scripts/setup.sh test
# Read before building, which causes load itself.
load=$(cut -d ' ' -f 1-3 /proc/loadavg)
# The server last: building the benchmark also builds a server, but with the features of the tests.
# built PACKAGE BENCHMARK: builds it and prints where it is.
built() {
    messages=$(cargo build --release -p "$1" --bench "$2" --message-format=json-render-diagnostics) || return
    printf '%s\n' "$messages" | sed -n "s/.*\"executable\":\"\([^\"]*\/deps\/$2-[^\"]*\)\".*/\1/p"
}
program=$(built server streaming)
if "$has_ladder"; then ladder=$(built gui-client ladder); fi
if "$has_together"; then together=$(built gui-client together); fi
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

# measure PROGRAM ARGUMENTS: in the background and waited for, because a shell that waits in the foreground hears no signal.
measure() {
    "$@" &
    bench=$!
    result=0
    wait "$bench" || result=$?
    bench=
    [ "$result" = 0 ] || exit "$result"
}
case "$rows" in 11 | 12 | 11,12) ;; *)
    measure "$program" --server "$programs/triptych-server" --folder "$folder" \
        --runs "${RUNS:-5}" ${CLIP:+--clip "$CLIP"} "$@" ;;
esac
if "$has_ladder"; then
    echo
    measure "$ladder" --server "$programs/triptych-server" --folder "${clips:-$folder}" --runs "${RUNS:-2}"
fi
if "$has_together"; then
    echo
    measure "$together" --server "$programs/triptych-server" --folder "${clips:-$folder}"
fi
