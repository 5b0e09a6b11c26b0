import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import (
    ENVIRONMENT_VARIABLE,
    Config,
    ConfigError,
    Limits,
    doubts,
    known_keys,
    load,
)
from smtpeter.config.sections import Pool, Suppression
from smtpeter.units import Endpoint

ROOT = Path(__file__).parent.parent
TOML_VALUES = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20),
    st.integers(-(2**62), 2**62),
    st.booleans(),
)


class FileTestCase(SynchronousTestCase):
    """Writes configuration files."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.file = self.directory / "smtpeter.toml"

    def loaded(self, text: str) -> Config:
        self.file.write_text(text, encoding="utf-8")
        return load(str(self.file), {})

    def faults(self, text: str) -> list[str]:
        """The faults found in a file, without its name."""
        error = self.assertRaises(ConfigError, self.loaded, text)
        prefix = f"{self.file}: "
        for fault in error.faults:
            self.assertTrue(fault.startswith(prefix), fault)
            self.assertNotIn("\n", fault)
        return [fault.removeprefix(prefix) for fault in error.faults]


class DefaultTests(FileTestCase):
    """What holds where nothing is said."""

    def test_no_file(self) -> None:
        """Without a file everything listens on loopback and nothing leaves the machine."""
        config = load(None, {})
        listeners = (
            *config.smtp.starttls,
            *config.smtp.implicit_tls,
            *config.http.https,
            *config.http.http,
        )
        self.assertEqual({"127.0.0.1"}, {each.host for each in listeners})
        self.assertEqual([2525, 2587, 2465, 8443, 8080], [each.port for each in listeners])
        self.assertEqual("capture", config.delivery.mode)
        self.assertEqual(Path.cwd() / "smtpeter-state", config.state_dir)
        self.assertIsNone(config.path)

    def test_empty_file(self) -> None:
        """An empty file says the same, but its directory is where relative names start."""
        config = self.loaded("")
        self.assertEqual(load(None, {}).smtp, config.smtp)
        self.assertEqual(self.directory / "smtpeter-state", config.state_dir)
        self.assertEqual(self.file, config.path)

    def test_environment(self) -> None:
        """The environment names the file where no argument does."""
        self.file.write_text('hostname = "mail.example.com"')
        config = load(None, {ENVIRONMENT_VARIABLE: str(self.file)})
        self.assertEqual("mail.example.com", config.hostname)

    def test_argument_before_environment(self) -> None:
        """The argument is stronger than the environment."""
        self.file.write_text('hostname = "mail.example.com"')
        config = load(str(self.file), {ENVIRONMENT_VARIABLE: "/nonexistent"})
        self.assertEqual("mail.example.com", config.hostname)

    def test_every_key_twice(self) -> None:
        """Every key may be written out with its default, and nothing changes."""
        text = "".join(f"{key} = {_toml(default)}\n" for key, default in known_keys())
        self.assertEqual(self.loaded(""), self.loaded(text))


class DerivedTests(FileTestCase):
    """Settings that follow from others."""

    def test_public_url(self) -> None:
        """The public address is made of the host name and the first HTTPS port."""
        self.assertEqual("https://localhost:8443", load(None, {}).http.public_url)
        text = 'hostname = "m.example"\n[http]\nhttps = ["0.0.0.0:443"]'
        self.assertEqual("https://m.example", self.loaded(text).http.public_url)

    def test_public_url_given(self) -> None:
        """A public address that is given is used, without the slash at its end."""
        config = self.loaded('[http]\npublic_url = "https://Mail.example.com:444/"')
        self.assertEqual("https://mail.example.com:444", config.http.public_url)

    def test_tracking_hosts(self) -> None:
        """Links and bounce addresses get the host name unless they have their own."""
        config = self.loaded('hostname = "m.example"\n[tracking]\nhost = "c.example"')
        self.assertEqual(
            ("c.example", "m.example"), (config.tracking.host, config.tracking.bounce_host)
        )

    def test_relative_names(self) -> None:
        """Names of files are relative to the directory of the configuration file."""
        config = self.loaded(
            'state_dir = "state"\ntracking.places = "p.mmdb"\n'
            '[tls]\ncertificate = "c.pem"\nprivate_key = "/etc/k.pem"'
        )
        self.assertEqual(self.directory / "state", config.state_dir)
        self.assertEqual(self.directory / "c.pem", config.tls.certificate)
        self.assertEqual(self.directory / "p.mmdb", config.tracking.places)
        self.assertEqual(Path("/etc/k.pem"), config.tls.private_key)

    def test_receivers(self) -> None:
        """A receiver's own table overrides one limit and inherits the others."""
        config = self.loaded(
            '[delivery]\nconnections = 5\nrate = "60/m"\n'
            '[delivery.receivers."Gmail.com"]\nconnections = 20\n'
            '[delivery.receivers."slow.example"]\nrate = ""\n'
        )
        self.assertEqual(
            {"gmail.com": Limits(20, 1.0), "slow.example": Limits(5, None)},
            config.delivery.receivers,
        )
        self.assertEqual(Limits(5, 1.0), config.delivery.limits)

    def test_pools(self) -> None:
        """A pool has addresses, and may have a name; other mail is sent as `bind` says."""
        config = self.loaded(
            '[delivery]\nbind = "192.0.2.1"\n'
            '[delivery.pools.news]\naddresses = ["192.0.2.17", "2001:DB8::17"]\n'
            'hostname = "News.example"\n[delivery.pools.b-2]\naddresses = ["192.0.2.18"]\n'
        )
        news = Pool(("192.0.2.17", "2001:db8::17"), "news.example")
        self.assertEqual({"news": news, "b-2": Pool(("192.0.2.18",), "")}, config.delivery.pools)
        self.assertEqual(
            [news.addresses, ("192.0.2.18",), ("192.0.2.1",), ("192.0.2.1",)],
            [config.delivery.sources(pool) for pool in ("news", "b-2", "", "gone")],
        )
        self.assertEqual((), Config().delivery.sources("news"))
        names = [config.delivery.name(pool) for pool in ("news", "b-2", "gone")]
        self.assertEqual(["news.example", "", ""], names)

    def test_suppression(self) -> None:
        """Each reason has its own duration, or none."""
        self.assertEqual(Suppression(180 * 86_400, None, None), Config().suppression)
        config = self.loaded('[suppression]\nmailbox = "never"\ncomplaint = "2h"')
        self.assertEqual(Suppression(None, 7200, None), config.suppression)

    def test_password_file(self) -> None:
        """The smart host's password is read from its file, less the newline at its end."""
        (self.directory / "password").write_text("two words \n")
        config = self.loaded(SMARTHOST + 'smarthost_password_file = "password"')
        self.assertEqual("two words ", config.delivery.smarthost_password)
        self.assertNotIn("two words", repr(config))


