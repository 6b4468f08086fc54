"""The doors: sign up, confirm, choose, leave. GET never changes anything, since scanners open every link in a mail."""

import ipaddress
import logging
import time
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import cast

from flask import Blueprint, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as Answer

from newsletter import enrolment
from newsletter.enrolment import Origin
from newsletter.errors import UsageError
from newsletter.models import Cadence, Preferences, Subscriber
from newsletter.parts import Parts
from newsletter.render.notices import rhythm_of
from newsletter.web.forms import CONSENT, PreferencesForm, SignupForm, read, typed, zones
from newsletter.web.words import CHECK_MAIL, LINK_IS_OLD, NOT_ON_LIST, ON_THE_LIST, TOO_MANY, Word

LOG = logging.getLogger("newsletter.web")
OLDEST_FORM = timedelta(days=1)
LONGEST_REASON = 500
ANSWER_SECONDS = 0.05  # after which a sign-up is answered: how long its rows take tells nobody whether it is known
ONE_CLICK = "List-Unsubscribe"  # the field that RFC 8058 section 3.1 has mail providers post

doors = Blueprint("doors", __name__)


def fresh_form() -> SignupForm:
    """Return an empty form to sign up, asked for now."""
    return SignupForm(token=_parts().links.form_token(_parts().clock()))


@doors.post("/subscribe")
def subscribe() -> "Answer | tuple[str, int]":
    """Queue the mail that asks whether the address is theirs. The answer is the same whether it is known or not."""
    if not _parts().signup.open:
        abort(HTTPStatus.NOT_FOUND)
    given = request.form
    if given.get("website"):  # a field that people do not see
        LOG.info("sign-up of a machine passed over")
        return redirect("/check-your-mail", HTTPStatus.SEE_OTHER)
    period = given.get("period", Cadence.DAILY)
    form = replace(fresh_form(), address=given.get("address", "").strip()[:320], period=period)
    fault = _form_fault(given.get("form", ""))
    if not fault and period not in set(Cadence):
        fault = "Please choose how often."
    if not fault:
        begun = time.monotonic()
        try:
            preferences = Preferences(cadence=Cadence(period))
            if not enrolment.sign_up(_parts(), form.address, preferences, _origin(CONSENT)):
                LOG.warning("sign-ups are not answered any more: signup.per_hour is reached")
                return render_template("word.html.j2", word=TOO_MANY), HTTPStatus.SERVICE_UNAVAILABLE
        except UsageError as refused:
            fault = str(refused)
        else:
            _parts().sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - begun)))
            return redirect("/check-your-mail", HTTPStatus.SEE_OTHER)
    page = render_template("home.html.j2", form=replace(form, fault=fault), newest=())
    return page, HTTPStatus.UNPROCESSABLE_ENTITY


@doors.get("/check-your-mail")
def check_your_mail() -> str:
    """What comes after the form."""
    return render_template("word.html.j2", word=CHECK_MAIL)


@doors.get("/confirm/<token>")
def confirmation(token: str) -> "str | tuple[str, int]":
    """The button that confirms."""
    reader = enrolment.confirmable(_parts(), token)
    if reader is None:
        return _word(LINK_IS_OLD, HTTPStatus.GONE if _parts().links.confirmation(token, _parts().clock()) else 404)
    rhythm = rhythm_of(reader.preferences)
    return render_template("confirm.html.j2", address=masked(reader.address), rhythm=rhythm)


@doors.post("/confirm/<token>")
def confirm(token: str) -> "str | tuple[str, int]":
    """Make them a reader, and welcome them."""
    known = _parts().links.confirmation(token, _parts().clock())
    before = enrolment.confirmable(_parts(), token)
    reader = enrolment.confirm(_parts(), token, _origin("Yes, send it to me"))
    if reader is None:
        return _word(LINK_IS_OLD, HTTPStatus.GONE if known else HTTPStatus.NOT_FOUND)
    if before and before.reads:  # the mail with the link may have been passed on since
        return _word(ON_THE_LIST, HTTPStatus.OK)
    return render_template("word.html.j2", word=_welcome(reader))


