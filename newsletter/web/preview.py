"""The editor's preview: any issue as any reader would get it, made anew whenever a template or a setting is saved.

Everything but a test copy is read and never written. The page is for this machine alone: another site that a browser
has open can neither read it (the Host is checked, so that no foreign name can point here) nor send a test copy (the
Origin is checked).
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import jinja2
from flask import Blueprint, Flask, Response, abort, current_app, jsonify, render_template, request, send_from_directory
from werkzeug.exceptions import HTTPException

from newsletter.errors import NewsletterError
from newsletter.parts import Parts
from newsletter.render.words import day_line
from newsletter.settings import bundled
from newsletter.web.desk import Choice, Desk
from newsletter.web.proof import Proof, Scheme

NAME = "preview"
OWN_NAMES = {"127.0.0.1", "localhost", "[::1]"}
LONG_POLL = 25.0  # seconds; below the half minute after which some proxies and browsers give up
ASSETS = {"preview.css", "preview.js"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self';"
    " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Same origin, so that the page can keep a frame's scroll position; without scripts the mail cannot make use of it.
MAIL_POLICY = (
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " style-src 'unsafe-inline'; img-src http: https: data:; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'self'"
)

preview = Blueprint(NAME, __name__)


def create_preview(rebuild: Callable[[], Parts], *, watch_paths: Callable[[], Sequence[Path]]) -> Flask:
    """Return the preview as a WSGI application. `desk_of(app).close()` ends its watching thread.

    Args:
        rebuild: makes the parts anew, without anything that writes; called again after each change.
        watch_paths: the files and folders whose change shows in the page by itself.
    """
    app = create_app()
    app.extensions[NAME] = Desk(rebuild, watch_paths)
    app.register_blueprint(preview)
    return app


def create_app() -> Flask:
    """Return an application with the templates of `templates/web`, ready for blueprints."""
    app = Flask("newsletter", template_folder=str(bundled("templates") / "web"), static_folder=None)
    # Flask escapes by the ending of a name, and does not know .j2.
    app.jinja_options = {
        "autoescape": True,
        "undefined": jinja2.StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }
    app.register_error_handler(Exception, _told_in_a_line)
    return app


def desk_of(app: Flask) -> Desk:
    """Return the state behind the pages of a preview."""
    return cast("Desk", app.extensions[NAME])


@preview.before_request
def _only_this_machine() -> None:
    """Refuse requests that were meant for another host, and posts that another site's page sends."""
    host, port = request.headers.get("Host", ""), request.environ["SERVER_PORT"]
    own = {f"{name}:{port}" for name in OWN_NAMES} | (OWN_NAMES if port == "80" else set())
    if host not in own:
        abort(HTTPStatus.FORBIDDEN, "The preview answers to this machine's own name only.")
    if request.method != "GET" and request.headers.get("Origin") != f"http://{host}":
        abort(HTTPStatus.FORBIDDEN, "Only the preview's own page may ask for this.")


@preview.after_request
def _guarded(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@preview.get("/")
def page() -> str:
    """The page; a load by hand asks live sources again, a refresh after a change does not."""
    desk = _desk()
    if "X-Refresh" not in request.headers:
        desk.reread()
    view = desk.look(_choice(request.args))
    return render_template("preview.html.j2", view=view, periods=desk.periods(), choice=view.choice, day_line=day_line)


@preview.get("/mail/<name>")
def mail(name: str) -> Response:
    """A copy as a mail program shows it, in the wanted colour scheme."""
    scheme: Scheme = "dark" if request.args.get("scheme") == "dark" else "light"
    response = Response(_shown(name).page(scheme), mimetype="text/html")
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@preview.get("/source/<name>")
def source(name: str) -> Response:
    """A copy as the very bytes that go out; as a file to keep if `download` is asked for."""
    response = Response(_shown(name).content, content_type="text/plain; charset=utf-8")
    if "download" in request.args:
        response.headers["Content-Type"] = "message/rfc822"
        response.headers["Content-Disposition"] = 'attachment; filename="issue.eml"'
    return response


@preview.get("/readers")
def readers() -> Response:
    """The first readers that match the words, for the search box."""
    found = _desk().readers(request.args.get("find", "")[:200])
    return jsonify([{"address": one.address, "name": one.name or "", "note": _note(one)} for one in found])


@preview.get("/changes")
def changes() -> Response:
    """Answers when something changed after the version that the page has, or after a while."""
    return jsonify(version=_desk().changes.wait(request.args.get("after", ""), LONG_POLL))


@preview.post("/send-test")
def send_test() -> tuple[Response, int]:
    """Send one marked copy of what is shown, and tell what became of it."""
    try:
        line = _desk().send_test(_choice(request.form), request.form.get("address", "").strip())
    except NewsletterError as fault:
        return jsonify(sent=False, line=str(fault)), HTTPStatus.UNPROCESSABLE_ENTITY
    return jsonify(sent=True, line=line), HTTPStatus.OK


@preview.get("/assets/<name>")
def asset(name: str) -> Response:
    """The style sheet and the script."""
    if name not in ASSETS:
        abort(HTTPStatus.NOT_FOUND)
    return send_from_directory(str(bundled("templates") / "web"), name)


def _desk() -> Desk:
    return desk_of(current_app)


def _choice(given: Any) -> Choice:
    return Choice(issue=given.get("issue") or None, reader=given.get("reader", "").strip())


def _shown(name: str) -> Proof:
    proof = _desk().proof(name)
    if proof is None:
        abort(HTTPStatus.NOT_FOUND, "This copy is no longer kept; reload the page.")
    return proof


def _note(reader: Any) -> str:
    notes = [
        "" if reader.reads else "not active",
        "plain text" if reader.preferences.format == "text" else "",
        "" if reader.preferences.cadence == "daily" else f"{reader.preferences.cadence} issue",
    ]
    return ", ".join(note for note in notes if note)


def _told_in_a_line(fault: Exception) -> Response:
    """Answer any fault with one line: what a person reads is never a traceback."""
    if isinstance(fault, HTTPException):
        return Response(f"{fault.description}\n", status=fault.code, mimetype="text/plain")
    line = f"unexpected fault, please report it: {type(fault).__name__}: {fault}\n"
    return Response(line, status=HTTPStatus.INTERNAL_SERVER_ERROR, mimetype="text/plain")
