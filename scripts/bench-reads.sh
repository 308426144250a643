#!/bin/sh
# How long what a console asks for takes at size: lists with each filter, pages from the middle, searches and
# look-ups over HTTP, one and four at a time, on PostgreSQL, and on SQLite with a tenth of it.
#   IDENTITIES=1000000 SESSIONS=5000000 DECISIONS=20000000 WEEKS=8 ASKED=200 scripts/bench-reads.sh
# A decision takes some 3 KiB of disk with its indexes, a session 2 KiB: the full size wants 90 GiB. Where there is
# less, fewer weeks with as many rows each are the better part of it: tables are by weeks.
set -eu
cd "$(dirname "$0")/.."
cordon=$PWD/target/release/cordon
dir=$(mktemp -d)
chmod 755 "$dir"
pids=""
trap 'kill $pids 2>/dev/null || true; sleep 1; rm -rf "$dir"' EXIT INT TERM

"$cordon" ca init --dir "$dir/ca" --name "Bench CA" >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/server" --server --dns radius.corp.example >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/client" --dns d0.corp.example >/dev/null

run() { # NAME IDENTITIES SESSIONS DECISIONS DATABASE
    python3 scripts/bench_reads.py --cordon "$cordon" --dir "$dir" --name "$1" --identities "$2" --sessions "$3" \
        --decisions "$4" --weeks "${WEEKS:-8}" --asked "${ASKED:-200}" --database "$5"
}

identities=${IDENTITIES:-1000000} sessions=${SESSIONS:-5000000} decisions=${DECISIONS:-20000000}
run sqlite $((identities / 10)) $((sessions / 10)) $((decisions / 10)) ""
rm -rf "$dir/sqlite"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
pids=$(sh scripts/postgres.sh "$dir/postgres" "$port")
# What is filled in leaves no more of a log behind than it must.
psql -X -q "postgres://postgres@127.0.0.1:$port/postgres" -c "ALTER SYSTEM SET max_wal_size = '512MB'" -c "SELECT pg_reload_conf()" >/dev/null
run postgresql "$identities" "$sessions" "$decisions" "postgres://postgres@127.0.0.1:$port/postgres"
