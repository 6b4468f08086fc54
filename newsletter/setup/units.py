"""Pure: a crontab line and systemd units that run an installation where it is."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

STATE = PurePath("/var/lib/newsletter")  # what systemd makes of StateDirectory=newsletter
HOMES = (PurePath("/home"), PurePath("/root"), PurePath("/run/user"))
HARDENED = (
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectSystem=strict",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "CapabilityBoundingSet=",
    "UMask=0077",
    "StateDirectory=newsletter",
    "StateDirectoryMode=0700",
)
TIMER = """[Unit]
Description=Newsletter: looks every five minutes for what is due

[Timer]
OnCalendar=*:0/5
AccuracySec=30s
Persistent=true

[Install]
WantedBy=timers.target
"""
DRAINING = 660  # seconds that a stop may take: a relay may answer a message after ten minutes (RFC 5321 4.5.3.2.6)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where the program and a list are.

    Args:
        command: how the program is called, absolute.
        folder: of newsletter.toml.
        user: who owns it.
        written: the folders that a run writes to.
    """

    command: Sequence[str]
    folder: PurePath
    user: str
    written: Sequence[PurePath]


def crontab(here: Installation) -> str:
    """Return a line for `crontab -e` that sends what is due, every five minutes; a % would end it, so it is escaped."""
    line = f"cd {shlex.quote(str(here.folder))} && {shlex.join([*here.command, 'send', '--due'])}"
    return f"*/5 * * * *  {line.replace('%', chr(92) + '%')}\n"


def systemd(here: Installation) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of the units: a service that runs always, or a timer with its service."""
    always = ["Type=exec", f"ExecStart={_joined([*here.command, 'run'])}", "Restart=on-failure", "RestartSec=30"]
    stop = [f"TimeoutStopSec={DRAINING}"]
    yield (
        "newsletter.service",
        _unit("Newsletter: sends each issue when it is due", here, [*always, *stop], "multi-user.target"),
    )
    # Exit code 4 is another run that has the work in hand, which is as good.
    once = ["Type=oneshot", f"ExecStart={_joined([*here.command, 'send', '--due'])}", "SuccessExitStatus=4"]
    yield "newsletter-send.service", _unit("Newsletter: sends what is due now", here, once, None)
    yield "newsletter-send.timer", TIMER


def _unit(what: str, here: Installation, service: Sequence[str], wanted_by: str | None) -> str:
    places = (here.folder, PurePath(here.command[0]))
    at_home = any(place.is_relative_to(home) for place in places for home in HOMES)
    lines = [
        "[Unit]",
        f"Description={what}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        *service,
        f"User={here.user}",
        f"WorkingDirectory={_escaped(str(here.folder))}",
        f"EnvironmentFile=-{_escaped(str(here.folder / 'newsletter.env'))}",
        f"ProtectHome={'read-only' if at_home else 'yes'}",
        *HARDENED,
        # The dash: where a folder is not there yet the program says so in its own words.
        *(f"ReadWritePaths={_quoted(f'-{folder}')}" for folder in here.written if not folder.is_relative_to(STATE)),
    ]
    lines += ["", "[Install]", f"WantedBy={wanted_by}"] if wanted_by else []
    return "\n".join(lines) + "\n"


def _joined(words: Sequence[str]) -> str:
    return " ".join(_quoted(word.replace("$", "$$")) for word in words)


def _quoted(word: str) -> str:
    text = _escaped(word.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{text}"' if any(sign in text for sign in " \t'\"\\;") else text


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
