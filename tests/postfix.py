"""A real Postfix of a test's own: its own configuration, queue and port, never the machine's."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
tlsmgr    unix - - n 1000? 1 tlsmgr
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
SETTINGS = {
    "compatibility_level": "3.6",
    "myhostname": "mx.example.org",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "virtual_mailbox_domains": "example.org, example.com",
    "virtual_mailbox_maps": "static:all/",
    "virtual_minimum_uid": "1",
    "default_transport": "error:no mail leaves this machine",
    "relay_transport": "error:no mail leaves this machine",
    "alias_maps": "",
    "alias_database": "",
    "maillog_file_prefixes": "/",
    "smtputf8_enable": "no",
    "disable_dns_lookups": "yes",
    "smtpd_peername_lookup": "no",
    "in_flow_delay": "0",
}


@dataclass(frozen=True)
class Postfix:
    """A running server and the Maildir that everything is delivered into."""

    port: int
    mailbox: Path

    def delivered(self, number: int) -> list[bytes]:
        """Wait for so many messages, and return them all."""
        for _ in range(600):
            if len(list(self.mailbox.glob("*"))) >= number:
                break
            time.sleep(0.05)
        return [path.read_bytes() for path in self.mailbox.glob("*")]


@contextmanager
def postfix_server(**settings: str) -> Iterator[Postfix]:
    """Run a Postfix that takes mail for example.org and example.com; further settings as in main.cf."""
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    folder.chmod(0o755)
    try:
        port = _configured(folder, settings)
        process = subprocess.Popen(
            [_daemons() / "master", "-c", folder / "etc", "-d"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(port, process)
            yield Postfix(port, folder / "mail/all/new")
        finally:
            process.terminate()
            process.wait(timeout=20)
    finally:
        shutil.rmtree(folder)


def _daemons() -> Path:
    return Path("/usr/lib/postfix/sbin")


def _configured(folder: Path, settings: dict[str, str]) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    for name in ("etc", "queue", "data", "mail"):
        (folder / name).mkdir()
    os.chown(folder / "data", owner.pw_uid, -1)
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    known = SETTINGS | {
        "queue_directory": str(folder / "queue"),
        "data_directory": str(folder / "data"),
        "daemon_directory": str(_daemons()),
        "command_directory": "/usr/sbin",
        "maillog_file": str(folder / "log"),
        "virtual_mailbox_base": str(folder / "mail"),
        "virtual_uid_maps": f"static:{nobody.pw_uid}",
        "virtual_gid_maps": f"static:{nobody.pw_gid}",
    }
    lines = [f"{name} = {value}\n" for name, value in (known | settings).items()]
    (folder / "etc/main.cf").write_text("".join(lines))
    (folder / "etc/master.cf").write_text(SERVICES.format(port=port))
    subprocess.run(["postfix", "-c", folder / "etc", "post-install", "create-missing"], check=True, capture_output=True)
    return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"postfix ended with {process.returncode}")
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(port)
