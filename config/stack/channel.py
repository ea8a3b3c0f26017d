"""How a running stack is told to do something: a Unix socket, one line of JSON each way.

The supervisor looks at it between two ticks (`poll`), so a command runs while nothing else does.
"""

import contextlib
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.stack.errors import StackError

_SOCKET_FILE = "control.sock"
# A Unix socket's address has room for 107 bytes; a deep folder has a longer path.
_ADDRESS_BYTES_MAX = 100
_LINE_BYTES_MAX = 64 * 1024
# Whoever connects sends its line at once; while we wait for one who does not, nothing is supervised.
_READ_LIMIT_S = 0.5
# A rebuild copies the database.
_ANSWER_LIMIT_S = 120.0

Handler = Callable[[Mapping[str, Any]], Mapping[str, object]]


class Channel:
    """The supervisor's end. Use it from its thread only."""

    def __init__(self, directory: Path) -> None:
        """Listen in `directory`, or, where its path is too long, in the temporary folder."""
        self.address = _address(directory)
        self.address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.address))
        # Before anybody can connect.
        self.address.chmod(0o600)
        self._socket.listen()
        self._socket.settimeout(0)

    def poll(self, handle: Handler) -> None:
        """Carry out what was asked meanwhile; a StackError of `handle` is the answer to whoever asked."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            # Whoever asks and goes away gets no answer, and does no harm.
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_READ_LIMIT_S)
                answer = _answer(_line(connection), handle)
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        self.address.unlink(missing_ok=True)


def ask(address: str, command: Mapping[str, object]) -> dict[str, Any]:
    """Send `command` to the stack that listens at `address` and return its answer.

    Raises StackError with its reason when it refuses, or when nobody answers.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_LIMIT_S)
            connection.connect(address)
            connection.sendall(json.dumps(command).encode() + b"\n")
            answer = json.loads(_line(connection))
    except (OSError, ValueError) as error:
        raise StackError(f"The stack does not answer at {address}: {error!r}.") from error
    if "error" in answer:
        raise StackError(str(answer["error"]))
    return dict(answer)


def _answer(line: bytes, handle: Handler) -> Mapping[str, object]:
    try:
        command = json.loads(line)
        if not isinstance(command, dict):
            raise StackError("A command is a JSON object.")
        return handle(command)
    except ValueError:
        return {"error": "A command is one line of JSON."}
    except StackError as error:
        return {"error": str(error)}


def _line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as file:
        return file.readline(_LINE_BYTES_MAX)


def _address(directory: Path) -> Path:
    path = (directory / _SOCKET_FILE).absolute()
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"holdfast-{name}.sock"
