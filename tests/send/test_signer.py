"""RSA signatures from a helper process: the same bytes, whatever becomes of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from newsletter.send import signer
from newsletter.send.signer import WORTH, Helper, Signer

KEY = rsa.generate_private_key(65537, 2048)
DIGESTS = [number.to_bytes(signer.DIGEST) for number in range(400)]
PARENT = """
import sys, time
from cryptography.hazmat.primitives import serialization
from newsletter.send.signer import Helper
helper = Helper(serialization.load_pem_private_key(sys.stdin.buffer.read(), password=None))
print(helper._process.pid, flush=True)
time.sleep(60)
"""


def in_place(digest: bytes) -> bytes:
    return Signer(KEY, helped=False).sign(digest)


def wait_until(true: object, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)


def runs(pid: int) -> bool:
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


@contextmanager
def ready() -> Iterator[tuple[Signer, Helper]]:
    """Yield a signer whose helper answers, and end that helper."""
    one = Signer(KEY, helped=True)
    for digest in DIGESTS[:WORTH]:
        one.sign(digest)
    helper = one._helper
    assert helper
    wait_until(lambda: helper._ready)
    try:
        yield one, helper
    finally:
        helper._process.kill()
        wait_until(lambda: helper.ended)


def test_many_threads_get_the_signatures_that_are_made_in_place() -> None:
    with ready() as (one, helper), ThreadPoolExecutor(16) as threads:
        assert helper.sign(DIGESTS[0]) == in_place(DIGESTS[0])
        assert list(threads.map(one.sign, DIGESTS)) == list(map(in_place, DIGESTS))


def test_few_signatures_start_no_process() -> None:
    one = Signer(KEY, helped=True)
    for digest in DIGESTS[: WORTH - 1]:
        one.sign(digest)
    assert one._helper is None


def test_a_helper_that_is_killed_costs_no_signature_and_is_begun_anew() -> None:
    with ready() as (one, helper), ThreadPoolExecutor(16) as threads:
        signed = threads.map(one.sign, DIGESTS)
        helper._process.kill()
        assert list(signed) == list(map(in_place, DIGESTS))
        wait_until(lambda: helper.ended)
        assert not helper.sign(DIGESTS[0])
        for digest in DIGESTS[: WORTH + 1]:
            one.sign(digest)
        anew = one._helper
        assert anew
        assert anew is not helper
        anew._process.kill()
        wait_until(lambda: anew.ended)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_helper_signs_on_while_the_run_is_interrupted(number: signal.Signals) -> None:
    with ready() as (_one, helper):
        helper._process.send_signal(number)
        assert helper.sign(DIGESTS[1]) == in_place(DIGESTS[1])
        assert helper.sign(DIGESTS[2]) == in_place(DIGESTS[2])


def test_a_helper_that_is_stopped_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer, "PATIENCE_SECONDS", 0.2)
    with ready() as (one, helper):
        helper._process.send_signal(signal.SIGSTOP)
        assert one.sign(DIGESTS[3]) == in_place(DIGESTS[3])
        helper._process.send_signal(signal.SIGCONT)
        wait_until(lambda: helper.sign(DIGESTS[4]) == in_place(DIGESTS[4]))


def test_a_helper_ends_with_a_sender_that_is_killed() -> None:
    form = serialization.PrivateFormat.PKCS8
    pem = KEY.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(pem)
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        assert runs(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not runs(pid))


def test_where_no_process_can_be_started_signatures_are_made_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    one = Signer(KEY, helped=True)
    assert [one.sign(digest) for digest in DIGESTS[: WORTH + 5]] == list(map(in_place, DIGESTS[: WORTH + 5]))
