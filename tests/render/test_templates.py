"""A user's own templates and theme: file by file before the shipped ones, and told of plainly where they are wrong."""

from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.render.compiled import CompiledIssue
from newsletter.render.templates import Templates
from newsletter.render.view import EntryView, IssueView, ReaderView
from newsletter.settings import bundled
from tests.make import an_issue, picks
from tests.render.test_compiled import LINKS
from tests.render.test_message import HEAD


def html(own: Path) -> str:
    templates = Templates([own, bundled("templates")])
    return CompiledIssue(an_issue(), templates, HEAD, LINKS).page(picks(1, 2, 3)).html


def test_a_theme_of_ones_own_may_name_only_what_it_changes(tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text('[light]\naccent = "#123456"\n')
    made = html(tmp_path)
    assert "#123456" in made
    assert "Georgia" in made


def test_a_logo_is_a_picture_that_says_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text('logo = "https://example.org/logo.png"\nlogo_alt = "A lens"\n')
    made = html(tmp_path)
    assert 'src="https://example.org/logo.png"' in made
    assert 'alt="A lens"' in made


@pytest.mark.parametrize(
    ("theme", "words"),
    [
        ('[light]\npaper = "nocolour"\n', "light.paper: 'nocolour' is no colour; write it like #1d1b18"),
        ("[dark]\nink = 3\n", "dark.ink: 3 is no colour"),
        ('light = "#fff"\n', "light: '#fff' is no table; write [light] on a line of its own"),
        ("width = 600\n", 'width: 600 is no text; put it in quotes, such as "600px"'),
        ("x = [\n", "Invalid value"),
    ],
)
def test_a_fault_in_the_theme_is_one_line(tmp_path: Path, theme: str, words: str) -> None:
    (tmp_path / "theme.toml").write_text(theme)
    with pytest.raises(TemplateError) as fault:
        html(tmp_path)
    assert words in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1
    assert str(tmp_path / "theme.toml") in str(fault.value)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ issue.titel }}", "mail/issue.mjml.j2:1: 'newsletter.render.view.IssueView object' has no attribute"),
        ("{% if %}", "mail/issue.mjml.j2:1: Expected an expression"),
        ("<mjml><mj-body><p>", "mail template: "),
        ("{{ ''.__class__ }}", "mail/issue.mjml.j2:1: access to attribute '__class__' of 'str' object is unsafe"),
        ("{% include 'mail/issue.mjml.j2' %}", "mail/issue.mjml.j2:1: RecursionError"),
    ],
)
def test_a_fault_in_a_template_is_one_line_with_its_place(tmp_path: Path, template: str, words: str) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/issue.mjml.j2").write_text(template)
    with pytest.raises(TemplateError) as fault:
        html(tmp_path)
    assert words in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1


def test_every_name_that_a_template_may_use_stands_in_the_documentation() -> None:
    told = (bundled("templates") / "README.md").read_text()
    names = [name for view in (IssueView, EntryView, ReaderView) for name in view.__dataclass_fields__]
    assert [name for name in names if f"`{name}`" not in told] == []
