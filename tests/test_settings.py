"""Settings: who wins, and what a wrong one says."""

from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.settings import Settings, load, mailbox
from newsletter.settings.reference import rewritten
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, toml: str = "", **variables: str) -> Settings:
    import os

    if toml:
        (folder / "newsletter.toml").write_text(toml)
    os.environ.update(variables)
    try:
        return load()[0]
    finally:
        for name in variables:
            del os.environ[name]


def fault(folder: Path, toml: str = "", **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(folder, toml, **variables)
    return str(caught.value)


def test_without_settings_nothing_leaves_the_machine(folder: Path) -> None:
    settings = read(folder)
    assert (settings.sources, settings.transport) == ([], "outbox:var/outbox")
    assert settings.database_url.startswith("sqlite:///var/")


def test_a_variable_wins_over_the_file_and_nested_ones_join(folder: Path) -> None:
    toml = 'title = "File"\n[smtp]\nhost = "a.example.org"\nport = 2525\n'
    settings = read(folder, toml, NEWSLETTER_TITLE="Variable", NEWSLETTER_SMTP__HOST="b.example.org")
    assert (settings.title, settings.smtp.host, settings.smtp.port) == ("Variable", "b.example.org", 2525)


@pytest.mark.parametrize(
    "value",
    [
        "huggingface;page:a, b.txt",
        "huggingface\npage:a, b.txt",
        '["huggingface", "page:a, b.txt"]',
        "huggingface ; page:a, b.txt;",
    ],
)
def test_sources_in_a_variable_are_split_at_lines_and_semicolons_never_at_commas(folder: Path, value: str) -> None:
    assert read(folder, NEWSLETTER_SOURCES=value).sources == ["huggingface", "page:a, b.txt"]


def test_relative_paths_count_from_the_folder_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "list").mkdir()
    (folder / "list/newsletter.toml").write_text('title = "X"')
    assert load(Path("list/newsletter.toml"))[1] == folder / "list"
    monkeypatch.setenv("NEWSLETTER_CONFIG", "list/newsletter.toml")
    assert load()[1] == folder / "list"


@pytest.mark.parametrize(
    ("toml", "variables", "message"),
    [
        ("titel = 1", {}, "newsletter.toml: titel: there is no such setting; did you mean title?"),
        ("[smtp]\nprot = 1", {}, "newsletter.toml: smtp.prot: there is no such setting; did you mean smtp.port?"),
        ("", {"NEWSLETTER_TITEL": "x"}, "NEWSLETTER_TITEL: there is no such setting; did you mean NEWSLETTER_TITLE?"),
        ("", {"NEWSLETTER_SMTP__HOTS": "x"}, "did you mean NEWSLETTER_SMTP__HOST?"),
        ("", {"NEWSLETTER_ENTRIES": "many"}, "NEWSLETTER_ENTRIES: input should be a valid integer"),
        ("entries = 0", {}, "newsletter.toml: entries: input should be greater than or equal to 1"),
        ('timezone = "Europe/Berln"', {}, "did you mean Europe/Berlin?"),
        ('sender = "nobody"', {}, "newsletter.toml: sender: is no address"),
        ('sender = "ünï@example.org"', {}, "newsletter.toml: sender: is no address"),
        (
            'sources = ["hugingface"]',
            {},
            "'hugingface' is no source; write one of huggingface, arxiv:CATEGORY,CATEGORY, feed:https://HOST/PATH,",
        ),
        ("", {"NEWSLETTER_SOURCES": "[huggingface"}, "NEWSLETTER_SOURCES: starts with [ but is no JSON list"),
        ('transport = "pigeon"', {}, 'write "smtp" or "outbox:PATH"'),
        ('transport = "smtp"', {}, "needs smtp.host"),
        ('base_url = "news.example.org"', {}, "is no web address"),
        ('list_id = "My List"', {}, "small letters"),
        ("title = ", {}, "newsletter.toml: is no valid TOML"),
        ('[smtp]\nusername = "u"', {}, "set NEWSLETTER_SMTP__PASSWORD"),
    ],
)
def test_a_wrong_setting_is_a_line_with_the_mend(
    folder: Path, toml: str, variables: dict[str, str], message: str
) -> None:
    said = fault(folder, toml, **variables)
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_named_file_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        load(folder / "nothing.toml")


def test_every_fault_is_told_at_once(folder: Path) -> None:
    assert len(fault(folder, 'entries = 0\ntimezone = "Mars"\n').splitlines()) == 2


def test_no_fault_and_no_repr_tells_a_secret(folder: Path) -> None:
    secrets = '[smtp]\nhost = "a.example.org"\nusername = "u"\npassword = "hunter2"\n'
    assert "hunter2" not in repr(read(folder, secrets))
    assert "hunter2" not in fault(folder, secrets + 'security = "none"\n')
    assert "hunter2" not in fault(folder, 'base_url = "ftp://user:hunter2@example.org"')


def test_a_sender_with_a_domain_outside_ascii_gets_the_name_that_envelopes_know() -> None:
    assert mailbox("Papers <news@bücher.example.org>") == ("Papers", "news@xn--bcher-kva.example.org")


def test_empty_variables_and_those_for_tests_are_no_settings(folder: Path) -> None:
    assert read(folder, NEWSLETTER_TITLE="", NEWSLETTER_TEST_REQUIRE="all").title == "Trending Papers"


def test_the_reference_tells_what_the_settings_are() -> None:
    document = (ROOT / "docs/settings.md").read_text()
    assert rewritten(document) == document, "run python -m newsletter.settings.reference docs/settings.md"


def test_a_reference_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="put them around its table"):
        rewritten("# Settings\n")
