#!/usr/bin/env python3
"""A NAS that speaks RADIUS over TLS, written from RFC 2865, 3579, 5176, 6614 and
9765 with Python's standard library alone, so that it shares nothing with the server
that it is a peer of.

    radsec_peer.py --connect HOST:PORT --cert PEM --key PEM --ca PEM
                   [--alpn radius/1.1[,radius/1.0]] [--tls 1.2] SCENARIO [ARGUMENT...]

A scenario prints what it saw, and fails when the server did what the RFCs forbid.
"""

import argparse
import hashlib
import hmac
import os
import socket
import ssl
import struct
import sys
import tempfile
import time

SECRET = b"radsec"  # RFC 6614, section 2.3
CODES = {
    "Access-Request": 1, "Access-Accept": 2, "Access-Reject": 3, "Accounting-Request": 4,
    "Accounting-Response": 5, "Access-Challenge": 11, "Status-Server": 12,
    "Disconnect-Request": 40, "Disconnect-ACK": 41, "Disconnect-NAK": 42,
    "CoA-Request": 43, "CoA-ACK": 44, "CoA-NAK": 45, "Protocol-Error": 52,
}
NAMES = {number: name for name, number in CODES.items()}
USER_NAME, USER_PASSWORD, CHAP_PASSWORD, SERVICE_TYPE, STATE, VENDOR = 1, 2, 3, 6, 24, 26
CALLED, CALLING, NAS_ID, PROXY_STATE = 30, 31, 32, 33
STATUS_TYPE, SESSION_ID, CHAP_CHALLENGE, EAP, MESSAGE_AUTHENTICATOR, ERROR_CAUSE = 40, 44, 60, 79, 80, 101


def say(*words):
    print(*words, flush=True)


def check(truth, what):
    if not truth:
        say("WRONG:", what)
        sys.exit(1)


def attribute(kind, value):
    check(len(value) <= 253, "an attribute of our own is too long")
    return bytes([kind, len(value) + 2]) + value


def integer(kind, value):
    return attribute(kind, struct.pack("!I", value))


class Packet:
    def __init__(self, octets):
        self.octets = octets
        self.code, self.identifier, length = struct.unpack("!BBH", octets[:4])
        check(length == len(octets), "the length field is not the packet's length")
        self.authenticator = octets[4:20]
        self.token, self.reserved = octets[4:8], octets[8:20]
        self.attributes, rest = [], octets[20:]
        while rest:
            check(len(rest) >= 2 and 2 <= rest[1] <= len(rest), "attributes do not fill the packet")
            self.attributes.append((rest[0], rest[2:rest[1]]))
            rest = rest[rest[1]:]

    @property
    def name(self):
        return NAMES.get(self.code, str(self.code))

    def all(self, kind):
        return [value for k, value in self.attributes if k == kind]

    def first(self, kind):
        return next(iter(self.all(kind)), None)

    def integer(self, kind):
        value = self.first(kind)
        return None if value is None else struct.unpack("!I", value)[0]

    def mppe(self, kind):
        """MS-MPPE-Send-Key is 16, MS-MPPE-Recv-Key is 17 (RFC 2548)."""
        for value in self.all(VENDOR):
            if value[:5] == struct.pack("!IB", 311, kind):
                return value[6:4 + value[5]]
        return None


