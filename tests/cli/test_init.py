"""newsletter init: a list set up with one command, nothing lost that was there, and what it prints works."""

import json
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from newsletter.cli import cli
from newsletter.settings import bundled, load, names
from newsletter.subscribers import read_roster
from tests.conftest import Rights
from tests.flows.command import Ran, newsletter, outbox, smtp
from tests.send.servers import mail_server

QUIET = ("--non-interactive", "--sender", "Papers <papers@example.org>")
RELAYS = ("none", "gmail", "ses", "postmark", "own")
LISTS = f"file:{bundled('seeds')}"


def init(folder: Path, *arguments: str) -> Ran:
    return newsletter(folder, "init", *QUIET, *arguments)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def uncommented(text: str) -> str:
    """Return a settings file with every key that it only suggests switched on."""
    return re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def keys(values: dict[str, object], before: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        found.append(before + name)
        if isinstance(value, dict) and before + name != "dkim.keys":
            found += keys(value, f"{before}{name}.")
    return found


@pytest.mark.parametrize("relay", RELAYS)
def test_what_it_writes_loads_and_names_settings_alone(
    tmp_path: Path, relay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = init(tmp_path, "--relay", relay, "--username", "mailer", "--base-url", "https://news.example.org", "--dkim")
    assert (ran.code, ran.err) == (0, "")
    path = tmp_path / "newsletter.toml"
    monkeypatch.setenv("NEWSLETTER_SMTP__PASSWORD", "horse")
    settings, _folder = load(path)
    assert (settings.sender, settings.base_url) == ("Papers <papers@example.org>", "https://news.example.org")
    assert settings.transport == ("outbox:var/outbox" if relay == "none" else "smtp")
    everything = uncommented(path.read_text())
    assert set(keys(tomllib.loads(everything))) <= set(names())
    path.write_text(everything)
    monkeypatch.delenv("NEWSLETTER_SMTP__PASSWORD")
    load(path)
    assert "notify.ping_url" in keys(tomllib.loads(everything))


def test_each_relay_is_filled_in_as_it_wants_it(tmp_path: Path) -> None:
    filled = {}
    for relay in RELAYS[1:]:
        assert init(tmp_path, relay, "--relay", relay).code == 0
        filled[relay] = tomllib.loads((tmp_path / relay / "newsletter.toml").read_text())
    gmail, ses, postmark, own = (filled[relay] for relay in RELAYS[1:])
    assert (gmail["smtp"]["host"], gmail["smtp"]["port"], gmail["smtp"]["security"]) == (
        "smtp.gmail.com",
        587,
        "starttls",
    )
    assert gmail["smtp"]["username"] == "papers@example.org"
    assert gmail["smtp"]["per_hour"] * 24 <= 500
    assert ses["smtp"]["host"].endswith(".amazonaws.com")
    assert (ses["smtp"]["per_second"], ses["bounce_address"]) == (14, "bounces@example.org")
    assert postmark["smtp"]["host"] == "smtp-broadcasts.postmarkapp.com"
    assert "bounce_address" not in gmail | postmark, "they put their own return path"
    assert (own["smtp"]["host"], own["smtp"]["port"], own["smtp"]["security"]) == ("localhost", 25, "none")
    assert own["bounce_address"] == "bounces@example.org"


def test_the_first_issue_goes_to_the_operator_at_once(tmp_path: Path) -> None:
    assert init(tmp_path, "--reader", "zoe@example.net").code == 0
    ran = newsletter(tmp_path, "send", NEWSLETTER_SOURCES=LISTS)
    assert ran.code == 0, ran.err
    [mail] = outbox(tmp_path)
    assert (mail["To"], mail["From"]) == ("zoe@example.net", "Papers <papers@example.org>")


def test_two_lines_are_edited_and_a_real_server_gets_the_mail(tmp_path: Path) -> None:
    assert init(tmp_path, "--relay", "own").code == 0
    with mail_server() as (mailbox, port):
        path = tmp_path / "newsletter.toml"
        text = path.read_text().replace("port = 25", f"port = {port}").replace('"localhost"', '"127.0.0.1"')
        path.write_text(text.replace('["huggingface"]', json.dumps([LISTS])))
        ran = newsletter(tmp_path, "send")
    assert ran.code == 0, ran.err
    assert mailbox.recipients == ["papers@example.org"]


def test_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    assert init(tmp_path, "new", "--dkim", "--relay", "own").code == 0
    files = {path.name: mode(path) for path in (tmp_path / "new").iterdir() if path.is_file()}
    assert files == dict.fromkeys(["newsletter.toml", "subscribers.yaml", "dkim-rsa1.pem", "dkim-ed1.pem"], 0o600)
    assert mode(tmp_path / "new/var") == 0o700


def test_the_dns_records_are_those_of_the_keys(tmp_path: Path) -> None:
    ran = init(tmp_path, "--dkim", "--relay", "own", "--host", "mail.example.org")
    records = dict(re.findall(r"^(\S+)\. IN TXT (.+)$", ran.out, re.MULTILINE))
    assert records["example.org"] == '"v=spf1 mx a:mail.example.org ~all"'
    assert records["_dmarc.example.org"].startswith('"v=DMARC1; p=none; rua=mailto:papers@example.org')
    strings = re.findall(r'"([^"]*)"', records["rsa1._domainkey.example.org"])
    assert len(strings) > 1
    assert max(map(len, strings)) <= 255
    der = subprocess.run(
        ["openssl", "rsa", "-in", tmp_path / "dkim-rsa1.pem", "-pubout", "-outform", "PEM"],
        capture_output=True,
        text=True,
        check=True,
    )
    public = "".join(der.stdout.splitlines()[1:-1])
    assert "".join(strings) == f"v=DKIM1; k=rsa; p={public}"
    assert '"v=DKIM1; k=ed25519; p=' in ran.out


def test_what_was_written_signs_what_goes_out(tmp_path: Path) -> None:
    assert init(tmp_path, "--dkim", "--relay", "own").code == 0
    with mail_server() as (mailbox, port):
        sent = newsletter(tmp_path, "send", **smtp(port), NEWSLETTER_SOURCES=LISTS, NEWSLETTER_TITLE="T")
    assert sent.code == 0, sent.err
    assert mailbox.contents[0].count(b"DKIM-Signature:") == 2


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers:\n  - zoe@example.net\n")
    ran = init(tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.fault.endswith(
        "subscribers.yaml: is there already; --force replaces subscribers.yaml, and keeps the old beside"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["subscribers.yaml"]


def test_force_keeps_what_was_there_the_secret_key_and_the_keys(tmp_path: Path) -> None:
    assert init(tmp_path, "--dkim", "--relay", "own").code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    ran = init(tmp_path, "--dkim", "--relay", "own", "--force", "--title", "Another")
    assert ran.code == 0
    kept = {path.name.split(".2")[0]: path for path in tmp_path.glob("*.old")}
    assert {name: path.read_bytes() for name, path in kept.items()} == {
        name: before[name] for name in ("newsletter.toml", "subscribers.yaml")
    }
    assert {mode(path) for path in kept.values()} == {0o600}
    old, new = (
        tomllib.loads(text.decode())
        for text in (before["newsletter.toml"], (tmp_path / "newsletter.toml").read_bytes())
    )
    assert (new["title"], new["secret_key"]) == ("Another", old["secret_key"])
    assert (tmp_path / "dkim-rsa1.pem").read_bytes() == before["dkim-rsa1.pem"]


def test_it_asks_for_what_no_option_gives(tmp_path: Path) -> None:
    said = "\nnobody\npapers@example.org\n\nBerlin\nEurope/Berlin\ngmail\n\nhorse\n\n"
    ran = CliRunner().invoke(cli, ["init", str(tmp_path)], input=said)
    assert ran.exit_code == 0, ran.output
    assert "is no address" in ran.output
    assert "is no IANA time zone" in ran.output
    assert "horse" not in ran.output
    values = tomllib.loads((tmp_path / "newsletter.toml").read_text())
    assert values["sender"] == "Trending Papers <papers@example.org>"
    assert (values["timezone"], values["smtp"]["password"]) == ("Europe/Berlin", "horse")
    assert [one.address for one in read_roster(tmp_path / "subscribers.yaml").subscribers] == ["papers@example.org"]


def test_who_says_no_keeps_everything(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_text('title = "Mine"\n')
    ran = CliRunner().invoke(cli, ["init", str(tmp_path)], input="n\n")
    assert (ran.exit_code, ran.output.splitlines()[-1]) == (0, "Nothing was written.")
    assert (tmp_path / "newsletter.toml").read_text() == 'title = "Mine"\n'


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--non-interactive", "--relay", "gmail"], "--sender is missing: a relay hands on no mail without"),
        (["--non-interactive", "--sender", "nobody"], "newsletter.toml: sender: is no address"),
        (["--non-interactive", "--timezone", "Berlin"], "newsletter.toml: timezone: 'Berlin' is no IANA time zone"),
        (["--non-interactive", "--base-url", "news"], "newsletter.toml: base_url: is no web address"),
        (["--non-interactive", "--source", "hugging"], "newsletter.toml: sources: 'hugging' is no source"),
        (["--non-interactive", "--title", " "], "title: is empty"),
        (["--non-interactive", "--sender", "ada@gmail.com", "--dkim"], "--dkim: the DNS of gmail.com is not yours"),
    ],
)
def test_a_wrong_answer_is_one_line_and_writes_nothing(tmp_path: Path, arguments: list[str], told: str) -> None:
    ran = newsletter(tmp_path, "init", *arguments)
    assert ran.code == 2
    assert told in ran.fault
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(closed_folder: Path, ordinary_user: Rights) -> None:
    closed_folder.chmod(0o755)
    with ordinary_user():
        ran = CliRunner().invoke(cli, ["init", str(closed_folder / "new"), *QUIET])
    assert "Permission denied; make the folder writable for this user" in str(ran.exception)


def test_the_crontab_line_runs_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / "my papers 100%"
    folder.mkdir()
    assert init(folder).code == 0
    line = newsletter(folder, "init", "--cron").out.strip()
    minutes, command = line.split("  ", 1)
    assert minutes == "*/5 * * * *"
    assert "100\\%" in command
    ran = subprocess.run(
        ["sh", "-c", command.replace("\\%", "%")], capture_output=True, text=True, check=False, cwd="/"
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert (folder / "var/newsletter.sqlite3").exists()
