"""What accounting amounts to, by the words of RFC 2866, RFC 2869 and docs/api.md.

Reads JSON lines, one for each thing that reached the server, in the order in which
they came, and answers with JSON lines: a session on each, what was counted on each
NAS in each hour, and who had an address at a time. Nothing but the standard library,
and nothing of the server's code: of every session all records are kept, and what
follows from them is worked out from the beginning whenever it is asked for.

  {"t": 1, "nas": "sw-1", "src": "10.0.0.1", "acct": "<attributes in hexadecimal>"}
  {"t": 1, "nas": "sw-1", "src": "10.0.0.1", "login": "<attributes>", "class": "..."}
  {"t": 1, "sweep": 86400}                  silent sessions are looked for
  {"who": "10.0.0.1", "at": 1}              asked when all has come

Times are microseconds since 1970.
"""

import heapq
import json
import sys
from collections import defaultdict

SECOND = 1_000_000
# Records of one session imply the same beginning; clocks and networks blur it.
BLUR = 30 * SECOND
# "Another session of the same station at the same device": NASes tell whole seconds.
SLACK = 5 * SECOND
# An Event-Timestamp is believed within these.
AHEAD, AGE = 24 * 3600 * SECOND, 31 * 24 * 3600 * SECOND
QUARTER = 15 * 60 * SECOND
HOUR = 3600 * SECOND
START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
# Not part of what a record says: they change when it is sent again.
OF_SENDING = {33, 41, 80}


def attributes(octets):
    """(number, value) pairs (RFC 2865, section 5)."""
    at = 0
    while at < len(octets):
        length = octets[at + 1]
        yield octets[at], octets[at + 2 : at + length]
        at += length


def station_of(text):
    digits = "".join(c for c in text if c not in "-:.").upper()
    if len(digits) == 12:
        return "-".join(digits[i : i + 2] for i in range(0, 12, 2))
    return text


class Said:
    """The attributes of one request; the first of each counts."""

    def __init__(self, line, octets):
        self.all = list(attributes(octets))
        self.first = {}
        for number, value in self.all:
            self.first.setdefault(number, value)
        self.nas, self.received = line["nas"], line["t"]
        self.device = self.text(32) or self.address(4) or line["src"]
        self.station = station_of(self.text(31) or "")
        self.port = self.text(87) or (str(self.number(5)) if 5 in self.first else None)
        self.session_id = self.text(44)
        self.multi = self.text(50)
        self.classes = [v.decode() for n, v in self.all if n == 25]

    def text(self, number):
        value = self.first.get(number)
        return value.decode() if value else None

    def number(self, number):
        value = self.first.get(number)
        return int.from_bytes(value, "big") if value is not None else None

    def address(self, number):
        value = self.first.get(number)
        return ".".join(map(str, value)) if value else None


class Record(Said):
    def __init__(self, line):
        super().__init__(line, bytes.fromhex(line["acct"]))
        self.status = self.number(40)
        sent = self.received - (self.number(41) or 0) * SECOND
        stamp = self.number(55)
        at = stamp * SECOND if stamp is not None else None
        credible = at is not None and self.received - AGE <= at <= self.received + AHEAD
        self.at = at if credible else sent
        self.lasted = self.number(46)
        # Of a restart nothing is told but that it was: without a date, when it was
        # sent is what tells it from another.
        undated = sent // SECOND if self.status in (ON, OFF) and stamp is None else None
        said = tuple((n, v) for n, v in self.all if n not in OF_SENDING)
        self.content = hash((self.nas, self.device, said, undated))
        self.begin = self.at - (0 if self.status == START else (self.lasted or 0)) * SECOND

    def counter(self, low, high):
        """The value, and whether it is of 64 bits (RFC 2869, section 5.1 and 5.2)."""
        value = self.number(low)
        if value is None:
            return None
        wide = high is not None and high in self.first
        return (value + (self.number(high) << 32 if wide else 0), wide)


COUNTERS = (("in", 42, 52), ("out", 43, 53), ("packets_in", 47, None), ("packets_out", 48, None))


def counted(values):
    """What a counter counted that showed these values, one after the other: it runs
    over at 2^32 if it has no more bits, and may be set back."""
    total, last = 0, 0
    for value, wide in values:
        if value < last:
            ran_over = not wide and last >= 1 << 31 and value < 1 << 31
            total += (1 << 32) if ran_over else last
        last = value
    return total + last


