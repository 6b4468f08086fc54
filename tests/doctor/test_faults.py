"""Each fault that a list meets in its life is one line that names it, and one that says what to do."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.doctor.installations import server_context
from tests.flows.command import COMMAND, newsletter, readers, smtp
from tests.name_server import closed_port, name_server
from tests.send.servers import PASSWORD, USER, mail_server

Found = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Fault:
    """What is wrong, what is told of it by the name of the check, and the code that the command ends with.

    `variables` are those of the command; `arguments` follow `doctor`; `limit` is what the shell forbids it.
    """

    told: Mapping[str, tuple[str, str]]
    code: int
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    limit: str = "true"


@dataclass(frozen=True)
class Place:
    """Where a fault is made."""

    folder: Path
    authority: trustme.CA
    stack: ExitStack


def no_network(_place: Place) -> Fault:
    relay, source = closed_port(), closed_port()
    feed = {"NEWSLETTER_SOURCES": f"feed:http://127.0.0.1:{source}/", "NEWSLETTER_PRIVATE_SOURCES": "true"}
    return Fault(
        {
            f"source feed:http://127.0.0.1:{source}/": ("Connection refused", "check the network, or try again later"),
            "relay": (f"relay 127.0.0.1:{relay}: nothing answers there", "check smtp.host, smtp.port and that the"),
            "SPF": ("example.org TXT: no answer from the name server in time", "check the network, or name another"),
            "MX": ("example.org MX: no answer from the name server in time", "check the network, or name another"),
        },
        5,
        smtp(relay) | feed,
        ("--nameserver", f"127.0.0.1:{closed_port()}"),
    )


def wrong_password(place: Place) -> Fault:
    server = mail_server(server_context(place.authority), login=True)
    _mailbox, port = place.stack.enter_context(server)
    assert PASSWORD != b"guess"
    given = smtp(port, security="starttls", username=USER.decode(), password="guess")
    return Fault({"relay login": ("refuses user mailer: 535", "check smtp.username and smtp.password")}, 5, given)


def expired_certificate(place: Place) -> Fault:
    server = mail_server(server_context(place.authority, days=-2))
    _mailbox, port = place.stack.enter_context(server)
    told = ("certificate not accepted: certificate has expired", "have the relay's certificate renewed")
    return Fault({"relay certificate": told}, 5, smtp(port, security="starttls"))


def missing_dns(place: Place) -> Fault:
    known = place.stack.enter_context(name_server({("example.net", "A"): ["192.0.2.1"]}))
    _mailbox, port = place.stack.enter_context(mail_server())
    told = {
        "SPF": ("example.org has no SPF record", 'publish a TXT record at example.org: "v=spf1 ip4:192.0.2.25 ~all"'),
        "DMARC": ("example.org has no policy", "publish a TXT record at _dmarc.example.org"),
        "MX": ("example.org has none", "publish an MX record at example.org"),
        "PTR": ("192.0.2.25 has no name", "have whoever gave you the address set its reverse name"),
    }
    return Fault(told, 5, smtp(port), ("--nameserver", known.address, "--address", "192.0.2.25"))


def full_disk(place: Place) -> Fault:
    newsletter(place.folder, "send")
    told = {
        "folders": ("var, var/outbox, var/issues: File too large", "make room or make it writable for this user"),
        "database": ("newsletter.sqlite3: disk I/O error", "check the disk and run again; nothing is lost"),
    }
    return Fault(told, 5, limit="ulimit -f 0")


def unreadable_template(place: Place) -> Fault:
    (place.folder / "own/mail").mkdir(parents=True)
    (place.folder / "own/mail/issue.mjml.j2").write_bytes(b"caf\xe9")
    told = {"templates": ("mail/issue.mjml.j2: UnicodeDecodeError", "mend it, or remove your own")}
    return Fault(told, 2, {"NEWSLETTER_TEMPLATES": "own"})


def broken_page(place: Place) -> Fault:
    (place.folder / "own/web").mkdir(parents=True)
    (place.folder / "own/web/home.html.j2").write_text("fine\n{% if %}\n")
    told = {"web templates": ("own/web/home.html.j2:2: ", "mend it, or remove your own")}
    return Fault(told, 2, {"NEWSLETTER_TEMPLATES": "own"})


def wrong_setting(_place: Place) -> Fault:
    told = {"settings": ("'Berlin' is no IANA time zone", "did you mean")}
    return Fault(told, 2, {"NEWSLETTER_TIMEZONE": "Berlin"})


def wrong_subscribers(place: Place) -> Fault:
    (place.folder / "subscribers.yaml").write_text("subscribers:\n  - ada@example.org\n  - nobody\n")
    return Fault({"subscribers": ("subscribers.yaml:3: ", "mend these lines of the file")}, 2)


def broken_database(place: Place) -> Fault:
    (place.folder / "var").mkdir()
    (place.folder / "var/newsletter.sqlite3").write_bytes(b"no database at all\n" * 500)
    return Fault({"database": ("file is not a database", "move it away or name another in database_url")}, 5)


FAULTS = [
    no_network, wrong_password, expired_certificate, missing_dns, full_disk, unreadable_template, broken_page,
    wrong_setting, wrong_subscribers, broken_database,
]  # fmt: skip


@pytest.mark.parametrize("make", FAULTS)
def test_a_fault_is_one_line_with_its_mend(
    make: Callable[[Place], Fault], authority: trustme.CA, tmp_path: Path
) -> None:
    folder = tmp_path / "list"
    folder.mkdir()
    readers(folder, 1)
    with ExitStack() as stack:
        fault = make(Place(folder, authority, stack))
        code, found = examined(folder, fault)
    for name, (detail, mend) in fault.told.items():
        assert found[name]["state"] in {"fail", "warn"}, found[name]
        assert detail in found[name]["detail"]
        assert mend in found[name]["mend"]
        assert "\n" not in found[name]["detail"] + found[name]["mend"]
    others = {name for name, check in found.items() if check["state"] == "fail"} - set(fault.told)
    assert others <= {"database writable", "SPF", "MX", "DMARC"}, "nothing else is blamed"
    assert code == fault.code


def examined(folder: Path, fault: Fault) -> tuple[int, Found]:
    """Run the command with a fault; return its code and what it found by name."""
    shell = f'{fault.limit} && exec "$@"'
    variables = os.environ | dict(fault.variables)
    with name_server({}) as nothing:
        arguments = fault.arguments or ("--nameserver", nothing.address)
        command = ["sh", "-c", shell, "sh", *COMMAND, "doctor", "--json", *arguments]
        ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return ran.returncode, {check["name"]: check for check in json.loads(ran.stdout)["checks"]}


@contextmanager
def unshared(*kinds: str) -> Iterator[list[str]]:
    """Yield a command that runs another apart from the network or the mounts of this machine; skip where none may."""
    command = ["unshare", *kinds]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets nobody unshare its network or mounts")
    yield command


def test_a_machine_without_any_network_is_told_in_seconds(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    given = {
        "NEWSLETTER_SOURCES": "huggingface;arxiv:cs.CL",
        "NEWSLETTER_TRANSPORT": "smtp",
        "NEWSLETTER_SENDER": "Papers <papers@example.com>",
        "NEWSLETTER_SMTP__HOST": "mail.example.com",
        "NEWSLETTER_BASE_URL": "https://news.example.com",
    }
    with unshared("-n") as command:
        ran = subprocess.run(
            [*command, *COMMAND, "doctor", "--json"],
            cwd=tmp_path, env=os.environ | given, capture_output=True, text=True, check=False, timeout=15,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (5, "")
    failed = [check for check in json.loads(ran.stdout)["checks"] if check["state"] == "fail"]
    assert {"source huggingface", "source arxiv:cs.CL", "relay", "SPF", "MX", "pages"} <= {
        one["name"] for one in failed
    }
    assert all(one["mend"] for one in failed)


def test_a_disk_that_is_really_full_is_told(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=256k none "$0" && cd "$0" && head -c 1000000 /dev/zero >filler; exec "$@"'
    with unshared("-m") as command:
        ran = subprocess.run(
            [*command, "sh", "-c", script, str(tmp_path), sys.executable, "-m", "newsletter", "doctor", "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 5, ran.stderr
    found = {check["name"]: check for check in json.loads(ran.stdout)["checks"]}
    assert found["folders"]["detail"] == ".: No space left on device"
    assert (found["disk space"]["state"], found["disk space"]["detail"]) == ("fail", "0 MB free at .")
