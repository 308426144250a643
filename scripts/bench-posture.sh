#!/bin/sh
# Reports of posture per second, by connectors that send 1,000 at once, with the program that sends them beside the
# server on the same processors. A report is acknowledged when it is durable.
#   IDENTITIES=10000 SECONDS_OF=20 CONNECTORS=2 scripts/bench-posture.sh
set -eu
cd "$(dirname "$0")/.."
cordon=${CORDON:-target/release/cordon}
token=a-token-for-the-benchmark
dir=$(mktemp -d)
pid=""
trap 'kill $pid 2>/dev/null || true; sleep 1; rm -rf "$dir"' EXIT INT TERM

"$cordon" ca init --dir "$dir/ca" --name "Bench CA" >/dev/null
"$cordon" ca issue --dir "$dir/ca" --out "$dir/server" --server --dns radius.corp.example >/dev/null
cat > "$dir/cordon.toml" <<CONFIG
[server]
data_dir = "data"
auth = ["127.0.0.1:0"]
acct = ["127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
token = "$token"
[tls]
certificate = "server.pem"
key = "server.key"
[[ca]]
name = "bench"
file = "ca/ca.pem"
[[compliance]]
name = "agents"
kinds = ["agent"]
checks = [{ check = "image_digest", one_of = ["sha256:$(printf '0a%.0s' $(seq 32))"] }, { check = "firewall", is = true }]
CONFIG
RUST_LOG=warn "$cordon" serve --config "$dir/cordon.toml" --ready-file "$dir/ready" &
pid=$!
while [ ! -e "$dir/ready" ]; do sleep 0.1; done
python3 - "$(sed -n 's/^http=//p' "$dir/ready")" "$token" "$pid" "${IDENTITIES:-10000}" "${SECONDS_OF:-20}" "${CONNECTORS:-2}" <<'PYTHON'
import http.client, json, os, sys, threading, time
at, token, pid, identities, secs, connectors = sys.argv[1:]
identities, secs, connectors = int(identities), float(secs), int(connectors)
tick = os.sysconf("SC_CLK_TCK")
headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}

def cpu():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / tick

def send(connection, path, body):
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()

first = http.client.HTTPConnection(at, timeout=60)
status, answer = send(first, "/api/v1/identities", {"kind": "user", "name": "bench"})
assert status == 201, answer[:500]
for begin in range(0, identities, 5000):
    agents = [{"kind": "agent", "name": f"agent-{n}", "owner": "bench", "purpose": "bench"} for n in range(begin, min(begin + 5000, identities))]
    status, answer = send(first, "/api/v1/identities/bulk", {"identities": agents})
    assert status == 200, answer[:500]

digest = "sha256:" + "0a" * 32
taken, refused, lock = 0, 0, threading.Lock()
until = time.monotonic() + secs

def connector(number):
    global taken, refused
    connection, at_agent = http.client.HTTPConnection(at, timeout=60), number * 1000
    while time.monotonic() < until:
        reports = [{"kind": "agent", "name": f"agent-{(at_agent + n) % identities}", "source": f"cluster-{number}",
                    "checks": {"image_digest": digest, "firewall": True}} for n in range(1000)]
        at_agent += 1000 * connectors
        status, answer = send(connection, "/api/v1/posture/reports", {"reports": reports})
        if status == 429:
            time.sleep(0.1)
            continue
        assert status == 200, answer[:500]
        answer = json.loads(answer)
        with lock:
            taken += answer["taken"]
            refused += len(answer["refused"])

begun, before = time.monotonic(), cpu()
threads = [threading.Thread(target=connector, args=(number,)) for number in range(connectors)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
took, used = time.monotonic() - begun, cpu() - before
print(f"posture: {taken} reports of {identities} agents in {took:.1f} s, {refused} refused: {taken / took:,.0f} per second, "
      f"{used / max(taken, 1) * 1e6:.0f} us of CPU each")
PYTHON