SMARTHOST = """
[delivery]
mode = "smarthost"
smarthost = "relay.example.net:587"
smarthost_username = "me"
"""


class FaultTests(FileTestCase):
    """What is said about a file that cannot be used."""

    def test_no_such_file(self) -> None:
        """A file that is not there is named, with the system's reason."""
        error = self.assertRaises(ConfigError, load, "/nonexistent/x.toml", {})
        self.assertEqual(
            "/nonexistent/x.toml: cannot be read: No such file or directory", str(error)
        )

    def test_not_toml(self) -> None:
        """A file that is not TOML is named with the line at fault."""
        [fault] = self.faults("hostname = \n")
        self.assertIn("not valid TOML", fault)
        self.assertIn("line 1", fault)

    def test_not_utf8(self) -> None:
        """A file that is not UTF-8 is not TOML."""
        self.file.write_bytes(b'hostname = "\xff"')
        error = self.assertRaises(ConfigError, load, str(self.file), {})
        self.assertIn("not valid TOML", str(error))

    def test_wrong_type(self) -> None:
        """A value of another type is shown next to what is allowed."""
        self.assertEqual(
            ['smtp.max_recipients: found "many"; allowed: a whole number from 1 to 100000'],
            self.faults('[smtp]\nmax_recipients = "many"'),
        )

    def test_true_is_no_number(self) -> None:
        """TOML's true is not taken for 1."""
        [fault] = self.faults("[smtp]\nmax_recipients = true")
        self.assertIn("found true;", fault)

    def test_misspelt_key(self) -> None:
        """An unknown key is answered with the one that was probably meant."""
        self.assertEqual(
            ["smtp.max_recipient: unknown key; did you mean smtp.max_recipients?"],
            self.faults("[smtp]\nmax_recipient = 5"),
        )

    def test_key_in_the_wrong_table(self) -> None:
        """A key that belongs to another table is answered with its place."""
        self.assertEqual(
            ["smtp.smarthost: unknown key; did you mean delivery.smarthost?"],
            self.faults('[smtp]\nsmarthost = "h:25"'),
        )

    def test_unknown_key(self) -> None:
        """A key like no other is answered with all that are allowed there."""
        self.assertEqual(
            [
                (
                    "accounts.zzz: unknown key; allowed here: require_sender_domain, "
                    "bcrypt_cost, over_quota"
                )
            ],
            self.faults("[accounts]\nzzz = 1"),
        )

    def test_value_for_table(self) -> None:
        """A value where a table belongs is a fault of that key."""
        self.assertEqual(["smtp: found 5; allowed: a table"], self.faults("smtp = 5"))
        self.assertEqual(
            ["delivery.receivers.gmail: found 5; allowed: a table"],
            self.faults("[delivery.receivers]\ngmail = 5"),
        )

    def test_receiver_faults(self) -> None:
        """Faults in a receiver's table name the receiver."""
        self.assertEqual(
            [
                (
                    'delivery.receivers."gmail.com".rate: found "fast"; allowed: a rate such as '
                    '"100/s", "600/m" or "5000/h", or ""'
                ),
                (
                    'delivery.receivers."not a host": allowed: a host name in quotes such as '
                    '"gmail.com"'
                ),
            ],
            self.faults(
                '[delivery.receivers."gmail.com"]\nrate = "fast"\n'
                '[delivery.receivers."not a host"]\nconnections = 1'
            ),
        )

    def test_pool_faults(self) -> None:
        """So do faults in a pool's table; a pool without addresses is none."""
        for text, fault in (
            ("a]", "a.addresses: needed: one or more IP addresses of this machine"),
            (
                '"New Mail"]',
                (
                    '"New Mail": allowed: a word of small letters, digits and hyphens such as '
                    '"newsletters"'
                ),
            ),
            (
                'b]\naddresses = ["host.example"]',
                (
                    'b.addresses: found ["host.example"]; allowed: a list of IP addresses of this '
                    'machine such as ["192.0.2.17", "2001:db8::17"]'
                ),
            ),
        ):
            self.assertEqual([f"delivery.pools.{fault}"], self.faults(f"[delivery.pools.{text}"))

    def test_suppression_faults(self) -> None:
        """What is neither a duration nor for ever is refused."""
        [fault] = self.faults('[suppression]\nmailbox = "soon"')
        self.assertEqual(
            'suppression.mailbox: found "soon"; allowed: a duration from "1h" to "3650d", '
            'written as in "30s", "5m", "2h" or "1d", or "never"',
            fault,
        )

    def test_all_faults(self) -> None:
        """Every fault of a file is found in one go, and the first is what a start says."""
        text = 'hostname = ""\n[smtp]\nmax_recipients = 0\nfoo = 1\n[delivery]\nmode = "smarthost"'
        faults = self.faults(text)
        self.assertEqual(
            ["hostname", "smtp.max_recipients", "smtp.foo", "delivery.smarthost"],
            [fault.split(":")[0] for fault in faults],
        )
        error = self.assertRaises(ConfigError, self.loaded, text)
        self.assertIn("hostname: ", str(error))
        self.assertIn("(and 3 more: `smtpeter check` lists them)", str(error))

    def test_sender_domains(self) -> None:
        """Mail from other domains than approved ones is taken, unless the file says otherwise."""
        self.assertEqual("never", self.loaded("").accounts.require_sender_domain)
        config = self.loaded('[accounts]\nrequire_sender_domain = "always"')
        self.assertEqual("always", config.accounts.require_sender_domain)
        [fault] = self.faults("[accounts]\nrequire_sender_domain = true")
        self.assertIn('allowed: "never" or "always"', fault)

    def test_secrets(self) -> None:
        """A database address can hold a password, so it is never shown."""
        [fault] = self.faults('[database]\nurl = "mysql://u:hunter2@h/n"')
        self.assertNotIn("hunter2", fault)
        config = self.loaded('[database]\nurl = "postgresql://u:hunter2@h/n"')
        self.assertNotIn("hunter2", repr(config))

    def test_long_values(self) -> None:
        """A long value is shown in part."""
        [fault] = self.faults(f'hostname = "{"x" * 5000}"')
        self.assertLess(len(fault), 200)