class Connection:
    """One TLS connection, in the version that was agreed on."""

    def __init__(self, args):
        host, port = args.connect.rsplit(":", 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(args.ca)
        context.load_cert_chain(args.cert, args.key)
        if args.alpn:
            context.set_alpn_protocols(args.alpn.split(","))
        if args.tls == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        plain = socket.socket()
        plain.settimeout(10)
        if args.scenario == "deaf":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.bind((args.source, 0))
        plain.connect((host, int(port)))
        self.socket = context.wrap_socket(plain)
        self.socket.settimeout(10)
        self.new = self.socket.selected_alpn_protocol() == "radius/1.1"
        self.number = 0
        self.requests = []  # of the server, that came while something else was awaited
        if self.new:
            check(self.socket.version() == "TLSv1.3", "RADIUS/1.1 over less than TLS 1.3")

    def read(self, length):
        octets = b""
        while len(octets) < length:
            more = self.socket.recv(length - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def receive(self):
        head = self.read(4)
        packet = Packet(head + self.read(struct.unpack("!H", head[2:])[0] - 4))
        if os.environ.get("DUMP"):
            # As text2pcap reads it.
            with open(os.environ["DUMP"], "a") as dump:
                dump.write("000000 " + packet.octets.hex(" ") + "\n")
        return packet

    def receive_request(self):
        return self.requests.pop(0) if self.requests else self.receive()

    # RFC 9765, section 4.1: Code, Reserved-1, Length, Token, Reserved-2.
    # RFC 2865, section 3: Code, Identifier, Length, Authenticator.
    def request(self, code, attributes, number=None, authenticate=True):
        code = CODES.get(code, code)
        if number is None:
            self.number = self.number % 255 + 1
            number = self.number
        if self.new:
            length = 20 + len(attributes)
            return struct.pack("!BBHI", code, 0, length, number) + bytes(12) + attributes
        random = os.urandom(16)
        signed = attribute(MESSAGE_AUTHENTICATOR, bytes(16)) if authenticate and code in (1, 12) else b""
        body = signed + attributes
        head = struct.pack("!BBH", code, number, 20 + len(body))
        if code in (1, 12):
            if signed:
                mac = hmac.new(SECRET, head + random + body, "md5").digest()
                body = attribute(MESSAGE_AUTHENTICATOR, mac) + attributes
            return head + random + body
        return head + hashlib.md5(head + bytes(16) + body + SECRET).digest() + body

    def send(self, octets):
        self.socket.sendall(octets)

    def ask(self, code, attributes, **more):
        request = self.request(code, attributes, **more)
        self.send(request)
        reply = self.receive()
        while reply.name in ("CoA-Request", "Disconnect-Request"):
            self.requests.append(reply)
            reply = self.receive()
        self.check_reply(Packet(request), reply)
        return reply

    def check_reply(self, request, reply):
        if self.new:
            check(reply.token == request.token, "the Token is not the request's")
            check(reply.identifier == 0 and reply.reserved == bytes(12), "a reserved field is not zero")
            check(reply.first(MESSAGE_AUTHENTICATOR) is None, "Message-Authenticator in RADIUS/1.1")
            check(reply.first(241) is None, "Original-Packet-Code in RADIUS/1.1")
            return
        check(reply.identifier == request.identifier, "the identifier is not the request's")
        wanted = hashlib.md5(reply.octets[:4] + request.authenticator + reply.octets[20:] + SECRET).digest()
        check(reply.authenticator == wanted, "the Response Authenticator is wrong")
        if reply.code != 5:
            check(reply.attributes and reply.attributes[0][0] == MESSAGE_AUTHENTICATOR, "Message-Authenticator is not first")
            blank = attribute(MESSAGE_AUTHENTICATOR, bytes(16)) + reply.octets[38:]
            mac = hmac.new(SECRET, reply.octets[:4] + request.authenticator + blank, "md5").digest()
            check(reply.attributes[0][1] == mac, "Message-Authenticator is wrong")

    def answer(self, request, code, attributes=b"", break_it=False):
        code = CODES[code]
        if self.new:
            token = bytes(4) if break_it == "number" else request.token
            self.send(struct.pack("!BBH", code, 0, 20 + len(attributes)) + token + bytes(12) + attributes)
            return
        head = struct.pack("!BBH", code, request.identifier, 20 + len(attributes))
        made = hashlib.md5(head + request.authenticator + attributes + SECRET).digest()
        self.send(head + (bytes(16) if break_it else made) + attributes)

    def closed(self, within):
        """Whether the server closes the connection within so many seconds."""
        self.socket.settimeout(within)
        try:
            while self.socket.recv(4096):
                pass
            return True
        except (ssl.SSLError, ConnectionError) as error:
            return not isinstance(error, TimeoutError)
        except TimeoutError:
            return False


def hide(password, authenticator):
    """RFC 2865, section 5.2."""
    padded = password + bytes(-len(password) % 16)
    out, last = b"", authenticator
    for at in range(0, len(padded), 16):
        key = hashlib.md5(SECRET + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[at:at + 16], key))
        out += last
    return out


def mab(mac, password=None, chap=None, challenge=None):
    bare = mac.replace("-", "").lower().encode()
    attributes = attribute(USER_NAME, bare) + integer(SERVICE_TYPE, 10) + attribute(CALLING, mac.encode())
    attributes += attribute(NAS_ID, b"peer")
    if password:
        attributes += attribute(USER_PASSWORD, bare)
    if chap:
        digest = hashlib.md5(b"\x07" + bare + (challenge or b"0123456789abcdef")).digest()
        attributes += attribute(CHAP_PASSWORD, b"\x07" + digest)
    if challenge:
        attributes += attribute(CHAP_CHALLENGE, challenge)
    return attributes


def status(c, args):
    for _ in range(3):
        say(c.ask("Status-Server", b"").name)


def login(c, args):
    """MAC authentication: the password is in clear in RADIUS/1.1."""
    mac = args.rest[0]
    if c.new:
        reply = c.ask("Access-Request", mab(mac, password=True) + attribute(PROXY_STATE, b"one"))
        check(reply.all(PROXY_STATE) == [b"one"], "Proxy-State did not come back")
        say("password", reply.name)
        say("chap", c.ask("Access-Request", mab(mac, chap=True, challenge=os.urandom(16))).name)
        # RFC 9765, section 5.1.2: without CHAP-Challenge there is nothing to check.
        say("chap without challenge", c.ask("Access-Request", mab(mac, chap=True)).name)
        wrong = mab(mac) + attribute(USER_PASSWORD, b"wrong")
        say("wrong password", c.ask("Access-Request", wrong).name)
    else:
        say("no password", c.ask("Access-Request", mab(mac)).name)
        say("without Message-Authenticator", c.ask("Access-Request", mab(mac), authenticate=False).name)
        request = Packet(c.request("Access-Request", mab(mac)))
        hidden = attribute(USER_PASSWORD, hide(mac.replace("-", "").lower().encode(), request.authenticator))
        body = attribute(MESSAGE_AUTHENTICATOR, bytes(16)) + mab(mac) + hidden
        head = struct.pack("!BBH", 1, 77, 20 + len(body))
        mac80 = hmac.new(SECRET, head + request.authenticator + body, "md5").digest()
        sent = head + request.authenticator + attribute(MESSAGE_AUTHENTICATOR, mac80) + body[18:]
        c.send(sent)
        reply = c.receive()
        c.check_reply(Packet(sent), reply)
        say("password", reply.name)


def accounting(c, args):
    for kind in (1, 3, 2):
        body = attribute(SESSION_ID, args.rest[0].encode()) + integer(STATUS_TYPE, kind)
        body += attribute(USER_NAME, b"camera") + attribute(CALLING, b"02-00-5E-00-00-10")
        say(c.ask("Accounting-Request", body).name)


def duplicates(c, args):
    """The same request twice gets one answer, octet by octet; another with the same
    number is another request."""
    request = c.request("Access-Request", mab(args.rest[0], password=True) if c.new else mab(args.rest[0]), number=9)
    c.send(request)
    first = c.receive().octets
    c.send(request)
    check(c.receive().octets == first, "a repeated request got another answer")
    other = c.ask("Access-Request", mab("02-00-5E-00-00-99"), number=9)
    check(other.octets != first, "another request got the first one's answer")
    say("repeated", Packet(first).name, "other", other.name)


def many(c, args):
    """More requests at once than RADIUS/1.0 has identifiers."""
    count = int(args.rest[0])
    for number in range(1, count + 1):
        c.send(c.request("Access-Request", mab("02-00-5E-00-00-10", password=True), number=0x01000000 + number))
    tokens = set()
    for _ in range(count):
        reply = c.receive()
        check(reply.name == "Access-Accept", reply.name)
        tokens.add(reply.token)
    check(len(tokens) == count, "not every request got its answer")
    say("answered", len(tokens))


def refusals(c, args):
    """What is not served: told by Protocol-Error where an RFC says so."""
    for code in ("CoA-Request", "Disconnect-Request", 77):
        request = c.request(code, b"")
        c.send(request)
        reply = c.receive()
        c.check_reply(Packet(request), reply)
        if not c.new:
            original = struct.pack("!BI", 4, Packet(request).code)
            check(reply.first(241) == original, "Original-Packet-Code is not the request's")
        say(code, reply.name, reply.integer(ERROR_CAUSE))
    # A reply to nothing is not answered, and the connection goes on.
    c.answer(Packet(c.request("CoA-Request", b"", number=200)), "CoA-ACK")
    if c.new:
        broken = attribute(USER_NAME, b"x") + attribute(EAP, b"\x02\x01\x00\x63\x01x")
        reply = c.ask("Access-Request", broken)
        say("broken EAP", reply.name, reply.integer(ERROR_CAUSE))
        stale = attribute(USER_NAME, b"x") + attribute(EAP, b"\x02\x01\x00\x06\x0d\x00") + attribute(STATE, bytes(16))
        reply = c.ask("Access-Request", stale)
        say("unknown State", reply.name, reply.integer(ERROR_CAUSE))
        reply = c.ask("Accounting-Request", attribute(USER_NAME, b"x"))
        say("no session", reply.name, reply.integer(ERROR_CAUSE))
    say("then", c.ask("Status-Server", b"").name)


def wrong_authenticator(c, args):
    request = bytearray(c.request("Access-Request", mab("02-00-5E-00-00-10")))
    request[25] ^= 1
    c.send(bytes(request))
    say("closed" if c.closed(3) else "still open")


def stay(c, args):
    """A session that begins, and what the server asks for it."""
    body = attribute(SESSION_ID, args.rest.pop(0).encode()) + integer(STATUS_TYPE, 1)
    say(c.ask("Accounting-Request", body + attribute(CALLING, b"02-00-5E-00-00-10")).name)
    nas(c, args)


def half(c, args):
    """Half a packet, then nothing."""
    c.send(c.request("Status-Server", b"")[:11])
    began = time.monotonic()
    check(c.closed(10), "the connection is still open")
    say("closed after %.1f s" % (time.monotonic() - began))


def trickle(c, args):
    """A packet, an octet each 0.4 s: slower than the deadline allows."""
    began = time.monotonic()
    try:
        for octet in c.request("Status-Server", attribute(PROXY_STATE, bytes(100))):
            c.send(bytes([octet]))
            if c.closed(0.4):
                break
        else:
            check(False, "the connection is still open")
    except (OSError, ssl.SSLError):
        pass
    say("closed after %.1f s" % (time.monotonic() - began))


def deaf(c, args):
    """Asks on and on, and reads no answer."""
    ask = c.request("Status-Server", attribute(PROXY_STATE, bytes(250)) * 12)
    sent = 0
    try:
        while sent < 20000:
            c.send(ask)
            sent += 1
        check(False, "the connection is still open")
    except (OSError, ssl.SSLError) as error:
        check(not isinstance(error, TimeoutError), "nothing is read, and the connection is still open")
    say("closed")


def hold(c, args):
    """Stays connected, and says when the server ends that."""
    say("connected", c.ask("Status-Server", b"").name)
    check(c.closed(float(args.rest[0])), "the connection is still open")
    say("closed")


def nas(c, args):
    """Answers the requests of the server, as told: ack, nak, error, wrong, kind,
    number, silent or close for each. Meanwhile it has requests of its own."""
    say("connected", c.ask("Status-Server", b"").name)
    for manner in args.rest:
        request = c.receive_request()
        ack, nak = request.name.replace("Request", "ACK"), request.name.replace("Request", "NAK")
        if c.new:
            check(request.identifier == 0 and request.reserved == bytes(12), "a reserved field is not zero")
            check(request.first(MESSAGE_AUTHENTICATOR) is None, "Message-Authenticator in RADIUS/1.1")
        else:
            zeroed = request.octets[:4] + bytes(16) + request.octets[20:]
            check(request.authenticator == hashlib.md5(zeroed + SECRET).digest(), "the Request Authenticator is wrong")
            check(request.identifier != 0, "the identifier 0 is for Status-Server")
            check(request.attributes[0][0] == MESSAGE_AUTHENTICATOR, "Message-Authenticator is not first")
            blank = zeroed[:20] + attribute(MESSAGE_AUTHENTICATOR, bytes(16)) + zeroed[38:]
            mac = hmac.new(SECRET, blank, "md5").digest()
            check(request.attributes[0][1] == mac, "Message-Authenticator is wrong")
        say("got", request.name, (request.first(SESSION_ID) or b"").decode())
        # The numbers of the two directions have nothing to do with each other.
        number = struct.unpack("!I", request.token)[0] if c.new else request.identifier
        say("meanwhile", c.ask("Status-Server", b"", number=number).name)
        if manner == "ack":
            c.answer(request, ack)
        elif manner == "nak":
            c.answer(request, nak, integer(ERROR_CAUSE, 503))
        elif manner == "error":
            c.answer(request, "Protocol-Error", integer(ERROR_CAUSE, 406))
        elif manner == "kind":
            c.answer(request, "Disconnect-ACK" if request.name == "CoA-Request" else "CoA-ACK")
        elif manner == "wrong":
            c.answer(request, ack, break_it="authenticator")
        elif manner == "number":
            c.answer(request, ack, break_it="number")
        elif manner == "close":
            c.socket.close()
            return
    say("closed" if c.closed(2) else "still open")


# EAP-TLS (RFC 5216, RFC 9190) over the connection, by Python's TLS on memory.
def expand(secret, label, context, length, digest):
    """HKDF-Expand-Label (RFC 8446, section 7.1)."""
    label = b"tls13 " + label
    info = struct.pack("!HB", length, len(label)) + label + bytes([len(context)]) + context
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.new(secret, block + info + bytes([count]), digest).digest()
        out, count = out + block, count + 1
    return out[:length]


def exported(secret, label, context, length, digest):
    """RFC 8446, section 7.5."""
    empty = hashlib.new(digest, b"").digest()
    derived = expand(secret, label, empty, hashlib.new(digest).digest_size, digest)
    return expand(derived, b"exporter", hashlib.new(digest, context).digest(), length, digest)


def eap_tls(c, args):
    cert, key, ca = args.rest
    keys = tempfile.NamedTemporaryFile()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    context.keylog_filename = keys.name
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    state, waiting, rounds = None, b"", 0

    def eap(identifier, body):
        return struct.pack("!BBH", 2, identifier, 4 + len(body)) + body

    message = eap(0, b"\x01anonymous@corp.example")
    while rounds < 30:
        rounds += 1
        body = attribute(USER_NAME, b"anonymous@corp.example") + attribute(CALLING, b"02-00-5E-02-00-01")
        for at in range(0, len(message), 253):
            body += attribute(EAP, message[at:at + 253])
        if state is not None:
            body += attribute(STATE, state)
        reply = c.ask("Access-Request", body)
        answer = b"".join(reply.all(EAP))
        if reply.name != "Access-Challenge":
            break
        state, identifier, flags, data = reply.first(STATE), answer[1], answer[5], answer[6:]
        if flags & 0x80:
            data = data[4:]
        if not flags & 0x20:
            incoming.write(data)
        if flags & 0x40:
            message = eap(identifier, b"\x0d\x00")
            continue
        if not waiting:
            try:
                tls.do_handshake()
                check(tls.read(1) == b"\x00", "the protected success indication is another")
            except ssl.SSLWantReadError:
                pass
            waiting = outgoing.read()
        part, waiting = waiting[:900], waiting[900:]
        message = eap(identifier, b"\x0d" + (b"\x40" if waiting else b"\x00") + part)
    say(reply.name, "EAP code", answer[0], "after", rounds)
    line = next(line for line in open(keys.name) if line.startswith("EXPORTER_SECRET"))
    secret, digest = bytes.fromhex(line.split()[2]), tls.cipher()[0].rsplit("_", 1)[1].lower()
    msk = exported(secret, b"EXPORTER_EAP_TLS_Key_Material", b"\x0d", 128, digest)[:64]
    if c.new:
        # RFC 9765, section 5.1.4: neither salt nor length, nor hidden.
        check(reply.mppe(17) == msk[:32], "MS-MPPE-Recv-Key is not the MSK's first half in clear")
        check(reply.mppe(16) == msk[32:], "MS-MPPE-Send-Key is not the MSK's second half in clear")
        say("the keys are the session's, in clear")
    else:
        check(len(reply.mppe(17)) == 50, "MS-MPPE-Recv-Key is not salted")


SCENARIOS = {
    "status": status, "login": login, "accounting": accounting, "duplicates": duplicates, "many": many,
    "refusals": refusals, "wrong-authenticator": wrong_authenticator, "half": half, "trickle": trickle,
    "hold": hold, "deaf": deaf, "nas": nas, "stay": stay, "eap-tls": eap_tls,
}


def main():
    parser = argparse.ArgumentParser()
    for name in ("connect", "cert", "key", "ca"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--alpn")
    parser.add_argument("--tls")
    parser.add_argument("--source", default="127.0.0.1")
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("rest", nargs="*")
    args = parser.parse_args()
    connection = Connection(args)
    say("agreed on", "RADIUS/1.1" if connection.new else "RADIUS/1.0", connection.socket.version())
    SCENARIOS[args.scenario](connection, args)


main()
