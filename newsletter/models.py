"""The nouns. Frozen values without behaviour that touches the world; unknown is None, never 0.

All moments are aware and in UTC; all days are plain dates (a list day, a slot) without a zone.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Observation:
    """What a source said of a paper at a moment; a count it did not tell is None."""

    seen_at: datetime
    upvotes: int | None = None
    comment_count: int | None = None
    repository_stars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One paper as a source told of it. Every field but the title may be unknown (None)."""

    title: str
    arxiv_id: str | None = None
    abstract: str | None = None
    summary: str | None = None  # one or two sentences about the paper, where the source offers them
    authors: tuple[str, ...] | None = None
    author_count: int | None = None
    organization: str | None = None
    published_on: date | None = None
    listed_on: date | None = None
    upvotes: int | None = None
    comment_count: int | None = None
    keywords: tuple[str, ...] | None = None
    repository_url: str | None = None
    repository_stars: int | None = None
    project_url: str | None = None
    thumbnail_url: str | None = None
    source: str | None = None
    url: str | None = None
    # All readings of it so far, oldest first; a paper stays the same paper when it is read again.
    observations: tuple[Observation, ...] = field(default=(), compare=False, repr=False)

    @property
    def key(self) -> str:
        """The paper's identity: its arXiv id without version, else its normalized title."""
        return "arxiv:" + re.sub(r"v\d+$", "", self.arxiv_id) if self.arxiv_id else self.title_key

    @property
    def title_key(self) -> str:
        """What a paper is known by where a source told no id."""
        folded = unicodedata.normalize("NFKC", self.title).casefold()
        return "title:" + "".join(character for character in folded if character.isalnum())


