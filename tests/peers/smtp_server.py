#!/usr/bin/env python3
"""A mail server, by aiosmtpd: it takes mail after STARTTLS and a login, and no other.

    smtp_server.py DIR

DIR/certificate and DIR/key are its own. What it took is in DIR/taken, a line of JSON for each email. It refuses while
DIR/mode is "refuse".
"""

import email
import json
import pathlib
import socket
import ssl
import sys
import time
from email import policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

DIR = pathlib.Path(sys.argv[1])


class Taker:
    async def handle_DATA(self, server, session, envelope):
        if (DIR / "mode").read_text().strip() == "refuse":
            return "451 try again later"
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": message["subject"],
            "text": message.get_content(),
            "tls": session.ssl is not None,
            "login": session.auth_data.login.decode() if session.authenticated else None,
        }
        with (DIR / "taken").open("a") as file:
            file.write(json.dumps(taken) + "\n")
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"cordon", b"a-password-for-mail")
    return AuthResult(success=good, auth_data=data)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(DIR / "certificate", DIR / "key")
# The library wants to be told a port.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = int((DIR / "port").read_text()) if (DIR / "port").exists() else free.getsockname()[1]
controller = Controller(
    Taker(),
    hostname="127.0.0.1",
    port=port,
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=login,
)
controller.start()
(DIR / "port").write_text(str(port))
while True:
    time.sleep(3600)
