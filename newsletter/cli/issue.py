"""newsletter issue: what is done to one issue: its words, and holding it back."""

import click

from newsletter.cli.context import load_parts, program

WORDS = {
    "subject": "Instead of the lead paper's title.",
    "preheader": "What an inbox shows beside the subject, instead of papers two and three.",
    "note": "A few sentences above the papers, from you.",
}


@click.group()
def issue() -> None:
    """Edit an issue before it goes out, hold it back, or end it."""


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


@issue.command()
@click.argument("key", metavar="ISSUE")
@click.option("--reason", default="", help="Shown by `status`.")
def pause(key: str, reason: str) -> None:
    """Hold an issue back, also while it is being sent: it stops within one message per connection.

    Example: newsletter issue pause daily/2025-12-26 --reason "wrong lead paper"
    """
    from newsletter import editorial

    held = editorial.pause(load_parts(), key, reason)
    click.echo(f"{key}: {held.kind}; `{program()} issue resume {key}` lets it go on.")


@issue.command()
@click.argument("key", metavar="ISSUE")
def resume(key: str) -> None:
    """Let a paused issue go on with the next `send`.

    Example: newsletter issue resume daily/2025-12-26
    """
    from newsletter import editorial

    editorial.resume(load_parts(), key)
    click.echo(f"{key}: goes on with the next `{program()} send`, where workers send at once.")


@issue.command()
@click.argument("key", metavar="ISSUE")
def cancel(key: str) -> None:
    """End an issue for good: nothing more of it goes out. What is sent stays sent.

    Example: newsletter issue cancel daily/2025-12-26
    """
    from newsletter import editorial

    skipped = editorial.cancel(load_parts(), key)
    click.echo(f"{key}: cancelled; {skipped:,} {'copy is' if skipped == 1 else 'copies are'} not sent.")
