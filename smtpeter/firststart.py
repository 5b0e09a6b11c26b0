"""The first start without a configuration: an account to begin with, shown once."""

from __future__ import annotations

import shlex
import time
from typing import TextIO

from smtpeter.accounts.passwords import (
    hash_password,
    new_password,
    new_token,
    new_username,
    token_digest,
)
from smtpeter.config import Config
from smtpeter.message.features import ALL_ON
from smtpeter.selfsigned import CERTIFICATE_FILE
from smtpeter.store import accounts
from smtpeter.store.database import Database
from smtpeter.values import frozen

EMAIL = "you@example.org"
LABEL = "first start"


@frozen
class FirstCredentials:
    """What is made on the first start; nothing of it can be shown again."""

    account_password: str
    username: str
    password: str
    token: str


def first_start(database: Database, config: Config, screen: TextIO) -> None:
    """Make an account with a login and a token when there is none, and show how to use them."""
    with database.connect() as connection:
        if accounts.accounts(connection):
            return
    made = FirstCredentials(new_password(), new_username(), new_password(), new_token())
    cost = config.accounts.bcrypt_cost
    now = time.time()
    with database.begin() as connection:
        account_hash = hash_password(made.account_password, cost)
        account = accounts.add_account(connection, EMAIL, account_hash, now)
        accounts.add_login(
            connection,
            account.id,
            made.username,
            hash_password(made.password, cost),
            now,
            label=LABEL,
            features=ALL_ON,
        )
        accounts.add_token(connection, account.id, token_digest(made.token), now, label=LABEL)
        # What nobody has seen must not be kept: then the next start is the first one again.
        screen.write(welcome(made, config))
        screen.flush()


def welcome(made: FirstCredentials, config: Config) -> str:
    """What the first start shows."""
    lines = [
        "",
        "This is the first start of smtpeter. These are shown now and never again:",
        "",
        f"  account    {EMAIL}",
        f"  password   {made.account_password}",
        f"  SMTP login {made.username}",
        f"  password   {made.password}     (the blanks belong to it)",
        f"  REST token {made.token}",
        "",
        "Paste this to send a first mail by SMTP:",
        "",
        f"  {smtp_command(made, config)}",
        "",
        "and this to send one by REST:",
        "",
        f"  {rest_command(made, config)}",
        "",
        "Nothing leaves this machine: what is delivered lies in the Maildir",
        f"  {config.state_dir / 'capture'}",
        "",
        f"By HTTPS the service is at {config.http.public_url}/",
        "",
        "",
    ]
    return "\n".join(lines)


def smtp_command(made: FirstCredentials, config: Config) -> str:
    """A command line that sends a mail by SMTP."""
    message = rf"From: {EMAIL}\r\nTo: friend@example.org\r\nSubject: By SMTP\r\n\r\nIt works.\r\n"
    listener = config.smtp.starttls[0]
    send = [
        "curl",
        "--silent",
        "--show-error",
        "--cacert",
        str(config.state_dir / CERTIFICATE_FILE),
        "--ssl-reqd",
        "--url",
        f"smtp://{listener.host}:{listener.port}",
        "--user",
        f"{made.username}:{made.password}",
        "--mail-from",
        EMAIL,
        "--mail-rcpt",
        "friend@example.org",
        "--upload-file",
        "-",
    ]
    return f"printf {shlex.quote(message)} | {shlex.join(send)}"


def rest_command(made: FirstCredentials, config: Config) -> str:
    """A command line that sends a mail by REST."""
    fields = (
        f'{{"recipient": "friend@example.org", "from": "{EMAIL}", '
        '"subject": "By REST", "text": "It works.", "html": "<p>It <b>works</b>.</p>"}'
    )
    send = [
        "curl",
        "--silent",
        "--show-error",
        "--cacert",
        str(config.state_dir / CERTIFICATE_FILE),
        "--header",
        f"Authorization: Bearer {made.token}",
        "--header",
        "Content-Type: application/json",
        "--data",
        fields,
        f"{config.http.public_url}/v1/send",
    ]
    return shlex.join(send)
