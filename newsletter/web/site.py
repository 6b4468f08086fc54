"""The pages that readers use: home, archive and feeds here, the doors in `doors`. No cookie, no script, no account."""

from http import HTTPStatus
from typing import Any, cast

import jinja2
from flask import Blueprint, Flask, Response, abort, current_app, render_template, request
from flask_limiter import Limiter
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from newsletter.errors import NewsletterError
from newsletter.parts import Parts
from newsletter.render.feed import Feed, atom, json_feed
from newsletter.settings.serving import WebSettings
from newsletter.web.archive import Archive
from newsletter.web.doors import client, doors, fresh_form, refuse_other_sites
from newsletter.web.words import FAULTS

NAME = "site"
LARGEST_BODY = 64 * 1024  # bytes; the largest form is a tenth of it
FEED_ITEMS = 20
HOME_ITEMS = 3
POLICY = (
    "default-src 'none'; style-src {style}; img-src 'self' data: https:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
PAGE_POLICY = POLICY.format(style="'self'")
MAIL_POLICY = POLICY.format(style="'self' 'unsafe-inline'")  # a mail's looks stand in its style attributes
ALIKE = "public, max-age=60"  # for pages that are the same for everybody

site = Blueprint(NAME, __name__)


def create_site(parts: Parts, web: WebSettings) -> Flask:
    """Return the pages of a list as a WSGI application.

    Args:
        parts: what to work with; `parts.links.base_url` is where readers find the pages.
        web: how many proxies stand before them.
    """
    app = Flask("newsletter", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.jinja_options = {
        "autoescape": True,
        "undefined": jinja2.StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "loader": jinja2.FileSystemLoader([folder / "web" for folder in parts.templates.folders]),
    }
    app.extensions[NAME] = parts
    app.extensions["archive"] = Archive(parts)
    app.register_blueprint(site)
    app.register_blueprint(doors)
    app.context_processor(_names)
    app.before_request(refuse_other_sites)
    app.after_request(_guarded)
    app.register_error_handler(Exception, _told)
    # One client's flood ends here; how many mails go out is counted in the database.
    limiter = Limiter(client, app=app, storage_uri="memory://")
    views: dict[str, Any] = app.view_functions
    views["doors.subscribe"] = limiter.limit(parts.signup.per_client)(views["doors.subscribe"])
    if web.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=web.proxies, x_proto=web.proxies)  # type: ignore[method-assign]
    return app


@site.get("/")
def home() -> str:
    """The form to sign up, and the newest issues."""
    newest = [_archive().card(key) for key in _archive().issues()[:HOME_ITEMS]]
    form = fresh_form() if _parts().signup.open else None
    return render_template("home.html.j2", form=form, newest=newest)


@site.get("/archive")
def archive() -> Response:
    """All issues, a page at a time."""
    pages = _archive().pages
    page = request.args.get("page", 1, type=int)
    if not 1 <= page <= pages:
        abort(HTTPStatus.NOT_FOUND)
    older, newer = (page + 1 if page < pages else None), (page - 1 if page > 1 else None)
    content = render_template("archive.html.j2", cards=_archive().cards(page), older=older, newer=newer)
    return _alike(Response(content, mimetype="text/html"))


@site.get("/issues/<cadence>/<day>")
def issue(cadence: str, day: str) -> Response:
    """An issue, the very mail that went out, without what was a reader's own."""
    key = f"{cadence}/{day}"
    if not _archive().has(key):
        abort(HTTPStatus.NOT_FOUND)
    older, newer = (f"/issues/{one}" if one else None for one in _archive().beside(key))
    bar = render_template("bar.html.j2", older=older, newer=newer)
    response = _alike(Response(_framed(_archive().page(key), bar), mimetype="text/html"))
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


@site.get("/feed.atom")
def atom_feed() -> Response:
    """The newest issues as Atom."""
    return _alike(Response(atom(_feed()), mimetype="application/atom+xml"))


@site.get("/feed.json")
def json_of_feed() -> Response:
    """The newest issues as JSON Feed."""
    return _alike(Response(json_feed(_feed()), mimetype="application/feed+json"))


@site.get("/robots.txt")
def robots() -> Response:
    """What search engines may read."""
    lines = ["User-agent: *", "Disallow: /confirm/", "Disallow: /preferences/", "Disallow: /unsubscribe/"]
    lines += [f"Sitemap: {_parts().links.base_url}/sitemap.xml", ""]
    return _alike(Response("\n".join(lines), mimetype="text/plain"))


@site.get("/sitemap.xml")
def sitemap() -> Response:
    """Every page worth finding."""
    base = _parts().links.base_url
    pages = [f"{base}/", f"{base}/archive", *(f"{base}/issues/{key}" for key in _archive().issues())]
    rows = "".join(Markup("<url><loc>{}</loc></url>").format(url) for url in pages)
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>\n'
    )
    return _alike(Response(content, mimetype="application/xml"))


@site.get("/healthz")
def health() -> Response:
    """Whether the database answers."""
    _parts().issues.keys()
    return Response("ok\n", mimetype="text/plain")


@site.get("/assets/<any(site, bar):name>.css")
def style(name: str) -> Response:
    """A style sheet, in the colours of the theme."""
    return _alike(Response(render_template(f"{name}.css.j2", theme=_parts().templates.theme), mimetype="text/css"))


def _parts() -> Parts:
    return cast("Parts", current_app.extensions[NAME])


def _archive() -> Archive:
    return cast("Archive", current_app.extensions["archive"])


def _names() -> dict[str, object]:
    """What every page may name."""
    mailing = _parts().mailing
    about = {
        "title": mailing.title,
        "sender": mailing.letterhead.sender_address,
        "postal_address": mailing.postal_address,
        "entries": mailing.entries,
        "timezone": mailing.zone.key,
    }
    return {"list": about}


def _feed() -> Feed:
    mailing = _parts().mailing
    items = [_archive().item(key) for key in _archive().issues()[:FEED_ITEMS]]
    return Feed(mailing.title, _parts().links.base_url or "", mailing.letterhead.sender_name or mailing.title, items)


def _framed(mail: str, bar: str) -> str:
    """Put the bar of the pages around a mail, and the landmarks that a page has and a mail has not."""
    head, opening, rest = mail.partition("<body")
    attributes, closing, body = rest.partition(">")
    content, ending, tail = body.rpartition("</body>")
    head = head.replace(
        "</head>", '<link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/bar.css"></head>'
    )
    return f"{head}{opening}{attributes}{closing}{bar}<main>{content}</main>{ending}{tail}"


def _alike(response: Response) -> Response:
    response.headers["Cache-Control"] = ALIKE
    response.add_etag()
    return cast("Response", response.make_conditional(request))


def _guarded(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    headers["Referrer-Policy"] = "same-origin"  # a reader's own link stays between them and us
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if (_parts().links.base_url or "").startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _told(fault: Exception) -> Response:
    """Answer any fault with a page that says it in a sentence; what happened goes to the log."""
    if isinstance(fault, HTTPException):
        status, word = fault.code or 500, FAULTS.get(fault.code or 500, FAULTS[400])
        if fault.response is not None:
            return cast("Response", fault.response)
    else:
        known = isinstance(fault, NewsletterError)
        status, word = (503, FAULTS[503]) if known else (500, FAULTS[500])
        current_app.logger.error("%s: %s", type(fault).__name__, fault, exc_info=not known)
    headers = {"Retry-After": "3600"} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
    return Response(render_template("word.html.j2", word=word), status=status, headers=headers, mimetype="text/html")
