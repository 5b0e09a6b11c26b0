from click import Context
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.cli import main
from smtpeter.cli.command import LateCommand
from tests.commands import CommandCase

WIDTHS = (20, 45, 200)


class LateCommandTests(SynchronousTestCase):
    """Commands whose modules are loaded when somebody gives them."""

    def test_as_itself(self) -> None:
        """Each says of itself what the command itself says, in as many characters as there are."""
        self.assertGreater(len(main.commands), 10)
        for name, late in main.commands.items():
            assert isinstance(late, LateCommand)
            command = late.loaded()
            self.assertEqual(name, command.name)
            for width in WIDTHS:
                self.assertEqual(
                    command.get_short_help_str(width), late.get_short_help_str(width), name
                )

    def test_help(self) -> None:
        """The help of one is that of the command itself."""
        for name, late in main.commands.items():
            assert isinstance(late, LateCommand)
            around = Context(main, info_name="smtpeter")
            context = late.make_context(name, ["--json"], around, resilient_parsing=True)
            self.assertIs(late.loaded(), context.command)
            self.assertIn(f"Usage: smtpeter {name} ", context.get_help())


class MainTests(CommandCase):
    """The command without another one."""

    def test_help(self) -> None:
        """Every command is listed, with what it is for."""
        lines = self.text("--help").splitlines()
        for name in main.commands:
            [line] = [each for each in lines if each.startswith(f"  {name} ")]
            self.assertGreater(len(line.split()), 2)

    def test_unknown(self) -> None:
        """A command that there is not is one line, with the one that was meant."""
        self.assertIn("'acount'", self.complaint("acount"))
        self.assertIn("account", self.complaint("acount").replace("acount", ""))
        self.assertIn("see `smtpeter --help`", self.complaint("acount"))

    def test_unknown_below(self) -> None:
        """So it is with commands of commands."""
        self.assertIn("see `smtpeter account --help`", self.complaint("account", "lst"))
