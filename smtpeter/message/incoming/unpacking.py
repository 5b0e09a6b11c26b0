"""What is packed in an attachment: gzip (RFC 1952) or a file of a ZIP archive."""

from __future__ import annotations

import struct
import zlib

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1

# APPNOTE.TXT section 4.3.7: flags, method, packed size, lengths of the name and the extra field.
_LOCAL_HEADER = struct.Struct("<4x2xHH2x2x4xI4xHH")
_FILES = 5


def unpacked(octets: bytes, limit: int) -> list[bytes]:
    """
    The files in an attachment, or the attachment itself when it is not packed.

    Of an archive, the first few files count. Archives that are encrypted or damaged, and what
    would be larger than `limit` octets, give nothing.
    """
    if octets.startswith(_GZIP):
        return _inflated(octets, _GZIP_WINDOW, limit)
    if octets.startswith(_ZIP):
        return _files(octets, limit)
    return [octets] if len(octets) <= limit else []


def _files(archive: bytes, limit: int) -> list[bytes]:
    """
    The files as they follow each other.

    The directory at the end is not read: it can claim a million of them, and no more octets.
    """
    files: list[bytes] = []
    start = 0
    for _ in range(_FILES):
        if start < 0 or len(archive) < start + _LOCAL_HEADER.size:
            break
        flags, method, size, name, extra = _LOCAL_HEADER.unpack_from(archive, start)
        data = start + _LOCAL_HEADER.size + name + extra
        if not flags & _ENCRYPTED:
            if method == _DEFLATED:
                files += _inflated(archive[data:], _RAW_WINDOW, limit)
            elif method == _STORED and 0 < size <= limit:
                files.append(archive[data : data + size])
        start = archive.find(_ZIP, data + size)
    return files


def _inflated(packed: bytes, window: int, limit: int) -> list[bytes]:
    stream = zlib.decompressobj(window)
    try:
        octets = stream.decompress(packed, limit)
    except zlib.error:
        return []
    return [octets] if stream.eof else []
