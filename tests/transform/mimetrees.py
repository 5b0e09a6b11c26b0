"""Trees of MIME parts that write themselves as a message, to compare with."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen
from hypothesis import strategies as st


@frozen
class Node:
    """
    A part.

    Attributes:
        fields: of its header, each ending with CRLF.
        body: of a part without parts.
        boundary: of a multipart; of others empty.
        around: what stands before and behind the parts.
    """

    fields: tuple[bytes, ...] = ()
    body: bytes = b""
    boundary: bytes = b""
    children: tuple[Node, ...] = ()
    around: tuple[bytes, bytes] = (b"", b"")

    def __bytes__(self) -> bytes:
        return b"".join(self.fields) + b"\r\n" + (self._parts() if self.boundary else self.body)

    def _parts(self) -> bytes:
        lines = [b"--%s\r\n%s\r\n" % (self.boundary, bytes(child)) for child in self.children]
        return self.around[0] + b"".join(lines) + b"--%s--" % self.boundary + self.around[1]

    @property
    def related(self) -> bool:
        return any(b"multipart/related" in each for each in self.fields)

    def walk(self) -> Iterator[Node]:
        """This part and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def without(self, doomed: set[int]) -> Node:
        """The same without some parts, known by their `id`."""
        kept = tuple(child.without(doomed) for child in self.children if id(child) not in doomed)
        if self.related and len(kept) == 1 and len(self.children) > 1:
            return evolve(kept[0], fields=self._fields_of(kept[0]))
        return evolve(self, children=kept)

    def _fields_of(self, other: Node) -> tuple[bytes, ...]:
        """The fields of this part, those about the body taken from another."""
        first = next(place for place, each in enumerate(self.fields) if about_body(each))
        return (
            *(each for each in self.fields[:first]),
            *(each for each in other.fields if about_body(each)),
            *(each for each in self.fields[first:] if not about_body(each)),
        )


def about_body(line: bytes) -> bool:
    """True for fields such as Content-Type."""
    return line.lower().startswith(b"content-")


def part(media_type: str, body: bytes, *fields: str) -> Node:
    """A part with a body as it stands."""
    lines = (f"Content-Type: {media_type}", *fields)
    return Node(tuple(f"{line}\r\n".encode() for line in lines), body)


def multipart(subtype: str, *children: Node, top: bool = False) -> Node:
    """A multipart; its boundary is made of what is in it."""
    depth = max(sum(1 for _ in child.walk()) for child in children)
    boundary = f"{subtype}{depth}"
    fields = [f'Content-Type: multipart/{subtype};\r\n\tboundary="{boundary}"\r\n'.encode()]
    if top:
        fields = [b"From: a@shop.example\r\n", *fields, b"Subject: x\r\n"]
    return Node(tuple(fields), boundary=boundary.encode(), children=children)


_LINES = st.lists(st.sampled_from([b"x", b"", b"-- ", b"a\xe9", b"Content-Type: text/plain"]))
_FIELDS = st.lists(
    st.sampled_from(
        [
            b"Content-ID: <a@x>\r\n",
            b"content-Description:\r\n\tlong\r\n one\r\n",
            b"Content-Type: image/png\r\n",
            b"X-Other: 1\r\n",
        ]
    ),
    max_size=3,
).map(tuple)
_LEAVES = st.builds(Node, _FIELDS, _LINES.map(b"\r\n".join))


def _multiparts(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Their boundary says for now of which kind they are."""
    return st.builds(
        Node,
        fields=_FIELDS,
        boundary=st.sampled_from([b"related", b"related", b"mixed"]),
        children=st.lists(children, min_size=1, max_size=4).map(tuple),
        around=st.tuples(
            st.sampled_from([b"", b"x\r\n"]), st.sampled_from([b"", b"\r\n", b"\r\ny"])
        ),
    )


@st.composite
def trees(draw: st.DrawFn) -> Node:
    """Any multipart, as a message without its last CRLF."""
    numbers = iter(range(1000))

    def finished(node: Node) -> Node:
        if not node.children:
            return node
        boundary = b"=_%d_" % next(numbers)
        content_type = b'Content-Type: multipart/%s; boundary="%s"\r\n' % (node.boundary, boundary)
        others = (each for each in node.fields if b"Type" not in each)
        return evolve(
            node,
            fields=(*others, content_type, b"Content-Language: en\r\n", b"X-Last: 1\r\n"),
            boundary=boundary,
            children=tuple(map(finished, node.children)),
        )

    tree = finished(draw(st.recursive(_LEAVES, _multiparts, max_leaves=12)))
    return evolve(tree, fields=(b"From: a@shop.example\r\n", *tree.fields))
