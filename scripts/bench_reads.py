"""Fills a database with what a server would have recorded in some weeks, and measures the server's answers.

Each row is that of a real login or session, which a server recorded before, with other names, addresses and times."""

import argparse, hashlib, http.client, json, os, random, re, sqlite3, subprocess, threading, time, urllib.parse, uuid

SECRET, TOKEN = "a-secret-of-some-length", "a-token-for-the-benchmark"
WEEK_US = 7 * 24 * 3600 * 1_000_000
MONDAY_US = 4 * 24 * 3600 * 1_000_000
NASES, SITES = 400, 20
REFUSALS = ["mac_unknown", "certificate_expired", "no_matching_rule", "certificate_revoked", "identity_unknown"]
TOO_SLOW_MS = 100

CONFIG = """[server]
auth = ["127.0.0.1:0"]
acct = ["127.0.0.1:0"]
[http]
listen = "127.0.0.1:0"
token = "{token}"
[tls]
certificate = "../server.pem"
key = "../server.key"
[[ca]]
name = "bench"
file = "../ca/ca.pem"
{database}"""

BASE = """[policy]
file = "rules.cedar"
[[profile]]
name = "corp"
vlan = 20
[[binding]]
name = "devices"
kind = "device"
san_dns = "{name}.corp.example"
[[identity]]
name = "alice"
kind = "user"
[[identity]]
name = "template"
kind = "device"
groups = ["devices"]
owner = "alice"
purpose = "work"
attributes = { department = "it" }
credentials = [{ mac = "00-00-00-00-00-01" }]
[[identity]]
name = "d0"
kind = "device"
groups = ["devices"]
owner = "alice"
purpose = "work"
"""

RULES = """@id("laptops") @order("10") @profile("corp") @accept("flat-network")
permit (principal in Group::"devices", action == Network::Action::"connect", resource);
"""


def octets(n, salt):
    return hashlib.md5(f"{salt}{n}".encode()).digest()


def id_at(us, n, salt):
    """An id (UUIDv7) of this time; the same for the same n."""
    raw = bytearray((us // 1000).to_bytes(6, "big") + octets(n, salt)[:10])
    raw[6], raw[8] = raw[6] & 0x0F | 0x70, raw[8] & 0x3F | 0x80
    return bytes(raw)


def text_of(us):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1_000_000)) + f".{us % 1_000_000:06}Z"


def mac(n):
    return "02-10-%02X-%02X-%02X-%02X" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)


class World:
    """Who did what when, by numbers."""

    def __init__(self, sizes):
        self.identities, self.sessions, self.decisions = sizes.identities, sizes.sessions, sizes.decisions
        self.now = int(time.time() * 1_000_000)
        self.begin = self.now - sizes.weeks * WEEK_US
        self.certificates, self.endpoints = max(1, self.identities // 10), max(1, self.identities // 10)

    def device(self, n):
        return int.from_bytes(octets(n, "device")[:6], "big") % self.identities

    def time(self, n, of):
        return self.begin + (self.now - self.begin) * n // of

    def place(self, device):
        """NAS, wireless network, profile and VLAN of a device."""
        kind = octets(device, "kind")
        nas = int.from_bytes(kind[:2], "big") % NASES
        ssid = None if kind[2] & 1 else "lab" if kind[2] == 254 and kind[3] < 8 else "iot" if kind[2] < 40 else "corp-wifi"
        profile = "quarantine" if kind[4] == 7 and kind[5] < 64 else "iot" if kind[4] < 40 else "corp"
        return f"sw{nas}", ssid, profile, {"quarantine": "666", "iot": "50", "corp": "20"}[profile]

    def decision(self, n):
        us, device = self.time(n, self.decisions), self.device(n)
        chance = octets(n, "outcome")
        refused = None if chance[0] < 240 else REFUSALS[chance[1] % len(REFUSALS)]
        return us, id_at(us, n, "decision"), device, refused

    def session(self, n):
        us, device = self.time(n, self.sessions), self.device(n + 7)
        lasts = 600_000_000 + int.from_bytes(octets(n, "lasts")[:4], "big") % 30_000 * 1_000_000
        ended = us + lasts if us + lasts < self.now else None
        return us, id_at(us, n, "session"), device, ended

    def ip(self, n):
        return f"10.{n >> 16 & 63}.{n >> 8 & 255}.{n & 255}"


class Sqlite:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA synchronous = OFF")

    def rows(self, sql):
        return [dict(row) for row in self.db.execute(sql)]

    def define(self, text):
        self.db.executescript(text)

    def fill(self, table, columns, rows):
        marks = ",".join("?" * len(columns))
        self.db.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)
        self.db.commit()

    def done(self):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = self.db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        self.db.close()
        return size


