#!/bin/sh
# Starts a server and two clients on this machine; closing the clients stops the server, Ctrl-C stops all three.
set -eu
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/release
videos=videos

# Anything that could be a video counts: the folder is its owner's as soon as something lies in it.
if ! ls "$videos"/*_*p.* >/dev/null 2>&1; then
    echo "$videos/ is empty: making a sample video, which takes less than a minute."
    "$programs/triptych-server" sample --videos "$videos"
fi

if [ "$(uname)" != Darwin ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    echo "There is no display here, so only the server starts. On a computer with one, start a client with:"
    echo "  cargo run --release -p gui-client -- --server THIS-COMPUTER"
    exec "$programs/triptych-server" --videos "$videos"
fi

folder=$(mktemp -d)
server='' ada='' bob=''
# shellcheck disable=SC2086
trap 'kill $server $ada $bob 2>/dev/null || true; rm -r "$folder"' EXIT
trap 'exit 130' INT TERM

# The server says one line when it is ready, or ends with the reason.
mkfifo "$folder/ready"
"$programs/triptych-server" --videos "$videos" >"$folder/ready" &
server=$!
if ! IFS= read -r line <"$folder/ready"; then
    wait "$server"
    exit 1
fi
echo "$line"
"$programs/triptych" --server 127.0.0.1 --name Ada &
ada=$!
"$programs/triptych" --server 127.0.0.1 --name Bob &
bob=$!
wait "$ada" || true
wait "$bob" || true
