"""newsletter bench: how fast it is here, measured on the spot."""

import click

from newsletter.cli.context import JSON, print_json, print_table


@click.group()
def bench() -> None:
    """Measure how fast this machine renders and sends; ratios within one run are what counts."""


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
