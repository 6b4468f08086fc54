"""The tables. A database may hold several lists: `list_id` stands in the key of whatever belongs to one of them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into what the driver stores."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the driver read into an aware moment."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if dialect.name == "sqlite" else moment.astimezone(UTC)


meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)

paper = Table(
    "paper",
    metadata,
    Column("key", String, primary_key=True),  # models.Paper.key
    Column("fields", JSON, nullable=False),  # every known field as last read, dates in ISO form
    Column("first_seen_at", Moment, nullable=False),
)

# A day a paper stood on a source's list: a paper that is listed again has two.
listing = Table(
    "listing",
    metadata,
    Column("day", Date, primary_key=True),
    Column("paper_key", ForeignKey("paper.key"), primary_key=True),
    Column("source", String, primary_key=True),
)

# What a source said of a paper at a moment: votes have a history.
observation = Table(
    "observation",
    metadata,
    Column("paper_key", ForeignKey("paper.key"), primary_key=True),
    Column("source", String, primary_key=True),
    Column("seen_at", Moment, primary_key=True),
    Column("upvotes", Integer),
    Column("comment_count", Integer),
    Column("repository_stars", Integer),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("list_id", String, nullable=False),
    Column("key", String, nullable=False),  # models.Subscriber.key
    Column("address", String, nullable=False),
    Column("name", String),
    Column("cadence", String, nullable=False),
    Column("timezone", String),
    Column("hour", Integer),
    Column("include", JSON, nullable=False),
    Column("exclude", JSON, nullable=False),
    Column("format", String, nullable=False),
    Column("papers", Integer),  # how many the reader wants told; none is the list's own number
    Column("only_matches", Boolean),  # no papers beside those with the reader's words; none is the list's own rule
    Column("paused_until", Date),  # nothing before that day
    Column("active", Boolean, nullable=False),
    Column("standing", String, nullable=False, server_default="active"),  # models.Standing
    Column("stood_at", Moment),  # since when; unknown for who was there before this was kept
    Column("origin", String, nullable=False),  # where the row came from: "file", "import" or "web"
    Column("line", String),  # a digest of its line in the file: what a reader chose stays until the line changes
    Column("listed", Boolean, nullable=False),  # false once its line is gone from the file
    UniqueConstraint("list_id", "key"),
    Index("subscriber_by_standing", "list_id", "standing"),
)

# What a person or the operator decided about being on the list: the proof of consent.
consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("list_id", String, nullable=False),
    Column("subscriber_id", ForeignKey("subscriber.id"), nullable=False, index=True),
    Column("event", String, nullable=False),  # models.Event
    Column("at", Moment, nullable=False),
    Column("client", String, nullable=False),  # a keyed hash of the network address it came from; empty for us
    Column("words", Text, nullable=False),  # what the person agreed to, or the reason they gave
)

# Who asked to be forgotten: a keyed hash of the address, so that no import brings it back.
forgotten = Table(
    "forgotten",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("mark", String, primary_key=True),
    Column("at", Moment, nullable=False),
)

# A mail to one person that is no issue: please confirm, you are on the list already, welcome.
notice = Table(
    "notice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("list_id", String, nullable=False),
    Column("key", String, nullable=False),  # what it is sent once for
    Column("subscriber_id", ForeignKey("subscriber.id"), nullable=False, index=True),
    Column("kind", String, nullable=False),  # models.NoticeKind
    Column("state", String, nullable=False),  # as a delivery's
    Column("queued_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("owner", String),
    Column("lease_until", Moment),
    Column("reply", Text),
    UniqueConstraint("list_id", "key"),
    Index("notice_in_order", "list_id", "state", "due_at"),
    Index("notice_by_age", "list_id", "kind", "queued_at"),
)

# What came back of a reader's copies, each once: `source` is the issue whose copy was refused, or the report's digest.
bounce = Table(
    "bounce",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True),
    Column("source", String, primary_key=True),
    Column("kind", String, nullable=False),  # models.ReportKind
    Column("why", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

issue = Table(
    "issue",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("content", JSON, nullable=False),
    Column("frozen_at", Moment, nullable=False),
    Column("sums", JSON(none_as_null=True)),  # copies by state, once the copies themselves are forgotten
)

# What an editor wrote for an issue that is still to come: `subject`, `preheader` or `note`.
wording = Table(
    "wording",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("words", Text, nullable=False),
)

# A date on which an issue is due by itself, decided once by whoever came first.
slot = Table(
    "slot",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("cadence", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("start", Date),  # the period that its issue tells of
    Column("end", Date),
    Column("reason", Text, nullable=False),  # why it gets no issue
    Column("missed", Boolean, nullable=False),  # nobody was there when it was due, nor soon after
    Column("covered", Date),  # the last list day that is done with
    Column("decided_at", Moment, nullable=False),
)

# An issue that was wanted and could not be made, and why.
skipped = Table(
    "skipped",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("skipped_at", Moment, nullable=False),
)

# A source as it answered last, and the newest list day that it ever told of.
source = Table(
    "source",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("name", String, primary_key=True),  # its spec in the settings
    Column("read_at", Moment, nullable=False),
    Column("newest", Date),
)

# What the operator is to be told of: since when it goes wrong, and when they were told last.
alarm = Table(
    "alarm",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("cause", String, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("told_at", Moment),
)

# What an editor decided about a paper.
curation = Table(
    "curation",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("paper_key", String, primary_key=True),
    Column("verdict", String, nullable=False),  # "pin" or "drop"
    Column("note", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
)

# A paper that an issue carried as an entry: no other issue of that cadence and list carries it again.
carried = Table(
    "carried",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("paper_key", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    ForeignKeyConstraint(["list_id", "issue_key"], ["issue.list_id", "issue.key"]),
)

# What the templates made of an issue, kept so that a retry tomorrow sends the same bytes.
piece = Table(
    "piece",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("body", Text, nullable=False),
    ForeignKeyConstraint(["list_id", "issue_key"], ["issue.list_id", "issue.key"]),
)

delivery = Table(
    "delivery",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True),
    Column("state", String, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("doubts", Integer, nullable=False, default=0),
    Column("cause", String),
    Column("choice", String),  # ranks with commas, or pairs of rank and matched word: [7,"RL"],[8,""]
    Column("format", String),
    Column("owner", String),
    Column("epoch", Integer, nullable=False, default=0),
    Column("boot_id", String),
    Column("lease_until", Moment),
    Column("next_attempt_at", Moment),
    Column("reply", Text),
    Column("lane", String, nullable=False, server_default=""),  # the domain whose pace it keeps, if that has its own
    Column("relay", String),  # which relay had it when its dot was written
    # Queueing looks at the issue once; that PostgreSQL looks again for each of millions takes a quarter of the time.
    ForeignKeyConstraint(["list_id", "issue_key"], ["issue.list_id", "issue.key"]).ddl_if(dialect="sqlite"),
    # The state before the issue: what still moves is found without looking at a year of what is sent.
    Index("delivery_in_order", "list_id", "state", "issue_key", "lane", "due_at", "subscriber_id"),
)
# Few wait for another attempt: they are found without looking at the many that do not.
Index(
    "delivery_again",
    delivery.c.list_id,
    delivery.c.issue_key,
    delivery.c.next_attempt_at,
    sqlite_where=delivery.c.next_attempt_at.is_not(None),
    postgresql_where=delivery.c.next_attempt_at.is_not(None),
)

# An issue that is held back: while the row is there, no dot of it is written. It may come before the issue does.
hold = Table(
    "hold",
    metadata,
    Column("list_id", String, primary_key=True),
    Column("issue_key", String, primary_key=True),
    Column("kind", String, nullable=False),  # "paused" or "cancelled"
    Column("reason", Text, nullable=False),
    Column("held_at", Moment, nullable=False),
)

# How far each pace is spent: the moment from which on the next message may go, in seconds since 1970.
bucket = Table("bucket", metadata, Column("name", String, primary_key=True), Column("free_at", Float, nullable=False))

# A lane that its provider asked to go slowly, for all who send: how fast since then, and how fast before.
slowdown = Table(
    "slowdown",
    metadata,
    Column("lane", String, primary_key=True),
    Column("rate", Float, nullable=False),  # messages a second
    Column("full", Float, nullable=False),
    Column("since", Float, nullable=False),  # seconds since 1970
)

# Who sends, and how fast on each lane; a row that is not renewed is of one that is gone.
working = Table(
    "working",
    metadata,
    Column("owner", String, primary_key=True),
    Column("lane", String, primary_key=True),  # the empty one is all others
    Column("list_id", String, nullable=False),
    Column("copies", Integer, nullable=False),  # since it began
    Column("rate", Float, nullable=False),  # copies a second, lately
    Column("seen_at", Float, nullable=False),  # seconds since 1970
)
