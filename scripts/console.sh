#!/bin/sh
# Builds the web console into web/console/dist, and packs it as web/console/console.tar, which the binary holds; if anything
# that it is made of is newer than what is there.
set -eu

cd "$(dirname "$0")/.."
here=web/console
built=$here/console.tar

if ! cmp -s $here/package-lock.json $here/node_modules/installed.json; then
    echo "installing: what $here/package.json names"
    npm ci --silent --ignore-scripts --no-audit --no-fund --prefix $here
    cp $here/package-lock.json $here/node_modules/installed.json
elif [ -s $built ] && [ -z "$(find $here tests/golden/openapi.json -name node_modules -prune -o -name dist -prune -o \
    -name schema.gen.ts -prune -o -name 'console.tar*' -prune -o -type f -newer $built -print | head -n 1)" ]; then
    exit 0
fi
npm run --silent build --prefix $here
# Whole or not at all, and the same console as the same octets.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf $built.new -C $here/dist .
mv $built.new $built
