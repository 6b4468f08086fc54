"""Which hosts may be asked: none of this machine or its network, unless the operator means that.

Somebody else may have written a feed's address, and somebody else always writes a redirect: without this check either
could make us read what only this machine can reach.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291, section 2.4
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1


def addresses_of(host: str) -> tuple[str, ...]:
    """Return the IP addresses of a host; none if its name leads nowhere, which connecting to it will tell better."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label that IDNA cannot encode
        return ()
    return tuple(str(address[0]) for *_, address in found)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to a single host of the public internet; an IPv4 address may hide in IPv6."""
    ip = ip_address(address.partition("%")[0])  # `%eth0` names an interface
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(ip.packed[-4:]) if ip in NAT64 else None)
        if inner is None:
            return ip in GLOBAL_UNICAST and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast
