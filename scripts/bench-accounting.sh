#!/bin/sh
# Durable accounting records per second, on SQLite and on PostgreSQL, with the load
# generator beside the server on the same processors: how fast they are acknowledged,
# and how fast all of them are in the database too. CPU of the server and of PostgreSQL
# for each record.
#   COUNT=300000 CONCURRENCY=256 scripts/bench-accounting.sh
set -eu
cd "$(dirname "$0")/.."
cordon=target/release/cordon
count=${COUNT:-300000}
concurrency=${CONCURRENCY:-256}
secret=a-secret-of-some-length
token=a-token-for-the-benchmark
dir=$(mktemp -d)
chmod 755 "$dir"
pids=""
trap 'kill $pids 2>/dev/null || true; sleep 1; rm -rf "$dir"' EXIT INT TERM

"$cordon" ca init --dir "$dir/ca" --name "Bench CA" >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/server" --server --dns radius.corp.example >/dev/null

run() { # NAME, the database's section on standard input
    name=$1
    data=$dir/$name
    mkdir "$data"
    cat > "$data/cordon.toml" <<CONFIG
[server]
auth = ["127.0.0.1:0"]
acct = ["127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
token = "$token"
[tls]
certificate = "../server.pem"
key = "../server.key"
[[ca]]
name = "bench"
file = "../ca/ca.pem"
[[nas]]
name = "loopback"
address = "127.0.0.1"
secret = "$secret"
CONFIG
    cat >> "$data/cordon.toml"
    RUST_LOG=warn "$cordon" serve --config "$data/cordon.toml" --ready-file "$data/ready" &
    pid=$!
    pids="$pids $pid"
    while [ ! -e "$data/ready" ]; do sleep 0.1; done
    acct=$(sed -n 's/^acct=//p' "$data/ready") http=$(sed -n 's/^http=//p' "$data/ready")
    "$cordon" load accounting --server "$acct" --secret "$secret" --pid "$pid" -n 20000 -c "$concurrency" --json >/dev/null
    python3 - "$name" "$cordon" "$acct" "$http" "$pid" "$count" "$concurrency" "$secret" "$token" "${postmaster:-0}" <<'PYTHON'
import json, os, subprocess, sys, time, urllib.request
name, cordon, acct, http, pid, count, concurrency, secret, token, postmaster = sys.argv[1:]
tick = os.sysconf("SC_CLK_TCK")

def children(parent):
    out = [parent]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[1] == parent:
                        out.append(entry)
            except OSError:
                pass
    return out

def cpu(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / tick * 1e6

def behind():
    request = urllib.request.Request(f"http://{http}/api/v1/storage", headers={"Authorization": f"Bearer {token}"})
    return not json.load(urllib.request.urlopen(request))["journal"]["caught_up"]

while behind():
    time.sleep(0.05)
database = children(postmaster) if postmaster != "0" else []
server_before, database_before, began = cpu([pid]), cpu(database), time.time()
arguments = [cordon, "load", "accounting", "--server", acct, "--secret", secret, "--pid", pid, "-n", count, "-c", concurrency, "--json"]
report = json.loads(subprocess.run(arguments, capture_output=True, check=True).stdout)
while behind():
    time.sleep(0.02)
took, n = time.time() - began, int(count)
line = "  %-10s acknowledged %7.0f per second (50%% %d us, 99%% %d us); in the database too %7.0f per second; server %5.1f us CPU each" % (
    name, report["per_second"], report["latency_us"]["p50"], report["latency_us"]["p99"], n / took, (cpu([pid]) - server_before) / n)
if database:
    line += "; PostgreSQL %5.1f us" % ((cpu(children(postmaster)) - database_before) / n)
print(line + "; %d failed" % report["failed"])
PYTHON
    kill "$pid"
}

echo "durable accounting records: $count, $concurrency at a time, $(nproc) CPUs, load generator included"
run sqlite </dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
postmaster=$(sh scripts/postgres.sh "$dir/postgres" "$port")
pids="$pids $postmaster"
printf '[database]\nurl = "postgres://postgres@127.0.0.1:%s/postgres"\n' "$port" | run postgresql
