"""newsletter init: the first files of a list, and what runs it by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import program

if TYPE_CHECKING:
    from newsletter.setup.config import Answers
    from newsletter.setup.questions import Given
    from newsletter.setup.scaffold import Made

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER, default=".")
@click.option("--title", help="The list's name, as readers see it.")
@click.option("--sender", metavar="ADDRESS", help='The From address, like "Papers <papers@example.org>".')
@click.option("--reader", metavar="ADDRESS", help="Your own address, the first reader; the sender's if not given.")
@click.option("--timezone", metavar="ZONE", help="The list's IANA time zone, like Europe/Berlin.")
@click.option("--source", "sources", multiple=True, metavar="SPEC", help="Where papers come from; huggingface.")
@click.option("--base-url", metavar="URL", help="The public address of `newsletter serve`, if it is to have any.")
@click.option(
    "--relay", type=click.Choice(["none", "gmail", "ses", "postmark", "own"]), help="Who mail is handed to; none."
)
@click.option("--host", help="The relay's host, where it is not the usual one.")
@click.option("--username", help="The user to log in as there.")
@click.option("--dkim", is_flag=True, help="Make DKIM keys (RSA and Ed25519), and show the DNS records.")
@click.option("--force", is_flag=True, help="Replace files that are there; the old ones are kept beside.")
@click.option("--non-interactive", is_flag=True, help="Ask nothing: what no option gives takes its default.")
@click.option("--cron", "prints", flag_value="cron", help="Print a crontab line for this installation, write nothing.")
@click.option("--systemd", "prints", flag_value="systemd", help="Print systemd units for it, write nothing.")
@click.option("--github-actions", "prints", flag_value="github", help="Print a workflow that needs no server.")
def init(  # noqa: PLR0913 - the options of the command
    folder: Path,
    *,
    title: str | None,
    sender: str | None,
    reader: str | None,
    timezone: str | None,
    sources: tuple[str, ...],
    base_url: str | None,
    relay: str | None,
    host: str | None,
    username: str | None,
    dkim: bool,
    force: bool,
    non_interactive: bool,
    prints: str | None,
) -> None:
    """Write the first files of a list: newsletter.toml, subscribers.yaml, and keys if wanted; or print what runs it.

    Asks for what no option gives. Nothing that is there is replaced unless you say so.

    Example: newsletter init --sender "Papers <papers@example.org>" --relay gmail --non-interactive
    """
    from newsletter.setup.questions import Given

    if prints:
        _print(prints, folder)
        return
    given = Given(title, sender, reader, timezone, sources, base_url, relay, host, username)
    _set_up(folder, given, dkim=dkim, force=force, ask=None if non_interactive else _ask)


def _set_up(folder: Path, given: "Given", *, dkim: bool, force: bool, ask: "Callable[..., str] | None") -> None:
    from datetime import UTC, datetime

    from newsletter.setup import scaffold
    from newsletter.setup.questions import answered

    there = scaffold.existing(folder)
    if there and not force:
        names = " and ".join(path.name for path in there)
        if ask is None:
            from newsletter.errors import UsageError

            raise UsageError(f"{there[0]}: is there already; --force replaces {names}, and keeps the old beside")
        if not click.confirm(f"{names} in {folder.absolute()}: there already. Replace, and keep the old beside?"):
            click.echo("Nothing was written.")
            return
    answers = answered(given, folder, ask, dkim=dkim)
    made = scaffold.make(folder, answers, datetime.now(UTC))
    for path, kept in made.files:
        click.echo(f"Written: {path}" + (f" (what was there: {kept.name})" if kept else ""))
    for path in made.kept_keys:
        click.echo(f"Kept:    {path}")
    _show_records(made)
    _show_next(folder, answers)


def _show_records(made: "Made") -> None:
    if made.records:
        click.echo("\nTo publish in the DNS:")
    for record in made.records:
        click.echo(f"\n; {record.what}\n{record}")


def _show_next(folder: Path, answers: "Answers") -> None:
    click.echo("\nNext:")
    if folder.absolute() != Path.cwd():
        click.echo(f"  cd {folder}")
    if answers.wants_password:
        what = "password" if answers.login else "user name and password"
        click.echo(f"  put the relay's {what} into newsletter.toml ([smtp])")
    click.echo("  put your readers into subscribers.yaml")
    for what in ("doctor", "send --dry-run", "send"):
        click.echo(f"  {program()} {what}")


def _ask(question: str, default: str | None, check: "Callable[[str], str]", *, hidden: bool = False) -> str:
    """Ask until the answer will do."""
    from newsletter.errors import UsageError

    def checked(value: str) -> str:
        try:
            return check(value)
        except UsageError as fault:
            raise click.UsageError(str(fault)) from None

    return str(
        click.prompt(question, default=default, value_proc=checked, hide_input=hidden, show_default=bool(default))
    )


def _print(what: str, folder: Path) -> None:
    if what == "github":
        from newsletter.setup.workflow import WORKFLOW

        click.echo(WORKFLOW, nl=False)
        return
    from newsletter.setup.place import installation
    from newsletter.setup.units import crontab, systemd

    here = installation(folder)
    if what == "cron":
        click.echo(crontab(here), nl=False)
        return
    click.echo("# Either the service, or the timer with its own service; both at once do no harm.")
    for name, text in systemd(here):
        click.echo(f"\n# /etc/systemd/system/{name}\n{text}", nl=False)
