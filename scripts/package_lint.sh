#!/bin/sh
# Checks the desktop entry, the application data and the unit of the service. Usage: scripts/package_lint.sh FOLDER
# FOLDER holds what scripts/package_files.sh makes. Takes less than a second.
set -eu
cd "$(dirname "$0")/.."
folder=${1:?usage: scripts/package_lint.sh FOLDER}

# Some systems do not have all of these tools; the packages in scripts/packages.txt bring them where they exist.
has() {
    command -v "$1" >/dev/null 2>&1 || { echo "Not checked, because $1 is not installed: $2" >&2; return 1; }
}

if has desktop-file-validate "the desktop entry"; then
    hints=$(desktop-file-validate packaging/client/triptych.desktop)
    [ -z "$hints" ] || { echo "$hints" >&2; exit 1; }
fi
if has appstreamcli "the application data"; then
    said=$(appstreamcli validate --no-net "$folder/org.triptych.Triptych.metainfo.xml") || { echo "$said" >&2; exit 1; }
fi
if has systemd-analyze "the unit of the service"; then
    # In a system of its own, where the program and the manual exist.
    root=$(mktemp -d)
    trap 'rm -r "$root"' EXIT
    mkdir -p "$root/etc/systemd/system" "$root/usr/bin"
    cp packaging/server/triptych-server.service "$root/etc/systemd/system/"
    printf '#!/bin/sh\n' >"$root/usr/bin/triptych-server"
    chmod +x "$root/usr/bin/triptych-server"
    for target in sysinit shutdown multi-user network-online basic; do
        printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $target >"$root/etc/systemd/system/$target.target"
    done
    said=$(systemd-analyze verify --root="$root" --man=no triptych-server.service 2>&1) || { echo "$said" >&2; exit 1; }
    [ -z "$said" ] || { echo "$said" >&2; exit 1; }
    # Exposure in tenths, of 100. Before version 250, systemd-analyze could look at running services only.
    if systemd-analyze --help | grep -q -- --threshold; then
        said=$(systemd-analyze security --offline=true --threshold=20 packaging/server/triptych-server.service) || {
            echo "$said" >&2
            exit 1
        }
    fi
fi
