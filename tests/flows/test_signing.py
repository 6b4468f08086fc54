"""`newsletter send` with an RSA key: its helper process costs nobody a copy, however the run ends."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import rsa

from newsletter.send.dkim import DkimKey
from tests.flows.command import newsletter, readers, start
from tests.flows.test_relays import config, sums
from tests.flows.test_smtp_flow import check_books
from tests.send.servers import mail_server
from tests.send.test_dkim import verified

READERS = 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_while_it_signs_loses_nobody_and_doubles_nobody(
    tmp_path: Path, number: signal.Signals
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(pem)
    readers(tmp_path, READERS)
    with mail_server(delay=0.004) as (mailbox, port):
        config(tmp_path, (port, "connections = 4"), more='[dkim.keys]\ns1 = "dkim.pem"\n')
        process = start(tmp_path, "send")
        while len(mailbox.taken) < READERS // 2 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        process.communicate(timeout=60)
        if number is not signal.SIGKILL:
            books = sums(tmp_path)
            assert (process.returncode, books["in_doubt"], books["sending"], books["claimed"]) == (130, 0, 0, 0)
        newsletter(tmp_path, "send")
        contents = mailbox.contents
        taken = Counter(mailbox.recipients)
    check_books(tmp_path, READERS, 1, [(reader, b"") for reader in taken.elements()], {})
    assert all(verified(content, DkimKey("example.org", "s1", key)) for content in contents[::10])
