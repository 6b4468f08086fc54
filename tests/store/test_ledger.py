"""The ledger's promises, on a real database file."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import BusyError, DatabaseError
from newsletter.models import Cadence, Cause, Delivery, Outcome, Pick, State, Verdict
from newsletter.send.outcomes import DoubtPolicy, after
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.ledger import LEASE, Claimant, Ledger
from tests.conftest import Rights
from tests.make import NOON, a_reader, picks
from tests.store.books import ISSUE, ME, Books, OpenBooks

OTHER = Claimant("other", "boot-1")


def sent(one: Delivery) -> Delivery:
    return one._replace(state=State.SENT)


def held(one: Delivery, cause: Cause) -> Delivery:
    return DoubtPolicy().doubted(one, cause, NOON)


def test_freezing_twice_queues_each_reader_once(books: Books) -> None:
    assert books.ledger.freeze(ISSUE.key, Cadence.DAILY, NOON) == 0
    assert books.states() == {State.QUEUED: 3}


def test_a_reader_who_joined_since_is_added_by_the_next_freeze(books: Books) -> None:
    books.subscribers.add([a_reader("katherine")], NOON)
    assert books.ledger.freeze(ISSUE.key, Cadence.DAILY, NOON) == 1
    assert books.states() == {State.QUEUED: 4}


def test_only_active_readers_of_the_cadence_are_queued(open_books: OpenBooks) -> None:
    weekly = a_reader("weekly", cadence=Cadence.WEEKLY)
    books = open_books([a_reader("ada"), weekly, replace(a_reader("paused"), active=False)])
    assert books.states() == {State.QUEUED: 1}


def test_two_claimants_never_hold_the_same_delivery(books: Books) -> None:
    mine, theirs = books.claim(ME, 2), books.claim(OTHER, 2)
    assert {one.subscriber_id for one in mine} & {one.subscriber_id for one in theirs} == set()
    assert len(mine) + len(theirs) == 3


def test_a_claim_brings_the_readers_along_and_fixes_their_choice(books: Books) -> None:
    [(one, reader), *_] = books.claim_with(lambda _reader: (Pick(2, "ein, [Wort]"), Pick(1)), ME, 1)
    assert (reader.address, reader.name, one.choice) == ("ada@example.org", "Ada", (Pick(2, "ein, [Wort]"), Pick(1)))
    books.settle(one._replace(state=State.DEFERRED, next_attempt_at=NOON))
    [(again, _), *_] = books.claim_with(lambda _reader: picks(3), ME, 1)
    assert again.choice == one.choice


def test_a_reader_who_left_after_the_freeze_is_suppressed_at_the_claim(books: Books) -> None:
    books.subscribers.follow_file([a_reader("ada"), a_reader("grace")])
    assert len(books.claim()) == 2
    assert books.states() == {State.CLAIMED: 2, State.SUPPRESSED: 1}


def test_a_reader_whose_interests_match_nothing_is_skipped_with_the_reason(books: Books) -> None:
    claimed = books.claim_with(lambda reader: () if reader.name == "Alan" else picks(1))
    assert len(claimed) == 2
    [skipped] = [one for one, _ in books.ledger.of_issue(ISSUE.key) if one.state is State.SKIPPED]
    assert "interests" in (skipped.reply or "")


def test_a_claim_goes_on_past_readers_who_get_nothing(books: Books) -> None:
    claimed = books.claim_with(lambda reader: picks(1) if reader.name == "Grace" else (), ME, 1)
    assert [reader.name for _, reader in claimed] == ["Grace"]


def test_a_mark_counts_once_and_only_for_its_owner_and_epoch(books: Books) -> None:
    [one, two, _three] = books.claim()
    assert books.mark(one)
    assert not books.mark(one)
    assert not books.mark(two._replace(owner="other"))
    assert not books.mark(two._replace(epoch=two.epoch + 1))


def test_a_sender_that_slept_past_its_lease_may_not_mark(books: Books) -> None:
    [one, *_] = books.claim()
    assert not books.mark(one, NOON + LEASE)


def test_a_sender_that_woke_up_after_another_took_over_changes_nothing(books: Books) -> None:
    [mine, *_] = books.claim()
    books.ledger.recover(OTHER, NOON + LEASE, held, sole_sender=False)
    [theirs, *_] = books.claim(OTHER, now=NOON + LEASE)
    assert mine.subscriber_id == theirs.subscriber_id
    assert not books.mark(mine)
    books.settle(sent(mine))
    assert books.states() == {State.CLAIMED: 3}


def test_what_a_dead_sender_had_not_marked_goes_back_to_the_queue(books: Books) -> None:
    books.claim(OTHER)
    assert books.ledger.recover(ME, NOON, held, sole_sender=True) == 3
    assert books.states() == {State.QUEUED: 3}


def test_what_a_dead_sender_had_marked_is_in_doubt_and_held(books: Books) -> None:
    [one, *_] = books.claim(OTHER)
    books.mark(one)
    books.ledger.recover(ME, NOON, held, sole_sender=True)
    tally = books.ledger.tally(ISSUE.key)
    assert (tally[State.IN_DOUBT], tally.causes[Cause.PROCESS], tally[State.QUEUED]) == (1, 1, 2)
    assert len(books.claim()) == 2


def test_after_a_reboot_every_claim_of_a_file_is_in_doubt_because_marks_may_be_missing(books: Books) -> None:
    books.claim(Claimant("other", "an earlier boot"))
    books.ledger.recover(ME, NOON, held, sole_sender=True)
    if books.database.is_sqlite:
        assert books.ledger.tally(ISSUE.key).causes[Cause.POWER] == 3
    else:  # a server's marks are durable: what it has not marked was not sent
        assert books.states() == {State.QUEUED: 3}


def test_a_living_sender_elsewhere_keeps_its_claims_until_the_lease_ends(books: Books) -> None:
    books.claim(OTHER)
    with books.ledger.presence(OTHER):
        assert books.ledger.recover(ME, NOON, held, sole_sender=False) == 0
        assert books.ledger.recover(ME, NOON + LEASE, held, sole_sender=False) == 3


def test_a_server_tells_at_once_whose_sender_is_gone(books: Books) -> None:
    line, neighbour = Claimant("other", "boot-1"), Claimant("another", "boot-1")
    books.claim(line, 1)
    books.claim(neighbour, 1)
    with books.ledger.presence(neighbour):
        with books.ledger.presence(line):
            assert books.ledger.recover(ME, NOON, held, sole_sender=False) == 0
        taken, until = 0, time.monotonic() + 10  # a busy server needs a moment to see that a session has ended
        while not taken and not books.database.is_sqlite and time.monotonic() < until:
            taken = books.ledger.recover(ME, NOON, held, sole_sender=False)
        assert books.ledger.recover(ME, NOON, held, sole_sender=False) == 0, "who lives keeps their claims"
    assert taken == (0 if books.database.is_sqlite else 1)


def test_a_deferred_delivery_is_due_when_its_time_has_come(books: Books) -> None:
    for one in books.claim():
        books.settle(after(one, Outcome(Verdict.POSTPONED, 450, "later"), NOON, DoubtPolicy()))
    assert books.states() == {State.DEFERRED: 3}
    assert books.claim(now=NOON + timedelta(minutes=4)) == []
    assert len(books.claim(now=NOON + timedelta(minutes=7))) == 3


def test_lists_in_one_database_do_not_see_each_other(books: Books) -> None:
    other = Ledger(books.database, "another")
    assert other.tally(ISSUE.key).audience == 0
    assert other.claim(ISSUE.key, ME, 9, now=NOON, choose=lambda _reader: picks(1)) == []


def test_the_second_sender_of_a_sqlite_database_is_told_that_it_is_busy(books: Books) -> None:
    if books.database.path is None:
        with books.database.sole_sender(), books.database.sole_sender():
            return  # rows are shared on PostgreSQL
    again = Database(f"sqlite:///{books.database.path}")
    with books.database.sole_sender(), pytest.raises(BusyError, match="another run"), again.sole_sender():
        pass
    with again.sole_sender():
        pass


def test_a_file_that_is_no_database_is_named_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and rather long ones at that. " * 100)
    with pytest.raises(DatabaseError, match="no SQLite database"):
        meta.prepare_schema(Database(f"sqlite:///{path}"))


def test_a_folder_that_may_not_be_written_is_named(closed_folder: Path, ordinary_user: Rights) -> None:
    with ordinary_user(), pytest.raises(DatabaseError, match=r"closed-.*Permission denied; make it writable"):
        Database(f"sqlite:///{closed_folder}/var/db")


def test_a_database_of_a_newer_program_is_refused(books: Books) -> None:
    with books.database.writing() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    with pytest.raises(DatabaseError, match="has schema 99"):
        meta.prepare_schema(books.database)


def test_the_secret_is_made_once(books: Books) -> None:
    assert meta.secret(books.database, "pepper") == meta.secret(books.database, "pepper")


steps = st.lists(
    st.tuples(st.sampled_from(["claim", "mark", "settle", "die", "leave"]), st.sampled_from(list(Verdict)))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_sum_always_holds(open_books: OpenBooks, walk: list[tuple[str, Verdict]]) -> None:
    names = ["ada", "alan", "grace", "edsger", "barbara"]
    books = open_books([a_reader(name) for name in names])
    claimed: list[Delivery] = []
    now = NOON
    for turn, (step, verdict) in enumerate(walk):
        now += timedelta(minutes=1)
        if step == "claim":
            claimed += books.claim(Claimant(f"sender-{turn}", "boot-1"), 2, now)
        elif step == "mark" and claimed:
            books.mark(claimed[0], now)
        elif step == "settle" and claimed:
            books.settle(after(claimed.pop(0), Outcome(verdict), now, DoubtPolicy()))
        elif step == "die":
            claimed.clear()
            books.ledger.recover(ME, now, lambda one, cause: DoubtPolicy().doubted(one, cause, NOON), sole_sender=True)
        elif step == "leave":
            books.subscribers.follow_file([a_reader(name) for name in names[1:]])
        assert books.ledger.tally(ISSUE.key).audience == len(names)


def test_a_mark_starts_the_lease_anew_so_that_it_cannot_end_while_the_relay_thinks(books: Books) -> None:
    [one, *_] = books.claim()
    late = NOON + LEASE - timedelta(minutes=1)
    assert books.mark(one, late)
    with books.ledger.presence(ME):
        assert books.ledger.recover(OTHER, late + timedelta(minutes=10), held, sole_sender=False) == 2
    assert books.states() == {State.QUEUED: 2, State.SENDING: 1}


def test_an_answer_that_comes_after_all_settles_what_was_put_in_doubt(books: Books) -> None:
    [one, *_] = books.claim()
    books.mark(one)
    books.ledger.recover(OTHER, NOON + 2 * LEASE, held, sole_sender=False)
    books.settle(one._replace(state=State.SENT))
    assert books.states()[State.SENT] == 1


def test_what_has_waited_too_long_is_given_up_with_the_reason(books: Books) -> None:
    [one, two, _three] = books.claim()
    books.settle(one._replace(state=State.DEFERRED, next_attempt_at=NOON, reply="450 later"))
    books.settle(two._replace(state=State.QUEUED))
    books.ledger.give_up(NOON)
    assert State.FAILED not in books.states()
    books.ledger.give_up(NOON + timedelta(seconds=1))
    given_up = {d.reply for d, _ in books.ledger.of_issue(ISSUE.key) if d.state is State.FAILED}
    assert given_up == {"gave up: 450 later", "gave up: it waited too long"}


def test_who_leaves_while_their_copy_is_in_doubt_stays_in_doubt(books: Books) -> None:
    [one, *_] = books.claim()
    books.settle(one._replace(state=State.IN_DOUBT, cause=Cause.NETWORK, doubts=1, next_attempt_at=NOON))
    books.subscribers.follow_file([])
    books.claim(limit=9)
    assert books.states()[State.IN_DOUBT] == 1


def test_old_copies_in_doubt_do_not_become_due_again(books: Books) -> None:
    books.claim(OTHER)
    for one, _reader in books.ledger.of_issue(ISSUE.key):
        books.mark(one)
    books.ledger.recover(ME, NOON, held, sole_sender=True)
    books.ledger.reconsider([Cause.PROCESS], NOON, since=NOON + timedelta(seconds=1))
    assert books.ledger.due(NOON) == []
    books.ledger.reconsider([Cause.PROCESS], NOON, since=NOON)
    assert books.ledger.due(NOON) == [ISSUE.key]
