#!/bin/sh
# What a million identities cost beside a thousand, and how long a hundred
# thousand recorded decisions take to be asked again under a draft of the policy.
#   IDENTITIES=1000000 DECISIONS=100000 scripts/bench-scale.sh
set -eu
cd "$(dirname "$0")/.."
cordon=$PWD/target/release/cordon
identities=${IDENTITIES:-1000000}
decisions=${DECISIONS:-100000}
dir=$(mktemp -d)
secret=a-secret-of-some-length
pid=""
trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT INT TERM

"$cordon" ca init --dir "$dir/ca" --name "Bench CA" >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/server" --server --dns radius.corp.example >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/client" --dns d0.corp.example >/dev/null
cat > "$dir/base.toml" <<END
[policy]
file = "rules.cedar"
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
[[binding]]
name = "devices"
kind = "device"
san_dns = "{name}.corp.example"
[[identity]]
name = "alice"
kind = "user"
END
cat > "$dir/rules.cedar" <<'END'
@id("laptops") @order("10") @profile("corp")
permit (principal in Group::"devices", action == Network::Action::"connect", resource)
when { context.method == "eap-tls" };
@id("mab") @order("20") @profile("iot")
permit (principal in Group::"devices", action == Network::Action::"connect", resource)
when { context.method == "mab" };
END
sed 's/@profile("iot")/@profile("corp")/' "$dir/rules.cedar" > "$dir/draft.cedar"

seconds() { # prints how long a command takes
    start=$(date +%s.%N)
    "$@" > "$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
    end=$(date +%s.%N)
    python3 -c "print('%.1f s' % ($end - $start))"
}
serve() {
    rm -f "$dir/ready"
    RUST_LOG=warn "$cordon" serve --config "$dir/$1/cordon.toml" --ready-file "$dir/ready" &
    pid=$!
    while [ ! -e "$dir/ready" ]; do
        kill -0 "$pid" # it ended: its message says why
        sleep 0.1
    done
    auth=$(sed -n 's/^auth=//p' "$dir/ready")
}
stop() {
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}
load() { # TITLE OPERATIONS ARGUMENTS...
    title=$1 operations=$2
    shift 2
    "$cordon" load "$@" --classic --server "$auth" --secret "$secret" --pid "$pid" -n "$operations" -c 16 \
        --cert "$dir/client.pem" --key "$dir/client.key" --ca "$dir/ca/ca.pem" --mac 00-00-00-00-00-01 --json |
        python3 -c '
import json, sys
r = json.load(sys.stdin)
print("    %-30s %7.1f us CPU each, %d failed" % (sys.argv[1], r["server_cpu_us"], r["failed"]))' "$title"
}

echo "a server with its inventory in the database:"
for count in 1000 "$identities"; do
    mkdir "$dir/$count"
    cat > "$dir/$count/cordon.toml" <<END
[server]
auth = ["127.0.0.1:0"]
acct = ["127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
[tls]
certificate = "../server.pem"
key = "../server.key"
[[ca]]
name = "bench"
file = "../ca/ca.pem"
END
    python3 - "$count" > "$dir/$count/devices.csv" <<'END'
import sys
print("name,kind,groups,owner,purpose,department,mac")
for n in range(int(sys.argv[1])):
    mac = "00-00-%02X-%02X-%02X-%02X" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)
    print(f"d{n},device,devices,alice,work,it,{mac}")
END
    "$cordon" import csv --identities "$dir/$count/devices.csv" --out "$dir/$count/devices.toml" > /dev/null
    took=$(seconds "$cordon" apply --config "$dir/$count/cordon.toml" -f "$dir/base.toml" -f "$dir/$count/devices.toml")
    serve "$count"
    echo "  $count identities: applied in $took"
    load "EAP-TLS 1.3, full handshake" 3000 eap-tls --tls 1.3
    load "MAB" 10000 mab
    echo "    $(awk '/^VmRSS/ {r = $2} /^VmHWM/ {h = $2} END {printf "%d MiB resident, %d MiB at most", r / 1024, h / 1024}' "/proc/$pid/status")"
    if [ "$count" = 1000 ]; then
        load "MAB, to be asked again" "$decisions" mab
        stop
        echo "  a draft asked about the recorded decisions: $(seconds "$cordon" policy diff --config "$dir/$count/cordon.toml" --draft "$dir/draft.cedar")"
        sed 's/^/    /' "$dir/out"
    else
        stop
    fi
done
