from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.providers import (
    NAME_CHARACTERS,
    ProviderError,
    ProviderLimits,
    Providers,
    provider_limits,
    providers,
    read_providers,
    receiver_name,
)
from smtpeter.units import parse_host

TABLE = Path(__file__).with_name("mailexchangers.tsv")
LABELS = st.sampled_from(["mx", "mx1", "mx2", "in-1", "mail"]) | st.text(
    "ab1", min_size=1, max_size=9
)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
SETS = st.lists(HOSTS, min_size=1, max_size=5, unique=True)
HOUSE = {"name": "big.example", "hosts": ["*.big.example"], "connections": 5}


def table() -> Iterator[tuple[str, str, Sequence[str], Sequence[str]]]:
    """Domain, receiver, mail exchangers, backups."""
    for line in TABLE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            domain, receiver, hosts, backups = line.split("\t")
            yield domain, receiver, hosts.split(), () if backups == "-" else backups.split()


def read(**keys: Any) -> None:
    """Read a file with a house to which this is added."""
    read_providers({"provider": [{**HOUSE, "messages_per_connection": 100, **keys}]})


class ReceiverNameTests(SynchronousTestCase):
    """Who takes the mail for a domain."""

    def test_well_known_domains(self) -> None:
        """Domains of large houses are known by their mail exchangers, and nobody else is."""
        for domain, receiver, hosts, backups in table():
            self.assertEqual(receiver, receiver_name(hosts, backups), domain)

    def test_several_hosts(self) -> None:
        """A set is named by its first host, how many others there are, and a mark."""
        name = receiver_name(["mx2.firm.example", "mx1.firm.example"], ["mx3.firm.example"])
        self.assertRegex(name, r"\Amx1\.firm\.example\.plus-2-[0-9a-f]{8}\Z")

    def test_mixed(self) -> None:
        """Two houses side by side, or a house besides somebody else, are no house."""
        google, other = "aspmx.l.google.com", "mx.firm.example"
        for hosts in ([google, other], [google, "mx.yandex.net"]):
            self.assertRegex(receiver_name(hosts), r"\.plus-1-")
        self.assertEqual("gmail.com", receiver_name([google], [other]))
        self.assertRegex(receiver_name([other], [google]), r"\.plus-1-")

    def test_no_host(self) -> None:
        """Without hosts there is no receiver."""
        self.assertRaises(ValueError, receiver_name, [])

    @given(SETS, st.randoms(use_true_random=False), st.integers(1, 5))
    def test_order(self, hosts: list[str], random: Any, cut: int) -> None:
        """The same hosts have the same name, in any order, writing, and preference."""
        name = receiver_name(hosts)
        shuffled = [random.choice([str.upper, str.lower, "{}.".format])(each) for each in hosts]
        random.shuffle(shuffled)
        self.assertEqual(name, receiver_name(shuffled))
        self.assertEqual(name, receiver_name(shuffled[:cut], shuffled[cut:]))
        self.assertEqual(name, receiver_name(hosts + hosts))

    @given(SETS, SETS)
    def test_difference(self, some: list[str], others: list[str]) -> None:
        """Different hosts have different names."""
        same = set(some) == set(others)
        self.assertEqual(same, receiver_name(some) == receiver_name(others))

    @given(SETS)
    def test_name_is_that_of_a_host(self, hosts: list[str]) -> None:
        """A name can stand wherever that of a host can, so that limits can be set for it."""
        name = receiver_name(hosts)
        self.assertEqual(name, parse_host(name))

    @given(st.lists(st.text(max_size=300), min_size=1, max_size=4))
    def test_any_host(self, hosts: list[str]) -> None:
        """Whatever DNS says, a name is bounded and can be printed."""
        name = receiver_name(hosts)
        self.assertLessEqual(len(name), NAME_CHARACTERS)
        self.assertTrue(name == "" or (name.isascii() and name.isprintable() and " " not in name))

    def test_long_host(self) -> None:
        """Hosts whose names are cut short still have names of their own."""
        long = ".".join(["a" * 60] * 4)
        names = {receiver_name([f"{long}.{end}"]) for end in ("nl", "be")}
        self.assertEqual(2, len(names))
        self.assertLessEqual(max(map(len, names)), NAME_CHARACTERS)


