"""The ledger: every reader's copy of every issue, and who is working on it.

queued -> claimed -> sending -> sent | failed | deferred -> claimed ... | in_doubt; suppressed, skipped

A claim names its owner, an epoch, this boot and a lease. A mark (`sending`, just before the final dot) and a settlement
count only while owner and epoch still match, so whoever slept past their lease sends nothing more. Before the mark
everything is safe to repeat; after it, only the relay's reply or a person can say what happened.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from newsletter.models import Cadence, Cause, Delivery, Hold, HoldKind, Pick, Resolution, State, Subscriber, Tally
from newsletter.store.audience import by_clock, lacking, queueing
from newsletter.store.deliveries import COLUMNS, Statements, from_row, in_states, joined, marked, pair, settled, taken
from newsletter.store.engine import Database
from newsletter.store.rows import as_rows, as_text
from newsletter.store.tables import Moment, delivery, hold
from newsletter.store.tables import issue as frozen

UNSETTLED = [State.QUEUED, State.DEFERRED, State.CLAIMED, State.SENDING, State.IN_DOUBT]
LEASE = timedelta(minutes=15)
NO_LANES: Mapping[str, str] = {}
LEFT = "left the list before this copy was sent"
NO_MATCH = "no paper of this issue matches the reader's interests"

Wish = tuple[str | None, int | None]  # a reader's zone and hour, as they are kept
Choose = Callable[[Subscriber], tuple[Pick, ...]]
Doubted = Callable[[Delivery, Cause], Delivery]
Announce = Callable[[Connection, str, int], None]  # an issue, and how many copies of it are due


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a name unique to one process, and the boot it lives in."""

    owner: str
    boot_id: str


def _unheard(_connection: Connection, _issue: str, _due: int) -> None:
    """Tell nobody."""


