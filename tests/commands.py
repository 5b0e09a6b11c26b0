"""Commands of the operator, called as a shell would call them."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.cli import main
from smtpeter.cli.asking import Asking
from smtpeter.cli.command import Operator
from smtpeter.config import Config
from tests.dns.fakes import FakeNames

NOW = 1_700_000_000.5


class CommandCase(SynchronousTestCase):
    """Commands against a configuration and a database of their own."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.state = directory / "state"
        self.config = directory / "smtpeter.toml"
        self.config.write_text('state_dir = "state"\n[accounts]\nbcrypt_cost = 4\n')
        self.slept: list[float] = []
        self.clock = NOW
        self.names = FakeNames()

    def ask(self, config: Config, asking: Asking[Any]) -> Any:  # noqa: ARG002
        """Stands in for the DNS."""
        return self.successResultOf(Deferred.fromCoroutine(asking(self.names, Clock())))

    def invoke(self, *words: str, stdin: bytes = b"") -> Result:
        operator = Operator(str(self.config), lambda: self.clock, self.slept.append, self.ask)
        return CliRunner().invoke(main, words, input=stdin, obj=operator, prog_name="smtpeter")

    def text(self, *words: str, stdin: bytes = b"") -> str:
        """What a command that succeeds says to a person."""
        result = self.invoke(*words, stdin=stdin)
        self.assertEqual((0, ""), (result.exit_code, result.stderr), words)
        return result.stdout

    def document(self, *words: str, stdin: bytes = b"") -> Any:
        """The document of a command that succeeds."""
        return json.loads(self.text(*words, "--json", stdin=stdin))

    def complaint(self, *words: str, stdin: bytes = b"") -> str:
        """The one line of a command that fails."""
        result = self.invoke(*words, stdin=stdin)
        self.assertEqual((1, ""), (result.exit_code, result.stdout), words)
        self.assertTrue(result.stderr.startswith("smtpeter: "), result.stderr)
        self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        return result.stderr.removeprefix("smtpeter: ").removesuffix("\n")