class FileTests(SynchronousTestCase):
    """The houses as they are shipped."""

    def test_limits(self) -> None:
        """Each house of the table has limits, others have none."""
        names = set(providers().limits)
        for domain, receiver, hosts, _ in table():
            known = providers().of(hosts[0].lower().removesuffix(".")) is not None
            self.assertEqual(known, receiver in names, domain)
            self.assertEqual(known, provider_limits(receiver) is not None, domain)

    def test_published(self) -> None:
        """What houses publish is kept."""
        yahoo, orange, qq = map(provider_limits, ("yahoo.com", "orange.fr", "qq.com"))
        assert yahoo is not None
        assert qq is not None
        self.assertEqual(20, yahoo.messages_per_connection)
        self.assertIsNone(yahoo.messages_per_second)
        self.assertEqual(ProviderLimits(2, 100, None), orange)
        self.assertEqual(1.0, qq.messages_per_second)

    def test_every_pattern_counts(self) -> None:
        """No pattern stands below another of the same house, where it would change nothing."""
        houses = providers()
        for host, name in {**houses.parents, **houses.hosts}.items():
            others = {each: of for each, of in houses.parents.items() if each != host}
            self.assertNotEqual(name, Providers({}, {}, others).of(host), host)

    def test_longest_counts(self) -> None:
        """A house within the name of another is found."""
        self.assertEqual("outlook.com", receiver_name(["x.olc.protection.outlook.com"]))
        found = read_providers(
            {
                "provider": [
                    {**HOUSE, "messages_per_connection": 1},
                    {
                        **HOUSE,
                        "messages_per_connection": 1,
                        "name": "small.example",
                        "hosts": ["*.in.big.example", "one.big.example"],
                    },
                ]
            }
        )
        for host, name in (
            ("mx.big.example", "big.example"),
            ("in.big.example", "big.example"),
            ("mx.in.big.example", "small.example"),
            ("one.big.example", "small.example"),
            ("mx.one.big.example", "big.example"),
            ("big.example", None),
        ):
            self.assertEqual(name, found.of(host), host)


class ReadingTests(SynchronousTestCase):
    """What a file may say."""

    def test_faults(self) -> None:
        """A fault is told with the number of its entry."""
        read(rate="600/m")
        for keys, fault in (
            ({"limit": 5}, "unknown key 'limit'"),
            ({"name": "Big.example"}, "not a host name"),
            ({"name": "big"}, "not a host name"),
            ({"hosts": []}, "list of names"),
            ({"hosts": "mx.big.example"}, "list of names"),
            ({"hosts": [25]}, "list of names"),
            ({"hosts": ["mx*.big.example"]}, "not a host"),
            ({"hosts": ["mx.big.example", "mx.big.example"]}, "twice"),
            ({"connections": 0}, "connections"),
            ({"connections": True}, "connections"),
            ({"messages_per_connection": "100"}, "messages_per_connection"),
            ({"rate": "fast"}, "not a rate"),
        ):
            with self.assertRaises(ProviderError) as caught:
                read(**keys)
            self.assertIn("provider 1", str(caught.exception))
            self.assertIn(fault, str(caught.exception))

    def test_documents(self) -> None:
        """Nothing but houses may stand in a file, each with a name, hosts and limits, and once."""
        house = {**HOUSE, "messages_per_connection": 100}
        documents: tuple[dict[str, Any], ...] = (
            {},
            {"providers": []},
            {"provider": {}},
            {"provider": [house, house]},
            {"provider": [HOUSE]},
            {"provider": [{"name": "big.example"}]},
        )
        for document in documents:
            self.assertRaises(ProviderError, read_providers, document)
