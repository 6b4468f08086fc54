"""newsletter bench: how fast and how good it is, measured on the spot."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import JSON, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.bench.ranking import RankingFigures
    from newsletter.bench.send import SendFigures
    from newsletter.rank.evaluate import Mean


@click.group()
def bench() -> None:
    """Measure how fast this machine renders, sends and serves, and how good the rankings are."""


@bench.command()
@click.option("--rounds", type=click.IntRange(3, 1000), default=30, show_default=True, help="Measurements of each.")
@JSON
def render(rounds: int, *, as_json: bool) -> None:
    """Measure compiling an issue of thirty papers, and splicing a reader's copy of it.

    Example: newsletter bench render --json
    """
    from dataclasses import asdict

    from newsletter.bench.render import measure

    figures = measure(rounds)
    if as_json:
        print_json(asdict(figures))
        return
    rows = [
        ("MJML alone", f"{figures.mjml_ms:.2f} ms", "the issue's MJML to HTML, by mjml-python"),
        ("Compile the issue", f"{figures.compile_ms:.1f} ms", f"{figures.compile_vs_mjml:.0f} times MJML alone"),
        ("A copy, plain", f"{figures.plain_ms:.2f} ms", "templates, MJML and premailer for one reader"),
        ("A copy, spliced", f"{figures.splice_ms * 1000:.1f} µs", f"{figures.splice_vs_plain:,.0f} times as fast"),
    ]
    print_table(["What", "Median", ""], rows, right=["Median"])
    click.echo(f"{figures.papers} papers, {figures.message_bytes:,} bytes a copy, {figures.rounds} rounds.")


@bench.command()
@click.option("--votes", type=click.Path(path_type=Path), metavar="FILE", help="First, next and late votes, as CSV.")
@click.option("--snapshots", type=click.Path(path_type=Path), metavar="FILE", help="Further readings, as CSV.")
@JSON
def ranking(votes: Path | None, snapshots: Path | None, *, as_json: bool) -> None:
    """Measure how well each ranking agrees with later votes, on the recorded days of 2025 or on your own files.

    Example: newsletter bench ranking --json
    """
    from newsletter.bench.ranking import measure
    from newsletter.bench.readings import read_records
    from newsletter.wiring import RANKINGS

    figures = measure(read_records(votes, snapshots), RANKINGS)
    if as_json:
        print_json(
            {
                "daily": {name: _number(one.daily.value) for name, one in figures.items()},
                "weekly": {name: _number(one.weekly.value) for name, one in figures.items()},
            }
        )
        return
    _show_ranking(figures)


def _show_ranking(figures: "Mapping[str, RankingFigures]") -> None:
    from newsletter.bench.ranking import FITTED_UNTIL, drawn_curve

    headings = ["Ranking", "Top 5 of a day", "Top 10 of a week", f"Weeks after {FITTED_UNTIL}", "There above votes"]
    rows = (
        [name, _with_margin(one.daily), _with_margin(one.weekly), _with_margin(one.unfitted), _with_margin(one.gain)]
        for name, one in figures.items()
    )
    print_table(headings, rows, right=headings[1:])
    counted = figures["votes"]
    click.echo(
        f"Precision with its 95 % interval, over {counted.daily.number} days, {counted.weekly.number} weeks, and the"
        f" {counted.unfitted.number} weeks that the curve of `settled` was not fitted on."
    )
    click.echo("The curve: share of its final votes that a paper has, by the age of its list day.\n")
    for line in drawn_curve():
        click.echo(f"  {line}")


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _with_margin(mean: "Mean") -> str:
    return f"{mean.value:.3f} ± {mean.margin:.3f}" if mean.value is not None else "-"


@bench.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Lists named YYYY-MM-DD.json; the sample's if unset.")
@click.option("--rounds", type=click.IntRange(3, 1000), default=20, show_default=True, help="Measurements of the day.")
@JSON
def papers(folder: Path | None, rounds: int, *, as_json: bool) -> None:
    """Measure reading, repairing and ranking a list of fifty papers, and importing a year of lists.

    Example: newsletter bench papers --json
    """
    from dataclasses import asdict

    from newsletter.bench.papers import measure

    figures = measure(folder, rounds)
    if as_json:
        print_json(asdict(figures))
        return
    rows = [
        ("A day", f"{figures.day_ms:.0f} ms", f"{figures.day_papers} papers read, repaired, ranked"),
        ("A year", f"{figures.year_seconds:.1f} s", f"{figures.year_papers:,} papers read, repaired, kept"),
    ]
    print_table(["What", "Time", ""], rows, right=["Time"])


@bench.command()
@click.option("--recipients", type=click.IntRange(min=1), default=5000, show_default=True, help="Copies that we send.")
@click.option(
    "--connections",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Connections to the sink at once.",
)
@click.option(
    "--rtt-ms",
    type=click.FloatRange(0, 10_000),
    default=0,
    metavar="MS",
    help="Hold back each reply so long; 0 if unset.",
)
@click.option("--dkim", type=click.Choice(["none", "ed25519", "rsa"]), default="none", show_default=True, help="Sign.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True, help="How often each one runs.")
@click.option("--peer-seconds", type=click.FloatRange(0.1, 3600), default=5, show_default=True, help="For a slow peer.")
@click.option(
    "--sink", metavar="SINK", help="smtp-sink, bundled or HOST:PORT; smtp-sink where it is installed if unset."
)
@click.option(
    "--node-modules", type=click.Path(path_type=Path), metavar="PATH", help="The folder that holds nodemailer."
)
@JSON
def send(*, as_json: bool, **wanted: Any) -> None:
    """Measure sending an issue, beside smtp-source, the usual script and nodemailer where they are installed.

    All mail goes to a sink that throws it away.

    Example: newsletter bench send --recipients 20000 --json
    """
    from dataclasses import asdict

    from newsletter.bench.send import Wanted, measure

    figures = measure(Wanted(**wanted))
    if as_json:
        print_json(asdict(figures))
    else:
        _show_send(figures)


@bench.command()
@click.option("--readers", type=click.IntRange(1, 900), default=200, show_default=True, help="Open at once.")
@click.option("--seconds", type=click.FloatRange(2, 3600), default=20, show_default=True, help="How long they read.")
@click.option(
    "--recipients",
    type=click.IntRange(0),
    default=30_000,
    show_default=True,
    help="Of the issue that goes out; 0: none.",
)
@JSON
def serve(readers: int, seconds: float, recipients: int, *, as_json: bool) -> None:
    """Measure how soon the pages answer readers who ask for one each second, while an issue goes out.

    Pages and sender share one SQLite file; all mail goes to a sink that throws it away.

    Example: newsletter bench serve --readers 200 --json
    """
    from dataclasses import asdict

    from newsletter.bench.serve import measure

    figures = measure(readers, seconds, recipients)
    if as_json:
        print_json(asdict(figures))
        return
    rows = [
        ("Half of the pages", f"{figures.median_ms:.1f} ms", "were there by then"),
        ("99 of 100", f"{figures.p99_ms:.1f} ms", ""),
        ("The slowest", f"{figures.slowest_ms:.1f} ms", ""),
    ]
    print_table(["What", "Time", ""], rows, right=["Time"])
    click.echo(
        f"{figures.readers} readers, {figures.answers:,} answers, {figures.faults} faults; meanwhile"
        f" {figures.copies_per_second:,.0f} copies a second went out, {figures.locked} times the database was locked."
    )


@bench.command()
@click.option("--server", required=True, metavar="URL", help="A PostgreSQL database in which a schema may be made.")
@click.option("--recipients", type=click.IntRange(1), default=20_000, show_default=True, help="Readers of the issue.")
@click.option("--connections", type=click.IntRange(1, 1000), default=8, show_default=True, help="Of each worker.")
@click.option("--rtt-ms", type=click.FloatRange(0, 10_000), default=50, show_default=True, help="Hold back each reply.")
@click.option("--freeze", "only_freeze", is_flag=True, help="Only freeze the issue; send nothing.")
@JSON
def workers(*, as_json: bool, **wanted: Any) -> None:
    """Measure freezing an issue on PostgreSQL, and two workers beside one.

    All mail goes to a sink that throws it away; the schema is dropped at the end.

    Example: newsletter bench workers --server postgresql+psycopg://localhost/postgres --json
    """
    from dataclasses import asdict

    from newsletter.bench.workers import measure

    figures = measure(**wanted)
    if as_json:
        print_json(asdict(figures))
        return
    rows = [("Freeze", f"{figures.freeze_seconds:,.1f} s"), ("Its peak memory", f"{figures.peak_rss_mb:,.0f} MB")]
    if figures.one_per_second and figures.two_per_second:
        rows.append(("One worker", f"{_rate(figures.one_per_second)} copies/s"))
        rows.append(("Two workers", f"{_rate(figures.two_per_second)} copies/s, {figures.speedup:g} times one"))
        rows.append(("Lost, doubled", f"{figures.lost}, {figures.doubled}"))
    print_table(["What", "Measured"], rows)
    click.echo(
        f"{figures.recipients:,} readers, {figures.connections} connections each, replies {figures.rtt_ms:g} ms late."
    )


def _show_send(figures: "SendFigures") -> None:
    headings = ["What", "Messages/s", "CPU ms a message", "Beside us"]
    rows = [
        ("newsletter", _rate(figures.messages_per_second), f"{figures.cpu_ms_per_message:.3f}", ""),
        *(
            (one.label, _rate(one.messages_per_second), f"{one.cpu_ms_per_message:.3f}", _beside(one.ratio))
            for one in figures.peers
        ),
    ]
    print_table(headings, rows, right=headings[1:3])
    click.echo(
        f"{figures.messages:,} recipients, {figures.message_bytes:,} bytes a copy, {figures.connections} connections,"
        f" replies {figures.rtt_ms:g} ms late, DKIM {figures.dkim}, {figures.rounds} rounds, to {figures.sink}"
        f"{' (every message counted)' if figures.counted else ''}; peak memory {figures.peak_rss_mb:.0f} MB."
    )


def _rate(rate: float) -> str:
    return f"{rate:,.0f}"


def _beside(ratio: float) -> str:
    return f"we are {ratio:,.2f} times as fast" if ratio >= 1 else f"{1 / ratio:,.2f} times as fast as we are"
