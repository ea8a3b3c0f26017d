"""Which addresses may be posted to: public ones only, checked when they are saved and again at each attempt.

The danger: whoever may name an address names one inside our network (server-side request forgery), or a
name that is public when it is looked at and private when it is connected to. So a name is resolved once per
attempt, every address that it has must be public, and the connection goes to the address that was checked.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from resilience.errors import Refusal

URL_LENGTH_MAX = 2048
_HTTPS_PORT = 443
# A name of two labels at least, the last of which is no number: what is left out are addresses, in all
# their spellings (0x7f.1, 2130706433, 127.1), and names that only mean something inside.
_NAME = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Letters that an address of RFC 3986 has; what is not ASCII has to be written in punycode.
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_INSIDE = (".localhost", ".local", ".internal", ".home.arpa", ".in-addr.arpa", ".ip6.arpa", ".onion")
# Addresses that stand for others: IPv4 in IPv6 (NAT64, 6to4, Teredo), and the relay of 6to4.
_STAND_INS = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.88.99.0/24", "fec0::/10")
)

Resolver = Callable[[str, int], Sequence[str]]


class TargetRefusedError(Refusal):
    """This address may not be posted to."""

    code = "webhook_url_refused"


@dataclass(frozen=True)
class Target:
    """Where a webhook goes. `is_trusted`: the installation says that this host may be inside, and plain."""

    url: str
    scheme: str
    host: str
    port: int
    is_trusted: bool


def parse_target(url: str, *, trusted: Collection[str], own: Collection[str]) -> Target:
    """Return the target that `url` names; raises TargetRefusedError with what to do about it.

    `trusted` are hosts that may be inside, with any port, in plain HTTP; `own` are our own names.
    """
    if len(url) > URL_LENGTH_MAX or not _PLAIN.fullmatch(url):
        raise TargetRefusedError(f"Send a URL of at most {URL_LENGTH_MAX} plain characters.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise TargetRefusedError("This is no URL.") from error
    if "@" in parts.netloc or parts.fragment or "#" in url:
        raise TargetRefusedError("Leave out user, password and fragment.")
    if host in trusted and parts.scheme in ("http", "https"):
        default = _HTTPS_PORT if parts.scheme == "https" else 80
        return Target(url, parts.scheme, host, port or default, is_trusted=True)
    if parts.scheme != "https" or (port or _HTTPS_PORT) != _HTTPS_PORT:
        raise TargetRefusedError("Send an https:// URL on port 443.")
    if not _NAME.fullmatch(host) or host.endswith(_INSIDE):
        raise TargetRefusedError("Send the name of a public host; addresses and names inside are refused.")
    if host in own:
        raise TargetRefusedError("This is the platform itself.")
    return Target(url, "https", host, _HTTPS_PORT, is_trusted=False)


def addresses_of(target: Target, *, resolve: Resolver) -> list[str]:
    """Return the addresses of a target, each of which was checked.

    Raises TargetRefusedError when one of them is not public, and OSError when the name has none.
    """
    addresses = list(dict.fromkeys(resolve(target.host, target.port)))
    if not addresses:
        raise OSError(f"{target.host} has no address")
    if not target.is_trusted and not all(map(is_public, addresses)):
        raise TargetRefusedError(f"{target.host} has an address that is not public.")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an IP address is of the public internet, and stands for no other one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return False
    if any(ip in network for network in _STAND_INS if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def system_resolver(host: str, port: int) -> list[str]:
    """Return what the system's resolver says; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
