#!/bin/sh
# What the first view of the console costs: JavaScript over the wire, and how long until one can use it, in Debian's
# Chromium on loopback, with nothing cached; whether it stalls while more than 500 logins come in a second; and how a list of a
# million identities opens and scrolls. Ends with 1 if something is too bad.
#   RUNS=9 LOGINS=10000 LIST=1000000 PAGES=200 CORDON=target/release/cordon scripts/bench-console.sh
set -eu
cd "$(dirname "$0")/.."
cordon=${CORDON:-target/release/cordon}
dir=$(mktemp -d)
pid=""
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; sleep 1; rm -rf "$dir"' EXIT INT TERM

free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
http=$(free)
"$cordon" demo --data "$dir/demo" --auth-port 0 --acct-port 0 --http-port "$http" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:$http/readyz" && [ -s "$dir/demo/api-token" ] && break
    sleep 0.2
done
. "$dir/demo/demo.env"
node tests/peers/node/console/bench.mjs "http://localhost:$http" "$(cat "$dir/demo/api-token")" "${RUNS:-9}" "${LIST:-1000000}" "${PAGES:-200}" \
    "$cordon" load mab --server "$CORDON_AUTH" --secret "$CORDON_SECRET" --mac 02-00-5E-00-00-10 \
    --count "${LOGINS:-10000}" --concurrency 4 --json
