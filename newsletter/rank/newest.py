"""Ranking `newest`: by date alone."""

import re

from newsletter.models import Paper
from newsletter.rank.base import Merit, MeritRanking


def newest(paper: Paper) -> Merit:
    """Return when the paper appeared.

    Formula: (day it was published, day it was listed, number within its arXiv id). The number grows through a month, so
    it orders the papers of one day; a paper without any date has no merit here.
    """
    days = [day.toordinal() if day else 0 for day in (paper.published_on, paper.listed_on)]
    number = re.search(r"(\d{2})(\d{2})\.(\d{4,5})", paper.arxiv_id or "")
    return (*days, int("".join(number.groups())) if number else 0) if any(days) else None


def _words(paper: Paper) -> str:
    return f"published {paper.published_on}" if paper.published_on else f"listed {paper.listed_on}"


NEWEST = MeritRanking(newest, _words, unknown="date unknown")
