#!/bin/sh
# Starts a PostgreSQL of Debian's package in DIR on PORT, as it comes but for its
# memory; prints the process id of its postmaster.
#   scripts/postgres.sh DIR PORT
set -eu
dir=$1
port=$2
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
mkdir -p "$dir"
chown postgres:postgres "$dir"
# It refuses to run as root.
as_postgres() {
    setpriv --reuid postgres --regid postgres --clear-groups "$@"
}
as_postgres "$bin/initdb" --no-sync --auth=trust --username=postgres --encoding=UTF8 -D "$dir/data" >/dev/null 2>&1
setpriv --reuid postgres --regid postgres --clear-groups "$bin/postgres" -D "$dir/data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$dir" -c shared_buffers=256MB -c max_wal_size=2GB \
    >"$dir/log" 2>&1 &
echo $!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.1; done
