"""Command lines become commands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.smtp import xtext
from smtpeter.smtp.command import Auth, Command, CommandError, Foreign, Hello, Mail, Rcpt, Simple
from smtpeter.smtp.command import parse as parse_octets

NOOR = Mailbox.parse("noor@shop.example")
KEES = Mailbox.parse("kees@mailbox.example")


def parse(line: str) -> Command:
    return parse_octets(line.encode())


def refusal(line: str | bytes) -> str:
    """Code, enhanced code and text of the reply to a line that is no good command."""
    try:
        found = parse_octets(line.encode() if isinstance(line, str) else line)
    except CommandError as error:
        return error.reply.octets().decode().strip()
    return f"no refusal but {found}"


class CommandTests(SynchronousTestCase):
    """Commands but MAIL and RCPT."""

    def test_hello(self) -> None:
        """EHLO and HELO have one argument, whatever a client says it is."""
        self.assertEqual(Hello("desk", extended=True), parse("EHLO desk"))
        self.assertEqual(Hello("[192.0.2.1]", extended=False), parse("helo  [192.0.2.1] "))
        self.assertEqual("501 5.5.4 Syntax: EHLO hostname", refusal("EHLO"))
        self.assertEqual("501 5.5.4 Syntax: HELO hostname", refusal("HELO a b"))
        self.assertEqual("501 5.5.4 Syntax: EHLO hostname", refusal("EHLO ü"))

    def test_no_arguments(self) -> None:
        """Commands that have no argument refuse one."""
        for verb in ("DATA", "RSET", "QUIT", "STARTTLS"):
            self.assertEqual(Simple(verb), parse(verb.lower()))
            self.assertEqual(Simple(verb), parse(f"{verb}  "))
            self.assertEqual(
                "501 5.5.4 Syntax error (no parameters allowed)", refusal(f"{verb} foo")
            )

    def test_any_argument(self) -> None:
        """NOOP, VRFY, EXPN and HELP take any argument or none."""
        for verb in ("NOOP", "VRFY", "EXPN", "HELP"):
            self.assertEqual(Simple(verb), parse(verb))
            self.assertEqual(Simple(verb), parse(f"{verb} noor ü"))

    def test_auth(self) -> None:
        """AUTH has a mechanism in any case, and at most one initial response as it was given."""
        self.assertEqual(Auth("PLAIN", None), parse("AUTH plain"))
        self.assertEqual(Auth("LOGIN", "bm9vcg=="), parse("AUTH LOGIN bm9vcg=="))
        self.assertEqual(Auth("PLAIN", "="), parse("AUTH PLAIN ="))
        self.assertEqual("501 5.5.4 Syntax: AUTH mechanism [initial-response]", refusal("AUTH"))
        self.assertEqual("501 5.5.4 Syntax error, too many arguments", refusal("AUTH PLAIN a b"))

    def test_foreign(self) -> None:
        """The requests of web browsers are known for what they are."""
        for verb in ("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"):
            self.assertEqual(Foreign(verb), parse(f"{verb} / HTTP/1.1"))

    def test_unrecognised(self) -> None:
        """Everything else is no command."""
        for line in ("", " ", "FOO", " NOOP", "NOOPX", "MAILFROM:<a@b>", "BDAT 5 LAST", "ÜBER"):
            self.assertEqual("500 5.5.2 Command not recognized", refusal(line), line)

    def test_characters(self) -> None:
        """Control characters and octets that are not UTF-8 are in no command."""
        for line in (b"NOOP\0", b"NOOP \t", b"NOOP \x7f", b"NOOP \xc2\x85", b"NOOP \xe2\x80\xa8"):
            self.assertIn("control characters", refusal(line), line)
        self.assertIn("not UTF-8", refusal(b"NOOP \xff"))

    def test_each_octet(self) -> None:
        """Each octet from 0 to 255 alone is refused with a reply."""
        for octet in range(256):
            self.assertRegex(refusal(bytes([octet])), r"\A500 5\.5\.2 ", octet)

    @given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
    def test_anything(self, line: bytes) -> None:
        """Any line is a command or has a refusal that fits in a line."""
        try:
            parse_octets(line)
        except CommandError as error:
            self.assertLessEqual(len(error.reply.octets()), 512)

    @given(
        st.sampled_from(["MAIL FROM:", "RCPT TO:", "mail from: "]),
        st.text('<>@":;,.\\ab[]%ü= ', max_size=40),
    )
    def test_any_path(self, start: str, rest: str) -> None:
        """Any path is read or refused; only an empty path is the null path."""
        try:
            said = parse(start + rest)
        except CommandError:
            return
        if isinstance(said, Mail) and said.sender is None:
            self.assertTrue(rest.lstrip(" ").startswith("<>"), rest)


class MailTests(SynchronousTestCase):
    """MAIL."""

    def test_sender(self) -> None:
        """The reverse-path is a mailbox, or empty."""
        self.assertEqual(Mail(NOOR), parse("MAIL FROM:<noor@shop.example>"))
        self.assertEqual(Mail(None), parse("MAIL FROM:<>"))
        self.assertEqual(Mail(NOOR), parse("mail from: <noor@shop.example> "))

    def test_source_route(self) -> None:
        """A source route is dropped, and never leaves a null path behind."""
        self.assertEqual(Mail(NOOR), parse("MAIL FROM:<@a.example,@b.example:noor@shop.example>"))
        for path in ("<@a.example>", "<@a.example:>", "<@>", "<@:>"):
            self.assertIn("501 5.5.4 Syntax: MAIL", refusal(f"MAIL FROM:{path}"), path)

    def test_bad_path(self) -> None:
        """A path has its brackets, and blanks before what follows it."""
        for rest in ("", " FROM", " FROM:", " FROM:noor@shop.example", " FROM:<a@b", " FROM:a@b>",
                     " FROM:<a@b>SIZE=1", ' FROM:<"a@b>', " TO:<a@b>", " FROM <a@b>"):  # fmt: skip
            self.assertIn("501 5.5.4 Syntax: MAIL FROM:<address>", refusal(f"MAIL{rest}"), rest)

    def test_bad_address(self) -> None:
        """What is no mailbox is refused with the reason."""
        self.assertEqual(
            "501 5.1.7 Bad sender address syntax: it has no @", refusal("MAIL FROM:<a>")
        )
        self.assertIn("501 5.1.7", refusal("MAIL FROM:<a@b..c>"))
        self.assertEqual(501, int(refusal("MAIL FROM:<" + "😀." * 60 + ">")[:3]))

    def test_quoted(self) -> None:
        """A bracket or blank in quotes is part of the address."""
        for path in ('"a>b"@shop.example', '"a \\" <b"@shop.example'):
            self.assertEqual(Mail(Mailbox.parse(path), size=5), parse(f"MAIL FROM:<{path}> SIZE=5"))

    def test_smtputf8(self) -> None:
        """An address outside ASCII needs SMTPUTF8."""
        sender = Mailbox.parse("ü@shop.example")
        self.assertEqual(Mail(sender, smtputf8=True), parse("MAIL FROM:<ü@shop.example> SMTPUTF8"))
        self.assertIn("553 5.6.7", refusal("MAIL FROM:<ü@shop.example>"))
        self.assertIn("553 5.6.7", refusal("MAIL FROM:<a@bücher.example>"))
        self.assertIn("501 5.5.4", refusal("MAIL FROM:<a@b> SMTPUTF8=yes"))

    def test_parameters(self) -> None:
        """Keywords and words are read in any case."""
        self.assertEqual(
            Mail(NOOR, size=99, body="8BITMIME", ret="HDRS", envid="order-5512"),
            parse(
                "MAIL FROM:<noor@shop.example> size=99  Body=8bitmime AUTH=<> RET=hdrs"
                " ENVID=order-5512"
            ),
        )
        self.assertEqual(Mail(NOOR), parse("MAIL FROM:<noor@shop.example> AUTH=a+40b"))
        self.assertEqual(
            "FULL", getattr(parse("MAIL FROM:<noor@shop.example> RET=FULL"), "ret", None)
        )

    def test_bad_values(self) -> None:
        """Each value keeps its own rule."""
        for parameter in (
            "SIZE", "SIZE=", "SIZE=x", "SIZE=-1", "SIZE=1.5", "SIZE=" + "1" * 21, "SIZE=\u0661",
            "BODY", "BODY=BINARYMIME", "RET", "RET=ALL", "ENVID", "ENVID=", "ENVID=" + "x" * 101,
            "ENVID=a=b", "ENVID=a+0A", "ENVID=a+zz", "AUTH", "AUTH=", "AUTH=a=b",
        ):  # fmt: skip
            keyword = parameter.partition("=")[0]
            self.assertEqual(
                f"501 5.5.4 Bad value of parameter {keyword}",
                refusal(f"MAIL FROM:<a@b> {parameter}"),
                parameter,
            )

    def test_twice(self) -> None:
        """A parameter may come once."""
        self.assertEqual(
            "501 5.5.4 Parameter SIZE was given twice", refusal("MAIL FROM:<a@b> SIZE=1 size=1")
        )

    def test_unknown(self) -> None:
        """A parameter that was not offered is refused."""
        for parameter in ("FOO", "FOO=BAR", "=", "NOTIFY=NEVER", "HOLDFOR=1"):
            self.assertEqual(
                "555 5.5.4 Unsupported parameter", refusal(f"MAIL FROM:<a@b> {parameter}")
            )

    @given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=1))
    def test_envid(self, text: str) -> None:
        """An envelope identifier is what its xtext says, up to a hundred characters."""
        line = f"MAIL FROM:<a@b> ENVID={xtext.encode(text)}"
        if len(text) <= 100:
            self.assertEqual(Mail(Mailbox.parse("a@b"), envid=text), parse(line))
        else:
            self.assertIn("501 5.5.4", refusal(line))


class RcptTests(SynchronousTestCase):
    """RCPT."""

    def test_recipient(self) -> None:
        """The forward-path is a mailbox; what was written is kept."""
        self.assertEqual(
            Rcpt(Mailbox.parse("Kees@Mailbox.Example"), "Kees@Mailbox.Example"),
            parse("RCPT TO:<Kees@Mailbox.Example>"),
        )
        self.assertEqual(
            Rcpt(KEES, "kees@mailbox.example"), parse("rcpt to: <@a:kees@mailbox.example>")
        )

    def test_bad_recipient(self) -> None:
        """There is no null recipient, and none without a domain."""
        for path in ("", "kees", "kees@", "<kees@mailbox.example"):
            self.assertIn(
                "501 5.1.3 Bad recipient address syntax", refusal(f"RCPT TO:<{path}>"), path
            )
        self.assertIn("501 5.5.4 Syntax: RCPT TO:<address>", refusal("RCPT TO:kees"))
        self.assertIn("501 5.5.4 Syntax: RCPT TO:<address>", refusal("RCPT TO:<@a.example>"))

    def test_notify(self) -> None:
        """NOTIFY is NEVER alone, or some of three words, each once."""
        for value, words in (
            ("NEVER", {"NEVER"}),
            ("success", {"SUCCESS"}),
            ("FAILURE,DELAY", {"FAILURE", "DELAY"}),
            ("SUCCESS,FAILURE,DELAY", {"SUCCESS", "FAILURE", "DELAY"}),
        ):
            self.assertEqual(
                Rcpt(KEES, "kees@mailbox.example", notify=frozenset(words)),
                parse(f"RCPT TO:<kees@mailbox.example> NOTIFY={value}"),
            )
        for value in ("", "NEVER,SUCCESS", "DELAY,DELAY", "SOMETIMES", "DELAY,", "FAILURE, DELAY"):
            self.assertRegex(refusal(f"RCPT TO:<a@b> NOTIFY={value}"), r"\A5(01|55) 5\.5\.4")

    def test_orcpt(self) -> None:
        """ORCPT is an address type and an address in xtext."""
        self.assertEqual(
            Rcpt(KEES, "kees@mailbox.example", orcpt="rfc822;kees+x@mailbox.example"),
            parse("RCPT TO:<kees@mailbox.example> ORCPT=rfc822;kees+2Bx@mailbox.example"),
        )
        for value in (
            "", "rfc822", "rfc822;", ";a@b", "rfc822;a+0D+0Ab", "rfc822;a=b", "rfc 822;a@b",
            "rfc<822;a@b", "ü;a@b", "a=b;c", "rfc822;" + "x" * 495, "rfc822;ü@b",
        ):  # fmt: skip
            self.assertRegex(refusal(f"RCPT TO:<a@b> ORCPT={value}"), r"\A5(01|55) 5\.5\.4", value)

    def test_parameters(self) -> None:
        """Twice, unknown, and those of MAIL are refused."""
        self.assertIn("given twice", refusal("RCPT TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY"))
        for parameter in ("FOO", "SIZE=5", "RET=FULL", "SMTPUTF8"):
            self.assertIn("555 5.5.4", refusal(f"RCPT TO:<a@b> {parameter}"), parameter)

    def test_smtputf8(self) -> None:
        """Whether an address outside ASCII is allowed here is for the session to say."""
        self.assertEqual(
            Rcpt(Mailbox.parse("ü@shop.example"), "ü@shop.example"),
            parse("RCPT TO:<ü@shop.example>"),
        )
