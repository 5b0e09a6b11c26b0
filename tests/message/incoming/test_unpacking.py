"""Files in attachments, and no more of them than there is room for."""

from __future__ import annotations

import gzip
import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.unpacking import unpacked

LIMIT = 1000


def zipped(*files: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as writing:
        for number, octets in enumerate(files):
            writing.writestr(f"{number}.xml", octets)
    return archive.getvalue()


def streamed(octets: bytes) -> bytes:
    """An archive whose writer did not know the sizes when it wrote the header."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    archive = Pipe()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr("0.xml", octets)
    return archive.getvalue()


class UnpackingTests(SynchronousTestCase):
    """What is in an attachment."""

    @given(st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=3))
    def test_zip(self, files: list[bytes]) -> None:
        """The files of an archive, packed or not."""
        self.assertEqual(files, unpacked(zipped(*files), LIMIT))
        self.assertEqual(files, unpacked(zipped(*files, method=zipfile.ZIP_STORED), LIMIT))

    @given(st.binary(min_size=1, max_size=100))
    def test_gzip(self, octets: bytes) -> None:
        self.assertEqual([octets], unpacked(gzip.compress(octets), LIMIT))

    def test_streamed(self) -> None:
        """An archive without sizes in front."""
        self.assertEqual([b"<feedback/>"], unpacked(streamed(b"<feedback/>"), LIMIT))

    def test_not_packed(self) -> None:
        self.assertEqual([b"<feedback/>"], unpacked(b"<feedback/>", LIMIT))

    def test_too_large(self) -> None:
        """What would be larger gives nothing."""
        large = b"\0" * (LIMIT + 1)
        stored = zipped(large, method=zipfile.ZIP_STORED)
        for packed in (large, gzip.compress(large), zipped(large), stored):
            self.assertEqual([], unpacked(packed, LIMIT))
        self.assertEqual([b"\0" * LIMIT], unpacked(gzip.compress(b"\0" * LIMIT), LIMIT))

    def test_many_files(self) -> None:
        """Only the first few are looked at."""
        self.assertEqual(5, len(unpacked(zipped(*[b"x"] * 1000), LIMIT)))

    def test_encrypted(self) -> None:
        """The flag of the first file set: nothing can be read."""
        archive = bytearray(zipped(b"secret"))
        archive[6] |= 1
        self.assertEqual([], unpacked(bytes(archive), LIMIT))

    @given(st.binary(max_size=60), st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04"]))
    def test_damaged(self, octets: bytes, magic: bytes) -> None:
        """Whatever comes, the limit holds."""
        self.assertTrue(all(len(each) <= LIMIT for each in unpacked(magic + octets, LIMIT)))

    @given(st.integers(0, 200))
    def test_cut_short(self, length: int) -> None:
        """An archive that ends too soon gives nothing of the file that does."""
        octets = bytes(range(256)) * 3
        for packed in (gzip.compress(octets), zipped(octets)):
            self.assertNotIn(octets, unpacked(packed[: min(length, len(packed) // 2)], LIMIT))
