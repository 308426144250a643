#!/usr/bin/env python3
"""The other side of Shared Signals, by the JOSE library jwcrypto.

    ssf_peer.py make DIR                 a transmitter's keys: DIR/key.json, DIR/evil.json, DIR/jwks.json
    ssf_peer.py sign DIR SPEC            a Security Event Token as SPEC (JSON) says, on standard output
    ssf_peer.py serve DIR                serves, on a port that is then in DIR/port:
        GET  /.well-known/ssf-configuration, /jwks      what a transmitter says of itself, or the status in DIR/away; the path
                                                        of each question goes to DIR/gets
        POST /poll                                      RFC 8936: DIR/queue is what is given, a line of JSON each:
                                                        {"jti": ..., "set": ...}; each question goes to DIR/polls
        POST /push                                      RFC 8935: verifies by the keys at the URL in DIR/jwks_url, answers
                                                        with the status in DIR/mode, with DIR/location where it is a
                                                        redirect, after as many seconds as DIR/delay says, and notes it in
                                                        DIR/taken before
    ssf_peer.py verify URL               verifies the tokens on standard input, one a line, by the keys at URL

A SPEC may say: key ("key" or "evil"), alg, typ, kid, claims; alg "none" and "HS256" with the public key are made by hand.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jwcrypto import jwk, jws, jwt

LOCK = threading.Lock()


def encoded(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def make(directory):
    keys = {"key": jwk.JWK.generate(kty="RSA", size=2048, kid="k1", use="sig", alg="RS256"),
            "evil": jwk.JWK.generate(kty="RSA", size=2048, kid="k1", use="sig", alg="RS256"),
            "ec": jwk.JWK.generate(kty="EC", crv="P-256", kid="e1", use="sig", alg="ES256")}
    for name, key in keys.items():
        (directory / f"{name}.json").write_text(key.export())
    public = [keys["key"].export_public(as_dict=True), keys["ec"].export_public(as_dict=True)]
    (directory / "jwks.json").write_text(json.dumps({"keys": public}))


def sign(directory, spec):
    key = jwk.JWK.from_json((directory / f"{spec.get('key', 'key')}.json").read_text())
    header = {"alg": spec.get("alg", "RS256"), "typ": spec.get("typ", "secevent+jwt"), "kid": spec.get("kid", "k1")}
    claims = json.dumps(spec["claims"])
    if header["alg"] in ("none", "HS256"):
        signed = f"{encoded(json.dumps(header).encode())}.{encoded(claims.encode())}"
        if header["alg"] == "none":
            return signed + "."
        secret = key.export_to_pem()
        return signed + "." + encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
    token = jws.JWS(claims)
    token.add_signature(key, None, json.dumps(header))
    return token.serialize(compact=True)


def verified(token, url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        keys = jwk.JWKSet.from_json(answer.read().decode())
    opened = jwt.JWT(jwt=token, key=keys, algs=["RS256"], check_claims={"iss": None, "iat": None, "jti": None, "aud": None})
    header = json.loads(opened.header)
    assert header["typ"] == "secevent+jwt" and "kid" in header, header
    claims = json.loads(opened.claims)
    assert "exp" not in claims and "sub" not in claims, claims
    assert len(claims["events"]) == 1, claims
    return claims


class Peer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=None):
        body = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", (DIR / "location").read_text())
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        here = f"http://{self.headers['host']}"
        with LOCK, (DIR / "gets").open("a") as file:
            file.write(self.path + "\n")
        if (DIR / "away").exists():
            self.answer(int((DIR / "away").read_text()))
        elif self.path == "/.well-known/ssf-configuration":
            self.answer(200, {"spec_version": "1_0", "issuer": here, "jwks_uri": f"{here}/jwks"})
        elif self.path == "/jwks":
            self.answer(200, json.loads((DIR / "jwks.json").read_text()))
        else:
            self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/poll":
            return self.poll(json.loads(body))
        mode = int((DIR / "mode").read_text())
        taken = {"at": time.time(), "mode": mode, "authorization": self.headers.get("authorization"),
                 "content_type": self.headers.get("content-type")}
        try:
            taken["claims"] = verified(body, (DIR / "jwks_url").read_text().strip())
        except Exception as error:  # noqa: BLE001: whatever is wrong with it is told
            taken["error"] = repr(error)
        with LOCK, (DIR / "taken").open("a") as file:
            file.write(json.dumps(taken) + "\n")
        if (DIR / "delay").exists():
            time.sleep(float((DIR / "delay").read_text()))
        if mode == 400:
            return self.answer(400, {"err": "invalid_request", "description": "not wanted"})
        return self.answer(mode)

    def poll(self, question):
        question["authorization"] = self.headers.get("authorization")
        with LOCK:
            with (DIR / "polls").open("a") as file:
                file.write(json.dumps(question) + "\n")
            queue = DIR / "queue"
            lines = [json.loads(line) for line in queue.read_text().splitlines()] if queue.exists() else []
            done = set(question.get("ack", [])) | set(question.get("setErrs", {}))
            left = [line for line in lines if line["jti"] not in done]
            if left != lines:
                queue.write_text("".join(json.dumps(line) + "\n" for line in left))
        if not left and not question.get("returnImmediately"):
            time.sleep(0.3)
        most = question.get("maxEvents", 100)
        self.answer(200, {"sets": {line["jti"]: line["set"] for line in left[:most]}, "moreAvailable": len(left) > most})

    def log_message(self, *_):
        pass


def serve(directory):
    port = directory / "port"
    server = ThreadingHTTPServer(("127.0.0.1", int(port.read_text()) if port.exists() else 0), Peer)
    port.write_text(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    what, at = sys.argv[1], sys.argv[2]
    DIR = pathlib.Path(at)
    if what == "make":
        make(DIR)
    elif what == "sign":
        print(sign(DIR, json.loads(sys.argv[3])), end="")
    elif what == "verify":
        print(json.dumps([verified(line.strip(), at) for line in sys.stdin if line.strip()]))
    else:
        serve(DIR)
