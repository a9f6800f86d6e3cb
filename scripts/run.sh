#!/bin/sh
# Starts a server and two clients on this machine; closing the clients stops the server.
set -eu
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/release
videos=videos

# Anything that could be a video counts: the folder is its owner's as soon as something lies in it.
if ! ls "$videos"/*_*p.* >/dev/null 2>&1; then
    echo "$videos/ is empty: making a sample video, which takes about a minute."
    "$programs/triptych-server" sample --videos "$videos"
fi

if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    echo "There is no display here, so only the server starts. On a computer with one, start a client with:"
    echo "  cargo run --release -p gui-client -- --server THIS-COMPUTER"
    exec "$programs/triptych-server" --videos "$videos"
fi

"$programs/triptych-server" --videos "$videos" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT INT TERM
"$programs/triptych" --server 127.0.0.1 --name Ada &
ada=$!
"$programs/triptych" --server 127.0.0.1 --name Bob &
bob=$!
wait "$ada" "$bob" || true
