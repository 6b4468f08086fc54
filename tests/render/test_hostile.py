"""A hundred hostile papers and readers to an issue: every mail stays inert, and says what rendering it alone says."""

import random

import pytest

from newsletter.rank.interests import chooser
from newsletter.render.lint import check
from newsletter.render.plain import plain_message_for
from newsletter.render.reading import Reading
from tests.make import NOON
from tests.render import hostile
from tests.render.test_compiled import TEMPLATES, compiled, parts
from tests.render.test_message import NAMES

# What may be amiss in such a mail without harm: two papers of one title, words that look like a gap, and an editor's
# own preheader of any length.
HARMLESS = {*"html head title meta style body div table tbody tr td h1 h2 p span a".split()}  # noqa: SIM905 - one line reads better than sixteen
FORGIVEN = {"links", "gaps", "preheader"}


def hold(seed: int) -> None:
    """Make an issue and a hundred copies of it, and check each."""
    chance = random.Random(seed)
    issue = hostile.issue(chance)
    made, choose = compiled(issue), chooser(issue)
    for reader in hostile.readers(chance, 100):
        choice = choose(reader.preferences)
        content = made.message_for(reader, choice, date=NOON).content
        mail = Reading(content)
        assert mail.message.keys() == NAMES
        assert [defect for part in mail.message.walk() for defect in part.defects] == []
        assert {address.partition(":")[0].lower() for address, _ in mail.links} <= {"https", "http", "mailto"}
        assert _tags(mail) <= HARMLESS
        assert not [name for node in mail.tree.iter() for name in node.attrib if str(name).startswith("on")]
    assert {found.name for found in check(content) if found.state == "fail"} <= FORGIVEN
    plain = plain_message_for(made, TEMPLATES, reader, choice, date=NOON)
    assert parts(content) == parts(plain.content)


def _tags(mail: Reading) -> set[str]:
    return {str(node.tag) for node in mail.tree.iter() if isinstance(node.tag, str)}


@pytest.mark.parametrize("seed", range(10))
def test_hostile_papers_and_readers_make_inert_mails(seed: int) -> None:
    hold(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 100))
def test_many_more_hostile_papers_and_readers_make_inert_mails(seed: int) -> None:
    hold(seed)
