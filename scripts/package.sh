#!/bin/sh
# Builds a Debian package and a plain tar of the client and of the server, and checks them. They are left in target/package/.
# Usage: scripts/package.sh
set -eu
cd "$(dirname "$0")/.."
programs=${CARGO_TARGET_DIR:-target}/release
made=target/package
# Its newest release when this was written; makes the packages from the tables in the two Cargo.toml.
cargo_deb=3.8.0

scripts/setup.sh package
if ! target/tools/bin/cargo-deb --version 2>/dev/null | grep -q " $cargo_deb\$"; then
    cargo install --locked --root target/tools --version "$cargo_deb" cargo-deb
fi

# The same source gives the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# One by one: together, the client's features would reach the server, which must not be able to open messages.
cargo build --release -p server --bins
cargo build --release -p gui-client --bins

rm -rf "$made"
scripts/package_files.sh "$made"
for program in triptych triptych-server; do
    name=$("$programs/$program" --help | head -1)
    help2man --no-info --no-discard-stderr --name "$name" --manual "User commands" "$programs/$program" |
        # The date of the source, not of today.
        sed "s/^\.TH \([^ ]*\) \"1\" \"[^\"]*\"/.TH \1 \"1\" \"$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" +'%B %Y')\"/" \
            >"$made/$program.1"
done

for package in gui-client server; do
    target/tools/bin/cargo-deb deb --no-build --strip --quiet --package "$package" --output "$made/"
done

# archive PACKAGE: the same files without a package manager, for any folder that has bin/ and share/.
archive() {
    deb=$(echo "$made/$1"_*.deb)
    version=$(dpkg-deb --field "$deb" Version)
    name=$1-${version%-*}-linux-$(uname -m)
    tree=$(mktemp -d)
    dpkg-deb --extract "$deb" "$tree/system"
    mv "$tree/system/usr" "$tree/$name"
    rm -r "$tree/$name/share/doc"
    cp LICENSE CHANGELOG.md "$tree/$name/"
    cp "packaging/$2/README" "$tree/$name/"
    if [ "$2" = server ]; then
        # Each system has its own place for these.
        mkdir "$tree/$name/service"
        cp packaging/server/triptych-server.service packaging/server/triptych-server.default "$tree/$name/service/"
        rm -rf "$tree/$name/lib"
    fi
    chmod 755 "$tree/$name"
    tar --create --xz --directory "$tree" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --file "$made/$name.tar.xz" "$name"
    rm -r "$tree"
}
archive triptych client
archive triptych-server server

scripts/package_lint.sh "$made"
# Each tag that is switched off has its reason in packaging/lintian-tags.
lintian --fail-on error,warning --suppress-tags-from-file packaging/lintian-tags "$made"/*.deb
rm "$made"/*.png "$made"/*.changelog "$made"/*.1 "$made"/*.xml
echo
echo "Made and checked:"
ls -lh "$made" | awk 'NR > 1 { print "  target/package/" $9 " (" $5 ")" }'
