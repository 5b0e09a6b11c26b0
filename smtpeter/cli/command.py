"""What all commands share: where the settings are, how a failure is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from attrs import define

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.cli.asking import Ask, ask_dns
from smtpeter.config import ENVIRONMENT_VARIABLE, Config, ConfigError, load
from smtpeter.store.accounts import AccountsError
from smtpeter.store.database import Database, StoreError


class Failed(Exception):
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
        help=f"The configuration file; else the one that {ENVIRONMENT_VARIABLE} names.",
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
        except (Failed, AccountsError, StoreError, ConfigError, OSError) as error:
            _fail(str(error))
        sys.exit(status)


def _with_hint(error: click.UsageError) -> str:
    message = error.format_message()
    if error.ctx is None:
        return message
    return f"{message.rstrip('.')} (see `{error.ctx.command_path} --help`)"


def _fail(message: str) -> NoReturn:
    click.echo(f"smtpeter: {' '.join(message.split())}", err=True)
    sys.exit(1)