@doors.get("/preferences/<token>")
def preferences(token: str) -> "str | tuple[str, int]":
    """What a reader gets, to be changed."""
    reader = _reader(token)
    if reader is None or not reader.reads:
        return _word(NOT_ON_LIST, HTTPStatus.OK)
    return _preferences_page(token, reader, PreferencesForm.of(reader.preferences))


@doors.post("/preferences/<token>")
def choose(token: str) -> "str | tuple[str, int]":
    """Keep what a reader chose."""
    reader = _reader(token)
    if reader is None or not reader.reads:
        return _word(NOT_ON_LIST, HTTPStatus.OK)
    form = typed(request.form)
    wanted, faults = read(form)
    if faults:
        page = _preferences_page(token, reader, replace(form, faults=faults))
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    enrolment.change(_parts(), reader, wanted, _origin())
    return _preferences_page(token, reader, PreferencesForm.of(wanted), saved=True)


@doors.get("/unsubscribe/<token>")
def leaving(token: str) -> str:
    """The button to leave; for who has left, a place to say why."""
    reader = _reader(token)
    if reader is None or not reader.reads:
        return render_template("unsubscribe.html.j2", left=True, address=masked(reader.address) if reader else "")
    url = f"/preferences/{token}"
    return render_template(
        "unsubscribe.html.j2", left=False, thanked=False, address=masked(reader.address), preferences_url=url
    )


@doors.post("/unsubscribe/<token>")
def leave(token: str) -> str:
    """Take a reader off the list: by the button, or one click in a mail program (RFC 8058); again and again is fine."""
    reader = _reader(token)
    reason = request.form.get("reason", "").strip()[:LONGEST_REASON]
    if reason or (reader and reader.reads):
        how = "one click" if ONE_CLICK in request.form else ""
        enrolment.leave(_parts(), token, _origin(reason or how))
    address = masked(reader.address) if reader else ""
    return render_template("unsubscribe.html.j2", left=not reason, thanked=bool(reason), address=address)


def refuse_other_sites() -> None:
    """Refuse a form that another site's page sends; mail providers post to leave without an Origin."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint == "doors.leave":
        return
    origin, own = request.headers.get("Origin"), {request.host_url.rstrip("/"), _origin_of_pages()}
    if (origin and origin not in own) or request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        abort(HTTPStatus.FORBIDDEN)


def client() -> str:
    """Return whose flood a flood is: an IPv4 address, or the network of an IPv6 one that one customer has."""
    address = request.remote_addr or ""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def masked(address: str) -> str:
    """Return an address as its owner knows it and nobody else: a link may be forwarded with its mail."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if domain else ""


def _parts() -> Parts:
    return cast("Parts", current_app.extensions["site"])


def _reader(token: str) -> Subscriber | None:
    try:
        return enrolment.reader_of(_parts(), token)
    except UsageError:
        abort(HTTPStatus.NOT_FOUND)


def _origin(words: str = "") -> Origin:
    return Origin(client(), words)


def _origin_of_pages() -> str:
    base = _parts().links.base_url or ""
    return "/".join(base.split("/")[:3])


def _form_fault(token: str) -> str:
    """Return what is wrong with when a form was asked for, in words for the person who filled it in."""
    age = _parts().links.form_age(token, _parts().clock())
    if age is None or age > OLDEST_FORM:
        return "This page was open for long. Please press the button once more."
    if age.total_seconds() < _parts().signup.least_seconds:
        return "That was quick. Please press the button once more."
    return ""


def _preferences_page(token: str, reader: Subscriber, form: PreferencesForm, *, saved: bool = False) -> str:
    return render_template(
        "preferences.html.j2",
        form=form,
        saved=saved,
        address=masked(reader.address),
        zones=sorted(zones()),
        unsubscribe_url=f"/unsubscribe/{token}",
    )


def _welcome(reader: Subscriber) -> Word:
    token = _parts().links.unsubscribe_token(reader.id or 0)
    return Word(
        heading="Welcome, it is good to have you here",
        paragraphs=(
            f"The list comes {rhythm_of(reader.preferences)}, from {_parts().mailing.letterhead.sender_address}.",
            "Put that address into your contacts, and no issue ends up among the spam.",
        ),
        url=f"/preferences/{token}",
        label="Choose what you get, and when",
    )


def _word(word: Word, status: int) -> tuple[str, int]:
    return render_template("word.html.j2", word=word), status
