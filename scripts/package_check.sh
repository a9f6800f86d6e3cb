#!/bin/sh
# Installs the packages of target/package/ on a clean Debian 12 that has booted in a container, starts the client from its
# desktop entry and the server from its unit, upgrades both, purges them, and looks for what is left.
# Usage: scripts/package_check.sh, as root. Not part of `make test`: it downloads a system and takes minutes.
# What it saw stays in target/package-check/: client.png, journal.txt, left.txt.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "Containers need root: sudo scripts/package_check.sh" >&2; exit 1; }
scripts/setup.sh package-check
packages=$(realpath target/package)
seen=$(realpath -m target/package-check)
mkdir -p "$seen"
base=$seen/base.tar
system=$(mktemp -d /var/tmp/triptych-package-check.XXXXXX)
container='' display='' screen=
clean() {
    [ -z "$container" ] || { kill "$container" 2>/dev/null && wait "$container" 2>/dev/null; } || :
    [ -z "$screen" ] || { kill "$screen" 2>/dev/null && wait "$screen" 2>/dev/null; } || :
    rm -rf --one-file-system "$system"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP
say() { echo "package-check: $*"; }
fail() {
    say "FAILED: $*" >&2
    inside journalctl --no-pager -n 40 >&2 || :
    exit 1
}

if [ ! -e "$base" ]; then
    say "downloading Debian 12, once"
    debootstrap --variant=minbase --include=dbus,procps,systemd,systemd-sysv bookworm "$system" http://deb.debian.org/debian >/dev/null
    tar --create --file "$base.part" --directory "$system" --numeric-owner .
    mv "$base.part" "$base"
else
    tar --extract --file "$base" --directory "$system" --numeric-owner
fi

# The packages, and the next version of each with the same content.
mkdir "$system/packages" "$system/packages/next"
cp "$packages"/triptych_*.deb "$packages"/triptych-server_*.deb "$system/packages/"
for deb in "$system"/packages/*.deb; do
    dpkg-deb --raw-extract "$deb" "$system/packages/tree"
    sed -i 's/^Version: .*/Version: 99.0.0-1/' "$system/packages/tree/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$system/packages/tree" "$system/packages/next/$(basename "$deb")" >/dev/null
    rm -r "$system/packages/tree"
done
cp /etc/resolv.conf "$system/etc/resolv.conf"
printf 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n' >"$system/etc/apt/apt.conf.d/keep"
chroot "$system" apt-get update -q >/dev/null
# The container has no network, so that its server is its own; what it installs is downloaded before, and kept for the next time.
archives=$system/var/cache/apt/archives
cp "$seen"/archives/*.deb "$archives/" 2>/dev/null || :
chroot "$system" sh -c 'apt-get install -q -y --download-only /packages/*.deb' >/dev/null
mkdir -p "$seen/archives"
cp --update "$archives"/*.deb "$seen/archives/"
chroot "$system" useradd --create-home ada

# A screen outside, because one inside would bring libraries that the client's package might forget.
mkdir -p /tmp/.X11-unix
rm -f "$seen/display"
Xvfb -displayfd 3 -screen 0 1280x800x24 -ac -nolisten tcp 3>"$seen/display" >/dev/null 2>&1 &
screen=$!
until [ -s "$seen/display" ]; do kill -0 "$screen" || exit 1; sleep 0.1; done
display=:$(cat "$seen/display")

say "booting"
systemd-nspawn --quiet --register=no --keep-unit --directory="$system" --machine="triptych-check-$$" --boot \
    --private-network --bind-ro=/tmp/.X11-unix:/screens --console=pipe \
    --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" </dev/null >"$seen/boot.txt" 2>&1 &
container=$!
# inside COMMAND: runs it in the container.
inside() {
    leader=$(pgrep -P "$container" -o) || return 1
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}
# wait_for WHAT COMMAND: until the command succeeds, for a minute.
wait_for() {
    what=$1
    shift
    count=0
    until "$@" >/dev/null 2>&1; do
        count=$((count + 1))
        [ $count -lt 300 ] || fail "$what"
        sleep 0.2
    done
}
wait_for "the container does not boot" inside systemctl is-active multi-user.target
files() { inside find / -xdev ! -type d -print | grep -Ev '^/(proc|sys|dev|run|tmp)/' | sort; }
installed() { inside dpkg-query --show --showformat '${db:Status-Abbrev} ${binary:Package}\n' | sed -n 's/^ii *//p' | sort; }
files >"$seen/before.txt"
installed >"$seen/packages-before.txt"

say "installing"
inside sh -c 'apt-get install -q -y /packages/*.deb' >"$seen/install.txt" 2>&1 || fail "apt-get install"
wait_for "the service does not start" inside systemctl is-active triptych-server
journal_has() { inside journalctl --no-pager -u triptych-server | grep -q "$1"; }
wait_for "the server offers no sample" journal_has 'offers "Triptych sample"'
if journal_has WARN; then fail "the server warns"; fi
main_pid() { inside systemctl show --property MainPID --value triptych-server; }
first_pid=$(main_pid)
inside ps -o user= -p "$first_pid" | grep -qx root && fail "the server runs as root"
say "the server runs as $(inside ps -o user= -p "$first_pid"), and has made its sample"

# Decoding and encoding with the restrictions of the unit: every frame of the sample, once.
inside sh -c "sed -e '/^ExecStartPre/d' -e '/^Restart/d' -e 's/^Type=.*/Type=oneshot/' \
    -e 's|^ExecStart=.*|ExecStart=/usr/bin/triptych-server prepare --all --videos \${TRIPTYCH_VIDEOS} --disk-cache-dir /var/cache/triptych/frames|' \
    /lib/systemd/system/triptych-server.service >/run/systemd/system/triptych-prepare.service && systemctl daemon-reload"
inside systemctl start triptych-prepare || fail "the restrictions of the unit keep videos from being decoded"
inside rm /run/systemd/system/triptych-prepare.service
inside systemctl daemon-reload
say "with the restrictions of the unit, every frame of the sample was decoded"

# Bound to another place and read-only, because a system that boots empties the usual one.
inside sh -c "mkdir -p /tmp/.X11-unix && ln -s /screens/X${display#:} /tmp/.X11-unix/"
exec_line=$(inside sed -n 's/^Exec=//p' /usr/share/applications/triptych.desktop)
inside runuser -u ada -- env HOME=/home/ada DISPLAY="$display" $exec_line >"$seen/client.txt" 2>&1 &
has_window() { DISPLAY=$display xwininfo -root -tree | grep -q '"Triptych"'; }
wait_for "the client opens no window" has_window
# What it draws first, and what it has found a moment later.
sleep 5
DISPLAY=$display import -window root "$seen/client.png"
inside pgrep -u ada -x triptych >/dev/null || fail "the client has ended: $(cat "$seen/client.txt")"
inside pkill -u ada -x triptych
say "the client opened its window (target/package-check/client.png)"

say "upgrading"
inside sh -c 'echo TRIPTYCH_OPTIONS="--cache-mib 64" >>/etc/default/triptych-server'
inside cp "/var/lib/triptych/videos/Triptych sample_240p.mkv" "/var/lib/triptych/videos/Mine_240p.mkv"
inside sh -c 'apt-get install -q -y /packages/next/*.deb' >>"$seen/install.txt" 2>&1 || fail "apt-get upgrade"
wait_for "the service does not start again" inside systemctl is-active triptych-server
[ "$(main_pid)" != "$first_pid" ] || fail "the old server still runs after the upgrade"
inside grep -q "cache-mib 64" /etc/default/triptych-server || fail "the upgrade changed the settings"
inside sh -c 'tr "\0" " " </proc/$(systemctl show --property MainPID --value triptych-server)/cmdline' |
    grep -q -- "--cache-mib 64" || fail "the settings are not used"

say "purging"
inside journalctl --no-pager -u triptych-server >"$seen/journal.txt"
inside apt-get purge -q -y triptych triptych-server >>"$seen/install.txt" 2>&1 || fail "apt-get purge"
# Then what came with them: all of it, while autoremove keeps what other packages merely recommend.
installed >"$seen/packages-after.txt"
inside apt-get purge -q -y $(comm -13 "$seen/packages-before.txt" "$seen/packages-after.txt") >>"$seen/install.txt" 2>&1 ||
    fail "apt-get purge of what came with the packages"
inside systemctl list-unit-files | grep -q triptych && fail "the unit is still known"
files >"$seen/after.txt"
# What package managers and logs keep of everything is not a trace of these packages.
comm -13 "$seen/before.txt" "$seen/after.txt" |
    grep -Ev '^/(var/lib/(dpkg|apt|systemd|ucf)|var/log|var/cache/(apt|debconf|ldconfig|fontconfig)|etc/ld.so.cache)' \
        >"$seen/left.txt" || :
grep -q "^/var/lib/private/triptych/videos/Mine_240p.mkv$" "$seen/left.txt" || fail "a video of the user is gone"
others=$(grep -v -e '/Mine_240p.mkv$' -e '^/home/ada/' -e '^/var/lib/triptych$' "$seen/left.txt" || :)
[ -z "$others" ] || fail "this is left: $others"
say "left is what the user has made: $(tr '\n' ' ' <"$seen/left.txt")"
say "all is well"
