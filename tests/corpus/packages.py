"""
Mails that others wrote: templates out of packages of the npm registry, fetched when they are used.

Templates that name their style sheet get it put in its place, as the tools do that they come with.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = "package/"
_CONTENTS = "<%= contents %>"
_FETCH_SECONDS = 180.0


class Unreachable(Exception):
    """A package could not be had; the text says which and why."""


@dataclass(frozen=True)
class Include:
    """A marker in a template, and the file of the same package that belongs in its place."""

    marker: str
    file: str
    as_style: bool = False


@dataclass(frozen=True)
class Selection:
    """
    Files of a package.

    Args:
        patterns: of their paths; `*` stops at no slash.
        layout: the file whose `<%= contents %>` they are, empty where they are whole mails.
    """

    patterns: tuple[str, ...]
    includes: tuple[Include, ...] = ()
    layout: str = ""


@dataclass(frozen=True)
class Package:
    """A version of a package, and the SHA-512 of its archive as the registry writes it."""

    name: str
    version: str
    integrity: str
    selections: tuple[Selection, ...]


_FOUNDATION_CSS = "dist/foundation-emails.css"
_GHOST = "core/server/services"

PACKAGES = (
    Package(
        "foundation-emails",
        "2.5.1",
        "1Yp9MbN8qJZrLUXMyQ5clLm+Ea663J7cSc//Y8EfCM21IkD7N2xYB7vRlSnnQy3fIB3TnI25IpW2VJHqXm9UkA==",
        (
            Selection(
                (".download/templates/*.html",),
                (
                    Include(
                        '<link rel="stylesheet" href="../assets/css/foundation-emails.css">',
                        _FOUNDATION_CSS,
                        as_style=True,
                    ),
                ),
            ),
            Selection(
                (
                    "test/visual/pages/alignment.html",
                    "test/visual/pages/callout-in-grid.html",
                    "test/visual/pages/fluid-header.html",
                    "test/visual/pages/grid.html",
                    "test/visual/pages/grid-collapse.html",
                    "test/visual/pages/hr.html",
                    "test/visual/pages/images.html",
                    "test/visual/pages/inliner-bugs.html",
                    "test/visual/pages/spacing.html",
                    "test/visual/pages/t*.html",
                ),
                (
                    Include(
                        '<link rel="stylesheet" href="../assets/css/foundation-emails.css" />',
                        _FOUNDATION_CSS,
                        as_style=True,
                    ),
                ),
                layout="test/visual/_template.html",
            ),
        ),
    ),
    Package(
        "ghost",
        "5.130.6",
        "CAWqPKt+7ws+/1NrVmvuiWiDZDEtutiu7niVMTku9uM29MjfNFFUVKM3giQBpZGZrUORXkWiXSlqbry4QGVrBw==",
        (
            Selection(
                (
                    f"{_GHOST}/mail/templates/*.html",
                    f"{_GHOST}/comments/email-templates/*.hbs",
                ),
            ),
            Selection(
                (f"{_GHOST}/staff/email-templates/[!p]*.hbs",),
                (Include("{{> styles}}", f"{_GHOST}/staff/email-templates/partials/styles.hbs"),),
            ),
            Selection(
                (f"{_GHOST}/email-service/email-templates/template.hbs",),
                (
                    Include(
                        "{{>styles}}",
                        f"{_GHOST}/email-service/email-templates/partials/styles.hbs",
                    ),
                ),
            ),
        ),
    ),
    Package(
        "html-email-toolset",
        "1.1.0",
        "yePI+iEEbDpHGZfp/yQ0ETj0/EQxR/bJQsVc+mksuSNTUlPEv4hPFlObpEqNwcSCulFbrx8+rkx4/j/SD51QsQ==",
        (
            Selection(("docs/examples/*.html",), (Include("{{> ink }}", "css/ink.css"),)),
            Selection(
                ("templates-src/base/*.html", "templates-src/examples/*.html"),
                (
                    Include(
                        '<link rel="stylesheet" href="../../css/ink.css">',
                        "css/ink.css",
                        as_style=True,
                    ),
                ),
            ),
            Selection(("templates-dist/base/*.html", "templates-dist/examples/*.html")),
        ),
    ),
    Package(
        "mailgen",
        "2.0.36",
        "SyGJx3c8muDa8xtPIQnYlM8o+GC7aGs7yz3VzuvjXgz16JxW/ihdvp6N3XNUFlJaefJ7LNquvAsxJNNIpDZG9g==",
        (Selection(("themes/*/index.html",)),),
    ),
    Package(
        "responsive-html-email-signature",
        "6.2.0",
        "Fl4ioYD/+vXk4lEWK5NLiYRzz6KnY7oeRMHDBDcahToSpgiTLNMkbQoO2i4Tx60qD316ilujU1JLl7gkDQBarg==",
        (Selection(("demo/dist/*.html",)),),
    ),
)


def package_mails() -> dict[str, str]:
    """
    The mails of all packages.

    Returns:
        Name (package and path) to HTML.

    Raises:
        Unreachable: a package could not be fetched, or is not what it was.
    """
    mails: dict[str, str] = {}
    for package in PACKAGES:
        files = _files(_archive(package))
        for selection in package.selections:
            found = _selected(files, selection)
            if not found:
                raise Unreachable(f"{package.name} has no file like {selection.patterns}")
            mails |= {f"{package.name}/{path}": html for path, html in found.items()}
    return mails


def cache() -> Path:
    """Where archives stay for the next run: in the directory for temporary files."""
    directory = Path(tempfile.gettempdir()) / f"smtpeter-corpus-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _selected(files: dict[str, str], selection: Selection) -> dict[str, str]:
    paths = sorted(
        path
        for path in files
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in selection.patterns)
    )
    return {path: _assembled(files, path, selection) for path in paths}


def _assembled(files: dict[str, str], path: str, selection: Selection) -> str:
    html = files[path]
    if selection.layout:
        html = files[selection.layout].replace(_CONTENTS, html)
    for include in selection.includes:
        text = files[include.file]
        html = html.replace(
            include.marker, f"<style>\n{text}</style>" if include.as_style else text
        )
    return html


def _archive(package: Package) -> Path:
    scope_and_name = package.name.removeprefix("@").replace("/", "-")
    path = cache() / f"{scope_and_name}-{package.version}.tgz"
    if not path.exists():
        _fetch(package, path)
    digest = hashlib.sha512(path.read_bytes()).digest()
    if digest != base64.b64decode(package.integrity):
        path.unlink()
        raise Unreachable(f"{package.name} {package.version} is not the archive it was")
    return path


def _fetch(package: Package, path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable("npm is not installed")
    what = f"{package.name}@{package.version}"
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        try:
            done = subprocess.run(
                [npm, "pack", "--silent", "--ignore-scripts", what],
                cwd=directory,
                capture_output=True,
                timeout=_FETCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{what} did not come in {_FETCH_SECONDS:g} s") from error
        archives = list(Path(directory).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise Unreachable(f"{what} could not be fetched: {said}")
        archives[0].rename(path)


def _files(archive: Path) -> dict[str, str]:
    """Path to text, of the files that could be templates or style sheets."""
    files: dict[str, str] = {}
    with tarfile.open(archive) as members:
        for member in members:
            if member.isfile() and member.name.endswith((".html", ".hbs", ".css")):
                content = members.extractfile(member)
                assert content is not None
                files[member.name.removeprefix(_ROOT)] = content.read().decode("utf-8", "replace")
    return files