class RuleTests(FileTestCase):
    """Settings that do not go together."""

    def test_half_a_certificate(self) -> None:
        """A certificate needs its key, and a key its certificate."""
        self.assertEqual(
            ["tls.private_key: needed when tls.certificate is set"],
            self.faults('[tls]\ncertificate = "c.pem"'),
        )
        self.assertEqual(
            ["tls.certificate: needed when tls.private_key is set"],
            self.faults('[tls]\nprivate_key = "k.pem"'),
        )

    def test_port_twice(self) -> None:
        """An address and port can be listened on once."""
        self.assertEqual(
            [
                (
                    "smtp.starttls: 127.0.0.1:8080 is also listed in http.http; "
                    "allowed: each in one list only"
                )
            ],
            self.faults('[smtp]\nstarttls = ["127.0.0.1:8080"]'),
        )

    def test_port_twice_in_one_list(self) -> None:
        """The same holds within one list."""
        [fault] = self.faults('[smtp]\nstarttls = ["0.0.0.0:25", "0.0.0.0:25"]')
        self.assertIn("each of them once", fault)

    def test_accept_local(self) -> None:
        """Mail for ourselves is taken on SMTP listeners only."""
        [fault] = self.faults('[smtp]\naccept_local = ["0.0.0.0:25"]')
        self.assertIn("smtp.accept_local: found 0.0.0.0:25", fault)
        config = self.loaded('[smtp]\nstarttls = ["0.0.0.0:25"]\naccept_local = ["0.0.0.0:25"]')
        self.assertEqual((Endpoint("0.0.0.0", 25),), config.smtp.accept_local)  # noqa: S104

    def test_postmaster(self) -> None:
        """What comes to postmaster is not sent on to itself."""
        for host in ("mail.shop.example", "b.shop.example", "c.shop.example"):
            [fault] = self.faults(
                f'hostname = "mail.shop.example"\nsmtp.postmaster = "Abuse@{host}"\n'
                'tracking.bounce_host = "b.shop.example"\ntracking.host = "c.shop.example"'
            )
            self.assertEqual(
                f"smtp.postmaster: found Abuse@{host}; allowed: an address that is not our own",
                fault,
            )
        config = self.loaded('hostname = "shop.example"\nsmtp.postmaster = "noor@SHOP.example"')
        self.assertEqual("noor@shop.example", config.smtp.postmaster)

    def test_room(self) -> None:
        """A message of the largest size must fit into what may be in memory."""
        self.assertEqual(
            [
                "smtp.max_content_in_flight: allowed: no less than smtp.max_message_size",
                "delivery.max_content_in_flight: allowed: no less than smtp.max_message_size",
            ],
            self.faults('[smtp]\nmax_message_size = "1GiB"'),
        )

    def test_zone(self) -> None:
        """A zone that is hosted has a name."""
        self.assertEqual(
            ["dns.zone: needed when dns.hosted is true"], self.faults("[dns]\nhosted = true")
        )
        text = 'hosted = true\nzone = "DNS.Relay.example"\nnameservers = ["ns.relay.example"]'
        dns = self.loaded(f"[dns]\n{text}").dns
        self.assertEqual(("dns.relay.example", ("ns.relay.example",)), (dns.zone, dns.nameservers))
        [fault] = self.faults('[dns]\nnameservers = ["a..example"]')
        self.assertIn("dns.nameservers: found", fault)

    def test_greedy_receiver(self) -> None:
        """A receiver that may have every place is doubtful, but allowed."""
        text = """
            smtp.accept_local = ["127.0.0.1:2525"]
            [delivery]
            mode = "mx"
            connections = 20
            max_connections = 20
            [delivery.receivers."large.example"]
            connections = 30
            [delivery.receivers."slow.example"]
            connections = 2
            [delivery.receivers."rare.example"]
            rate = "1/m"
        """
        self.assertEqual(
            [
                "delivery.connections: 20 are as many",
                'delivery.receivers."large.example".connections: 30 are as many',
            ],
            [doubt.partition(" as del")[0] for doubt in doubts(self.loaded(text))],
        )

    def test_no_way_home(self) -> None:
        """Mail that leaves by itself while no bounce can come home is doubtful."""
        [doubt] = doubts(self.loaded('delivery.mode = "mx"'))
        self.assertTrue(doubt.startswith("smtp.accept_local: no listener takes bounces in"))
        taken = 'smtp.accept_local = ["127.0.0.1:2525"]\ndelivery.mode = "mx"'
        self.assertEqual([], list(doubts(self.loaded(taken))))

    def test_one_receiver_alone(self) -> None:
        """Where all mail goes the same way nobody is held up."""
        text = "[delivery]\nconnections = 500"
        self.assertEqual([], list(doubts(self.loaded(text))))

    def test_smarthost_login(self) -> None:
        """A login needs its password, and a password its login."""
        self.assertEqual(
            ["delivery.smarthost_password_file: needed when delivery.smarthost_username is set"],
            self.faults(SMARTHOST),
        )
        (self.directory / "password").write_text("x")
        [fault] = self.faults('[delivery]\nsmarthost_password_file = "password"')
        self.assertEqual(
            "delivery.smarthost_username: needed when delivery.smarthost_password_file is set",
            fault,
        )

    def test_smarthost_login_in_clear(self) -> None:
        """A password never goes out in clear."""
        (self.directory / "password").write_text("x")
        [fault] = self.faults(SMARTHOST + 'smarthost_password_file = "password"\ntls = "none"')
        self.assertIn('delivery.tls: found "none"', fault)

    def test_password_file_faults(self) -> None:
        """A password file that is missing, empty or not text is a fault of its key."""
        (self.directory / "empty").write_text("\n")
        (self.directory / "binary").write_bytes(b"\xff")
        for name, words in (
            ("missing", "cannot be read: No such file or directory"),
            ("empty", "is empty"),
            ("binary", "does not hold UTF-8 text"),
        ):
            [fault] = self.faults(SMARTHOST + f'smarthost_password_file = "{name}"')
            self.assertEqual(
                f"delivery.smarthost_password_file: {self.directory / name} {words}", fault
            )


