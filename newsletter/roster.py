"""The operator's side of the list: import and export, add and remove, look at one person, forget one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from newsletter.errors import UsageError
from newsletter.models import Event, Preferences, Standing, Subscriber
from newsletter.parts import Parts
from newsletter.store.enrolments import Witness
from newsletter.store.subscribers import Imported


@dataclass(frozen=True, slots=True)
class Change:
    """What a file would change about one person: `+` new, `~` changed, `-` no more mail, `!` stays off the list."""

    sign: str
    address: str
    what: str = ""


def bring_in(
    parts: Parts, people: Iterable[Subscriber], watch: Callable[[int], object], *, welcome: bool = False
) -> Imported:
    """Import people; the operator vouches for their consent. With `welcome`, each new one is greeted once.

    Args:
        parts: what to work with.
        people: who is to be on the list.
        watch: told the rows of each batch that was written.
        welcome: queue a welcome.
    """
    now = parts.clock()
    done = parts.subscribers.add(people, now, watch)
    if welcome:
        parts.enrolments.welcome_imported(now)
    return done


def changes_of_import(parts: Parts, people: Iterable[Subscriber]) -> Iterator[Change]:
    """Yield what an import would change."""
    for one in people:
        kept = parts.subscribers.find(one.key)
        if kept is None:
            yield _arrival(parts, one)
        elif one.standing.barred and not kept.standing.barred:
            yield Change("-", one.address, one.standing)


def _arrival(parts: Parts, one: Subscriber) -> Change:
    """Return what an import does with somebody who is not listed."""
    then = parts.subscribers.followed(one)
    if then is None:
        return Change("!", one.address, "asked to be forgotten")
    if then.standing.barred and not one.standing.barred:
        return Change("!", one.address, then.standing)
    return Change("+", one.address, _as(one))


def changes_of_file(parts: Parts, people: Iterable[Subscriber]) -> Iterator[Change]:
    """Yield what following the subscriber file would change."""
    listed = set()
    for one in people:
        listed.add(one.key)
        kept, then = parts.subscribers.find(one.key), parts.subscribers.followed(one)
        if then is None:
            yield Change("!", one.address, "asked to be forgotten")
        elif kept is None:
            yield Change("+", one.address, _as(then))
        elif then.standing.barred and not one.standing.barred:
            yield Change("!", one.address, then.standing)
        elif what := _differences(kept, then):
            yield Change("~", one.address, what)
    for kept in parts.subscribers.all(of_file=True):
        if kept.key not in listed and kept.reads:
            yield Change("-", kept.address, "no longer in the file")


def add(parts: Parts, one: Subscriber, *, welcome: bool = False) -> None:
    """Put one person on the list, by the operator's word.

    Raises:
        UsageError: they are on it, left it, or asked to be forgotten.
    """
    kept = parts.subscribers.find(one.key, unlisted=True)
    if kept and kept.standing.barred:
        raise UsageError(f"{one.address}: {kept.standing}; `subscribers resubscribe` undoes that, if they agree")
    listed = parts.subscribers.find(one.key)
    if listed and listed.standing is Standing.ACTIVE:
        raise UsageError(f"{one.address}: is on the list already")
    if kept and kept.id:
        parts.enrolments.return_to(kept.id, Witness(parts.clock(), words="added by the operator"))
        return
    if bring_in(parts, [one], lambda _rows: None, welcome=welcome).erased:
        raise UsageError(f"{one.address}: asked to be forgotten; only they themselves can sign up again")


def remove(parts: Parts, address: str) -> bool:
    """Take a reader off the list; return whether they were on it.

    Raises:
        UsageError: nobody on the list has this address.
    """
    reader = person(parts, address)
    return parts.enrolments.leave(
        reader.id or 0, Witness(parts.clock(), words="by the operator"), Standing.UNSUBSCRIBED, Event.REMOVED
    )


def take_in_again(parts: Parts, address: str) -> Subscriber:
    """Undo that a reader left, bounced or complained; return them as they were.

    Raises:
        UsageError: nobody on the list has this address, or they are a reader.
    """
    reader = parts.subscribers.find(address.strip().casefold(), unlisted=True) or person(parts, address)
    if reader.standing is Standing.ACTIVE:
        raise UsageError(f"{reader.address}: is a reader; there is nothing to undo")
    parts.enrolments.return_to(reader.id or 0, Witness(parts.clock(), words="by the operator"))
    return reader


def erase(parts: Parts, address: str) -> bool:
    """Forget a person but for a hash that keeps imports from bringing them back; return whether they were known."""
    return parts.enrolments.erase(address.strip().casefold(), parts.clock())


def person(parts: Parts, address: str) -> Subscriber:
    """Return who has an address.

    Raises:
        UsageError: nobody on the list has it.
    """
    found = parts.subscribers.find(address.strip().casefold())
    if found is None:
        raise UsageError(f"{address}: is not on the list; `newsletter subscribers list` shows who is")
    return found


def all_that_is_known(parts: Parts, address: str) -> dict[str, Any]:
    """Return everything that is kept of a person, for them to have: values that JSON knows.

    Raises:
        UsageError: nobody on the list has this address.
    """
    reader = person(parts, address)
    number = reader.id or 0
    copies = parts.ledger.of_reader(number)
    return {
        "address": reader.address,
        "name": reader.name,
        "standing": reader.standing.value,
        "preferences": {name: _plain(value) for name, value in _values(reader.preferences)},
        "consent": [{key: _plain(value) for key, value in row.items()} for row in parts.enrolments.history(number)],
        "bounces": [{key: _plain(value) for key, value in row.items()} for row in parts.enrolments.bounces.of(number)],
        "issues": [{"issue": one.issue, "state": one.state.value, "reply": one.reply} for one in copies],
    }


def _values(preferences: Preferences) -> Iterator[tuple[str, Any]]:
    for field in fields(preferences):
        yield field.name, getattr(preferences, field.name)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, datetime) or hasattr(value, "isoformat") else value


def _as(one: Subscriber) -> str:
    return "" if one.standing is Standing.ACTIVE else one.standing.value


def _differences(kept: Subscriber, then: Subscriber) -> str:
    """Return in words what differs between a person as they are kept and as the file would have them."""
    pairs = [("name", kept.name, then.name), ("active", kept.active, then.active)]
    pairs += [("standing", kept.standing.value, then.standing.value)]
    wants, would = dict(_values(kept.preferences)), dict(_values(then.preferences))
    pairs += [(name, wants[name], would[name]) for name in wants]
    return ", ".join(f"{name} {_told(was)} -> {_told(now)}" for name, was, now in pairs if was != now)


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    return "none" if value is None else str(value)
