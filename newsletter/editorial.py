"""What an editor does about an issue: other words, papers pinned to the top or dropped, and holding it back."""

import re
from collections.abc import Mapping

from newsletter.errors import UsageError
from newsletter.models import Cadence, Hold, HoldKind, Paper, Wording
from newsletter.parts import Parts
from newsletter.periods import parse_key
from newsletter.store.curation import PIN

ARXIV_ID = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?/?$")


def reword(parts: Parts, key: str, words: Mapping[str, str]) -> Wording:
    """Put an editor's words on an issue that has not gone out, and return all that stand for it now.

    Args:
        parts: what to work with.
        key: the issue, such as `daily/2025-12-26`.
        words: by `subject`, `preheader` or `note`; an empty text takes them back.

    Raises:
        UsageError: no such issue can be, or it is frozen already.
    """
    _check_key(key)
    if parts.issues.find(key):
        raise UsageError(
            f"{key}: is frozen: its copies are queued or sent, and each reader gets the same words; edit the next one"
        )
    for name, text in words.items():
        parts.issues.reword(key, name, text)
    return parts.issues.wording(key)


def pause(parts: Parts, key: str, reason: str = "") -> Hold:
    """Hold an issue back until it is resumed, also one that is still to come; return how it is held now.

    What is being sent stops within one message per connection.

    Raises:
        UsageError: no such issue can be.
    """
    _check_key(key)
    parts.holds.pause(key, reason, parts.clock())
    return parts.holds.find(key) or Hold(HoldKind.PAUSED, reason)


def resume(parts: Parts, key: str) -> None:
    """Let a paused issue go on with the next `send`.

    Raises:
        UsageError: it is not paused.
    """
    held = parts.holds.find(key)
    if held is None:
        raise UsageError(f"{key}: is not paused; `status` shows how each issue stands")
    if held.kind is HoldKind.CANCELLED:
        raise UsageError(f"{key}: was cancelled, and that is for good; `send --test ADDRESS` still shows it")
    parts.holds.resume(key)


def cancel(parts: Parts, key: str) -> int:
    """End an issue for good; return how many copies are not sent for it.

    Raises:
        UsageError: no such issue can be.
    """
    _check_key(key)
    return parts.holds.cancel(key, parts.clock())


def _check_key(key: str) -> None:
    if parse_key(key) is None:
        raise UsageError(f"{key}: is no issue; write it like daily/2025-12-26, weekly/2025-12-22 or monthly/2025-12-01")


def decide(parts: Parts, name: str, verdict: str, note: str) -> Paper:
    """Pin a paper to the top of the next issue that can carry it, or drop it from all that are to come.

    A pinned paper leads the issue of its list day, or of one of the seven days after, whichever is the next to go out.

    Args:
        parts: what to work with.
        name: an arXiv id, a link that ends in one, or the paper's title.
        verdict: `curation.PIN` or `curation.DROP`; the last one counts.
        note: what readers see beside a pinned paper; of a dropped one it is only kept.

    Returns:
        The paper.

    Raises:
        UsageError: the paper is not known, or daily, weekly and monthly readers were all told of it before.
    """
    paper = find_paper(parts, name)
    told = parts.issues.carrying(paper.key)
    if verdict == PIN and len({key.partition("/")[0] for key in told}) == len(Cadence):
        raise UsageError(f"{name}: was told in {', '.join(told)}, and readers see a paper only once; pin another one")
    parts.curation.decide(paper.key, verdict, note, parts.clock())
    return paper


def reconsider(parts: Parts, name: str) -> Paper:
    """Take back what was decided of a paper, and return it.

    Raises:
        UsageError: the paper is not known, or nothing was decided of it.
    """
    paper = find_paper(parts, name)
    if not parts.curation.forget(paper.key):
        raise UsageError(f"{name}: is neither pinned nor dropped; nothing to take back")
    return paper


def find_paper(parts: Parts, name: str) -> Paper:
    """Return the remembered paper of an arXiv id, a link that ends in one, or a title.

    Raises:
        UsageError: there is none.
    """
    found = ARXIV_ID.search(name.strip())
    wanted = Paper(title=name, arxiv_id=found["id"] if found else None)
    paper = parts.papers.find(wanted.key) or parts.papers.titled(wanted.title_key)
    if paper is None:
        raise UsageError(f"{name}: no such paper was read yet; `newsletter papers fetch` reads the newest lists")
    return paper
