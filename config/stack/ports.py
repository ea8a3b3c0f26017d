"""Free TCP ports on the loopback address."""

import socket
from random import Random

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections (from 32768): a port that
# is free now is then not taken by somebody's connection before our server listens.
_PORT_MIN = 20_000
_PORT_MAX = 32_000
_ATTEMPTS_MAX = 200


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it, so that connections in TIME_WAIT of an earlier run do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick_port(*, preferred: int | None = None, random: Random) -> int:
    """Return `preferred` if it is free, else any free port."""
    if preferred is not None and is_free(preferred):
        return preferred
    for _attempt in range(_ATTEMPTS_MAX):
        port = random.randrange(_PORT_MIN, _PORT_MAX)
        if is_free(port):
            return port
    raise OSError(f"No free port found between {_PORT_MIN} and {_PORT_MAX} on {LOOPBACK}.")