class Session:
    def __init__(self, said, session_id):
        self.nas, self.device, self.station = said.nas, said.device, said.station
        self.session_id = session_id
        self.records, self.logins = [], []
        self.port = None
        self.port_at = None
        self.restarts = []
        self.closed = None
        self.due = None
        self.stay = None
        self.totals = dict.fromkeys((name for name, _, _ in COUNTERS), 0)

    # What follows from what was told.
    def of(self, status):
        return [r.at for r in self.records if r.status == status]

    @property
    def last(self):
        return max([r.at for r in self.records] + self.logins)

    @property
    def begin(self):
        starts = self.of(START)
        return min(starts) if starts else min([r.begin for r in self.records] + self.logins)

    def count(self):
        order = sorted(self.records, key=lambda r: (r.lasted or 0, r.at))
        for name, low, high in COUNTERS:
            told = [r.counter(low, high) for r in order]
            self.totals[name] = counted([t for t in told if t is not None])

    @property
    def lasted(self):
        return max([r.lasted or 0 for r in self.records], default=0)

    def told_of(self, records, at):
        if self.port_at is None or at >= self.port_at:
            self.port, self.port_at = records.port, at

    def silent_at(self, otherwise):
        interims = sorted(set(self.of(INTERIM)), reverse=True)
        starts = self.of(START)
        before = interims[1] if len(interims) > 1 else (min(starts) if starts else None)
        if not interims or before is None:
            return self.last + otherwise
        three = 3 * max(interims[0] - before, 0)
        return self.last + min(max(three, QUARTER), max(otherwise, QUARTER))


