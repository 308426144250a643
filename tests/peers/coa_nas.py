#!/usr/bin/env python3
"""A NAS that takes changes to its sessions, written from the words of RFC 5176.

It says on standard output, a JSON object a line, where it listens and what it got.
How it answers is told for CoA-Request and Disconnect-Request apart:

  ack           the change is made
  nak:503       refused with this Error-Cause; nak alone says none
  late:800      made, and answered this many milliseconds later
  wrong:N       the first N answers have the authenticator of another secret
  drop:N        the first N requests are dropped, retransmissions counted
  silent        no answer
"""

import argparse
import hashlib
import hmac
import json
import socket
import struct
import sys
import threading
import time

DISCONNECT_REQUEST, DISCONNECT_ACK, DISCONNECT_NAK = 40, 41, 42
COA_REQUEST, COA_ACK, COA_NAK = 43, 44, 45
EVENT_TIMESTAMP, MESSAGE_AUTHENTICATOR, ERROR_CAUSE = 55, 80, 101
# RFC 5176, section 6.3: what is older, or from the future, is dropped in silence.
WINDOW = 300


def attributes_of(packet):
    """(type, value, where the value begins) of each attribute, or None."""
    found, at = [], 20
    while at < len(packet):
        if at + 2 > len(packet) or packet[at + 1] < 2 or at + packet[at + 1] > len(packet):
            return None
        found.append((packet[at], packet[at + 2 : at + packet[at + 1]], at + 2))
        at += packet[at + 1]
    return found


def check(packet, secret):
    """What is wrong with a request; None if nothing is."""
    if len(packet) < 20 or struct.unpack("!H", packet[2:4])[0] != len(packet):
        return "malformed"
    attributes = attributes_of(packet)
    if attributes is None:
        return "malformed"
    if packet[0] not in (DISCONNECT_REQUEST, COA_REQUEST):
        return "unexpected code"
    # Section 2.3: as for accounting, over the packet with sixteen zero octets.
    expected = hashlib.md5(packet[:4] + bytes(16) + packet[20:] + secret).digest()
    if not hmac.compare_digest(expected, packet[4:20]):
        return "wrong request authenticator"
    stamps = [value for kind, value, _ in attributes if kind == MESSAGE_AUTHENTICATOR]
    if len(stamps) != 1:
        return "no message authenticator"
    at = [at for kind, _, at in attributes if kind == MESSAGE_AUTHENTICATOR][0]
    # Section 3.4: the authenticator's field and the attribute's value are zero.
    whole = packet[:4] + bytes(16) + packet[20:at] + bytes(16) + packet[at + 16 :]
    if not hmac.compare_digest(hmac.new(secret, whole, hashlib.md5).digest(), stamps[0]):
        return "wrong message authenticator"
    times = [struct.unpack("!I", value)[0] for kind, value, _ in attributes if kind == EVENT_TIMESTAMP]
    if len(times) != 1:
        return "no event timestamp"
    if abs(time.time() - times[0]) > WINDOW:
        return "stale event timestamp"
    return None


def reply(request, code, error_cause, secret):
    body = bytes([MESSAGE_AUTHENTICATOR, 18]) + bytes(16)
    if error_cause is not None:
        body += struct.pack("!BBI", ERROR_CAUSE, 6, error_cause)
    head = struct.pack("!BBH", code, request[1], 20 + len(body))
    stamp = hmac.new(secret, head + request[4:20] + body, hashlib.md5).digest()
    body = body[:2] + stamp + body[18:]
    return head + hashlib.md5(head + request[4:20] + body + secret).digest() + body


class Nas:
    def __init__(self, arguments):
        self.secret = arguments.secret.encode()
        self.behaviour = {COA_REQUEST: arguments.coa, DISCONNECT_REQUEST: arguments.disconnect}
        self.counts = {COA_REQUEST: 0, DISCONNECT_REQUEST: 0}
        self.quiet = arguments.quiet
        # Section 2.3: a repeated request gets the answer that the first one got.
        self.answers = {}
        # Those that got no answer of ours, or a wrong one.
        self.seen = set()
        family = socket.AF_INET6 if ":" in arguments.address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((arguments.address, arguments.port))
        self.say({"listening": self.socket.getsockname()[1]})

    def say(self, what):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    def send(self, octets, to, after=0.0):
        if after:
            threading.Timer(after, self.socket.sendto, (octets, to)).start()
        else:
            self.socket.sendto(octets, to)

    def serve(self):
        while True:
            packet, source = self.socket.recvfrom(4096)
            wrong = check(packet, self.secret)
            key = (source, packet)
            repeated = key in self.answers or key in self.seen
            entry = {
                "at": time.time(),
                "code": packet[0],
                "identifier": packet[1],
                "from": source[0],
                "wrong": wrong,
                "repeated": repeated,
                "packet": packet.hex(),
            }
            if wrong is None:
                entry["attributes"] = [[kind, value.hex()] for kind, value, _ in attributes_of(packet)]
            if self.quiet:
                del entry["packet"]
            self.say(entry)
            if wrong is None:
                self.answer(packet, source, key)

    def answer(self, packet, source, key):
        code = packet[0]
        self.counts[code] += 1
        kind, _, value = self.behaviour[code].partition(":")
        ack, nak = (COA_ACK, COA_NAK) if code == COA_REQUEST else (DISCONNECT_ACK, DISCONNECT_NAK)
        known = self.answers.get(key)
        if kind == "silent" or (kind == "drop" and self.counts[code] <= int(value)):
            self.seen.add(key)
        elif kind == "wrong" and self.counts[code] <= int(value):
            self.seen.add(key)
            self.send(reply(packet, ack, None, b"the secret of somebody else"), source)
        elif key in self.answers:
            if known is not None:
                self.send(known, source)
        else:
            if kind == "nak":
                octets = reply(packet, nak, int(value) if value else None, self.secret)
            else:
                octets = reply(packet, ack, None, self.secret)
            late = int(value) / 1000 if kind == "late" else 0.0
            self.answers[key] = None if late else octets
            self.send(octets, source, late)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--coa", default="ack")
    parser.add_argument("--disconnect", default="ack")
    parser.add_argument("--quiet", action="store_true", help="leave the packets out of what is said")
    Nas(parser.parse_args()).serve()


if __name__ == "__main__":
    main()
