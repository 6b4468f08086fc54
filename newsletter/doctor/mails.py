"""The templates: they compile, and the mails they make of the sample are as they should be."""

from dataclasses import dataclass

import jinja2

from newsletter import copies, pipeline
from newsletter.doctor.check import FAIL, OK, SKIP, WARN, WRONG, Check, Installation, of_fault, shown
from newsletter.errors import NewsletterError, TemplateError
from newsletter.models import Cadence, Message, Skipped
from newsletter.parts import Parts
from newsletter.render import lint

NAMES = ("templates", "web templates", "mails")
PAGES = "one click"  # what lint says of it depends on base_url alone, which has its own checks
MEND = "mend it, or remove your own: then the shipped one serves"


@dataclass(frozen=True)
class Proofs:
    """The checks, and the bytes of the largest mail; None where none could be made."""

    checks: tuple[Check, ...]
    largest: int | None = None


def prove(it: Installation) -> Proofs:
    """Make every mail of the sample's papers; whatever is wrong is among the checks."""
    try:
        _check_own(it)
        parts = it.rehearse()
    except NewsletterError as fault:
        why = "the templates cannot be read"
        return Proofs((of_fault("templates", fault, MEND), *(Check(name, SKIP, why) for name in NAMES[1:])))
    pages = _web(parts)
    try:
        issue = pipeline.next_issue(parts, None, Cadence.DAILY, remember=False)
        made = [] if isinstance(issue, Skipped) else [*copies.proofs(parts, issue)]
    except NewsletterError as fault:
        return Proofs((of_fault("templates", fault, MEND), pages, Check("mails", SKIP, "no mail can be made")))
    if not made:
        why = "the sample makes no issue with these settings"
        return Proofs((Check("templates", SKIP, why), pages, Check("mails", SKIP, why)))
    largest = max(len(message.content) for _name, message in made)
    told = f"{len(made)} mails made of the sample, from {shown(parts.templates.folders[0])}"
    return Proofs((Check("templates", OK, told), pages, _linted(made)), largest)


def _check_own(it: Installation) -> None:
    """Refuse an own folder that this user may not look into: the shipped templates would serve without a word."""
    own = it.folder / it.settings.templates if it.settings.templates else it.folder
    try:
        if own.is_dir():
            list(own.iterdir())
    except OSError as fault:
        raise TemplateError(f"templates {shown(own)}: {fault.strerror}; make it readable for this user") from None


def _web(parts: Parts) -> Check:
    """Compile every page; an own page takes the place of the shipped one, as it does when it is served."""
    folders = [folder / "web" for folder in parts.templates.folders]
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(folders), autoescape=True)
    names = pages.list_templates()
    try:
        for name in names:
            _compile(pages, name)
    except TemplateError as fault:
        return of_fault("web templates", fault, MEND)
    return Check("web templates", OK, f"{len(names)} pages compile")


def _compile(pages: jinja2.Environment, name: str) -> None:
    try:
        pages.get_template(name)
    except jinja2.TemplateSyntaxError as fault:
        raise TemplateError(f"{fault.filename or name}:{fault.lineno}: {fault.message}") from None
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "is not UTF-8"
        raise TemplateError(f"template web/{name}: {why}") from None
    except jinja2.TemplateError as fault:
        raise TemplateError(f"template web/{name}: {fault}") from None


def _linted(made: list[tuple[str, Message]]) -> Check:
    found = [one for _name, message in made for one in lint.check(message.content)]
    bad = [one for one in found if one.state == lint.FAIL]
    odd = [*dict.fromkeys(one.detail for one in found if one.state == lint.WARN and one.name != PAGES)]
    if bad:
        return Check("mails", FAIL, f"{bad[0].name}: {bad[0].detail}{_more(len(bad))}", bad[0].mend, WRONG)
    if odd:
        return Check("mails", WARN, f"{odd[0]}{_more(len(odd))}", "newsletter lint tells more")
    return Check("mails", OK, f"{len(found)} checks of newsletter lint passed")


def _more(number: int) -> str:
    return f" (and {number - 1} more)" if number > 1 else ""