class Model:
    def __init__(self):
        self.sessions = []
        self.by_key = defaultdict(list)
        self.by_station = defaultdict(list)
        self.by_device = defaultdict(list)
        self.by_class = {}
        self.stays = {}
        self.seen = set()
        self.restarts = defaultdict(list)
        self.usage = defaultdict(lambda: [0, 0, 0, 0])
        self.due = []

    # Where a session stands.
    def end(self, s):
        """(end, state) of one that has ended, else (None, state)."""
        stops = s.of(STOP)
        if stops:
            return max(stops), "stopped"
        last = s.last
        after = [r for r in s.restarts if r > last]
        if after:
            return min(after), "stopped"
        if s.closed is not None or self.superseded(s, last):
            return last, "inferred"
        if s.of(INTERIM):
            return None, "active"
        return None, "started" if s.of(START) else "authenticated"

    def superseded(self, s, last):
        others = self.by_station[(s.nas, s.device, s.station)]
        begin = s.begin
        return any(o is not s and o.begin > begin and last <= o.begin + SLACK for o in others)

    def add(self, s, key):
        self.sessions.append(s)
        self.by_station[(s.nas, s.device, s.station)].append(s)
        self.by_device[(s.nas, s.device)].append(s)
        self.by_key[key].append(s)

    def live(self, sessions):
        return [s for s in sessions if self.end(s)[0] is None]

    def here(self, said):
        """Sessions of this station at this device, at this port as far as is known."""
        at = self.by_station[(said.nas, said.device, said.station)]
        return self.live([s for s in at if s.port is None or said.port is None or s.port == said.port])

    def login(self, line):
        said = Said(line, bytes.fromhex(line["login"]))
        name = line["class"]
        if said.session_id is not None:
            key = (said.nas, said.device, said.session_id, said.station)
            known = self.live(self.by_key[key][-1:])
        else:
            known = self.here(said)
        if known:
            session = known[-1]
        else:
            session = Session(said, said.session_id)
            self.add(session, (said.nas, said.device, said.session_id or name, said.station))
        session.logins.append(said.received)
        session.closed = None
        session.told_of(said, said.received)
        self.by_class.setdefault(name, session)
        self.join(session, said, [name])
        self.watch(session)

    def join(self, session, said, classes):
        """Sessions of one stay: union by what they have in common."""
        names = [("class", session.station, c) for c in classes]
        if said.multi:
            names.append(("multi", session.station, said.multi))
        for name in names:
            other = self.stays.setdefault(name, session)
            a, b = self.root(session), self.root(other)
            if a is not b:
                a.stay = b

    @staticmethod
    def root(session):
        while session.stay is not None:
            session = session.stay
        return session

    def acct(self, line):
        record = Record(line)
        if record.content in self.seen:
            return
        self.seen.add(record.content)
        if record.status in (ON, OFF):
            # It ends what goes on. What had ended had ended.
            device = (record.nas, record.device)
            self.restarts[device].append(record.at)
            for session in self.by_device[device]:
                if session.closed is None and not self.superseded(session, session.last):
                    session.restarts.append(record.at)
            return
        if record.status not in (START, STOP, INTERIM):
            return
        key = (record.nas, record.device, record.session_id, record.station)
        session = self.find(key, record)
        if session is None:
            session = Session(record, record.session_id)
            self.add(session, key)
        began = not session.records
        before = (session.totals["in"], session.totals["out"])
        session.records.append(record)
        session.told_of(record, record.at)
        session.count()
        if session.closed is not None and record.at > session.closed:
            session.closed = None
        if session.closed is None:
            # Also of before, if this is late.
            session.restarts += self.restarts[(session.nas, session.device)]
        self.join(session, record, record.classes)
        usage = self.usage[(record.at // HOUR * HOUR, record.nas)]
        usage[0] += session.totals["in"] - before[0]
        usage[1] += session.totals["out"] - before[1]
        usage[2] += 1
        usage[3] += began
        self.watch(session)

    def find(self, key, record):
        """The stay of these names that began when this one did; or the one that was
        let in and has no name yet."""
        of_key = [s for s in self.by_key[key] if abs(s.begin - record.begin) <= BLUR]
        if of_key:
            return of_key[0]
        unnamed = None
        for name in record.classes:
            unnamed = unnamed or self.by_class.get(name)
        if unnamed is None and not record.classes:
            unnamed = next(iter(reversed(self.here(record))), None)
        if unnamed is None or unnamed.session_id is not None or unnamed.nas != record.nas:
            return None
        if self.end(unnamed)[0] is not None:
            return None
        unnamed.session_id = record.session_id
        # Where it is told of is where it is, wherever it was let in.
        self.by_station[(unnamed.nas, unnamed.device, unnamed.station)].remove(unnamed)
        self.by_device[(unnamed.nas, unnamed.device)].remove(unnamed)
        unnamed.device = record.device
        self.by_station[(unnamed.nas, unnamed.device, unnamed.station)].append(unnamed)
        self.by_device[(unnamed.nas, unnamed.device)].append(unnamed)
        self.by_key[key].append(unnamed)
        return unnamed

    # Silence.
    def watch(self, session):
        session.due = session.silent_at(QUARTER)
        heapq.heappush(self.due, (session.due, id(session), session))

    def sweep(self, now, otherwise):
        later = []
        while self.due and self.due[0][0] <= now:
            due, _, session = heapq.heappop(self.due)
            if due != session.due or self.end(session)[0] is not None:
                continue
            at = session.silent_at(otherwise)
            if at <= now:
                session.closed = now
            else:
                session.due = at
                later.append((at, id(session), session))
        for entry in later:
            heapq.heappush(self.due, entry)

    # Who had it then.
    def holders(self, address, at):
        found = []
        for session, told in self.addresses().get(address, ()):
            first = min(t for t, ip in told if ip == address)
            last = max(t for t, ip in told if ip == address)
            others = [t for t, ip in told if ip != address and t > last]
            until = min(others) if others else self.end(session)[0]
            if first <= at and (until is None or at <= max(until, last)):
                found.append(session)
        return found

    def addresses(self):
        if not hasattr(self, "_addresses"):
            self._addresses = defaultdict(list)
            for s in self.sessions:
                told = [(r.at, r.address(8)) for r in s.records if r.address(8)]
                for ip in {ip for _, ip in told}:
                    self._addresses[ip].append((s, told))
        return self._addresses


def label(s):
    return [s.nas, s.device, s.session_id or "", s.station, s.begin]


def main():
    model, asked = Model(), []
    for text in sys.stdin:
        line = json.loads(text)
        if "acct" in line:
            model.acct(line)
        elif "login" in line:
            model.login(line)
        elif "sweep" in line:
            model.sweep(line["t"], line["sweep"] * SECOND)
        else:
            asked.append(line)
    out = sys.stdout
    stays = {}
    for s in model.sessions:
        root = id(model.root(s))
        stays[root] = min(stays.get(root, label(s)), label(s))
    for s in model.sessions:
        end, state = model.end(s)
        said = {"session": label(s), "state": state, "end": end, "last": s.last, "lasted": s.lasted}
        said["totals"] = [s.totals[name] for name, _, _ in COUNTERS]
        said["stay"] = stays[id(model.root(s))]
        out.write(json.dumps(said) + "\n")
    for (hour, nas), sums in model.usage.items():
        out.write(json.dumps({"hour": hour, "nas": nas, "sums": sums}) + "\n")
    for line in asked:
        holders = sorted(label(s) for s in model.holders(line["who"], line["at"]))
        out.write(json.dumps({"who": line["who"], "at": line["at"], "holders": holders}) + "\n")


main()
