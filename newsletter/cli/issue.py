"""newsletter issue: what an editor does to one issue before it goes out."""

import click

from newsletter.cli.context import load_parts

WORDS = {
    "subject": "Instead of the lead paper's title.",
    "preheader": "What an inbox shows beside the subject, instead of papers two and three.",
    "note": "A few sentences above the papers, from you.",
}


@click.group()
def issue() -> None:
    """Edit an issue before it goes out."""


@issue.command()
@click.argument("key", metavar="ISSUE")
@click.option("--subject", help=WORDS["subject"])
@click.option("--preheader", help=WORDS["preheader"])
@click.option("--note", help=WORDS["note"])
def edit(key: str, subject: str | None, preheader: str | None, note: str | None) -> None:
    """Put your own words on an issue that has not gone out; an empty text takes them back.

    Example: newsletter issue edit daily/2025-12-26 --note "Happy holidays."
    """
    from newsletter import editorial

    given = {"subject": subject, "preheader": preheader, "note": note}
    words = {name: text for name, text in given.items() if text is not None}
    if not words:
        raise click.UsageError("nothing to change; give --subject, --preheader or --note")
    wording = editorial.reword(load_parts(), key, words)
    click.echo(f"{key}:")
    for name in WORDS:
        click.echo(f"  {name + ':':<11}{getattr(wording, name) or 'as the papers make it'}")