class Ledger:
    """All deliveries of one list.

    Args:
        database: where they are.
        list_id: the list.
        announce: told of copies that were queued, in the transaction that queued them.
    """

    def __init__(self, database: Database, list_id: str, announce: Announce = _unheard) -> None:
        self._announce = announce
        self._database = database
        self._list_id = list_id
        self._statements = Statements(database, list_id)

    def freeze(self, issue: str, cadence: Cadence, due_at: datetime, lanes: Mapping[str, str] = NO_LANES) -> int:
        """Queue a copy for every active reader of this cadence who has none yet; return how many were added.

        Copies that are queued for a later hour become due as well. Of an issue whose copies are forgotten nobody can
        tell who has one, so nothing of it is queued again.

        One durable INSERT ... SELECT: a crash leaves all or nothing, and a second call adds only who joined since.

        Args:
            issue: the issue.
            cadence: whose it is.
            due_at: the moment its mails are dated.
            lanes: the lane of each domain whose copies are claimed apart.
        """
        early = update(delivery).where(self._of(issue), in_states([State.QUEUED]), delivery.c.due_at > due_at)
        with self._database.writing() as connection:
            connection.execute(early.values(due_at=due_at))
            readers = lacking(self._database, self._list_id, issue, cadence, due_at.date())
            queue = queueing(self._database, self._list_id, issue, readers, literal(due_at, Moment), lanes)
            added = int(connection.execute(queue).rowcount)
            self._announce(connection, issue, added)
            return added

    def freeze_by_clock(
        self,
        issue: str,
        cadence: Cadence,
        day: date,
        dues: Mapping[Wish, datetime],
        lanes: Mapping[str, str] = NO_LANES,
    ) -> int:
        """Queue a copy for every active reader of this cadence who has none yet, each due at their own moment.

        Args:
            issue: the issue.
            cadence: whose it is.
            day: the slot's date; who has paused for it is left out.
            dues: the moment by zone and hour; readers with others are left out.
            lanes: as in `freeze`.

        Returns:
            How many were added. Where nobody lacks a copy nothing is written.
        """
        readers, due_at = by_clock(self._database, lacking(self._database, self._list_id, issue, cadence, day))
        cells = ((zone or "", -1 if hour is None else hour, moment) for (zone, hour), moment in dues.items())
        rows = {"rows": as_rows(self._database, cells)}
        with self._database.reading() as connection:
            if connection.execute(readers.limit(1), rows).first() is None:
                return 0
        queue = queueing(self._database, self._list_id, issue, readers, due_at, lanes)
        first = and_(self._of(issue), in_states([State.QUEUED]), delivery.c.due_at <= min(dues.values()))
        with self._database.writing() as connection:
            added = int(connection.execute(queue, rows).rowcount)
            if self._announce is not _unheard:
                due = connection.scalar(select(func.count()).select_from(delivery).where(first)) or 0
                self._announce(connection, issue, due)
            return added

    def begun(self, issue: str) -> bool:
        """Whether copies of an issue were ever queued, also where they are forgotten since."""
        queued = select(literal(1)).where(self._of(issue), in_states(State)).limit(1)
        sums = select(frozen.c.sums).where(frozen.c.list_id == self._list_id, frozen.c.key == issue)
        with self._database.reading() as connection:
            return bool(connection.scalar(queued) or connection.scalar(sums))

    def lanes(self, issue: str) -> list[str]:
        """Return the lanes in which an issue has copies; the empty one is everybody's."""
        mine = and_(self._of(issue), in_states(UNSETTLED))
        statement = select(delivery.c.lane).where(mine).distinct().order_by(delivery.c.lane)
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def claim(  # noqa: PLR0913 - what, who, when, and of which lane; all but three by name
        self,
        issue: str,
        claimant: Claimant,
        limit: int,
        *,
        now: datetime,
        choose: Choose,
        lane: str = "",
        relays: Collection[str] = (),
    ) -> list[tuple[Delivery, Subscriber]]:
        """Take up to `limit` deliveries that are due, with their readers; an empty list means nothing is due.

        Who left the list meanwhile becomes `suppressed`, and whose interests match nothing `skipped`, here and not
        earlier. Durable against power loss. Of an issue that is held back nothing is due.

        Args:
            issue: the issue.
            claimant: who takes them.
            limit: how many at most.
            now: decides whose next attempt has come, and when the lease ends.
            choose: the papers that a reader's copy tells.
            lane: the domain, of those that were named at the freeze.
            relays: a copy in doubt goes out again only through the relay that had it, which must be among these.
        """
        while True:
            with self._database.writing() as connection:
                rows = self._due(connection, issue, lane, limit, now, relays)
                decided = [_decide(row, claimant, choose) for row in rows]
                if decided:
                    cells = as_rows(self._database, [taken(one) for one, _ in decided])
                    lease = {"the_boot": claimant.boot_id, "the_lease": now + LEASE}
                    connection.execute(self._statements.take, {"rows": cells} | lease)
            claimed = [(one, reader) for one, reader in decided if one.state is State.CLAIMED]
            if claimed or not rows:
                return claimed

    def _due(  # noqa: PLR0913, PLR0917 - as claim
        self, connection: Connection, issue: str, lane: str, limit: int, now: datetime, relays: Collection[str]
    ) -> list[Row[Any]]:
        """Return deliveries whose next attempt has come (a resend of one in doubt, too), then such as had none yet."""
        if connection.scalar(select(self._held(issue))):
            return []
        mine = joined(self._list_id, issue).where(delivery.c.lane == lane)
        mine = mine.with_for_update(of=delivery, skip_locked=True)
        again = mine.where(delivery.c.next_attempt_at <= now, _again(relays)).order_by(delivery.c.next_attempt_at)
        rows = list(connection.execute(again.limit(limit)))
        if len(rows) < limit:
            fresh = mine.where(delivery.c.state == State.QUEUED.value, delivery.c.due_at <= now)
            in_order = fresh.order_by(delivery.c.due_at, delivery.c.subscriber_id)
            rows += connection.execute(in_order.limit(limit - len(rows)))
        return rows

    def enter(self, marks: Sequence[tuple[Delivery, str]], settlements: Sequence[Delivery], now: datetime) -> bool:
        """Write marks and settlements in one transaction; return whether all of them count.

        A mark notes that the final dot of a delivery is about to be written, and to which relay. It does not count when
        another owner has taken the delivery, its lease has run out, the issue is held back or the reader has left. It
        starts the lease anew, so that it cannot end while the relay thinks. A settlement is where a delivery came to
        rest; one that another owner took meanwhile is left to them, one that was put in doubt meanwhile is settled all
        the same: its relay has answered after all.

        Where not all count, no dot may be written, and each delivery is to be settled as unclaimed: asking the database
        which of them did count would cost every group what only a rare one needs. On SQLite neither marks nor
        settlements survive a power loss (claims do): see `recover`.
        """
        rows = [marked(one, relay) for one, relay in marks] + [[*settled(one), None] for one in settlements]
        lease = {"now": as_text(self._database, now), "the_lease": as_text(self._database, now + LEASE)}
        given = {"rows": as_rows(self._database, rows)} | lease
        return self._database.note(self._statements.enter, given) == len(rows)

    def settle(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Write where these deliveries came to rest; as `enter`."""
        if deliveries:
            self.enter((), deliveries, now)

    def presence(self, claimant: Claimant) -> AbstractContextManager[None]:
        """Show for as long as the block runs that a claimant lives, so that others leave its claims alone."""
        return self._database.presence(claimant.owner)

    def recover(self, claimant: Claimant, now: datetime, doubted: Doubted, *, sole_sender: bool) -> int:
        """Take back what dead owners held; return how many deliveries that were.

        Dead is whose lease has run out, and on PostgreSQL whose process has gone (see `presence`).

        A claim whose dot was not due goes back to the queue. One marked `sending` is in doubt by `process`; on SQLite a
        reboot may have cost marks, so every claim of an earlier boot is in doubt by `power`. A database server's marks
        are durable, whatever became of the machine that sent.

        Args:
            claimant: who asks; its own claims are left alone.
            now: decides which leases have run out.
            doubted: what becomes of a delivery in doubt.
            sole_sender: nobody else can be alive, so no lease need run out first.
        """
        held = delivery.c.state.in_([State.CLAIMED.value, State.SENDING.value])
        theirs = and_(delivery.c.list_id == self._list_id, held, delivery.c.owner != claimant.owner)
        with self._database.writing() as connection:
            owners = set(connection.scalars(select(delivery.c.owner).where(theirs).distinct()))
            gone = self._database.absent(connection, owners)
            where = and_(
                theirs,
                or_(literal(sole_sender, Boolean), delivery.c.lease_until <= now, delivery.c.owner.in_(gone)),
            )
            lost: Select[Any] = select(*COLUMNS, delivery.c.boot_id).where(where).with_for_update(skip_locked=True)
            rows = connection.execute(lost).all()
            back = []
            for row in rows:
                one = from_row(row)
                if self._database.is_sqlite and row.boot_id != claimant.boot_id:
                    back.append(doubted(one, Cause.POWER))
                elif one.state is State.SENDING:
                    back.append(doubted(one, Cause.PROCESS))
                else:
                    back.append(one.unclaimed(now))
            cells = as_rows(self._database, [settled(one) for one in back])
            connection.execute(self._statements.settle, {"rows": cells})
        return len(rows)

    def reconsider(self, resent: Iterable[Cause], now: datetime, since: datetime) -> None:
        """Make what is held in doubt due again where the settings now say so; each delivery once, never twice.

        What has waited since before `since` is nobody's news any more: as `give_up`.
        """
        once = and_(delivery.c.doubts == 1, delivery.c.cause.in_([cause.value for cause in resent]))
        held = and_(delivery.c.state == State.IN_DOUBT.value, delivery.c.next_attempt_at.is_(None))
        young = delivery.c.due_at >= since
        statement = update(delivery).where(delivery.c.list_id == self._list_id, held, once, young)
        with self._database.writing() as connection:
            connection.execute(statement.values(next_attempt_at=now))

    def resolve(self, issue: str, resolution: Resolution, now: datetime) -> int:
        """Settle by a person's word what is in doubt of an issue; return how many deliveries that were."""
        fate: dict[str, Any] = {"next_attempt_at": now}
        if resolution is Resolution.SENT:
            fate = {"state": State.SENT.value, "next_attempt_at": None, "reply": "counted as sent by the operator"}
        statement = update(delivery).where(self._of(issue), delivery.c.state == State.IN_DOUBT.value)
        with self._database.writing() as connection:
            return connection.execute(statement.values(fate)).rowcount

    def give_up(self, before: datetime) -> None:
        """End what has waited since before that moment: nobody wants news that old."""
        old = and_(delivery.c.list_id == self._list_id, delivery.c.due_at < before)
        waiting = delivery.c.state.in_([State.QUEUED.value, State.DEFERRED.value])
        reply = func.coalesce(literal("gave up: ") + delivery.c.reply, literal("gave up: it waited too long"))
        with self._database.writing() as connection:
            failed = update(delivery).where(old, waiting)
            connection.execute(failed.values(state=State.FAILED.value, next_attempt_at=None, reply=reply))
            doubtful = and_(delivery.c.state == State.IN_DOUBT.value, delivery.c.next_attempt_at.is_not(None))
            connection.execute(update(delivery).where(old, doubtful).values(next_attempt_at=None))

    def unfinished(self) -> list[str]:
        """Return the issues of which a copy may still go out, oldest first; none that is held back."""
        again = or_(delivery.c.state != State.IN_DOUBT.value, delivery.c.next_attempt_at.is_not(None))
        open_still = exists().where(self._of(frozen.c.key), in_states(UNSETTLED), again)
        statement = select(frozen.c.key).where(frozen.c.list_id == self._list_id, open_still, ~self._held(frozen.c.key))
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(frozen.c.frozen_at, frozen.c.key)))

    def due(self, now: datetime) -> list[str]:
        """Return the issues of which a copy may go out now, or was left in hand by a dead sender; oldest first."""
        queued = and_(in_states([State.QUEUED]), delivery.c.due_at <= now)
        again = delivery.c.next_attempt_at <= now
        some = (queued, again, in_states([State.CLAIMED, State.SENDING]))
        moves = or_(*(exists().where(self._of(frozen.c.key), one) for one in some))
        statement = select(frozen.c.key).where(frozen.c.list_id == self._list_id, moves, ~self._held(frozen.c.key))
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(frozen.c.frozen_at, frozen.c.key)))

    def due_copies(self, issue: str, now: datetime) -> int:
        """Return how many copies of an issue may be claimed now."""
        queued = and_(in_states([State.QUEUED]), delivery.c.due_at <= now)
        again = delivery.c.next_attempt_at <= now
        statements = (select(func.count()).where(self._of(issue), which) for which in (queued, again))
        with self._database.reading() as connection:
            return sum(connection.scalar(statement) or 0 for statement in statements)

    def in_doubt(self) -> list[str]:
        """Return the issues with copies in doubt, oldest first."""
        doubtful = exists().where(self._of(frozen.c.key), in_states([State.IN_DOUBT]))
        statement = select(frozen.c.key).where(frozen.c.list_id == self._list_id, doubtful)
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(frozen.c.frozen_at, frozen.c.key)))

    def held(self, issue: str) -> bool:
        """Return whether an issue is held back."""
        with self._database.reading() as connection:
            return bool(connection.scalar(select(self._held(issue))))

    def next_due(self, issue: str, relays: Collection[str]) -> datetime | None:
        """Return when the next attempt of an issue's waiting copies comes, or None; as `claim`."""
        statement = select(func.min(delivery.c.next_attempt_at)).where(
            self._of(issue), delivery.c.next_attempt_at.is_not(None), _again(relays)
        )
        with self._database.reading() as connection:
            moment: datetime | None = connection.scalar(statement)
        return moment

    def tally(self, issue: str) -> Tally:
        """Return the sums of an issue, also of one whose copies are forgotten."""
        mine = and_(self._of(issue), in_states(State))  # as the index has it
        states = select(delivery.c.state, func.count()).where(mine).group_by(delivery.c.state)
        doubt = delivery.c.state == State.IN_DOUBT.value
        causes = select(delivery.c.cause, func.count()).where(mine, doubt).group_by(delivery.c.cause)
        holds = select(hold.c.kind, hold.c.reason).where(hold.c.list_id == self._list_id, hold.c.issue_key == issue)
        kept = select(frozen.c.sums).where(frozen.c.list_id == self._list_id, frozen.c.key == issue)
        with self._database.reading() as connection:
            sums: dict[str, int] = connection.scalar(kept) or {}
            counts = {State(name): number for name, number in sums.items()}
            counts = counts or {State(name): number for name, number in connection.execute(states)}
            by_cause = {Cause(name): number for name, number in connection.execute(causes)}
            held = connection.execute(holds).one_or_none()
        return Tally.of(issue, counts, by_cause, Hold(HoldKind(held.kind), held.reason) if held else None)

    def of_issue(self, issue: str, states: Collection[State] = ()) -> Iterator[tuple[Delivery, Subscriber]]:
        """Yield an issue's deliveries with their readers, by subscriber; those in some states or all."""
        statement = joined(self._list_id, issue)
        if states:
            statement = statement.where(delivery.c.state.in_([state.value for state in states]))
        with self._database.reading() as connection:
            result = connection.execution_options(yield_per=500).execute(statement.order_by(delivery.c.subscriber_id))
            yield from map(pair, result)

    def newest(self, number: int) -> list[str]:
        """Return the keys of so many issues, the newest first."""
        keys = select(frozen.c.key).where(frozen.c.list_id == self._list_id).order_by(frozen.c.frozen_at.desc())
        with self._database.reading() as connection:
            return list(connection.scalars(keys.limit(number)))

    def newest_copies(self, issues: int) -> Iterator[tuple[str, int]]:
        """Yield issue and subscriber of the copies of so many issues, those of the newest first."""
        keys = self.newest(issues)
        with self._database.reading() as connection:
            for key in keys:
                rows = connection.execution_options(yield_per=1000).execute(
                    select(delivery.c.subscriber_id).where(self._of(key))
                )
                yield from ((key, number) for (number,) in rows)

    def find(self, issue: str, subscriber_id: int) -> Delivery | None:
        """Return one reader's copy of an issue, or None if none was queued."""
        mine = joined(self._list_id, issue).where(delivery.c.subscriber_id == subscriber_id)
        with self._database.reading() as connection:
            row = connection.execute(mine).one_or_none()
        return from_row(row) if row else None

    def of_reader(self, subscriber_id: int) -> Iterator[Delivery]:
        """Yield one reader's copies of all issues, by issue."""
        mine = and_(delivery.c.list_id == self._list_id, delivery.c.subscriber_id == subscriber_id)
        with self._database.reading() as connection:
            for row in connection.execute(select(*COLUMNS).where(mine).order_by(delivery.c.issue_key)):
                yield from_row(row)

    def _of(self, issue: str | ColumnElement[str]) -> ColumnElement[bool]:
        return and_(delivery.c.list_id == self._list_id, delivery.c.issue_key == issue)

    def _held(self, issue: str | ColumnElement[str]) -> ColumnElement[bool]:
        return exists().where(hold.c.list_id == self._list_id, hold.c.issue_key == issue)


def _again(relays: Collection[str]) -> ColumnElement[bool]:
    """What was put off, or is in doubt and had by one of these relays."""
    its_relay = or_(delivery.c.relay.is_(None), delivery.c.relay.in_(relays))
    doubtful = and_(delivery.c.state == State.IN_DOUBT.value, its_relay, delivery.c.next_attempt_at.is_not(None))
    return or_(delivery.c.state == State.DEFERRED.value, doubtful)


def _decide(row: Row[Any], claimant: Claimant, choose: Choose) -> tuple[Delivery, Subscriber]:
    one, reader = pair(row)
    if not reader.reads and one.state is State.IN_DOUBT:
        return one._replace(next_attempt_at=None), reader  # it may have arrived: only its resend is off
    if not reader.reads:
        return one._replace(state=State.SUPPRESSED, reply=LEFT), reader
    fresh = one.choice is None
    choice, kind = (choose(reader), reader.preferences.format) if fresh else (one.choice, one.format)
    if not choice:
        return one._replace(state=State.SKIPPED, reply=NO_MATCH, format=kind), reader
    owner, epoch = claimant.owner, one.epoch + 1
    return one._replace(state=State.CLAIMED, choice=choice, format=kind, owner=owner, epoch=epoch), reader