class Postgres:
    def __init__(self, url):
        self.psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url]

    def run(self, sql):
        return subprocess.run([*self.psql, "-At"], input=sql, capture_output=True, check=True, text=True).stdout

    def rows(self, sql):
        out = self.run(f"SELECT to_jsonb(t) FROM ({sql}) AS t")
        return [json.loads(line) for line in out.splitlines()]

    def define(self, text):
        for old, new in [("BLOB", "BYTEA"), ("INTEGER", "BIGINT"), (") STRICT, WITHOUT ROWID", ")"), (") STRICT", ")")]:
            text = text.replace(old, new)
        self.run(text)

    def fill(self, table, columns, rows):
        copy = [*self.psql, "-c", f"COPY {table} ({','.join(columns)}) FROM STDIN"]
        process = subprocess.Popen(copy, stdin=subprocess.PIPE, text=True)
        for row in rows:
            process.stdin.write("\t".join(self.cell(value) for value in row) + "\n")
        process.stdin.close()
        if process.wait() != 0:
            raise SystemExit(f"{table} could not be filled")

    @staticmethod
    def cell(value):
        if value is None:
            return "\\N"
        if isinstance(value, bytes):
            return "\\\\x" + value.hex()
        return str(value).replace("\\", "\\\\")

    def done(self):
        # As autovacuum would have done long ago.
        self.run("VACUUM ANALYZE;\nCHECKPOINT;")
        return int(self.run("SELECT pg_database_size(current_database())"))


def marked(text, marks):
    """A template for str.format of a JSON text in which each of `marks` becomes a field."""
    text = text.replace("{", "{{").replace("}", "}}")
    for value, field in marks:
        text = text.replace(value, "{" + field + "}")
    return text


