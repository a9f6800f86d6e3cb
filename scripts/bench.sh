#!/bin/sh
# Sets the server's unthrottled stream beside bare gst-launch-1.0 pipelines over as many frames of the same files.
# Usage: scripts/bench.sh [RUNS]
set -eu
cd "$(dirname "$0")/.."
runs=${1:-5}
programs=${CARGO_TARGET_DIR:-target}/release
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

cargo build --release -p server --bins --examples
"$programs/triptych-server" sample --videos "$folder" >/dev/null
third=120 # a third of the sample's frames

bare() {
    for height in 240 720 1440; do
        gst-launch-1.0 -q filesrc location="$folder/Triptych sample_${height}p.mkv" ! decodebin ! queue ! videoconvert ! \
            'video/x-raw,format=I420,colorimetry=1:4:0:0' ! identity eos-after=$((third + 1)) ! queue ! \
            jpegenc quality=85 ! fakesink sync=false
    done
}

number=1
while [ "$number" -le "$runs" ]; do
    begun=$(date +%s%N)
    bare
    ended=$(date +%s%N)
    echo "bare pipelines, $((3 * third)) frames: $((3 * third * 10000000000 / (ended - begun))) tenths of frames/s"
    "$programs/examples/stream_rate" "$folder"
    number=$((number + 1))
done
