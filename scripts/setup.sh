#!/bin/sh
# Installs the system packages that are missing, or says which they are. Usage: scripts/setup.sh PURPOSE
# PURPOSE is the first column of scripts/packages.txt.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:?usage: scripts/setup.sh run|test|package|package-check|windows}

# column N: the packages of one system, for this purpose (each needs those of "run" too).
column() {
    awk -v column="$1" -v purpose="$purpose" \
        '!/^#/ && NF && ($1 == "run" || $1 == purpose) && $column != "-" && !seen[$column]++ { print $column }' scripts/packages.txt
}

if ! command -v cargo >/dev/null 2>&1; then
    echo "Triptych needs Rust: install it from https://rustup.rs, open a new shell, and try again." >&2
    exit 1
fi

if command -v apt-get >/dev/null 2>&1; then
    missing=$(column 2 | while read -r package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
    done)
    [ -z "$missing" ] && exit 0
    missing=$(echo "$missing" | tr '\n' ' ')
    if [ "$(id -u)" = 0 ]; then as_root=
    elif command -v sudo >/dev/null 2>&1; then as_root=sudo
    else
        echo "Some system packages are missing. As root, run: apt-get install $missing" >&2
        exit 1
    fi
    echo "Installing: $missing"
    $as_root apt-get update -q
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
    exit 0
fi

# Elsewhere the packages are named, not installed: names differ between releases, and a wrong guess should not
# happen with root's rights.
# lacking N COMMAND: the packages of column N that COMMAND does not find.
lacking() {
    column "$1" | while read -r package; do
        $2 "$package" >/dev/null 2>&1 || echo "$package"
    done | tr '\n' ' '
}
if command -v dnf >/dev/null 2>&1; then
    missing=$(lacking 3 "rpm -q --whatprovides") install="sudo dnf install"
elif command -v pacman >/dev/null 2>&1; then
    missing=$(lacking 4 "pacman -Qq") install="sudo pacman -S --needed"
elif command -v brew >/dev/null 2>&1; then
    missing=$(lacking 5 "brew list --versions") install="brew install"
else
    pkg-config --exists gstreamer-1.0 gstreamer-app-1.0 gstreamer-video-1.0 2>/dev/null && exit 0
    echo "GStreamer with its development files and plugins is needed. The packages are called:" >&2
    echo "  Fedora: $(column 3 | tr '\n' ' ')" >&2
    echo "  Arch:   $(column 4 | tr '\n' ' ')" >&2
    echo "  macOS:  $(column 5 | tr '\n' ' ')" >&2
    exit 1
fi
[ -z "$missing" ] && exit 0
echo "Some packages are missing. Install them and try again:" >&2
echo "  $install $missing" >&2
exit 1
