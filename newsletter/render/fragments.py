"""Pure: a page rendered once for everybody, taken apart at marks, and put together again for one choice of papers.

The templates run once with every paper in every tier, each between two marks, and with tokens where words differ from
copy to copy. What comes out is a tree of ready pieces; a copy is a walk through it.

    Chunk               words that never change, also ready as quoted-printable
    Slot name           what differs: a value of the choice, else one of the reader
    Optional name       pieces that stand only where a value or a list of that name is not empty
    Items list          the papers of one tier by rank; the choice says which, and in which order
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup

from newsletter.errors import TemplateError
from newsletter.models import Pick
from newsletter.render.quoted import quoted_printable


@dataclass(frozen=True)
class Chunk:
    """Words that never change."""

    text: str

    @cached_property
    def encoded(self) -> bytes:
        """The text as quoted-printable, from column 0 and back to column 0."""
        return quoted_printable(self.text)

    @cached_property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return len(self.text.encode())


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Optional:
    """Pieces that stand only where the value or list `name` is not empty."""

    name: str
    pieces: "tuple[Piece, ...]"


@dataclass(frozen=True, slots=True)
class Items:
    """The papers of one tier, each as pieces, by rank."""

    name: str
    by_rank: "dict[int, tuple[Piece, ...]]"


Piece = Chunk | Slot | Optional | Items


GAP = "\x1a"  # stands in a value for the reader's token, which is not known yet: SUBSTITUTE in ASCII


@dataclass(frozen=True, slots=True)
class Scope:
    """What a choice of papers puts into a page: values by slot, and papers by tier."""

    values: Mapping[str, str]
    lists: Mapping[str, Sequence[Pick]]
    escape: Callable[[str], str] = field(default=str)

    def has(self, name: str) -> bool:
        """Whether the value or the list is not empty."""
        return bool(self.values.get(name) or self.lists.get(name))


class Plain:
    """The marks of the plain pipeline: none, what is empty is left out at once."""

    @staticmethod
    def item(_name: str, _entry: object, caller: Callable[[], str]) -> str:
        """Return a paper of the tier `_name` as it is."""
        return caller()

    @staticmethod
    def optional(_name: str, value: object, caller: Callable[[], str]) -> str:
        """Return what `caller` makes, unless the value is empty."""
        return caller() if value else ""


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands in a page that is to be taken apart: the two sides of a mark, and the beginning of a token.

    In HTML the marks are comments, which leave no trace in a mail program; in text they are control characters. Tokens
    have to stand in addresses too, so they are letters.
    """

    opening: str
    closing: str
    token: str

    def slot(self, name: str) -> str:
        """Return the token of a slot."""
        return f"{self.token}{name.upper()}__"

    def item(self, name: str, entry: object, caller: Callable[[], str]) -> str:
        """Mark a paper of the tier `name`."""
        return self._marked(f"{name}:{getattr(entry, 'rank', '')}", caller)

    def optional(self, name: str, _value: object, caller: Callable[[], str]) -> str:
        """Mark what a copy may leave out."""
        return self._marked(f"?{name}", caller)

    def parse(self, page: str) -> tuple[Piece, ...]:
        """Take a page apart.

        Raises:
            TemplateError: marks do not pair, as where a template cuts or filters what it marked.
        """
        mark = rf"{re.escape(self.opening)}([^\n]*?){re.escape(self.closing)}"
        pieces = re.split(rf"{mark}|{re.escape(self.token)}([A-Z_]+?)__", page)
        stack: list[tuple[str, list[Piece]]] = [("", [])]
        for number in range(0, len(pieces), 3):
            text, (name, slot) = pieces[number], [*pieces[number + 1 : number + 3], None, None][:2]
            if text:
                stack[-1][1].append(Chunk(text))
            if slot:
                stack[-1][1].append(Slot(slot.lower()))
            elif name:
                stack.append((name, []))
            elif name is not None:
                _close(stack)
        if len(stack) != 1:
            raise TemplateError(f"mail template: what {stack[-1][0]!r} opens is never closed")
        return tuple(stack[0][1])

    def _marked(self, name: str, caller: Callable[[], str]) -> str:
        inner = str(caller())
        marked = f"{self.opening}{name}{self.closing}{inner}{self.opening}{self.closing}"
        return Markup(marked)  # noqa: S704 - our own marks, around what Jinja has escaped


def resolve(pieces: Sequence[Piece], scope: Scope) -> Iterator[Chunk | Slot]:
    """Walk a tree for one choice of papers and yield what its copy is made of; reader slots stay slots."""
    for piece in pieces:
        match piece:
            case Chunk():
                yield piece
            case Slot(name):
                yield from _filled(scope.escape(scope.values[name])) if name in scope.values else [piece]
            case Optional(name, inner):
                if scope.has(name):
                    yield from resolve(inner, scope)
            case Items(name, by_rank):
                for pick in scope.lists.get(name, ()):
                    own = Scope({**scope.values, "match": pick.match or ""}, scope.lists, scope.escape)
                    yield from resolve(by_rank[pick.rank], own)


def _filled(value: str) -> Iterator[Chunk | Slot]:
    before, gap, after = value.partition(GAP)
    yield Chunk(before)
    if gap:
        yield Slot("token")
        yield Chunk(after)


def _close(stack: list[tuple[str, list[Piece]]]) -> None:
    """End the innermost mark; the papers of one tier that follow each other become one group."""
    if len(stack) == 1:
        raise TemplateError("mail template: a mark ends that was never begun")
    name, inner = stack.pop()
    around = stack[-1][1]
    if name.startswith("?"):
        around.append(Optional(name[1:], tuple(inner)))
        return
    tier, _, rank = name.rpartition(":")
    blank = isinstance(around[-1], Chunk) and not around[-1].text.strip() if around else False
    if blank and len(around) > 1 and isinstance(around[-2], Items) and around[-2].name == tier:
        raise TemplateError(f"mail template: nothing may stand between the papers of {tier!r}; put it inside the call")
    if not (around and isinstance(around[-1], Items) and around[-1].name == tier):
        around.append(Items(tier, {}))
    group = around[-1]
    assert isinstance(group, Items)  # noqa: S101 - appended above
    group.by_rank[int(rank)] = tuple(inner)
