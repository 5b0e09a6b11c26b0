import ast
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PACKAGE = "smtpeter"

SMTP_SERVER = {
    "smtpeter.smtp",
    "smtpeter.message",
    "smtpeter.budget",
    "smtpeter.accounts.interfaces",
}

# What everybody may import of ours.
COMMON = {"smtpeter.errors", "smtpeter.values"}

# What a part may import of ours, besides itself and that.
MAY_IMPORT = {
    "smtpeter.message": set[str](),
    "smtpeter.transform": {"smtpeter.message"},
    "smtpeter.smtp": {"smtpeter.message", "smtpeter.budget"},
    "smtpeter.smtp.server": SMTP_SERVER,
    "smtpeter.smtp.login": SMTP_SERVER,
    "smtpeter.config": {"smtpeter.units"},
    "smtpeter.dns": {"smtpeter.domains", "smtpeter.message", "smtpeter.units"},
    "smtpeter.domains": set[str](),
    "smtpeter.units": set[str](),
}

# What a part never imports.
NEVER = {
    "smtpeter.arrivals": {"smtpeter.smtp", "smtpeter.web"},
    "smtpeter.accounts": {"smtpeter.smtp", "smtpeter.web"},
    "smtpeter.events": {"smtpeter.smtp", "smtpeter.web"},
    "smtpeter.store": {"smtpeter.smtp", "smtpeter.web"},
    "smtpeter.web": {"smtpeter.delivery"},
    "smtpeter.smtp.server": {"smtpeter.delivery", "smtpeter.web"},
}

PURE = {
    "smtpeter.arrivals.consequences",
    "smtpeter.arrivals.reading",
    "smtpeter.arrivals.tracing",
    "smtpeter.dns",
    "smtpeter.domains",
    "smtpeter.message",
    "smtpeter.smtp.wire",
    "smtpeter.smtp.command",
    "smtpeter.smtp.session",
    "smtpeter.smtp.sasl",
    "smtpeter.smtp.answers",
    "smtpeter.smtp.reception",
    "smtpeter.smtp.replies",
    "smtpeter.smtp.transparency",
    "smtpeter.smtp.xtext",
    "smtpeter.delivery.classification",
    "smtpeter.delivery.dnsrecords",
    "smtpeter.delivery.providers",
    "smtpeter.delivery.replyrules",
    "smtpeter.delivery.schedule",
    "smtpeter.delivery.security.identity",
    "smtpeter.delivery.security.stspolicy",
    "smtpeter.delivery.security.tlsa",
    "smtpeter.delivery.receivers",
    "smtpeter.transform",
    "smtpeter.units",
}
NOT_PURE = frozenset({"smtpeter.transform.pipeline"})
IMPURITIES = {"twisted", "sqlalchemy"}

ENDS = ({"smtpeter.smtp"}, {"smtpeter.web"}, {"smtpeter.delivery"})
KNOWS_EVERYBODY = "smtpeter.service"


def below(name: str, parents: set[str]) -> bool:
    """True when a module is one of these or stands below one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Full names of all that is imported; `from x import y` is x.y."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def outside_functions(tree: ast.Module) -> ast.Module:
    """What of a module runs when it is imported."""

    class Emptied(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            """Leave it out."""

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            """Leave it out."""

    return ast.fix_missing_locations(Emptied().visit(tree))  # type: ignore[no-any-return]


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    """Every module of ours: its name, its package, what it says."""
    for file in sorted((ROOT / PACKAGE).rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        package = name.rpartition(".")[0]
        yield name.removesuffix(".__init__"), package, ast.parse(file.read_bytes())


class ArrowTests(SynchronousTestCase):
    """Which part may know which."""

    imports: ClassVar = {name: set(imported(tree, package)) for name, package, tree in modules()}

    def broken(
        self, part: str, forbidden: set[str], exceptions: frozenset[str] = frozenset()
    ) -> list[tuple[str, str]]:
        """Imports of a part that it must not have, each with who has it."""
        return [
            (name, each)
            for name, imports in self.imports.items()
            if below(name, {part}) and name not in exceptions
            for each in sorted(imports)
            if below(each, forbidden)
        ]

    def test_something_is_read(self) -> None:
        """The imports of this very tree are found, and every rule is about a part of it."""
        self.assertIn("smtpeter.units.parse_host", self.imports["smtpeter.config.values"])
        for name in {*PURE, *NEVER, *MAY_IMPORT} - {"smtpeter.web", "smtpeter.events"}:
            self.assertTrue(any(below(each, {name}) for each in self.imports), name)

    def test_allowed(self) -> None:
        """A part that may import a few of ours imports no others."""
        for name, imports in self.imports.items():
            # the rule of a module stands over that of its package
            part = max((each for each in MAY_IMPORT if below(name, {each})), key=len, default=None)
            if part is not None:
                allowed = MAY_IMPORT[part] | COMMON | {part}
                strangers = {each for each in imports if below(each, {PACKAGE})}
                self.assertEqual(
                    set(), {each for each in strangers if not below(each, allowed)}, name
                )

    def test_never(self) -> None:
        """Nobody behind the front doors knows them, and they do not know who delivers."""
        for part, forbidden in NEVER.items():
            self.assertEqual([], self.broken(part, forbidden))

    def test_pure(self) -> None:
        """Parts that think do no input, no output and no waiting."""
        for part in PURE:
            self.assertEqual([], self.broken(part, IMPURITIES, NOT_PURE))

    def test_one_place(self) -> None:
        """Only the service knows both ends of a message's way, and nobody knows the service."""
        for name, imports in self.imports.items():
            if name != KNOWS_EVERYBODY:
                known = [end for end in ENDS if any(below(each, end) for each in imports)]
                self.assertLess(len(known), len(ENDS), name)
                self.assertFalse(any(below(each, {KNOWS_EVERYBODY}) for each in imports), name)

    def test_no_reactor_at_import(self) -> None:
        """No module takes the reactor for granted: it is passed in."""
        for name, package, tree in modules():
            names = set(imported(outside_functions(tree), package))
            self.assertNotIn("twisted.internet.reactor", names, name)
