#!/bin/sh
# Makes the files of the packages that are made and not kept: icons, application data and change lists, with the version of
# Cargo.toml and the date of the last commit. Usage: scripts/package_files.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
folder=${1:?usage: scripts/package_files.sh FOLDER}
mkdir -p "$folder"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The same input gives the same packages: what has a date gets that of the source.
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
day=$(date -u -d "@$seconds" +%Y-%m-%d)

sed -e "s/@VERSION@/$version/" -e "s/@DATE@/$day/" packaging/client/org.triptych.Triptych.metainfo.xml \
    >"$folder/org.triptych.Triptych.metainfo.xml"
for size in 16 24 32 48 64 128 256 512; do
    rsvg-convert --width $size --height $size --output "$folder/triptych-$size.png" packaging/icons/triptych.svg
done
for package in triptych triptych-server; do
    cat >"$folder/$package.changelog" <<END
$package ($version-1) unstable; urgency=medium

  * Version $version of Triptych. CHANGELOG.md of the source says what is new.

 -- The Triptych authors <authors@triptych.invalid>  $(LC_ALL=C date -u -R -d "@$seconds")
END
done
