import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from attrs import evolve
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from smtpeter import config as configuration
from smtpeter.cli import accounts, logins, main, tokens
from smtpeter.cli.command import LateCommand, Operator
from smtpeter.config.loading import known_keys
from smtpeter.firststart import FirstCredentials, welcome
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.message.reply import Reply
from smtpeter.smtp import answers, command, login, sasl, session
from smtpeter.store import events, messages, tlsresults
from smtpeter.store.arrivals import (
    ARRIVAL,
    Arrival,
    Concluded,
    Conclusion,
    Purpose,
    additions,
    conclude,
)
from smtpeter.store.database import Database
from smtpeter.store.messages import Message, Parcel, State
from smtpeter.store.tlsresults import TlsCount
from smtpeter.store.trackingkeys import existing_keys
from tests.documentation import (
    ACCOUNT_PASSWORD,
    PAGES,
    PASSWORD,
    ROOT,
    TOKEN,
    USERNAME,
    blocks,
    literals,
    steps,
    text,
)

NOW = 1_795_174_425.0  # 2026-11-20T11:33:45Z
SECTIONS = (
    *("database", "tls", "smtp", "accounts", "suppression", "http", "tracking", "dns", "delivery"),
)
POLICY = json.dumps(["version: STSv1", "mode: enforce", "mx: *.example.org", "max_age: 604800"])
# Lines of a session that need more than a database.
NOT_OURS = ("cat", "cd", "export", "sqlite3", "twistd")


def waiting(identifier: str, recipient: str, key: int, *, attempts: int) -> Message:
    """A message of the first account, received ten minutes ago."""
    mailbox = Mailbox.parse(recipient)
    parcel = Parcel(
        key=key,
        account_id=1,
        origin="smtp",
        login=USERNAME,
        sender=Mailbox.parse("shop@example.com"),
        ret=None,
        envid=None,
        eightbit=False,
        smtputf8=False,
        features=Features(trackclicks=True, tags=("invoice", "november")),
        trace=Trace("shop.example.com", "192.0.2.7", "ESMTPSA"),
        template_id=0,
        received=NOW - 600,
        deliver_by=NOW - 600 + 86_400,
        octets=21,
    )
    return Message(
        identifier, parcel, Recipient(mailbox, recipient), mailbox.domain_key, attempts, NOW - 600
    )


def event(message: Message, kind: str, time: float, details: dict[str, str]) -> events.Event:
    return events.Event(
        time,
        kind,
        1,
        message.id,
        message.parcel.reverse_path,
        str(message.recipient.mailbox),
        message.parcel.tags,
        0,
        details,
    )


def put_off(message: Message) -> list[Any]:
    """The changes that an attempt which failed for now leaves behind."""
    details = {
        "attempt": "0",
        "from": "192.0.2.1",
        "to": "198.51.100.9",
        "host": "mx.example.org",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "code": "450",
        "status": "4.2.1",
        "description": "Mailbox busy, come back later",
        "type": "error",
        "state": "rcptto",
        "class": "mailbox",
        "source": "session",
    }
    reply = "450 Mailbox busy, come back later"
    return [
        messages.outcome(message, State.WAITING, due=NOW + 240, reply=reply, now=NOW - 599),
        events.append(
            [
                event(message, "attempt", NOW - 600, {"properties": "trackclicks"}),
                event(message, "deferral", NOW - 599, details),
            ]
        ),
    ]


def fill_queue(state_dir: Path) -> None:
    """Two messages that wait for one receiver, and one for another."""
    content = Content.from_octets(b"From: a@b.example\r\n\r\n")
    first = waiting("U9ma8SNUmM5l4nQo", "kees@example.org", 1, attempts=0)
    second = waiting("W5Kn7c2hl91JU5ex", "ria@example.org", 2, attempts=0)
    third = waiting("r6LRzHnydg4vhMxn", "noor@example.net", 3, attempts=0)
    database = Database.open("sqlite:///smtpeter.db", state_dir)
    with closing(database), database.begin() as connection:
        for each in (first, second, third):
            for change in messages.additions(each.parcel, content, [each]):
                connection.execute(change.statement, change.rows)
        for change in put_off(first):
            connection.execute(change.statement, change.rows)


