"""The shape of the code, checked: pure rooms, short files and functions, settings that are told of."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "newsletter").rglob("*.py"))
PURE = [
    "models.py",
    "errors.py",
    "periods.py",
    "links.py",
    "doctor/spf.py",
    "rank/*.py",
    "fetch/clean.py",
    "fetch/listing.py",
    *(
        f"render/{name}.py"
        for name in (
            "compiled",
            "contrast",
            "feed",
            "fragments",
            "lint",
            "message",
            "notices",
            "plain",
            "quoted",
            "reading",
            "support",
            "teaser",
            "text",
            "view",
            "words",
        )
    ),
    "send/bounces.py",
    "send/mends.py",
    "send/outcomes.py",
    "send/pace.py",
    "setup/config.py",
    "setup/relays.py",
    "setup/units.py",
    "setup/workflow.py",
    "web/forms.py",
    "web/words.py",
]
IMPURE = {"os", "socket", "sqlalchemy", "sqlite3", "time", "random", "secrets", "logging", "subprocess", "threading"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("pattern", PURE)
def test_pure_modules_touch_no_clock_disk_network_or_log(pattern: str) -> None:
    paths = sorted((ROOT / "newsletter").glob(pattern))
    assert paths
    for path in paths:
        tree = ast.parse(path.read_text())
        assert {module.split(".")[0] for module in imports(tree)} & IMPURE == set(), name(path)
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert {"open", "datetime.now", "date.today", "print"} & called == set(), name(path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_fit_on_a_screen(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 450
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_the_wiring_stays_a_page_and_alone_names_concrete_classes() -> None:
    assert len((ROOT / "newsletter/wiring.py").read_text().splitlines()) < 160


def test_every_command_starts_without_the_libraries_it_does_not_need() -> None:
    allowed = {"click", "newsletter", "logging", "signal", "sys", "types", "json", "collections", "contextlib"}
    for path in (ROOT / "newsletter/cli").glob("*.py"):
        if path.name == "files.py":  # imported inside commands only
            continue
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {module.split(".")[0] for node in top for module in imports(node)}
        assert modules <= allowed | {"datetime", "os", "pathlib", "typing"}, name(path)


def test_every_setting_stands_in_the_documentation() -> None:
    from newsletter.settings import names

    text = (ROOT / "docs/settings.md").read_text()
    assert [setting for setting in names() if f"`{setting}`" not in text] == []


def test_every_command_has_help_with_an_example() -> None:
    import click

    from newsletter.cli import cli

    def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            for child, one in command.commands.items():
                yield from leaves(one, f"{path} {child}")
        else:
            yield path, command

    for path, command in leaves(cli, "newsletter"):
        assert re.search(rf"Example: {path}\b", command.help or ""), path


def test_no_bundled_file_tells_of_a_machine_or_an_index() -> None:
    texts = [*ROOT.glob("*.md"), *ROOT.glob("*.txt"), *ROOT.glob("*.toml"), *(ROOT / "docs").glob("*.md"), *FILES]
    for path in [*texts, ROOT / "Makefile", ROOT / ".ci/run"]:
        text = path.read_text("utf-8")
        assert not re.search(r"index-url|/root/|/home/\w", text), name(path)
