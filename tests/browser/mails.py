"""The mails that the tools look at: the usual one, and those that have gone wrong in other newsletters."""

from dataclasses import dataclass, replace
from unittest.mock import patch

from newsletter.models import Issue, Paper, Preferences, Riser, Wording
from newsletter.periods import weekly
from newsletter.rank.interests import choose
from newsletter.render import mjml
from newsletter.render.compiled import CompiledIssue
from newsletter.render.notices import Imprint, notice_message, samples
from newsletter.render.plain import plain_message_for
from newsletter.render.reading import Reading
from newsletter.render.templates import Templates
from newsletter.settings import bundled
from tests.make import DAY, NOON, a_paper, a_reader, an_issue
from tests.render.test_compiled import LINKS
from tests.render.test_message import HEAD

ADDRESS = "Example Society, 1 Example Street, Exampleton"
TEMPLATES = Templates([bundled("templates")])
READER = replace(a_reader(include=("number 3",)), id=7)


@dataclass(frozen=True)
class Conversion:
    """One run of `mjml.to_html`: what went in and what came out."""

    source: str
    css: str
    html: str


def issues() -> dict[str, Issue]:
    """Return issues by what is special in them."""
    full = {"organization": "Lab", "summary": "A lens that bends to a thought. It also sings."}
    usual = an_issue([_coded(n, **full) for n in range(1, 13)], size=6)
    words = Wording(note="Five years of this letter, and the first one with a note.")
    long = [a_paper(n, title=letter * 120, upvotes=50 - n, abstract="z" * 400) for n, letter in enumerate("xyvw")]
    bare = {"arxiv_id": None, "abstract": None, "authors": None, "author_count": None, "upvotes": None, "url": None}
    topics = tuple(
        replace(one, section=("Agents", "")[one.rank % 2], remark="rose by 9") for one in usual.digest.entries
    )
    return {
        "usual": replace(usual, rising=(Riser(a_paper(77), 31, DAY),), wording=words),
        "week": replace(usual, digest=replace(usual.digest, period=weekly(DAY), entries=topics)),
        "unbroken": an_issue(long, size=3),
        "bare": an_issue([a_paper(n, title=f"Bare {n}", **bare) for n in range(1, 4)], size=2),
        "one": an_issue(1),
        "none": an_issue(0),
    }


def messages() -> dict[str, bytes]:
    """Return whole messages by what is special in them, as they go to a relay."""
    made = {
        name: _compiled(issue).message_for(READER, choose(issue, READER.preferences), date=NOON)
        for name, issue in issues().items()
    }
    to = (READER.name, READER.address)
    for number, notice in enumerate(samples(Imprint("Trending Papers", ADDRESS), HEAD, NOON)):
        identity = f"notice{number}@example.org"
        made[notice.subject] = notice_message(notice, TEMPLATES, HEAD, to=to, message_id=identity, date=NOON)
    return {name: message.content for name, message in made.items()}


def mails() -> dict[str, str]:
    """Return the HTML parts of `messages`, as a mail program shows them."""
    return {name: Reading(content).html for name, content in messages().items()}


def conversions() -> list[Conversion]:
    """Return what `mjml.to_html` was given and what it made of it, for each issue rendered for one reader alone."""
    to_html, made = mjml.to_html, []

    def recorded(source: str, css: str) -> str:
        made.append(Conversion(source, css, to_html(source, css)))
        return made[-1].html

    for issue in issues().values():
        compiled, choice = _compiled(issue), choose(issue, Preferences())
        with patch.object(mjml, "to_html", recorded):
            plain_message_for(compiled, TEMPLATES, READER, choice, date=NOON)
    assert len(made) == len(issues()), "the mails are no longer made through mjml.to_html"
    return made


def _compiled(issue: Issue) -> CompiledIssue:
    return CompiledIssue(issue, TEMPLATES, HEAD, LINKS, postal_address=ADDRESS)


def _coded(number: int, **fields: str) -> Paper:
    repository = f"https://github.com/example/code-{number}"
    return a_paper(number, upvotes=1500 - number, repository_url=repository, repository_stars=1234, **fields)
