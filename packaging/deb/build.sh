#!/bin/sh
# Builds a Debian package of a binary: packaging/deb/build.sh BINARY DIRECTORY
# COMPRESSION is dpkg-deb's: xz unless it says otherwise. The same sources and the same binary give the same package.
set -eu

binary=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

version=$("$binary" --version | cut -d ' ' -f 2)-1
# Whoever builds it answers for it.
maintainer="${DEBFULLNAME:-Cordon maintainers} <${DEBEMAIL:-root@localhost}>"
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.toml")}
export SOURCE_DATE_EPOCH

install -D -m 755 "$binary" "$tree/usr/bin/cordon"
# What debuggers need makes it four times as large.
strip --strip-unneeded "$tree/usr/bin/cordon"
install -D -m 644 "$root/packaging/systemd/cordon.service" "$tree/usr/lib/systemd/system/cordon.service"
install -D -m 644 "$here/default" "$tree/etc/default/cordon"
doc=$tree/usr/share/doc/cordon
install -D -m 644 "$here/copyright" "$doc/copyright"
install -m 644 "$root/README.md" "$root/SECURITY.md" "$root"/docs/*.md "$doc/"
mkdir "$doc/examples"
cp -R "$root/examples/." "$doc/examples/"
find "$doc/examples" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
gzip -9nc "$root/CHANGELOG.md" >"$doc/changelog.gz"
printf 'cordon (%s) unstable; urgency=medium\n\n  * What is new is in changelog.gz.\n\n -- %s  %s\n' "$version" "$maintainer" \
    "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9nc >"$doc/changelog.Debian.gz"
chmod 644 "$doc/changelog.gz" "$doc/changelog.Debian.gz"
install -D -m 644 "$here/lintian-overrides" "$tree/usr/share/lintian/overrides/cordon"

# What of the system's libraries it needs, and since which version.
mkdir "$work/debian"
touch "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$tree/usr/bin/cordon" 2>/dev/null | sed 's/^shlibs:Depends=//')

control=$tree/DEBIAN
mkdir -m 755 "$control"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$control/$script"; done
echo /etc/default/cordon >"$control/conffiles"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$depends/" \
    -e "s/@MAINTAINER@/$maintainer/" \
    -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$tree" | cut -f 1)/" "$here/control" >"$control/control"
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$control/md5sums"
chmod 644 "$control/conffiles" "$control/control" "$control/md5sums"
chmod -R go-w "$tree"

mkdir -p "$out"
package=$out/cordon_${version}_$architecture.deb
dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$tree" "$package" >/dev/null
echo "$package"
