"""How fast an issue goes out, beside what newsletters are sent with elsewhere.

All are run in turn within each round, against one sink, so that a busy machine slows them alike: read the ratios.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from newsletter.bench import sample
from newsletter.bench.delay import delayed
from newsletter.bench.peers import Load, Peer, Reading, Signing, installed, run_to_its_end
from newsletter.bench.sink import Sink, opened
from newsletter.errors import SurroundingsError, UsageError

RSA_BITS = 2048
PEER_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to measure.

    Args:
        recipients: copies that we send; a slow peer sends as many as take `peer_seconds`.
        connections: kept open at once.
        rtt_ms: how long each reply is held back, in milliseconds.
        dkim: how each copy is signed.
        rounds: how often each contender runs.
        sink: as in `sink.opened`.
        node_modules: as in `peers.installed`.
        peer_seconds: how long a peer may take.
    """

    recipients: int
    connections: int
    rtt_ms: float = 0
    dkim: Signing = "none"
    rounds: int = 3
    sink: str | None = None
    node_modules: Path | None = None
    peer_seconds: float = PEER_SECONDS


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """Medians of one peer, and how many times as fast we are: the median of each round's own ratio."""

    label: str
    messages_per_second: float
    cpu_ms_per_message: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFigures:
    """Medians over the rounds; the ratios tell how many times as fast we are, None where the peer is not installed."""

    messages_per_second: float
    cpu_ms_per_message: float
    peak_rss_mb: float
    vs_smtp_source: float | None
    vs_nodemailer: float | None
    vs_usual_script: float | None
    messages: int
    message_bytes: int
    connections: int
    rtt_ms: float
    dkim: str
    rounds: int
    sink: str
    counted: bool  # whether the sink told that each message arrived
    peers: tuple[PeerFigures, ...]


def measure(wanted: Wanted) -> SendFigures:
    """Send the sample issue with our own sender and with the peers that are installed, round after round.

    Raises:
        UsageError: there is no such sink or folder.
        SurroundingsError: the sink does not start, a contender failed, or messages were lost.
    """
    copy = sample.one_copy()
    peers = list(installed(copy, wanted.dkim, wanted.node_modules))
    peaks: list[float] = []

    def our_own(load: Load) -> Reading:
        reading, peak = ours(load)
        peaks.append(peak)
        return reading

    contenders = [Peer("ours", "newsletter", our_own), *peers]
    with _set_up(wanted) as (load, sink):
        rounds = [_round(_turned(contenders, number), load, sink) for number in range(wanted.rounds)]
        counted = sink.taken() is not None
    figures = {one.key: _figures(one, rounds) for one in contenders}
    own = figures.pop("ours")
    ratios = {key: one.ratio for key, one in figures.items()}
    return SendFigures(
        messages_per_second=own.messages_per_second,
        cpu_ms_per_message=own.cpu_ms_per_message,
        peak_rss_mb=round(max(peaks), 1),
        vs_smtp_source=ratios.get("smtp_source"),
        vs_nodemailer=ratios.get("nodemailer"),
        vs_usual_script=ratios.get("usual_script"),
        messages=wanted.recipients,
        message_bytes=len(copy.content),
        connections=wanted.connections,
        rtt_ms=wanted.rtt_ms,
        dkim=wanted.dkim,
        rounds=wanted.rounds,
        sink=sink.name,
        counted=counted,
        peers=tuple(figures.values()),
    )


def ours(load: Load) -> tuple[Reading, float]:
    """Run our own sender in a process of its own; return its reading and its peak memory in MB.

    Raises:
        SurroundingsError: it failed.
    """
    said, _seconds, _cpu = run_to_its_end(
        "newsletter", [sys.executable, "-m", "newsletter.bench.ours"], json.dumps(asdict(load))
    )
    measured = json.loads(said)
    return Reading(**measured["reading"]), measured["peak_rss_mb"]


@contextmanager
def _set_up(wanted: Wanted) -> Iterator[tuple[Load, Sink]]:
    """Open the sink, the delay before it and the key, for as long as the block runs."""
    with (
        tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder,
        opened(wanted.sink) as sink,
        delayed(sink.host, sink.port, wanted.rtt_ms) as (host, port),
    ):
        load = Load(
            host=host,
            port=port,
            recipients=wanted.recipients,
            connections=wanted.connections,
            seconds=wanted.peer_seconds,
            dkim=wanted.dkim,
            key=private_key(wanted.dkim, Path(folder)),
        )
        yield load, sink


def private_key(dkim: Signing, folder: Path) -> str | None:
    """Write a new private key, and return its path."""
    if dkim == "none":
        return None
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    except ModuleNotFoundError:
        raise UsageError(f"--dkim {dkim}: cryptography is not installed; pip install cryptography") from None
    rsa_key = dkim == "rsa"
    key = rsa.generate_private_key(65537, RSA_BITS) if rsa_key else ed25519.Ed25519PrivateKey.generate()
    kind = serialization.PrivateFormat.PKCS8
    path = folder / "dkim.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
    return str(path)


def _turned(contenders: Sequence[Peer], number: int) -> list[Peer]:
    """Return them in another order each round: whoever comes after a busy one is not always the same."""
    first = number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _round(contenders: Sequence[Peer], load: Load, sink: Sink) -> dict[str, Reading]:
    return {one.key: _counted(one, load, sink) for one in contenders}


def _counted(one: Peer, load: Load, sink: Sink) -> Reading:
    """Run one contender, and see to it that everything arrived where the sink can tell."""
    before, reading, after = sink.taken(), one.run(load), sink.taken()
    if before is not None and after is not None and after - before < reading.messages:
        raise SurroundingsError(
            f"bench: {sink.name} took {after - before:,} of {reading.messages:,} messages of {one.label}; run again"
        )
    return reading


def _figures(one: Peer, rounds: Sequence[Mapping[str, Reading]]) -> PeerFigures:
    return PeerFigures(
        label=one.label,
        messages_per_second=round(statistics.median(readings[one.key].rate for readings in rounds), 1),
        cpu_ms_per_message=round(statistics.median(readings[one.key].cpu_ms for readings in rounds), 4),
        ratio=round(statistics.median(readings["ours"].rate / readings[one.key].rate for readings in rounds), 3),
    )
