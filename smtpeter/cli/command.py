"""What all commands share: where the settings are, how a failure is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click
from attrs import define

from smtpeter.cli.asking import Ask, ask_dns
from smtpeter.errors import OperatorError

# What takes its time to load is loaded by those commands that need it.
if TYPE_CHECKING:
    from smtpeter.config import Config
    from smtpeter.store.database import Database


class Failed(OperatorError):
    """A command cannot do what it was asked for; the text is one line for the operator."""


@define
class Operator:
    """
    Who gave a command: with which settings, at what time.

    Attributes:
        config_path: what `--config` says, or None.
        now: the time in seconds since the epoch.
        sleep: waits so many seconds.
        ask: runs a coroutine that looks up names in the DNS, to its end.
    """

    config_path: str | None = None
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    ask: Ask = ask_dns

    def config(self) -> Config:
        """The settings. Raises `ConfigError`."""
        from smtpeter.config import load  # noqa: PLC0415

        return load(self.config_path)

    @contextmanager
    def database(self, *, create: bool = False) -> Iterator[Database]:
        """
        The database of the service.

        Args:
            create: make the state directory when it is missing.

        Raises:
            Failed: there is no state directory, so nothing could be in the database.
            StoreError: it cannot be opened.
        """
        from smtpeter.store.database import Database  # noqa: PLC0415

        config = self.config()
        if create:
            config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif config.database.url.startswith("sqlite") and not config.state_dir.exists():
            raise Failed(
                f"there is no state directory {config.state_dir}: "
                "name the configuration with --config FILE, or start the service once"
            )
        database = Database.open(config.database.url, config.state_dir, readers=1)
        try:
            yield database
        finally:
            database.close()

    def let_it_take_effect(self) -> None:
        """Wait until a running service has forgotten what was true before the last commit."""
        from smtpeter.accounts.identities import IDENTITY_SECONDS  # noqa: PLC0415

        self.sleep(IDENTITY_SECONDS)


pass_operator = click.make_pass_decorator(Operator, ensure=True)


def _choose_config(context: click.Context, _option: click.Parameter, path: str | None) -> None:
    if path is not None:
        context.ensure_object(Operator).config_path = path


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        metavar="FILE",
        expose_value=False,
        callback=_choose_config,
        help="The configuration file; else the one that SMTPETER_CONFIG names.",
    )


class Command(click.Command):
    """A command that takes `--config`, so that it may stand first or last."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.append(_config_option())


class Commands(click.Group):
    """
    A group of commands that ends with status 0, or with 1 and one line on standard error.

    Click itself would print several lines for a wrong call and end with 2.
    """

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **{"no_args_is_help": False, **attributes})
        self.params.append(_config_option())

    def main(self, *args: Any, **settings: Any) -> NoReturn:
        try:
            status = super().main(*args, **{**settings, "standalone_mode": False})
        except click.UsageError as error:
            _fail(_with_hint(error))
        except click.ClickException as error:
            _fail(error.format_message())
        except click.Abort:
            _fail("interrupted")
        except (OperatorError, OSError) as error:
            _fail(str(error))
        sys.exit(status)


class LateCommand(click.Command):
    """
    Stands for a command whose module is loaded when somebody gives it.

    Args:
        module: has the command, under its name.
        help: what the command says of itself, in short.
    """

    def __init__(self, name: str, module: str, help: str) -> None:  # noqa: A002 - click's word
        super().__init__(name, help=help)
        self._module = module

    def loaded(self) -> click.Command:
        """The command itself."""
        assert self.name is not None
        command = getattr(import_module(self._module), self.name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def make_context(self, *args: Any, **attributes: Any) -> click.Context:
        return self.loaded().make_context(*args, **attributes)


def _with_hint(error: click.UsageError) -> str:
    message = error.format_message()
    if error.ctx is None:
        return message
    return f"{message.rstrip('.')} (see `{error.ctx.command_path} --help`)"


def _fail(message: str) -> NoReturn:
    click.echo(f"smtpeter: {' '.join(message.split())}", err=True)
    sys.exit(1)
