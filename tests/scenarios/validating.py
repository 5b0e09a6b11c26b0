"""A name server that says that it has validated what it answers, and a web server for policies."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.names import dns

Records = Mapping[tuple[str, int], Sequence[Any]]


@contextmanager
def validating_server(records: Records, insecure: frozenset[str] = frozenset()) -> Iterator[int]:
    """
    Answer on a port of 127.0.0.1, which is given, for the length of a `with` block.

    Args:
        records: payloads by name and type; a name that is not there does not exist.
        insecure: names whose records, and those of names below them, nobody has signed.
    """
    names = {name for name, _ in records}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                octets, client = listening.recvfrom(4096)
                if not octets:
                    return
                listening.sendto(answer(octets), client)

        def answer(octets: bytes) -> bytes:
            asked, told = dns.Message(), dns.Message(answer=1, recDes=1, recAv=1, maxSize=4096)
            asked.fromStr(octets)
            told.id, told.queries = asked.id, asked.queries
            (query,) = asked.queries
            name = query.name.name.decode().lower()
            found = records.get((name, query.type), ())
            told.answers = [dns.RRHeader(name, query.type, ttl=60, payload=each) for each in found]
            told.rCode = dns.OK if name in names else dns.ENAME
            unsigned = any(name == each or name.endswith(f".{each}") for each in insecure)
            told.authenticData = int(bool(asked.authenticData) and not unsigned)
            return told.toStr()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            # to close a socket does not wake who reads from it
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
                waking.sendto(b"", listening.getsockname())
            thread.join(5)


@contextmanager
def policy_server(
    address: tuple[str, int], context: ssl.SSLContext, policies: Mapping[str, str]
) -> Iterator[list[str]]:
    """
    Serve policies by HTTPS for the length of a `with` block.

    Args:
        policies: by the host that is asked.

    Yields:
        The hosts that were asked so far.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers for all hosts."""

        def do_GET(self) -> None:
            host = self.headers["host"]
            asked.append(host)
            found = self.path == "/.well-known/mta-sts.txt" and host in policies
            body = policies[host].encode() if found else b"no such page"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nobody wants to know."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
