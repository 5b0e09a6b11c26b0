"""One TOML file becomes one frozen `Config`; every error names its key."""

from smtpeter.config.errors import ConfigError
from smtpeter.config.loading import ENVIRONMENT_VARIABLE, known_keys, load
from smtpeter.config.rules import doubts
from smtpeter.config.sections import (
    Accounts,
    Config,
    Database,
    Delivery,
    Http,
    Limits,
    Smtp,
    Tls,
    Tracking,
)

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Accounts",
    "Config",
    "ConfigError",
    "Database",
    "Delivery",
    "Http",
    "Limits",
    "Smtp",
    "Tls",
    "Tracking",
    "doubts",
    "known_keys",
    "load",
]
