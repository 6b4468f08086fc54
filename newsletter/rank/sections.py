"""What weekly and monthly issues are divided into: what rose, what was missed, and topics."""

import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from newsletter.models import Entry, Paper
from newsletter.rank.folding import fold
from newsletter.rank.rising import rise_of, rose

ROSE, MISSED, REST = "Rose after their day", "You may have missed", ""
FEWEST = 2  # papers among those that copies tell which make a topic worth a heading
POOL = 30  # entries that a copy may tell: they decide which topics there are

# Broad fields and what places a paper in one, in the words that `fold` leaves; narrow fields first. Papers name
# methods rather than fields, so the lists' own keywords are too many to be headings: of 110 papers in a recorded week
# no keyword but two held five.
TOPICS = {
    "Robots and embodied agents": r"robot|embodied|manipulation|humanoid|locomotion|navigation|autonomous driving",
    "Science and medicine": r"protein|molecul|chemi|biolog|medic|clinical|physic|materials|weather|epidemi|scien",
    "Code and mathematics": r"code|coding|software|program|theorem|math|swe bench|proof",
    "Speech and music": r"speech|audio|voice|music|sound",
    "Video and images": r"video|image|visual|vision|diffusion|3d|4d|scene|avatar|segment|gaussian|camera",
    "Agents": r"agent|tool use|graphical user interface|harness|workflow",
    "Search and memory": r"retriev|search|memory|recommend|embedding",
    "Reasoning and reinforcement learning": r"reason|reinforcement|reward|policy optimi",
    "Faster and smaller models": r"efficien|quantiz|distill|sparse|attention|inference|compress|pruning|decoding|cache",
    "Safety and evaluation": r"safe|align|jailbreak|bias|benchmark|evaluat|hallucinat|privacy|attack|red team",
    "Language models": r"language model|transformer|pre train|token|fine tun|multilingual|translation",
}
PATTERNS = {topic: re.compile(rf"\b(?:{pattern})") for topic, pattern in TOPICS.items()}


def sectioned(entries: Sequence[Entry], *, told: AbstractSet[str]) -> tuple[Entry, ...]:
    """Give each entry its section, and a remark where it rose; their order stays.

    Args:
        entries: all of a period, ranked.
        told: keys of the papers that a daily issue of the list told; empty for a list without daily issues.
    """
    placed = [_placed(entry, told) for entry in entries]
    sizes = Counter(entry.section for entry in placed[:POOL])
    return tuple(entry if sizes[entry.section] >= FEWEST else replace(entry, section=REST) for entry in placed)


def topic_of(paper: Paper) -> str:
    """Return the field of a paper: by its title, else its keywords, else its text; empty if nothing tells."""
    for text in (paper.title, ", ".join(paper.keywords or ()), paper.summary or paper.abstract or ""):
        folded = fold(text)
        found = next((topic for topic, pattern in PATTERNS.items() if pattern.search(folded)), "")
        if found:
            return found
    return REST


def _placed(entry: Entry, told: AbstractSet[str]) -> Entry:
    paper = entry.paper
    if rose(paper):
        return replace(entry, section=ROSE, remark=entry.remark or rise_of(paper))
    if told and paper.key not in told:
        return replace(entry, section=MISSED)
    return replace(entry, section=topic_of(paper))
