"""RSA signatures from a process of its own, beside the threads that send.

Signing takes as long as all else that is done for a copy, and holds the interpreter's lock meanwhile. Digests go to the
helper through a pipe and signatures come back in the same order. The helper is started by the first signatures of a run
and ends by itself: when its input does (whatever became of the sender), or when nothing was asked for a while. Without
it, and for what it did not answer, signatures are made in place.

Run as a file, this is the helper; so it imports nothing of this package.
"""

import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import IO, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

WORTH = 50  # signatures in a row, until starting a process is worth it
IDLE_SECONDS = 60.0
PATIENCE_SECONDS = 5.0
DIGEST = 32  # bytes of SHA-256
HASH = Prehashed(hashes.SHA256())


class Signer:
    """Signs SHA-256 digests with RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2); safe to share between threads.

    Args:
        key: the private key.
        helped: start the helper; only worth it where a second core is.
    """

    def __init__(self, key: rsa.RSAPrivateKey, *, helped: bool) -> None:
        self._key = key
        self._helped = helped and bool(sys.executable)
        self._helper: Helper | None = None
        self._made = 0  # in place, since a helper was last there
        self._door = threading.Lock()

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of a digest."""
        helper = self._helper
        if helper and (signature := helper.sign(digest)):
            return signature
        if self._helped:
            self._count()
        return self._key.sign(digest, padding.PKCS1v15(), HASH)

    def _count(self) -> None:
        """Start a helper when it is worth it; one that ended is begun anew by as many signatures."""
        with self._door:
            if self._helper and self._helper.ended:
                self._helper, self._made = None, 0
            self._made += 1
            if self._made != WORTH:
                return
            try:
                self._helper = Helper(self._key)
            except (OSError, RuntimeError):  # no process or thread to be had: it goes without
                self._helped = False


class Helper:
    """The helper process, as the senders see it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        # A session of its own: what a terminal interrupts is the sender, who still signs what is in flight.
        self._process = subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-P", __file__],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._into = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)
        self._size = (key.key_size + 7) // 8
        self._asked: deque[SimpleQueue[bytes]] = deque()  # who waits, in order
        self._door = threading.Lock()
        self._ready = self.ended = False
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        threading.Thread(target=self._read, args=(pem,), daemon=True).start()

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of a digest; nothing while the helper starts, and when it has ended."""
        answer: SimpleQueue[bytes] = SimpleQueue()
        with self._door:
            if not self._ready or self.ended:
                return b""
            self._asked.append(answer)
            if not self._write(digest):
                self._asked.pop()
                return b""
        try:
            return answer.get(timeout=PATIENCE_SECONDS)
        except Empty:  # it was stopped; its answer, when it comes, is nobody's
            return b""

    def _write(self, data: bytes) -> bool:
        try:
            self._into.write(data)
        except OSError:
            return False
        return True

    def _read(self, pem: bytes) -> None:
        """Hand out signatures until the helper ends; who waits then is told that there is none."""
        with self._process:
            if self._write(len(pem).to_bytes(DIGEST) + pem) and self._from.read(1):
                self._ready = True
                while len(signature := self._from.read(self._size)) == self._size:
                    self._asked.popleft().put(signature)
            with self._door:
                self.ended = True
                for answer in self._asked:
                    answer.put(b"")
                self._asked.clear()


def serve() -> None:
    """Sign until the input ends: the key comes first, then digests."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a service manager tells every process of a service to end
        signal.signal(number, signal.SIG_IGN)
    given, out = sys.stdin.buffer, sys.stdout.buffer
    key = serialization.load_pem_private_key(given.read(int.from_bytes(given.read(DIGEST))), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        return
    out.write(b"!")
    out.flush()
    waiting = b""
    while select.select([given], [], [], IDLE_SECONDS)[0]:
        more = os.read(given.fileno(), DIGEST * 64)
        if not more:
            return
        waiting += more
        while len(waiting) >= DIGEST:
            out.write(key.sign(waiting[:DIGEST], padding.PKCS1v15(), HASH))
            out.flush()
            waiting = waiting[DIGEST:]


if __name__ == "__main__":
    serve()