class Cadence(StrEnum):
    """How often a reader hears from the list."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of list days, both ends included; a daily period is one day, unless it catches up with some before."""

    cadence: Cadence
    start: date
    end: date

    @property
    def key(self) -> str:
        """The issue key, such as `daily/2025-12-25`: the last day, or the first of the last week or month."""
        names = {Cadence.DAILY: self.end, Cadence.WEEKLY: self.end - timedelta(days=6)}
        return f"{self.cadence}/{names.get(self.cadence, self.end.replace(day=1)).isoformat()}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper's place in a digest: rank from 1, and one line that says why it stands there.

    `remark` is what readers are told beside the votes (rose, came back, editor's pick); `section` groups the entries of
    weekly and monthly issues; `note` is what the editor wrote to it; `match` is as in `Pick`.
    """

    paper: Paper
    rank: int
    reason: str
    remark: str = ""
    section: str = ""
    note: str = ""
    match: str | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """All that a period offers, ranked: nothing is cut here, each reader's number is cut in `choose`."""

    period: Period
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Curation:
    """What an editor decided about papers, by their keys: a note for each pinned one, and those that are dropped."""

    pinned: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A slot without an issue, and why there is none."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Riser:
    """A paper of an earlier day that goes on gaining votes."""

    paper: Paper
    gained: int  # votes since `since`
    since: date


@dataclass(frozen=True, slots=True)
class Wording:
    """What an editor wrote for one issue; None leaves the words to the program."""

    subject: str | None = None
    preheader: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A digest under a key, with the words that go around it."""

    list_id: str
    title: str
    digest: Digest
    size: int  # entries told, in full or in a line; what is ranked below is only named
    full: int = 3  # of them told in full
    min_votes: int = 0  # papers known to have fewer are only named
    only_matches: bool = False  # readers with interests who did not say otherwise get nothing else
    missing: tuple[str, ...] = ()  # sources that could not be read
    rising: tuple[Riser, ...] = ()
    wording: Wording = Wording()

    @property
    def key(self) -> str:
        """The issue key, such as `daily/2025-12-25`."""
        return self.digest.period.key


class Format(StrEnum):
    """What a reader's copy is made of: HTML with its plain-text alternative, or plain text alone."""

    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a reader asked for; None means the list's own."""

    cadence: Cadence = Cadence.DAILY
    timezone: str | None = None
    hour: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    format: Format = Format.HTML
    papers: int | None = None
    only_matches: bool | None = None
    paused_until: date | None = None  # nothing before that day


class Standing(StrEnum):
    """How a person stands to the list; issues go to the active alone."""

    ACTIVE = "active"
    PENDING = "pending"  # asked for the list, and has not confirmed yet
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"  # their address does not take mail
    COMPLAINED = "complained"  # called a mail of ours spam
    ERASED = "erased"  # nothing is known of them any more

    @property
    def barred(self) -> bool:
        """Whether no file and no import makes them a reader again: only they themselves, or `resubscribe`, do."""
        return self not in {Standing.ACTIVE, Standing.PENDING}


class Event(StrEnum):
    """What happened to a person's being on the list."""

    ASKED = "asked"  # entered their address
    CONFIRMED = "confirmed"  # pressed the button in the mail
    CHANGED = "changed"  # their preferences
    LEFT = "left"
    IMPORTED = "imported"  # the operator vouches for their consent
    REMOVED = "removed"  # by the operator
    RESUBSCRIBED = "resubscribed"  # by the operator
    SUPPRESSED = "suppressed"  # bounces or a complaint


class NoticeKind(StrEnum):
    """A mail to one person that is no issue."""

    CONFIRM = "confirm"
    KNOWN = "known"  # somebody entered the address of a person who is on the list already
    WELCOME = "welcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One such mail that waits to be sent. `stamp` tells a confirmation that was used from one that was not."""

    id: int
    kind: NoticeKind
    queued_at: datetime
    due_at: datetime
    reader: "Subscriber"
    stamp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person on the list. `id` is None until the store has met them.

    `active` is what the subscriber file says, or the operator; `standing` is what came of the person since.
    """

    address: str
    name: str | None = None
    preferences: Preferences = Preferences()
    active: bool = True
    standing: Standing = Standing.ACTIVE
    id: int | None = None

    @property
    def reads(self) -> bool:
        """Whether issues go to them."""
        return self.active and self.standing is Standing.ACTIVE

    @property
    def key(self) -> str:
        """What makes two spellings of an address the same subscriber."""
        return self.address.casefold()


class Pick(NamedTuple):  # a tuple: hashed once a copy, and kept by the thousand
    """One paper of one reader's copy: its rank in the digest, and the reader's word that lifted it.

    The word is empty where the reader has words and this paper holds none, and None where the reader has no words.
    """

    rank: int
    match: str | None = None


class State(StrEnum):
    """Where a delivery is in its life; the first four still move, the rest are at rest."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    SUPPRESSED = "suppressed"
    SKIPPED = "skipped"


class Cause(StrEnum):
    """Why nobody knows whether a message arrived."""

    PROCESS = "process"  # our process died between the dot and the settlement
    NETWORK = "network"  # the connection broke, or the relay fell silent, after the dot
    POWER = "power"  # the machine went down: marks may not have reached the disk


class Delivery(NamedTuple):  # a tuple: three are made for every copy, and in a fifth of a dataclass's time
    """One reader's copy of one issue.

    `choice` are the papers this reader's copy tells and `due_at` its Date header; both are fixed at the first claim, so
    that every attempt sends the same bytes. `relay` is the one that had it when its dot was written: a copy that was
    ever in doubt goes through no other.
    """

    issue: str
    subscriber_id: int
    state: State
    due_at: datetime
    attempts: int = 0
    doubts: int = 0
    cause: Cause | None = None
    choice: tuple[Pick, ...] | None = None
    format: Format = Format.HTML
    owner: str | None = None
    epoch: int = 0
    relay: str | None = None
    next_attempt_at: datetime | None = None
    reply: str | None = None

    def unclaimed(self, now: datetime) -> "Delivery":
        """Return it as it waits for somebody else to claim it; a doubt that it is under stays."""
        if self.doubts and self.cause:
            return self._replace(state=State.IN_DOUBT, next_attempt_at=now)
        return self._replace(state=State.QUEUED, next_attempt_at=None)


@dataclass(frozen=True, slots=True)
class Message:
    """One MIME message and its envelope: ready bytes, CRLF line ends, one recipient.

    `id` is the Message-ID without its angle brackets: a function of issue and subscriber, so that a second attempt of
    the same delivery can be told from another message. `undotted` says that no line begins with a dot, so that a relay
    can be given the bytes as they are; nobody need look again.
    """

    id: str
    sender: str
    recipient: str
    content: bytes
    undotted: bool = False


class Verdict(StrEnum):
    """What a relay's answer to one message means for that message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # for good, because of this address or this message
    BARRED = "barred"  # the relay refuses the sender: a quota, a policy; nothing is wrong with the message
    SUSPECT = "suspect"  # a refusal at one reader that may be about the sender; several in a row are
    POSTPONED = "postponed"  # 4xx, or the connection broke before the dot
    UNKNOWN = "unknown"  # the dot went out and no answer came
    UNTRIED = "untried"  # drawn, but its dot was never written


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the relay said to one message: SMTP code and text where there was a reply."""

    verdict: Verdict
    code: int | None = None
    text: str = ""


class ReportKind(StrEnum):
    """What a mail that came back, or was written to us by a machine, says of a reader."""

    HARD = "hard"  # the address takes no mail, for good
    SOFT = "soft"  # it took none this time: full, away, greylisted too long
    COMPLAINT = "complaint"  # the reader called it spam
    LEAVE = "leave"  # the reader asks by mail to leave
    OTHER = "other"  # nothing that counts: a delay, a vacation, a refusal that is about us


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one mail says of one recipient, and all that may tell whose copy it speaks of.

    `why` is one short line for a person. The clues are in order of trust: the addresses that the mail came to (each
    reader's return path is their own), unsubscribe tokens and Message-IDs in the part that was returned, and last the
    recipient that it names, who may be somebody the mail was forwarded to.
    """

    kind: ReportKind
    why: str
    came_to: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()  # without angle brackets
    recipient: str | None = None


class HoldKind(StrEnum):
    """Why nothing of an issue goes out: for the time being, or for good."""

    PAUSED = "paused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Hold:
    """An issue that is held back, and the reason, which may be empty."""

    kind: HoldKind
    reason: str = ""


class Resolution(StrEnum):
    """What a person says of the copies that are in doubt."""

    SENT = "sent"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The sums of one issue. `audience` is always the sum of the nine states."""

    issue: str
    counts: Mapping[State, int]
    causes: Mapping[Cause, int]
    hold: Hold | None = None

    @property
    def audience(self) -> int:
        """Readers this issue was frozen for."""
        return sum(self.counts.values())

    def __getitem__(self, state: State) -> int:
        return self.counts.get(state, 0)

    @property
    def finished(self) -> bool:
        """Whether no delivery of this issue can move any more by itself."""
        return not any(self[s] for s in (State.QUEUED, State.CLAIMED, State.SENDING, State.DEFERRED))

    @property
    def state(self) -> str:
        """`paused`, `cancelled`, `finished`, `sending` or `queued`, as `newsletter status` names it."""
        if self.hold:
            return self.hold.kind.value
        if self.finished:
            return "finished"
        return "queued" if self[State.QUEUED] == self.audience else "sending"

    @classmethod
    def of(cls, issue: str, counts: Mapping[State, int], causes: Mapping[Cause, int], hold: Hold | None = None) -> Self:
        """Build a tally with every state present, so that JSON always has the same keys."""
        return cls(
            issue=issue,
            counts={state: counts.get(state, 0) for state in State},
            causes={cause: causes.get(cause, 0) for cause in Cause},
            hold=hold,
        )