def fill_arrivals(state_dir: Path) -> None:
    """A bounce on the first of these messages, and a report for the postmaster."""
    content = Content.from_octets(b"Subject: Undelivered Mail Returned to Sender\r\n\r\nGone.\r\n")
    bounce = "cmq4h6z2hitt2boepmkfxelnnjd3r2xq@bounces.example.com"
    came = (
        (1, "", bounce, Purpose.BOUNCE, "U9ma8SNUmM5l4nQo", "report"),
        (2, "noreply@example.net", "dmarc@mail.example.com", Purpose.REPORT, "", "dmarc"),
    )
    database = Database.open("sqlite:///smtpeter.db", state_dir)
    with closing(database), database.begin() as connection:
        for number, sender, recipient, purpose, message, result in came:
            of = evolve(
                waiting("0" * 16, "kees@example.org", 0, attempts=0).parcel,
                key=1_838_258_560_000_000_000 + number,
                account_id=None,
                origin=ARRIVAL,
                sender=Mailbox.parse(sender) if sender else None,
                received=NOW - 60 + number,
                octets=content.octets,
            )
            for change in additions(Arrival(of, recipient, purpose, message), content):
                if change.rows:
                    connection.execute(change.statement, change.rows)
            conclude(connection, [Concluded(of.key, Conclusion(result))], NOW)


def make_link_key(state_dir: Path) -> None:
    """The key that the first start has made, a year ago."""
    database = Database.open("sqlite:///smtpeter.db", state_dir)
    with closing(database), database.begin() as connection:
        existing_keys(connection, NOW - 365 * 86_400)


def count_sessions(state_dir: Path) -> None:
    """Sessions with two domains, on one day."""
    found = [
        TlsCount(
            *("2026-11-20", "example.net", "no-policy-found", "mail.example.net"),
            *("starttls-not-supported", 3, "[]"),
        ),
        TlsCount("2026-11-20", "example.org", "sts", "mx.example.org", "", 41, POLICY),
        TlsCount(
            *("2026-11-20", "example.org", "sts", "mx2.example.org"),
            *("certificate-expired", 2, POLICY),
        ),
    ]
    change = tlsresults.add(found)
    database = Database.open("sqlite:///smtpeter.db", state_dir)
    with closing(database), database.begin() as connection:
        tlsresults.forget_old(connection, "2027-01-01")
        connection.execute(change.statement, change.rows)


