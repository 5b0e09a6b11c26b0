"""`smtpeter suppression import`, `export`: suppression lists as files, of any length."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import IO

import click

from smtpeter.cli.command import Failed, Operator, pass_operator
from smtpeter.cli.credentials import email_argument
from smtpeter.cli.output import answer, counted, json_option
from smtpeter.cli.suppressions import expires_option, lifetimes, suppression
from smtpeter.store import accounts
from smtpeter.store import suppressions as store
from smtpeter.store.suppressions import Lifetimes, Suppression
from smtpeter.suppressionlists import Fault, read, written

__all__ = ["suppression"]

STANDARD = "-"
NAMED_FAULTS = 10
LINE_CHARACTERS = 64 * 1024
SPOOLED_OCTETS = 8 * 1024 * 1024
# A running service has its turn between the parts of a long list.
IMPORTED_AT_ONCE = 5000
PAUSE_SECONDS = 0.02


@suppression.command("import")
@email_argument
@click.argument("file", metavar="FILE")
@expires_option
@json_option
@pass_operator
def import_list(
    operator: Operator, *, email: str, file: str, lifetime: float | None, as_json: bool
) -> None:
    """
    Put the recipients of a file on the list of an account; FILE may be - for standard input.

    It holds CSV with headings, as `export` writes it, or an address on each line. Where a line
    cannot be read nothing is imported.
    """
    now = operator.now()
    usual = lifetimes(operator, lifetime)
    with _opened(file) as octets, operator.database() as database:
        with database.connect() as connection:
            account = accounts.existing_account(connection, email)
        _complain(octets, now, usual)
        good = _good(octets, now, usual)
        imported = 0
        while some := list(islice(good, IMPORTED_AT_ONCE)):
            with database.begin() as connection:
                store.add(connection, account.id, some)
            imported += len(some)
            operator.sleep(PAUSE_SECONDS)
    operator.let_it_take_effect()
    text = f"{counted(imported, 'recipient')} on the suppression list of {email} by the file."
    answer({"account": email, "imported": imported}, text, as_json=as_json)


@suppression.command("export")
@email_argument
@click.argument("file", metavar="[FILE]", default=STANDARD)
@pass_operator
def export_list(operator: Operator, *, email: str, file: str) -> None:
    """Write the list of an account as CSV that `import` reads, on standard output or to a file."""
    with operator.database() as database, database.connect() as connection:
        account = accounts.existing_account(connection, email)
        lines = written(store.listed(connection, account.id, operator.now()))
        if file == STANDARD:
            for line in lines:
                click.echo(line, nl=False)
            return
        with Path(file).open("w", encoding="utf-8", newline="") as opened:
            opened.writelines(lines)


def _complain(octets: IO[bytes], now: float, usual: Lifetimes) -> None:
    """Raises `Failed`: there are lines that cannot be read."""
    faults: list[str] = []
    count = 0
    for each in read(_lines(octets), now, usual):
        if isinstance(each, Fault):
            count += 1
            if count <= NAMED_FAULTS:
                faults.append(str(each))
    if count > NAMED_FAULTS:
        faults.append(f"and {counted(count - NAMED_FAULTS, 'line')} more")
    if faults:
        raise Failed(f"nothing is imported: {'; '.join(faults)}")


def _good(octets: IO[bytes], now: float, usual: Lifetimes) -> Iterator[Suppression]:
    """What can be read, but for what has ended."""
    for each in read(_lines(octets), now, usual):
        if isinstance(each, Suppression) and (each.expires is None or each.expires > now):
            yield each


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice, whatever it comes from."""
    if file != STANDARD:
        with Path(file).open("rb") as opened:
            if opened.seekable():
                yield opened
            else:
                with _copied(opened) as copy:
                    yield copy
        return
    with _copied(sys.stdin.buffer) as copy:
        yield copy


@contextmanager
def _copied(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with SpooledTemporaryFile(max_size=SPOOLED_OCTETS) as copy:
        copyfileobj(stream, copy)
        yield copy


def _lines(octets: IO[bytes]) -> Iterator[str]:
    """
    The lines from the beginning on.

    Raises:
        Failed: one is too long for any address.
    """
    octets.seek(0)
    text = TextIOWrapper(octets, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        number = 0
        while line := text.readline(LINE_CHARACTERS):
            number += 1
            if len(line) == LINE_CHARACTERS and not line.endswith("\n"):
                raise Failed(
                    f"nothing is imported: line {number} is longer than {LINE_CHARACTERS} "
                    "characters"
                )
            yield line
    finally:
        text.detach()  # else the file would be closed with it
