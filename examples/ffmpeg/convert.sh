#!/bin/sh
# Convert VIDEO, a file, or the word "sample", to OUTPUT, an MP4 that browsers play.
set -eu
video=$1
output=$2

if ! command -v ffmpeg >/dev/null; then
    echo "There is no ffmpeg on PATH: install it (apt-get install ffmpeg, or brew install ffmpeg), and try again" >&2
    exit 1
fi

if [ "$video" = sample ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 1' TERM
    video=$scratch/sample.mkv
    printf '0\tMaking a sample\n'
    ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=duration=60:size=1280x720:rate=30 -c:v mpeg4 -q:v 5 "$video"
fi

python3 -m workqueue adapt ffmpeg -- \
    ffmpeg -nostdin -y -i "$video" -c:v libx264 -pix_fmt yuv420p -movflags +faststart -f mp4 "$output"