class SessionTests(SynchronousTestCase):
    """Each page's command lines, run in order against a database of their own."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.state = self.directory / "state"
        self.file = self.directory / "smtpeter.toml"
        settings = (
            'state_dir = "state"\naccounts.bcrypt_cost = 4\ndelivery.mode = "mx"\n'
            'smtp.accept_local = ["127.0.0.1:2525"]\n'
        )
        self.file.write_text(settings, encoding="utf-8")
        self.patch(accounts, "new_password", lambda: ACCOUNT_PASSWORD)
        self.patch(logins, "new_password", lambda: PASSWORD)
        self.patch(logins, "new_username", lambda: USERNAME)
        self.patch(tokens, "new_token", lambda: TOKEN)

    def run_command(self, line: str) -> str:
        operator = Operator(str(self.file), lambda: NOW, lambda _: None)
        program, *words = shlex.split(line)
        self.assertEqual("smtpeter", program)
        result = CliRunner().invoke(main, words, obj=operator, prog_name=program)
        self.assertEqual((0, ""), (result.exit_code, result.stderr), line)
        return result.stdout.strip("\n")

    def without_directory(self, output: str) -> str:
        return re.sub(r"\S*/smtpeter\.toml", "smtpeter.toml", output)

    def replay(self, page: Path) -> int:
        ran = 0
        for block in blocks(page, "console"):
            for step in steps(block):
                if step.command.split()[0] in NOT_OURS:
                    continue
                if step.command == "smtpeter queue" and not has_messages(self.state):
                    fill_queue(self.state)
                if step.command == "smtpeter arrivals":
                    fill_arrivals(self.state)
                if step.command.startswith("smtpeter tls-report"):
                    count_sessions(self.state)
                if step.command == "smtpeter link-key list":
                    make_link_key(self.state)
                shown = self.without_directory(self.run_command(step.command))
                self.assertEqual(shown, self.without_directory(step.output), step.command)
                ran += 1
        return ran

    def test_readme(self) -> None:
        """The README shows what its commands print."""
        self.assertGreater(self.replay(ROOT / "README.rst"), 3)

    def test_operating(self) -> None:
        """So does the page for operators."""
        self.assertGreater(self.replay(ROOT / "docs" / "operating.rst"), 10)

    def test_features(self) -> None:
        """So does the page on features."""
        self.assertGreater(self.replay(ROOT / "docs" / "features.rst"), 1)

    def test_no_other_page(self) -> None:
        """No further page has command lines that nothing runs."""
        others = [page for page in PAGES if page.stem not in {"README", "operating", "features"}]
        self.assertEqual([], [block for page in others for block in blocks(page, "console")])

    def test_backup(self) -> None:
        """The line that makes a backup makes one of the open database."""
        database = Database.open("sqlite:///smtpeter.db", self.directory)
        self.addCleanup(database.close)
        [statement] = re.findall(r'"(VACUUM INTO [^"]+)"', text(ROOT / "docs" / "operating.rst"))
        copy = self.directory / "copy.db"
        with closing(sqlite3.connect(self.directory / "smtpeter.db")) as connection:
            connection.execute(re.sub("'.*'", f"'{copy}'", statement))
        with closing(sqlite3.connect(copy)) as connection:
            self.assertEqual([], connection.execute("SELECT * FROM messages").fetchall())


def has_messages(state_dir: Path) -> bool:
    with closing(sqlite3.connect(state_dir / "smtpeter.db")) as connection:
        return bool(connection.execute("SELECT count(*) FROM messages").fetchone()[0])


class ConfigurationTests(SynchronousTestCase):
    """What the pages say about settings."""

    def test_samples(self) -> None:
        """Every sample of a configuration is one."""
        samples = [block for page in PAGES for block in blocks(page, "toml")]
        self.assertGreater(len(samples), 2)
        for sample in samples:
            directory = Path(self.mktemp())
            directory.mkdir()
            (directory / "relay-password").write_text("secret\n")
            file = directory / "smtpeter.toml"
            file.write_text(sample.text, encoding="utf-8")
            configuration.load(str(file))

    def test_keys(self) -> None:
        """Every key that a page names exists."""
        known = {name for name, _ in known_keys()} | {"delivery.receivers"}
        for page in PAGES:
            for literal in literals(page):
                name = literal.partition(" = ")[0]
                if re.fullmatch(rf"({'|'.join(SECTIONS)})\.(?!py$)[a-z_]+", name):
                    self.assertIn(name, known, page.name)


class CommandTests(SynchronousTestCase):
    """What the pages say about commands."""

    def test_names(self) -> None:
        """Every command of `smtpeter` that a page mentions exists."""
        mentioned = [each for page in PAGES for each in literals(page) if each[:9] == "smtpeter "]
        self.assertGreater(len(mentioned), 5)
        for line in mentioned:
            found: click.Command = main
            for word in line.split()[1:]:
                if isinstance(found, click.Group) and word.islower():
                    self.assertIn(word, found.commands, line)
                    found = found.commands[word]
                    found = found.loaded() if isinstance(found, LateCommand) else found

    def test_two_commands(self) -> None:
        """The README begins with the two lines that are promised to work."""
        page = text(ROOT / "README.rst")
        for line in (
            "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd -n smtpeter",
            ".venv/bin/pip install '.[test]' && .venv/bin/python -m twisted.trial tests",
        ):
            self.assertIn(f"\n    {line}\n", page)

    def test_first_start(self) -> None:
        """The README shows the words of the first start."""
        shown = re.findall(r"^    (This is the first start.*?): \.\.\.$", *self.readme())
        made = FirstCredentials(ACCOUNT_PASSWORD, USERNAME, PASSWORD, TOKEN)
        said = welcome(made, configuration.load(environ={}))
        lines = [line.strip() for line in shown[0].splitlines() if line.strip()]
        self.assertGreater(len(lines), 5)
        for line in lines:
            self.assertIn(line, said)

    def readme(self) -> tuple[str, int]:
        return text(ROOT / "README.rst"), re.MULTILINE | re.DOTALL


def replies() -> Iterator[Reply]:
    """The fixed refusals of the server."""
    for module in (answers, command, login, sasl, session):
        for each in vars(module).values():
            if isinstance(each, Reply) and each.code >= 400:
                yield each


class ReplyTests(SynchronousTestCase):
    """What the page on SMTP says about refusals."""

    def test_table(self) -> None:
        """Every fixed refusal of the server stands in the table."""
        page = text(ROOT / "docs" / "smtp.rst")
        listed = set(re.findall(r"\b([45]\d\d [45]\.\d\.\d+)\b", page))
        said = {f"{each.code} {each.enhanced}" for each in replies()}
        self.assertGreater(len(said), 10)
        self.assertEqual(set(), said - listed)

    def test_json(self) -> None:
        """What is shown as JSON is JSON."""
        for page in PAGES:
            for block in blocks(page, "json"):
                json.loads(block.text)


if find_spec("sphinx"):  # the extra "docs", not "test"

    class BuildTests(SynchronousTestCase):
        """The pages as one book."""

        def test_build(self) -> None:
            """They build without a warning."""
            build = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
            done = subprocess.run(
                [*build, ROOT / "docs", self.mktemp()], capture_output=True, check=False
            )
            self.assertEqual((0, b""), (done.returncode, done.stderr))
