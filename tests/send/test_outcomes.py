"""The retry policy as a table."""

from datetime import timedelta

import pytest

from newsletter.models import Cause, Delivery, Outcome, State, Verdict
from newsletter.send.outcomes import LONGEST_HINT, LONGEST_RETRY, SPREAD, Brake, DoubtPolicy, after, verdict_of
from tests.make import NOON

MINUTE = timedelta(minutes=1)
HELD = DoubtPolicy(dict.fromkeys(Cause, "hold"))


def a_delivery(attempts: int = 0, doubts: int = 0) -> Delivery:
    return Delivery(
        issue="daily/2025-12-25", subscriber_id=1, state=State.SENDING, due_at=NOON, attempts=attempts, doubts=doubts
    )


@pytest.mark.parametrize(
    ("phase", "code", "text", "verdict"),
    [
        ("rcpt", 450, "4.2.0 greylisted", Verdict.POSTPONED),
        ("mail", 451, "4.3.0 busy", Verdict.POSTPONED),
        ("dot", 421, "4.7.0 slow down", Verdict.POSTPONED),
        ("rcpt", 550, "5.1.1 no such user", Verdict.REFUSED),
        ("rcpt", 550, "no such user", Verdict.REFUSED),
        ("dot", 552, "5.3.4 message too big", Verdict.REFUSED),
        ("dot", 554, "5.6.0 bad content", Verdict.REFUSED),
        ("rcpt", 552, "5.2.2 mailbox over quota", Verdict.REFUSED),
        ("rcpt", 552, "Mailbox quota exceeded", Verdict.REFUSED),
        ("mail", 550, "sender rejected", Verdict.BARRED),
        ("mail", 552, "5.3.4 Message size exceeds fixed limit", Verdict.REFUSED),
        ("mail", 552, "message size exceeds maximum", Verdict.REFUSED),
        ("mail", 552, "5.7.0 sending quota exceeded", Verdict.BARRED),
        ("mail", 552, "sending quota exceeded", Verdict.BARRED),
        ("rcpt", 550, "Daily user sending quota exceeded", Verdict.SUSPECT),
        ("dot", 550, "5.7.26 unauthenticated", Verdict.SUSPECT),
        ("rcpt", 550, "5.4.5 Daily user sending quota exceeded", Verdict.SUSPECT),
        ("dot", 554, "Message rejected: Email address is not verified", Verdict.SUSPECT),
        ("rcpt", 550, "5.1.8 Access denied, bad outbound sender", Verdict.SUSPECT),
        ("rcpt", 504, "5.5.2 <news@localhost>: Sender address rejected", Verdict.SUSPECT),
        ("rcpt", 550, "too many messages today", Verdict.SUSPECT),
        ("rcpt", 550, "Address r1 not verified", Verdict.REFUSED),
    ],
)
def test_a_reply_means_what_its_enhanced_code_and_phase_say(phase: str, code: int, text: str, verdict: Verdict) -> None:
    assert verdict_of(phase, code, text) is verdict


@pytest.mark.parametrize(
    ("verdict", "state", "attempts"),
    [
        (Verdict.ACCEPTED, State.SENT, 1),
        (Verdict.REFUSED, State.FAILED, 1),
        (Verdict.POSTPONED, State.DEFERRED, 1),
        (Verdict.UNKNOWN, State.IN_DOUBT, 1),
        (Verdict.UNTRIED, State.QUEUED, 0),
        (Verdict.BARRED, State.QUEUED, 0),
        (Verdict.SUSPECT, State.DEFERRED, 1),
    ],
)
def test_each_verdict_leads_to_its_state(verdict: Verdict, state: State, attempts: int) -> None:
    settled = after(a_delivery(), Outcome(verdict, 250, "said"), NOON, HELD)
    assert (settled.state, settled.attempts) == (state, attempts)


