#!/bin/sh
# Sets the server's unthrottled stream of the sample beside bare gst-launch-1.0 pipelines over the same thirds.
# Usage: scripts/bench.sh [RUNS]
set -eu
cd "$(dirname "$0")/.."
runs=${1:-5}
programs=${CARGO_TARGET_DIR:-target}/release
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

cargo build --release -p server --bins --examples
"$programs/triptych-server" sample --videos "$folder" >/dev/null
frames=360

# A third of the sample lasts 4 s and begins with a key frame, so each can be cut out without touching its frames.
for height in 240 720 1440; do
    gst-launch-1.0 -q filesrc location="$folder/Triptych sample_${height}p.mkv" ! matroskademux ! h264parse ! \
        splitmuxsink muxer-factory=matroskamux max-size-time=4000000000 location="$folder/.${height}-third-%d.mkv"
done

bare() {
    for third in 240-third-0 720-third-1 1440-third-2; do
        gst-launch-1.0 -q filesrc location="$folder/.$third.mkv" ! decodebin ! queue ! videoconvert ! \
            'video/x-raw,format=I420,colorimetry=1:4:0:0' ! queue ! jpegenc quality=85 ! fakesink sync=false
    done
}

number=1
while [ "$number" -le "$runs" ]; do
    begun=$(date +%s%N)
    bare
    ended=$(date +%s%N)
    echo "bare pipelines, $frames frames: $((frames * 10000000000 / (ended - begun))) tenths of frames/s"
    "$programs/examples/stream_rate" "$folder"
    number=$((number + 1))
done
