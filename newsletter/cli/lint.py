"""newsletter lint: the mails that the templates make, checked."""

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import DATE, JSON, PERIOD, load_parts, print_json, print_table, warn
from newsletter.cli.issues import prepared

if TYPE_CHECKING:
    from newsletter.models import Issue
    from newsletter.parts import Parts

WRONG_TEMPLATE = 2  # as errors.TemplateError


@click.command()
@DATE
@PERIOD
@JSON
@click.pass_context
def lint(ctx: click.Context, day: date | None, cadence: str, *, as_json: bool) -> None:
    """Check the mails that your templates make: an issue, a thin one, and the notices.

    Size against Gmail's clip, headings, link texts, contrast, both parts, headers, what mail programs leave out. Ends
    with code 2 if something fails, so that a build can hold a template; warnings pass. Where no source can be read, the
    sample's papers serve.

    Example: newsletter lint
    """
    from newsletter.errors import SourceError

    parts = load_parts(remember=False)
    try:
        issue = prepared(parts, day, cadence, remember=False)
    except SourceError as fault:
        warn(f"{fault}; the templates are checked with the sample's papers")
        issue = _of_the_sample(parts, cadence)
    if issue is None:
        return
    rows = _checked(parts, issue)
    bad = [row for row in rows if row["state"] == "fail"]
    if as_json:
        print_json(rows)
    else:
        shown = [row for row in rows if row["state"] != "ok"]
        if shown:
            cells = ([row["mail"], row["check"], row["state"], f"{row['detail']}; {row['mend']}"] for row in shown)
            print_table(["Mail", "Check", "State", "Found"], cells)
        mails = len({row["mail"] for row in rows})
        click.echo(f"{mails} mails, {len(rows)} checks: {len(bad)} failed, {len(shown) - len(bad)} warnings.")
    ctx.exit(WRONG_TEMPLATE if bad else 0)


def _of_the_sample(parts: "Parts", cadence: str) -> "Issue | None":
    from dataclasses import replace

    from newsletter.fetch.files import FileSource
    from newsletter.settings import bundled

    return prepared(replace(parts, sources=(FileSource(bundled("seeds")),)), None, cadence, remember=False)


def _checked(parts: "Parts", issue: "Issue") -> list[dict[str, Any]]:
    from newsletter import copies
    from newsletter.render.lint import check

    return [
        {"mail": name, "check": found.name, "state": found.state, "detail": found.detail, "mend": found.mend}
        for name, message in copies.proofs(parts, issue)
        for found in check(message.content)
    ]
