#!/bin/sh
# Licences, sources and bans of dependencies, by cargo-deny if it is there.
# Advisories need their database from the network: `cargo deny check`.
set -eu
if command -v cargo-deny >/dev/null 2>&1; then
    exec cargo deny --log-level error check bans licenses sources
fi
echo "cargo-deny is not installed: licences are not checked (cargo install cargo-deny)"