class ValueTests(FileTestCase):
    """What single keys take and refuse."""

    def test_allowed(self) -> None:
        """Values of every kind become the program's own types."""
        config = self.loaded(
            '[smtp]\nimplicit_tls = ["[::]:465"]\nmax_message_size = "1MiB"\n'
            'command_timeout = "30s"\nheader_prefixes = ["X-Mail-"]\nstarttls = []\n'
            '[delivery]\nresolvers = ["127.0.0.1:5300", "::1"]\nretry = ["1m", "1m"]\n'
            'rate = "100/s"\nbind = "192.0.2.1"\n'
        )
        self.assertEqual((Endpoint("::", 465),), config.smtp.implicit_tls)
        self.assertEqual(1048576, config.smtp.max_message_octets)
        self.assertEqual(30, config.smtp.command_timeout_seconds)
        self.assertEqual(("x-mail-",), config.smtp.header_prefixes)
        self.assertEqual((), config.smtp.starttls)
        self.assertEqual(
            (Endpoint("127.0.0.1", 5300), Endpoint("::1", 53)), config.delivery.resolvers
        )
        self.assertEqual((60, 60), config.delivery.retry_seconds)
        self.assertEqual(100.0, config.delivery.messages_per_second)
        self.assertEqual("192.0.2.1", config.delivery.bind)

    def test_refused(self) -> None:
        """Impossible values are refused, each with the full name of its key."""
        for key, value in (
            ("hostname", '"a b"'),
            ("state_dir", '""'),
            ("database.url", '"sqlite:smtpeter.db"'),
            ("database.min_free", "100"),
            ("tls.certificate", "1"),
            ("smtp.postmaster", '"noor"'),
            ("smtp.postmaster", '"noor@192.0.2.1"'),
            ("smtp.postmaster", '"no or@shop.example"'),
            ("smtp.postmaster", '".@shop.example"'),
            ("tracking.feedback_sender", '"shop"'),
            ("tracking.feedback_sender", '"a:b:c:d"'),
            ("tracking.complaint_fields", '"yes"'),
            ("smtp.starttls", '"0.0.0.0:25"'),
            ("smtp.starttls", '["localhost:25"]'),
            ("smtp.starttls", "[25]"),
            ("smtp.product", '"two words"'),
            ("smtp.header_prefixes", '["x-mail"]'),
            ("smtp.header_prefixes", '["x:-"]'),
            ("smtp.bare_newlines", '"keep"'),
            ("smtp.max_message_size", '"0B"'),
            ("smtp.max_line_length", '"998B"'),
            ("smtp.enhanced_status_codes", "1"),
            ("smtp.command_timeout", '"0s"'),
            ("http.public_url", '"mail.example.com"'),
            ("http.public_url", '"https://mail.example.com/path"'),
            ("http.public_url", '"https://u:p@mail.example.com"'),
            ("http.public_url", '"https://mail.example.com:99999"'),
            ("tracking.host", '"http://c.example"'),
            ("delivery.mode", '"direct"'),
            ("delivery.smarthost", '"relay.example.net"'),
            ("delivery.resolvers", '["ns.example:53"]'),
            ("delivery.port", "0"),
            ("delivery.bind", '"localhost"'),
            ("delivery.retry", "[]"),
            ("delivery.retry", '["0s"]'),
            ("delivery.lifetime", '"31d"'),
            ("delivery.rate", '"0/s"'),
            ("delivery.connections", "0"),
        ):
            faults = self.faults(f"{key} = {value}")
            self.assertEqual(1, len(faults), faults)
            self.assertTrue(faults[0].startswith(f"{key}: found "), faults)
            self.assertIn("; allowed: ", faults[0])

    @given(st.sampled_from([key for key, _ in known_keys()]), TOML_VALUES)
    def test_any_value(self, key: str, value: object) -> None:
        """Any value of any key is either used or refused with that key's name."""
        try:
            self.loaded(f"{key} = {_toml(value)}")
        except ConfigError as error:
            self.assertIn(key.split(".", maxsplit=1)[0], str(error))


class ExampleTests(SynchronousTestCase):
    """The example and the documentation keep up with the program."""

    def test_example(self) -> None:
        """The example for production is a configuration that loads."""
        config = load(str(ROOT / "etc" / "smtpeter.toml"), {})
        self.assertEqual([25, 587, 2525], [each.port for each in config.smtp.starttls])
        self.assertEqual("/var/lib/smtpeter", str(config.state_dir))

    def test_every_key_is_in_the_example(self) -> None:
        """The example mentions every key."""
        text = (ROOT / "etc" / "smtpeter.toml").read_text(encoding="utf-8")
        for key, _ in known_keys():
            self.assertRegex(text, rf"(?m)^(# ?)?{key.rpartition('.')[2]}\s*= ")

    def test_every_key_is_documented(self) -> None:
        """The reference gives every key with its default."""
        text = (ROOT / "docs" / "configuration.rst").read_text(encoding="utf-8")
        for key, default in known_keys():
            name = key.rpartition(".")[2]
            self.assertIn(f"``{name}``\n     - ``{_toml(default)}``", text)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)