class Server:
    def __init__(self, sizes, data):
        ready = f"{data}/ready"
        if os.path.exists(ready):
            os.remove(ready)
        began = time.time()
        command = [sizes.cordon, "serve", "--config", f"{data}/cordon.toml", "--ready-file", ready]
        self.process = subprocess.Popen(command, env={**os.environ, "RUST_LOG": "warn"}, stderr=open(f"{data}/log", "a"))
        while not os.path.exists(ready):
            if self.process.poll() is not None:
                raise SystemExit(open(f"{data}/log").read()[-3000:])
            time.sleep(0.05)
        self.took = time.time() - began
        self.at = dict(line.split("=", 1) for line in open(ready).read().split())

    def memory(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def prepare(sizes, data):
    """Lets a server make its tables and record a few things that are real."""
    os.mkdir(data)
    database = f'[database]\nurl = "{sizes.database}"\n' if sizes.database else ""
    with open(f"{data}/cordon.toml", "w") as f:
        f.write(CONFIG.format(token=TOKEN, database=database))
    with open(f"{data}/rules.cedar", "w") as f:
        f.write(RULES)
    with open(f"{data}/base.toml", "w") as f:
        f.write(BASE + f'[[nas]]\nname = "sw0"\naddress = "127.0.0.1"\nsecret = "{SECRET}"\nsite = "s0"\n')
        for n in range(1, NASES):
            f.write(f'[[nas]]\nname = "sw{n}"\naddress = "10.200.{n >> 8}.{n & 255}"\nsecret = "{SECRET}"\nsite = "s{n % SITES}"\n')
    subprocess.run([sizes.cordon, "apply", "--config", f"{data}/cordon.toml", "-f", f"{data}/base.toml"], check=True, stdout=subprocess.DEVNULL)
    server = Server(sizes, data)
    load = lambda *arguments: subprocess.run([sizes.cordon, "load", *arguments, "--secret", SECRET], capture_output=True)
    keys = ["--cert", f"{sizes.dir}/client.pem", "--key", f"{sizes.dir}/client.key", "--ca", f"{sizes.dir}/ca/ca.pem"]
    load("eap-tls", "--tls", "1.3", "--classic", "--server", server.at["auth"], "-n", "2", "-c", "1", *keys)
    load("mab", "--server", server.at["auth"], "-n", "1", "-c", "1", "--mac", "00-00-00-00-00-02")
    load("accounting", "--server", server.at["acct"], "-n", "8", "-c", "2")
    time.sleep(2)
    server.stop()


def fill(sizes, data, world):
    db = Postgres(sizes.database) if sizes.database else Sqlite(f"{data}/data/cordon.db")
    one = lambda sql: db.rows(sql)[0]
    suffix = one("SELECT suffix FROM partitions WHERE family = 'decision' ORDER BY from_us DESC LIMIT 1")["suffix"]
    accepted = json.loads(one(f"SELECT body FROM decision_{suffix} WHERE outcome = 'accept' LIMIT 1")["body"])
    rejected = json.loads(one(f"SELECT body FROM decision_{suffix} WHERE outcome = 'reject' LIMIT 1")["body"])
    details = json.loads(one(f"SELECT details FROM session_{suffix} WHERE state <> 'stopped' AND identity_name = 'd0' LIMIT 1")["details"])
    endpoint = one("SELECT details FROM endpoint WHERE key LIKE 'certificate:%' LIMIT 1")["details"]
    template = one("SELECT * FROM identity WHERE name = 'template'")

    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "migrations/partitions")
    steps = lambda family: [open(f"{folder}/{name}").read() for name in (f"{family}.sql", f"{family}_2.sql", f"{family}_3.sql") if os.path.exists(f"{folder}/{name}")]
    weeks = []
    first = (world.begin - MONDAY_US) // WEEK_US * WEEK_US + MONDAY_US
    for start in range(first, world.now, WEEK_US):
        name = time.strftime("%Y%m%d", time.gmtime(start // 1_000_000))
        weeks.append((start, name))
        for family in ("decision", "session", "accounting"):
            if not db.rows(f"SELECT 1 AS n FROM partitions WHERE family = '{family}' AND from_us = {start}"):
                for step in steps(family):
                    db.define(step.replace("{p}", name))
                db.fill("partitions", ["family", "from_us", "until_us", "suffix", "step"], [(family, start, start + WEEK_US, name, len(steps(family)))])

    def numbers(count, start):
        """Those whose time is within the week."""
        of = lambda us: max(0, min(count, -(-(us - world.begin) * count // (world.now - world.begin))))
        return range(of(start), of(start + WEEK_US))

    text = lambda value: json.dumps(value, separators=(",", ":"))
    who = accepted["identity"]["id"]
    accept = marked(text(accepted), [(accepted["id"], "id"), (accepted["at"], "at"), (accepted["mac"], "mac"), (who, "who"),
        ('"called_station":null', "called"), ('"sw0"', "nas"), ('"corp"', "profile"), ('"20"', "vlan"), ('"d0"', "name"), ("d0.corp", "dns")])
    reject = marked(text(rejected), [(rejected["id"], "id"), (rejected["at"], "at"), (rejected["mac"], "mac"),
        ('"called_station":null', "called"), ('"sw0"', "nas"), ('"mac_unknown"', "reason")])
    granted = details["granted"]["value"]
    for field in ("start_us", "implied_us"):
        details[field] = "@start@"
    details.update(stop_us="@stop@", interim_us=None, before_us=None)
    last = details["counters"]["at_us"]
    session = marked(text(details), [('"@start@"', "start"), ('"@stop@"', "stop"), (str(last), "last"), (granted["decision"], "decision"), ('"d0"', "name"),
        ('"corp"', "profile"), ('"20"', "vlan"), (details["mac"]["value"], "mac"), (details["user_name"]["value"], "user"),
        (details["names"]["value"]["acct_session_id"], "acct"), (str(details["granted"]["at_us"]), "start")])

    def decisions(start):
        for n in numbers(world.decisions, start):
            us, id, device, refused = world.decision(n)
            nas, ssid, profile, vlan = world.place(device)
            name, called = f"d{device}", f'"called_station":"02-00-5E-FF-00-01:{ssid}"' if ssid else '"called_station":null'
            fields = dict(id=uuid.UUID(bytes=id), at=text_of(us), mac=mac(device), who=identity_id(device), called=called, nas=f'"{nas}"',
                profile=f'"{profile}"', vlan=f'"{vlan}"', name=f'"{name}"', dns=f"{name}.corp", reason=f'"{refused}"')
            if refused:
                yield id, us, "reject", refused, nas, None, mac(device), 1, None, ssid, None, reject.format(**fields)
            else:
                yield id, us, "accept", "accepted", nas, name, mac(device), 1, profile, ssid, vlan, accept.format(**fields)

    def sessions(start):
        for n in numbers(world.sessions, start):
            us, id, device, ended = world.session(n)
            nas, ssid, profile, vlan = world.place(device)
            end = ended or world.now - 60_000_000
            fields = dict(start=us, stop=ended or "null", last=end, decision=uuid.UUID(bytes=id), name=f'"d{device}"', profile=f'"{profile}"',
                vlan=f'"{vlan}"', mac=mac(device), user=f"u{device}", acct=f"{n:08X}")
            yield (id, id, octets(n, "key"), 0, nas, "127.0.0.1", f"{n:08X}", mac(device), "stopped" if ended else "active", us, end, ended, mac(device),
                f"d{device}", f"u{device}", f"port-{device % 48}", id, 200_000, 200_000, profile, ssid, vlan, session.format(**fields))

    def addresses(start):
        for n in numbers(world.sessions, start):
            us, id, _, _ = world.session(n)
            yield world.ip(n), us, id

    def accounting(start):
        for n in numbers(world.sessions, start):
            us, _, device, ended = world.session(n)
            nas = world.place(device)[0]
            for status, at in ((1, us), (2, ended)):
                if at and at < start + WEEK_US:
                    digest = (at // 1_000_000).to_bytes(4, "big") + (octets(n, status) * 2)[:28]
                    yield digest, at, at, nas, "127.0.0.1", status, f"{n:08X}", mac(device), 1000, 2000, 60

    for start, name in weeks:
        db.fill(f"decision_{name}", "id at_us outcome reason nas_name identity_name mac enforced profile ssid vlan body".split(), decisions(start))
        db.fill(f"session_{name}", ("id stay_id key reuse nas_name device acct_session_id station state started_us last_us ended_us mac identity_name "
            "user_name nas_port decision_id input_octets output_octets profile ssid vlan details").split(), sessions(start))
        db.fill(f"session_address_{name}", ["address", "first_us", "session_id"], addresses(start))
        db.fill(f"accounting_{name}", ("digest received_us event_us nas_name device status acct_session_id station input_octets output_octets "
            "session_time").split(), accounting(start))

    kinds = ["device"] * 7 + ["machine", "service", "agent"]
    columns = [column for column in template if column not in ("groups", "id")]

    def identities():
        for n in range(1, world.identities):
            row = {**template, "kind": kinds[n % 10], "name": f"d{n}", "owner": None if n % 50 == 0 else "alice"}
            row["status"] = "suspended" if n % 97 == 0 else "active"
            row["credentials"] = text([{"mac": mac(n)}])
            yield (identity_id(n).bytes, text(["devices", f"g{n % 100}"]), *(row[column] for column in columns))
    db.fill("identity", ["id", "groups", *columns], identities())
    db.fill("issued_certificate", "serial issuer subject identity_id not_before_us not_after_us issued_us issued_by revoked_us".split(), (
        (octets(n, "serial").hex(), "CN=Bench CA", f"CN=d{n}.corp.example", identity_id(n).bytes, world.begin, world.now + n * 10_000_000, world.begin, "anna",
            world.now if n % 40 == 0 else None) for n in range(1, world.certificates)))
    found = lambda n: id_at(world.time(n, world.endpoints), n, "endpoint")
    db.fill("endpoint", "id key ephemeral first_us last_us last_day randomized vendor category details".split(), (
        (found(n), f"mac:{mac(n)}", 0, world.begin, world.now, world.now // 86_400_000_000, n % 2, ["Dell Inc.", "Apple, Inc.", "HP Inc."][n % 3],
            "printer" if n % 50 == 0 else None, endpoint.replace("02-00-5E-00-00-01", mac(n))) for n in range(1, world.endpoints)))
    db.fill("endpoint_mac", ["mac", "endpoint_id"], ((mac(n), found(n)) for n in range(1, world.endpoints)))
    db.fill("endpoint_place", ["nas_name", "endpoint_id"], ((world.place(n)[0], found(n)) for n in range(1, world.endpoints)))
    db.fill("change", "id at_us author kind name action fields".split(), (
        (id_at(world.begin + n * 1_000_000, n, "change"), world.begin, "anna", "identity", "device d1", "update", text({"purpose": {"old": str(n), "new": str(n + 1)}}))
        for n in range(5_000)))
    return db.done()


def identity_id(n):
    return uuid.UUID(bytes=id_at(1_700_000_000_000_000, n, "identity"))


def questions(world):
    """Each kind of question, with what is asked the next time."""
    pick = random.Random(7)
    any_of = lambda count: pick.randrange(1, max(2, count))
    moment = lambda: world.begin + pick.randrange(world.now - world.begin)
    middle = lambda: uuid.UUID(bytes=id_at(moment(), any_of(1 << 30), "cursor"))
    device = lambda: any_of(world.identities)
    seen = lambda: world.device(any_of(world.decisions))
    nas, site = lambda: f"sw{any_of(NASES)}", lambda: f"s{any_of(SITES)}"
    hour = lambda: (lambda at: f"since={text_of(at)}&until={text_of(at + 3_600_000_000)}")(moment())
    d, s, i = "/api/v1/decisions", "/api/v1/sessions", "/api/v1/identities"
    return {
        "decisions: first page": lambda: d,
        "decisions: oldest first": lambda: f"{d}?sort=at",
        "decisions: from the middle": lambda: f"{d}?cursor={middle()}",
        "decisions: mac": lambda: f"{d}?mac={mac(seen())}",
        "decisions: identity": lambda: f"{d}?identity=d{seen()}",
        "decisions: nas": lambda: f"{d}?nas={nas()}",
        "decisions: nas, from the middle": lambda: f"{d}?nas={nas()}&cursor={middle()}",
        "decisions: site": lambda: f"{d}?site={site()}",
        "decisions: refused": lambda: f"{d}?outcome=reject",
        "decisions: refused, from the middle": lambda: f"{d}?outcome=reject&cursor={middle()}",
        "decisions: refused at a nas": lambda: f"{d}?outcome=reject&nas={nas()}",
        "decisions: refused at a site": lambda: f"{d}?outcome=reject&site={site()}",
        "decisions: reason": lambda: f"{d}?reason={pick.choice(REFUSALS)}",
        "decisions: reason at a nas": lambda: f"{d}?reason={pick.choice(REFUSALS)}&nas={nas()}",
        "decisions: profile": lambda: f"{d}?profile={pick.choice(['corp', 'iot', 'quarantine'])}",
        "decisions: a seldom ssid": lambda: f"{d}?ssid=lab&cursor={middle()}",
        "decisions: an ssid that is none": lambda: f"{d}?ssid=none&cursor={middle()}",
        "decisions: vlan": lambda: f"{d}?vlan={pick.choice(['20', '50', '666'])}",
        "decisions: an hour": lambda: f"{d}?{hour()}",
        "decisions: an hour at a nas": lambda: f"{d}?nas={nas()}&{hour()}",
        "decisions: one": lambda: f"{d}/{uuid.UUID(bytes=world.decision(any_of(world.decisions))[1])}",
        "sessions: first page": lambda: s,
        "sessions: from the middle": lambda: f"{s}?cursor={middle()}",
        "sessions: live": lambda: f"{s}?live=true",
        "sessions: live at a nas": lambda: f"{s}?live=true&nas={nas()}",
        "sessions: live at a site": lambda: f"{s}?live=true&site={site()}",
        "sessions: mac": lambda: f"{s}?mac={mac(seen())}",
        "sessions: ip": lambda: f"{s}?ip={world.ip(any_of(world.sessions))}",
        "sessions: identity": lambda: f"{s}?identity=d{seen()}",
        "sessions: user": lambda: f"{s}?user=u{seen()}",
        "sessions: nas": lambda: f"{s}?nas={nas()}",
        "sessions: nas, from the middle": lambda: f"{s}?nas={nas()}&cursor={middle()}",
        "sessions: profile": lambda: f"{s}?profile={pick.choice(['corp', 'iot', 'quarantine'])}",
        "sessions: a seldom ssid": lambda: f"{s}?ssid=lab&cursor={middle()}",
        "sessions: an hour": lambda: f"{s}?{hour()}",
        "sessions: one": lambda: f"{s}/{uuid.UUID(bytes=world.session(any_of(world.sessions))[1])}",
        "who had this ip": lambda: f"/api/v1/who?ip={world.ip(any_of(world.sessions))}&at={text_of(moment())}",
        "who has this mac": lambda: f"/api/v1/who?mac={mac(seen())}",
        "who was on this port": lambda: f"/api/v1/who?nas={nas()}&port=port-{any_of(48)}&at={text_of(moment())}",
        "accounting: first page": lambda: "/api/v1/accounting",
        "accounting: of a session": lambda: f"/api/v1/accounting?session={uuid.UUID(bytes=world.session(any_of(world.sessions))[1])}",
        "accounting: mac": lambda: f"/api/v1/accounting?mac={mac(seen())}",
        "accounting: an hour at a nas": lambda: f"/api/v1/accounting?nas={nas()}&{hour()}",
        "usage: hours of a week": lambda: f"/api/v1/usage?resolution=hour&nas={nas()}",
        "endpoints: first page": lambda: "/api/v1/endpoints",
        "endpoints: mac": lambda: f"/api/v1/endpoints?mac={mac(any_of(world.endpoints))}",
        "endpoints: nas": lambda: f"/api/v1/endpoints?nas={nas()}",
        "endpoints: site": lambda: f"/api/v1/endpoints?site={site()}",
        "endpoints: category": lambda: "/api/v1/endpoints?category=printer",
        "identities: first page": lambda: i,
        "identities: by name": lambda: f"{i}?sort=name",
        "identities: by name, from the middle": lambda: f"{i}?sort=name&cursor={identity_id(device())}",
        "identities: by kind, from the middle": lambda: f"{i}?sort=kind&cursor={identity_id(device())}",
        "identities: kind and status": lambda: f"{i}?kind=agent&status=suspended&sort=name",
        "identities: group": lambda: f"{i}?group=g{any_of(100)}&sort=name",
        "identities: owner": lambda: f"{i}?owner=alice&sort=-name",
        "identities: orphaned": lambda: f"{i}?orphaned=true&sort=name",
        "identities: beginning of a name": lambda: f"{i}?name=d{any_of(world.identities) // 100}&sort=name",
        "identities: part of a name": lambda: f"{i}?name=*{any_of(world.identities)}&sort=name",
        "identities: one": lambda: f"{i}/{identity_id(device())}",
        "identities: history": lambda: f"{i}/{identity_id(1)}/history",
        "search: mac": lambda: f"/api/v1/search?q={mac(seen()).replace('-', ':')}",
        "search: ip": lambda: f"/api/v1/search?q={world.ip(any_of(world.sessions))}",
        "search: name": lambda: f"/api/v1/search?q=d{device()}",
        "search: part of a name": lambda: f"/api/v1/search?q={device()}",
        "search: what is not there": lambda: f"/api/v1/search?q=zz{device()}",
        "search: id": lambda: f"/api/v1/search?q={uuid.UUID(bytes=world.decision(any_of(world.decisions))[1])}",
        "search: serial": lambda: f"/api/v1/search?q={octets(any_of(world.certificates), 'serial').hex()[:10]}",
        "certificates: first page": lambda: "/api/v1/ca/certificates",
        "certificates: serial": lambda: f"/api/v1/ca/certificates?serial={octets(any_of(world.certificates), 'serial').hex()[:10]}",
        "certificates: part of a name": lambda: f"/api/v1/ca/certificates?q=d{any_of(world.certificates)}.",
        "certificates: ends before": lambda: f"/api/v1/ca/certificates?ends_before={text_of(world.now + 86_400_000_000)}&revoked=false",
        "storage": lambda: "/api/v1/storage",
        "nas": lambda: "/api/v1/nas",
    }


def measure(host, ask, count, at_once):
    """Milliseconds of each answer, and how many items they had in all."""
    took, items, lock = [], [0], threading.Lock()
    paths = [ask() for _ in range(count)]

    def work(share):
        connection = http.client.HTTPConnection(host, timeout=60)
        for path in share:
            while True:
                began = time.perf_counter()
                connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 429:
                    break
                time.sleep(1)
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:500]}")
            with lock:
                took.append((time.perf_counter() - began) * 1000)
                found = json.loads(body)
                found = found.get("items", found.get("hits", [1])) if isinstance(found, dict) else found
                items[0] += len(found)
    threads = [threading.Thread(target=work, args=(paths[n::at_once],)) for n in range(at_once)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if len(took) < count:
        raise SystemExit("a question failed")
    return sorted(took), items[0]


def main():
    parser = argparse.ArgumentParser()
    for name in ("cordon", "dir", "name", "database"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("identities", "sessions", "decisions", "weeks", "asked"):
        parser.add_argument(f"--{name}", type=int, required=True)
    sizes = parser.parse_args()
    data, world = f"{sizes.dir}/{sizes.name}", World(sizes)
    prepare(sizes, data)
    began = time.time()
    size = fill(sizes, data, world)
    print(f"{sizes.name}: {sizes.identities} identities, {sizes.sessions} sessions, {sizes.decisions} decisions of {sizes.weeks} weeks; {size / 2**30:.2f} GiB, filled in {time.time() - began:.0f} s", flush=True)
    server = Server(sizes, data)
    try:
        before = server.memory()
        first, _ = measure(server.at["http"], lambda: "/api/v1/identities?sort=name", 1, 1)
        print(f"  started in {server.took:.1f} s; the first list of identities took {first[0]:.0f} ms; {before} MiB resident, {server.memory()} with what lists are made of")
        print(f"  {'milliseconds':40} {'1 at a time: 50%':>17} {'95%':>7} {'max':>7} {'4: 50%':>9} {'95%':>7} {'max':>7} {'items':>7}")
        for kind, ask in questions(world).items():
            line, slow = f"  {kind:40}", False
            for at_once, width in ((1, 17), (4, 9)):
                took, items = measure(server.at["http"], ask, sizes.asked, at_once)
                p95 = took[int(len(took) * 0.95)]
                line += f" {took[len(took) // 2]:{width}.1f} {p95:7.1f} {took[-1]:7.1f}"
                slow |= p95 > TOO_SLOW_MS
            print(f"{line} {items / sizes.asked:7.1f}{'  SLOW' if slow else ''}", flush=True)
        print(f"  {server.memory()} MiB resident in the end")
    finally:
        server.stop()


main()
