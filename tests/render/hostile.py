"""Papers and readers made to break a mail: scripts, quotes, header tricks, half characters, endless words."""

import random
from collections.abc import Iterator
from typing import Any

from newsletter.models import Issue, Paper, Preferences, Subscriber, Wording
from tests.make import a_paper, an_issue

PAYLOADS = (
    "<script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1>",
    '"><svg onload=window.owned=1>',
    "' onmouseover='window.owned=1",
    "javascript:window.owned=1",
    "data:text/html,<script>window.owned=1</script>",
    "]]>",
    "<![CDATA[x]]>",
    "<!--[if mso]>",
    "<!--~?more-->",
    "<!--~full:1--><!--~-->",
    "--><b>",
    "</mj-raw></mj-column><mj-text>",
    "=?UTF-8?Q?=0A?=Bcc: eve@example.net",
    "\r\nBcc: eve@example.net\r\n\r\n",
    "\u2028\u2029\x85",
    "\x00\x0b\x1b[31m\x1a\x02\x03",
    "\u202e\u202d\u2066\u200f",
    "\ud800",
    "\ufeff\u200b\u034f",
    "{{ 7*7 }}{% raw %}{{ self }}",
    "__0_ADDRESS__ __TOKEN__ __1_",
    "%0d%0aBcc:%20eve@example.net",
    "&lt;script&gt;&amp;&#x3c;&nbsp;&notin;",
    "</style><style>*{display:none}</style>",
    "</title><h1>",
    "a̷̡̛͓" * 9,
    "😀👩‍🚀🇩🇪",
    "مرحبا שלום",
    ".",
    "..\n.\r\n",
    "From me",
    "x" * 300,
)
ADDRESSES = (
    "javascript:window.owned=1",
    "JaVaScRiPt:window.owned=1",
    "data:text/html,<script>window.owned=1</script>",
    "https://example.org/\"onmouseover='window.owned=1",
    "https://example.org/<script>",
    "https://example.org/a b\r\nBcc: x",
    "https://example.org/" + "y" * 5000,
    "//example.org/x",
    "vbscript:x",
    "https://example.org/ok?a=1&b=2#c",
    "http://example.org/%22%3E",
    "HTTPS://EXAMPLE.ORG/Ü",
)


def words(chance: random.Random, most: int = 4) -> str:
    """Return some payloads and plain words in a row."""
    plain = ("we propose", "a lens", "video", "agents", "et al.", "50%", "naïve")
    pieces = chance.choices(PAYLOADS + plain, k=chance.randint(0, most))
    return chance.choice(("", " ", "  ")).join(pieces)


def paper(chance: random.Random, number: int) -> Paper:
    """Return a paper of which every field may be hostile or missing."""
    long = chance.random() < 0.005

    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.8 else None

    return a_paper(
        number,
        title=words(chance),
        abstract=maybe(words(chance, 40) * (10_000 if long else 1)),
        summary=maybe(words(chance, 12)),
        authors=maybe(tuple(words(chance) for _ in range(chance.randint(0, 3)))),
        author_count=maybe(chance.randint(0, 900)),
        organization=maybe(words(chance)),
        upvotes=maybe(chance.randint(0, 10**6)),
        keywords=maybe((words(chance),)),
        repository_url=maybe(chance.choice(ADDRESSES)),
        repository_stars=maybe(chance.randint(0, 10**6)),
        project_url=maybe(chance.choice(ADDRESSES)),
        url=maybe(chance.choice(ADDRESSES)),
        thumbnail_url=maybe(chance.choice(ADDRESSES)),
    )


def issue(chance: random.Random, papers: int = 100) -> Issue:
    """Return an issue of hostile papers, now and then with an editor's hostile words."""
    made = an_issue([paper(chance, number) for number in range(1, papers + 1)], size=chance.choice((1, 10, 40)))
    if chance.random() < 0.3:
        wording = Wording(words(chance), words(chance), words(chance, 30))
        return Issue(
            list_id=made.list_id, title=f"{words(chance)} Papers", digest=made.digest, size=made.size, wording=wording
        )
    return made


def readers(chance: random.Random, number: int) -> Iterator[Subscriber]:
    """Yield readers with hostile names and interests; their addresses have passed the list's own check."""
    for who in range(1, number + 1):
        local = "".join(chance.choices("abcXYZ019!#$%&'*+/=?^_`{|}~-", k=chance.randint(1, 60)))
        interests = tuple(words(chance, 2) for _ in range(chance.randint(0, 2)))
        yield Subscriber(
            address=f"{local}@example.org",
            name=words(chance) or None,
            preferences=Preferences(include=interests, papers=chance.choice((None, 1, 5, 100))),
            id=who,
        )