@pytest.mark.parametrize(
    ("attempts", "wait"), [(0, 5 * MINUTE), (1, 10 * MINUTE), (2, 20 * MINUTE), (50, LONGEST_RETRY)]
)
def test_each_retry_waits_twice_as_long_up_to_a_limit(attempts: int, wait: timedelta) -> None:
    settled = after(a_delivery(attempts), Outcome(Verdict.POSTPONED, 450, "later"), NOON, HELD)
    assert settled.next_attempt_at
    assert wait <= settled.next_attempt_at - NOON <= wait * (1 + SPREAD)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("4.2.0 Greylisted, please try again in 7 minutes", 7 * MINUTE),
        ("4.7.1 Try again in 300 seconds", 5 * MINUTE),
        ("4.2.0 Recipient greylisted for 60s", MINUTE),
        ("4.7.0 too fast, retry after 2 hours", 120 * MINUTE),
        ("4.7.0 please wait at least 12 min", 12 * MINUTE),
        ("4.7.0 try again in 900 hours", LONGEST_HINT),
        ("4.3.0 try again later. Ticket 77 m", 5 * MINUTE),
        ("4.2.2 mailbox 3 hours over quota", 5 * MINUTE),
    ],
)
def test_a_relay_that_says_when_to_come_again_is_listened_to(said: str, wait: timedelta) -> None:
    settled = after(a_delivery(), Outcome(Verdict.POSTPONED, 450, said), NOON, HELD)
    assert settled.next_attempt_at
    assert wait <= settled.next_attempt_at - NOON <= wait * (1 + SPREAD)


def test_those_put_off_together_do_not_come_back_together() -> None:
    put_off = [a_delivery()._replace(subscriber_id=number) for number in range(100)]
    moments = {after(one, Outcome(Verdict.POSTPONED, 450, "later"), NOON, HELD).next_attempt_at for one in put_off}
    assert len(moments) == 100


def answers(refused: int, accepted: int) -> list[Outcome]:
    return [Outcome(Verdict.REFUSED, 550, "no")] * refused + [Outcome(Verdict.ACCEPTED, 250)] * accepted


def test_the_brake_is_pulled_by_more_than_a_fifth_of_the_last_fifty() -> None:
    brake = Brake()
    assert not any(brake.pulled(one) for one in answers(10, 60) + answers(10, 0))
    assert brake.pulled(answers(1, 0)[0])
    assert str(brake) == "11 of the last 50 copies were refused"


def test_the_brake_looks_at_what_relays_refuse_and_at_nothing_else() -> None:
    brake = Brake()
    other = [Outcome(Verdict.POSTPONED, 450), Outcome(Verdict.REFUSED, text="could not be composed")]
    assert not any(brake.pulled(one) for one in other * 100)


def test_after_three_days_a_postponed_delivery_has_failed() -> None:
    settled = after(a_delivery(9), Outcome(Verdict.POSTPONED, 450, "later"), NOON + timedelta(days=3), HELD)
    assert settled.state is State.FAILED
    assert settled.reply == "gave up after 10 attempts: 450 later"


def test_a_message_lost_with_the_connection_is_sent_again_once_and_then_held() -> None:
    once = after(a_delivery(), Outcome(Verdict.UNKNOWN), NOON, DoubtPolicy())
    assert (once.cause, once.next_attempt_at) == (Cause.NETWORK, NOON + 15 * MINUTE)
    twice = after(once, Outcome(Verdict.UNKNOWN), NOON, DoubtPolicy())
    assert (twice.state, twice.doubts, twice.next_attempt_at) == (State.IN_DOUBT, 2, None)


@pytest.mark.parametrize("cause", [Cause.PROCESS, Cause.POWER])
def test_what_a_dead_process_or_machine_left_in_doubt_is_held(cause: Cause) -> None:
    assert DoubtPolicy().doubted(a_delivery(), cause, NOON).next_attempt_at is None


def test_a_relays_words_are_kept_without_what_breaks_a_terminal_or_a_database() -> None:
    settled = after(a_delivery(), Outcome(Verdict.REFUSED, 550, "no\x00such \x1b[31muser\r\n"), NOON, HELD)
    assert settled.reply == "550 no such [31muser"
