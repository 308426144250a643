#!/bin/sh
# CPU of the server per operation: Cordon and Debian's FreeRADIUS, one after the
# other, with the same certificates, under the same load generator, on loopback;
# and the floor. Records are durable in Cordon while it is measured.
#   COUNT=5000 CONCURRENCY=16 scripts/bench.sh
set -eu
cd "$(dirname "$0")/.."
cordon=target/release/cordon
count=${COUNT:-5000}
concurrency=${CONCURRENCY:-16}
dir=$(mktemp -d)
secret=a-secret-of-some-length
pids=""
trap 'kill $pids 2>/dev/null || true; rm -rf "$dir"' EXIT INT TERM

"$cordon" ca init --dir "$dir/ca" --name "Bench CA" >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/server" --server --dns radius.corp.example >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/client" --dns laptop.corp.example >/dev/null

cat > "$dir/cordon.toml" <<CONFIG
[server]
auth = ["127.0.0.1:0"]
acct = ["127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
[tls]
certificate = "server.pem"
key = "server.key"
[[ca]]
name = "bench"
file = "ca/ca.pem"
crl = ["ca/ca.crl"]
[[nas]]
name = "loopback"
address = "127.0.0.1"
secret = "$secret"
message_authenticator = "required"
[[profile]]
name = "corp"
vlan = 20
[[profile]]
name = "iot"
vlan = 50
[[profile]]
name = "printers"
[[profile]]
name = "machines"
[[profile]]
name = "agents"
[[profile]]
name = "quarantine"
[[identity]]
name = "laptop"
kind = "device"
groups = ["laptops"]
credentials = [{ san_dns = "laptop.corp.example" }]
[[identity]]
name = "camera"
kind = "device"
groups = ["mab-allowed"]
credentials = [{ mac = "00-00-5E-00-53-10" }]
CONFIG
RUST_LOG=warn "$cordon" serve --config "$dir/cordon.toml" --ready-file "$dir/ready" &
cordon_pid=$!
pids=$cordon_pid
while [ ! -e "$dir/ready" ]; do sleep 0.1; done
auth=$(sed -n 's/^auth=//p' "$dir/ready")
acct=$(sed -n 's/^acct=//p' "$dir/ready")

port=$(python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
CACHE=yes sh scripts/freeradius.sh "$dir/freeradius" "$port" "$secret" "$dir/server.pem" "$dir/server.key" "$dir/ca/ca.pem"
PATH="$PATH:/usr/sbin" freeradius -f -l "$dir/freeradius/log" -d "$dir/freeradius" &
freeradius_pid=$!
pids="$pids $freeradius_pid"
until echo "Message-Authenticator=0x00" | radclient -q -t 1 -r 1 "127.0.0.1:$port" status "$secret" >/dev/null 2>&1; do
    sleep 0.2
done

load() { # NAME PID ADDRESS ARGUMENTS...
    name=$1 pid=$2 address=$3
    shift 3
    "$cordon" load "$@" --classic --server "$address" --secret "$secret" --pid "$pid" -n "$count" -c "$concurrency" \
        --cert "$dir/client.pem" --key "$dir/client.key" --ca "$dir/ca/ca.pem" --mac 00-00-5E-00-53-10 --json |
        python3 -c '
import json, sys
r = json.load(sys.stdin)
l = r["latency_us"]
print("  %-11s %8.1f us CPU each %9.0f per second   50%% %6d us  99%% %6d us  %d failed" % (
    sys.argv[1], r["server_cpu_us"], r["per_second"], l["p50"], l["p99"], r["failed"]))' "$name"
}
both() { # TITLE FREERADIUS_PORT CORDON_ADDRESS ARGUMENTS...
    title=$1 fr_port=$2 ours=$3
    shift 3
    echo "$title"
    load Cordon "$cordon_pid" "$ours" "$@"
    load FreeRADIUS "$freeradius_pid" "127.0.0.1:$fr_port" "$@"
}

echo "$(uname -m), $(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1); $(freeradius -v | head -1 | cut -d, -f1)"
echo "$count operations each, $concurrency at a time"
both "EAP-TLS 1.2, full handshake" "$port" "$auth" eap-tls --tls 1.2
both "EAP-TLS 1.3, full handshake" "$port" "$auth" eap-tls --tls 1.3
for version in 1.2 1.3; do
    # As configured here FreeRADIUS resumes none of the load generator's sessions,
    # so that there is nothing to compare.
    echo "EAP-TLS $version, resumed"
    load Cordon "$cordon_pid" "$auth" eap-tls-resumed --tls $version
done
both "MAB" "$port" "$auth" mab
concurrency=${ACCT_CONCURRENCY:-128} count=$((count * 10))
both "accounting (Cordon: durable in SQLite; FreeRADIUS: a text file, not synced)" "$((port + 1))" "$acct" accounting
[ -n "${NO_FLOOR:-}" ] || cargo bench --quiet --bench floor
