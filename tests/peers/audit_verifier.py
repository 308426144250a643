#!/usr/bin/env python3
"""Verifies evidence of the audit log, from the words of RFC 6962, RFC 9162 and C2SP
(signed-note, tlog-checkpoint, tlog-proof); nothing of Cordon's is used.

    audit_verifier.py bundle FILE KEY            one event is in the log
    audit_verifier.py log JSONL CHECKPOINT KEY   all events are those that were signed
    audit_verifier.py grown JSON CHECKPOINT KEY  the older log is the beginning of the newer

KEY is the verifier key, NAME+ID+BASE64. Ed25519 is left to openssl.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile


class Refused(Exception):
    pass


def demand(condition, why):
    if not condition:
        raise Refused(why)


def leaf(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(leaves):
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def check_inclusion(hash_, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    demand(index < size, "the index is beyond the tree")
    fn, sn, r = index, size - 1, hash_
    for p in path:
        demand(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            r = node(r, p)
        fn >>= 1
        sn >>= 1
    demand(sn == 0 and r == root, "the path does not lead to the root")


def check_consistency(first, first_root, second, second_root, path):
    """RFC 9162, section 2.1.4.2."""
    demand(0 < first <= second, "the sizes are in the wrong order")
    if first == second:
        demand(not path and first_root == second_root, "the same size has two roots")
        return
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    demand(path, "the path is empty")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        demand(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            sr = node(sr, c)
        fn >>= 1
        sn >>= 1
    demand(fr == first_root and sr == second_root and sn == 0, "the path does not lead to both roots")


def key_of(text):
    name, key_id, encoded = text.strip().split("+", 2)
    octets = base64.b64decode(encoded, validate=True)
    demand(octets[0] == 1 and len(octets) == 33, "the key is not Ed25519")
    digest = hashlib.sha256(name.encode() + b"\n" + octets).digest()[:4]
    demand(digest.hex() == key_id, "the key's id is not its own")
    return name, digest, octets[1:]


def ed25519(public, message, signature):
    prefix = bytes.fromhex("302a300506032b6570032100")
    with tempfile.TemporaryDirectory() as where:
        for name, octets in (("key", prefix + public), ("message", message), ("signature", signature)):
            with open(f"{where}/{name}", "wb") as out:
                out.write(octets)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", f"{where}/key",
                   "-in", f"{where}/message", "-sigfile", f"{where}/signature"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def open_note(note, key):
    """The size and root of a checkpoint that this key has signed."""
    name, key_id, public = key
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    signed = False
    for line in signatures.splitlines():
        dash, by, encoded = line.split(" ")
        demand(dash == "\u2014", "a signature line has no em dash")
        octets = base64.b64decode(encoded, validate=True)
        if by == name and octets[:4] == key_id:
            demand(ed25519(public, text.encode(), octets[4:]), "the signature is wrong")
            signed = True
    demand(signed, "the key has not signed it")
    origin, size, root = text.splitlines()[:3]
    demand(origin == name, "it is the checkpoint of another log")
    return int(size), base64.b64decode(root, validate=True)


def bundle(file, key):
    with open(file, encoding="utf-8") as text:
        parts = json.load(text)
    head, note = parts["proof"].split("\n\n", 1)
    lines = head.split("\n")
    demand(lines.pop(0) == "c2sp.org/tlog-proof@v1", "it is no tlog-proof")
    if lines[0].startswith("extra "):
        lines.pop(0)
    word, index = lines.pop(0).split(" ")
    demand(word == "index", "it has no index")
    size, root = open_note(note, key)
    path = [base64.b64decode(line, validate=True) for line in lines]
    check_inclusion(leaf(parts["event"].encode()), int(index), size, path, root)
    event = json.loads(parts["event"])
    demand(event["seq"] == int(index), "the event has another number")
    return f"event {index} of {size}: {event['actor']} {event['action']} {event['object']['name']}"


def log(file, checkpoint, key):
    with open(checkpoint, encoding="utf-8") as text:
        size, root = open_note(text.read(), key)
    with open(file, "rb") as lines:
        events = lines.read().splitlines()
    demand(len(events) >= size, "events are missing")
    before = bytes(32)
    for number, octets in enumerate(events):
        event = json.loads(octets)
        demand(event["seq"] == number and event["prev"] == before.hex(), f"event {number} is out of the chain")
        canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        demand(canonical.encode() == octets, f"event {number} is not in canonical form")
        before = leaf(octets)
    demand(tree_hash([leaf(octets) for octets in events[:size]]) == root, "the events are not those that were signed")
    return f"{size} events are as they were signed"


def grown(file, checkpoint, key):
    with open(checkpoint, encoding="utf-8") as text:
        first, first_root = open_note(text.read(), key)
    with open(file, encoding="utf-8") as text:
        told = json.load(text)
    second, second_root = open_note(told["checkpoint"], key)
    demand((told["from"], told["to"]) == (first, second), "it is about other sizes")
    path = [base64.b64decode(line, validate=True) for line in told["proof"]]
    check_consistency(first, first_root, second, second_root, path)
    return f"{second} events go on from {first}"


def main():
    what, *files, key = sys.argv[1:]
    try:
        print({"bundle": bundle, "log": log, "grown": grown}[what](*files, key_of(key)))
    except (Refused, ValueError, KeyError) as why:
        print(f"refused: {why}")
        sys.exit(1)


main()
