"""An SMTP server that keeps what it takes, and does as it is told.

`smtp.py serve OPTIONS` listens for e-mails on a port and for orders on a socket, both named in the
JSON file OPTIONS. `smtp.py read FILE` prints an e-mail as JSON.
"""

import asyncio
import email
import json
import os
import ssl
import sys
from email import policy


def read(content):
    """An e-mail as its reader sees it."""
    message = email.message_from_bytes(content, policy=policy.default)
    headers = {name.lower(): str(value) for name, value in message.items()}
    return {"headers": headers, "text": message.get_content(), "defects": len(message.defects)}


class Server:
    """What was taken and refused, also by those who ran here before."""

    def __init__(self, journal):
        self.journal = journal
        self.events = []
        if os.path.exists(journal):
            with open(journal, encoding="utf-8") as lines:
                self.events = [json.loads(line) for line in lines]
        self.order = {"do": "accept"}
        self.changed = asyncio.Condition()

    async def note(self, event):
        with open(self.journal, "a", encoding="utf-8") as journal:
            journal.write(json.dumps(event) + "\n")
        self.events.append(event)
        async with self.changed:
            self.changed.notify_all()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.order["do"] == "refuse":
            await self.note({"refused": self.order["code"]})
            return f"{self.order['code']} refused as told"
        if self.order["do"] == "silence":
            await self.note({"refused": 0})
            await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = read(envelope.content)
        message.update(envelope_from=envelope.mail_from, envelope_to=envelope.rcpt_tos)
        await self.note({"email": message})
        return "250 OK"

    def of(self, kind):
        return [event[kind] for event in self.events if kind in event]

    async def answer(self, order):
        """Waits until there are as many events of a kind as asked for, or takes an order."""
        if "do" in order:
            self.order = order
            return []
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.of(order["of"])) >= order["least"])
        return self.of(order["of"])

    async def obey(self, reader, writer):
        async for line in reader:
            answer = await self.answer(json.loads(line))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()


async def serve(options):
    from aiosmtpd.smtp import SMTP, AuthResult

    server = Server(options["journal"])
    tls = login = None
    if options["security"] != "plain":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options["cert"], options["key"])
        expected = (options["user"].encode(), options["password"].encode())

        def login(_server, _session, _envelope, _mechanism, given):
            is_known = (given.login, given.password) == expected
            # "Handled" would mean that the answer was given here.
            return AuthResult(success=is_known, handled=False)

    def connection():
        return SMTP(
            server,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=tls if options["security"] == "starttls" else None,
            require_starttls=options["security"] == "starttls",
            # It does not see TLS that was there before it.
            auth_require_tls=options["security"] == "starttls",
            auth_required=login is not None,
            authenticator=login,
        )

    loop = asyncio.get_running_loop()
    wrapped = tls if options["security"] == "tls" else None
    await loop.create_server(connection, options["host"], options["port"], ssl=wrapped)
    if os.path.exists(options["control"]):
        os.unlink(options["control"])
    await asyncio.start_unix_server(server.obey, options["control"])
    print("ready", flush=True)
    await asyncio.Event().wait()


def main(does, path):
    with open(path, "rb") as file:
        content = file.read()
    if does == "serve":
        asyncio.run(serve(json.loads(content)))
    else:
        print(json.dumps(read(content)))


if __name__ == "__main__":
    main(*sys.argv[1:])
