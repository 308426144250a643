#!/usr/bin/env python3
"""A receiver of webhooks, which verifies them by the library of Standard Webhooks.

    webhook_receiver.py DIR

Beside what it takes (DIR/taken, a line of JSON for each request) it is told by files what to do, and looks at them at
each request: DIR/secret, what it verifies with, and DIR/mode, the status that it answers, or "hang". Its port is in
DIR/port; another start takes the same.
"""

import json
import pathlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

DIR = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def verified(body, headers):
    try:
        Webhook((DIR / "secret").read_text().strip()).verify(body, headers)
        return True
    except (WebhookVerificationError, FileNotFoundError):
        return False


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        mode = (DIR / "mode").read_text().strip()
        taken = {
            "at": time.time(),
            "id": headers.get("webhook-id"),
            "verified": verified(body, headers),
            "signatures": len(headers.get("webhook-signature", "").split()),
            "content_type": headers.get("content-type"),
            "mode": mode,
            "body": json.loads(body),
        }
        with LOCK, (DIR / "taken").open("a") as file:
            file.write(json.dumps(taken) + "\n")
        if mode == "hang":
            time.sleep(60)
            return
        self.send_response(int(mode))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """The server is killed in the middle of a request: that is what is tested."""


port = DIR / "port"
server = Server(("127.0.0.1", int(port.read_text()) if port.exists() else 0), Receiver)
(DIR / "port.new").write_text(str(server.server_port))
(DIR / "port.new").rename(port)
server.serve_forever()
