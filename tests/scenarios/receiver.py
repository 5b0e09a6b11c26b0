"""A mail server that receives, in a thread of its own, and behaves as a test wants."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from types import TracebackType
from typing import Self

from attrs import define, frozen

from tests.scenarios.programs import WAIT_SECONDS

_PATH = re.compile(rb"(?:MAIL FROM|RCPT TO):<([^>]*)>(.*)", re.IGNORECASE)
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 104857600", "DSN")


@frozen
class Received:
    """
    One message that was taken.

    Attributes:
        parameters: what followed the address in MAIL FROM.
        recipients: the addresses of RCPT TO that were taken, with what followed each.
        content: its exact octets, transparency undone.
        tls: whether it came encrypted.
    """

    client: str
    sender: str
    parameters: str
    recipients: dict[str, str]
    content: bytes
    tls: bool


@define
class Behaviour:
    """
    How the next messages are answered; a test may change it at any time.

    Attributes:
        greeting: the first reply of a session.
        recipient: the reply to RCPT TO.
        content: the reply after the final dot.
        drop: hang up instead of answering "MAIL", "RCPT", "DATA", or the final dot as ".".
        delay_seconds: before the reply after the final dot.
    """

    greeting: str = "220 receiver.example ESMTP"
    recipient: str = "250 2.1.5 OK"
    content: str = "250 2.0.0 taken"
    drop: str = ""
    delay_seconds: float = 0.0


class Receiver:
    """
    Listens on a port of 127.0.0.1 for the length of a `with` block.

    Args:
        context: offers STARTTLS with this certificate.

    Attributes:
        port: where it listens.
        behaviour: how it answers.
        sessions: how many connections there were.
        contents: how many times content was handed over, whatever the answer.
        refused: how many messages or recipients were answered with something else than 250.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.sessions = 0
        self.contents = 0
        self.refused = 0
        self.port = 0
        self._context = context
        self._received: list[Received] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        started.result(WAIT_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(WAIT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)
        self._loop.close()

    @property
    def received(self) -> list[Received]:
        """The messages so far."""
        with self._changed:
            return list(self._received)

    def wait_for(self, count: int, seconds: float = WAIT_SECONDS) -> list[Received]:
        """
        Wait until at least so many messages have come.

        Raises:
            AssertionError: they did not come in time.
        """
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._received) >= count, seconds)
            assert came, f"{len(self._received)} of {count} messages came within {seconds:g} s"
            return list(self._received)

    def wait_for_refusal(self, count: int = 1, seconds: float = WAIT_SECONDS) -> None:
        """
        Wait until so many messages or recipients were refused.

        Raises:
            AssertionError: they did not come in time.
        """
        with self._changed:
            came = self._changed.wait_for(lambda: self.refused >= count, seconds)
            assert came, f"{self.refused} of {count} refusals within {seconds:g} s"

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        session = _Session(self, reader, writer)
        try:
            await session.serve(self._context)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # hung up, there or here
        finally:
            writer.close()

    def note(self, message: Received) -> None:
        with self._changed:
            self._received.append(message)
            self._changed.notify_all()

    def note_refusal(self) -> None:
        with self._changed:
            self.refused += 1
            self._changed.notify_all()


class _Session:
    """One client's connection."""

    def __init__(
        self, receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._receiver = receiver
        self._reader = reader
        self._writer = writer
        self._client = ""
        self._tls = False
        self._forget()

    def _forget(self) -> None:
        self._sender = self._parameters = ""
        self._recipients: dict[str, str] = {}

    async def serve(self, context: ssl.SSLContext | None) -> None:
        await self._reply(self._receiver.behaviour.greeting)
        while line := await self._reader.readline():
            verb = line.strip().partition(b" ")[0].upper()
            if self._receiver.behaviour.drop.encode() == verb:
                return
            match verb:
                case b"EHLO" | b"HELO":
                    await self._greet(line, offers_tls=context is not None and not self._tls)
                case b"STARTTLS" if context is not None:
                    await self._reply("220 go ahead")
                    await self._writer.start_tls(context)
                    self._tls = True
                case b"MAIL":
                    await self._mail(line)
                case b"RCPT":
                    await self._rcpt(line)
                case b"DATA":
                    if not await self._data():
                        return
                case b"RSET" | b"NOOP":
                    self._forget()
                    await self._reply("250 OK")
                case b"QUIT":
                    await self._reply("221 bye")
                    return
                case _:
                    await self._reply("500 what?")

    async def _greet(self, line: bytes, *, offers_tls: bool) -> None:
        self._client = line.strip().partition(b" ")[2].decode()
        extensions = (*_EXTENSIONS, "STARTTLS") if offers_tls else _EXTENSIONS
        lines = ["receiver.example", *extensions]
        for each in lines[:-1]:
            await self._reply(f"250-{each}")
        await self._reply(f"250 {lines[-1]}")

    async def _mail(self, line: bytes) -> None:
        path = _PATH.match(line.strip())
        assert path is not None, line
        self._forget()
        self._sender, self._parameters = path[1].decode(), path[2].decode().strip()
        await self._reply("250 2.1.0 OK")

    async def _rcpt(self, line: bytes) -> None:
        path = _PATH.match(line.strip())
        assert path is not None, line
        reply = self._receiver.behaviour.recipient
        if reply.startswith("250"):
            self._recipients[path[1].decode()] = path[2].decode().strip()
        else:
            self._receiver.note_refusal()
        await self._reply(reply)

    async def _data(self) -> bool:
        """Take the content; False to hang up."""
        if not self._recipients:
            await self._reply("503 5.5.1 no recipients")
            return True
        await self._reply("354 go ahead")
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line.removeprefix(b"."))
        behaviour = self._receiver.behaviour
        self._receiver.contents += 1
        await asyncio.sleep(behaviour.delay_seconds)
        if behaviour.drop == ".":
            return False
        if behaviour.content.startswith("250"):
            self._receiver.note(
                Received(
                    self._client,
                    self._sender,
                    self._parameters,
                    self._recipients,
                    b"".join(lines),
                    self._tls,
                )
            )
        else:
            self._receiver.note_refusal()
        await self._reply(behaviour.content)
        self._forget()
        return True

    async def _reply(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()
