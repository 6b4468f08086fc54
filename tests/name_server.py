"""A real name server on loopback, over UDP and TCP, that knows what it is told."""

import socket
import socketserver
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.send.servers import running

Zone = Mapping[tuple[str, str], Sequence[str]]
UDP_SIZE = 512  # RFC 1035 section 4.2.1; what is longer is asked for again over TCP


@dataclass
class Records:
    """What is known, by name and type; names that are not here do not exist.

    `broken` names are answered SERVFAIL, `silent` ones not at all.
    """

    zone: Zone
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # name, type, "udp" or "tcp"
    port: int = 0

    @property
    def address(self) -> str:
        """What `--nameserver` takes."""
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, way: str) -> bytes | None:
        """Return the answer to a question, or None for none."""
        query = dns.message.from_wire(wire)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, way))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found := self.zone.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(known == name or known.endswith(f".{name}") for known, _kind in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        packed = response.to_wire()
        if way == "udp" and len(packed) > UDP_SIZE:
            response.answer.clear()
            response.flags |= dns.flags.TC
            packed = response.to_wire()
        return packed


@contextmanager
def name_server(zone: Zone) -> Iterator[Records]:
    """Run a name server that knows these records: `{("example.org", "MX"): ["10 mx.example.org."]}`."""
    records = Records(zone)

    class Packet(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            answer = records.answer(self.rfile.read(), "udp")
            if answer:
                self.wfile.write(answer)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.rfile.read(2))
            answer = records.answer(self.rfile.read(length), "tcp")
            if answer:
                self.wfile.write(struct.pack("!H", len(answer)) + answer)

    class Udp(socketserver.ThreadingUDPServer):
        daemon_threads = True

    class Tcp(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    for _ in range(20):  # a port may be free for the one and taken for the other
        tcp = Tcp(("127.0.0.1", 0), Stream)
        records.port = int(tcp.server_address[1])
        try:
            udp = Udp(("127.0.0.1", records.port), Packet)
        except OSError:
            tcp.server_close()
        else:
            break
    with running(tcp), running(udp):
        yield records


def quoted(text: str) -> str:
    """Return a TXT record as a zone file has it: strings of at most 255 characters."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


def closed_port() -> int:
    """Return a port at which nothing answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
