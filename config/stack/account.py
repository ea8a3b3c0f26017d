"""Who the servers run as: ourselves, or `nobody` when we are root, since PostgreSQL refuses root."""

import hashlib
import os
import pwd
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.stack.errors import StackError

_TRAVERSABLE = 0o711
# Tried in turn for root whose folder is below a private home, which `nobody` cannot enter.
_PUBLIC_PLACES = (Path("/var/lib/holdfast"), Path(tempfile.gettempdir()) / "holdfast")


@dataclass(frozen=True)
class Account:
    """An unprivileged user to run a server as; without ids it is the user who runs this process."""

    uid: int | None = None
    gid: int | None = None

    @property
    def popen_arguments(self) -> dict[str, Any]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` itself (not what is below it) to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def make_directory(self, path: Path) -> Path:
        """Create `path` if needed, private to this account."""
        path.mkdir(mode=0o700, exist_ok=True)
        self.own(path)
        return path

    def can_run(self, *command: str | Path) -> bool:
        """Tell whether this account can run `command` to a successful end."""
        try:
            answer = subprocess.run(
                command, cwd="/", capture_output=True, check=False, **self.popen_arguments
            )
        except PermissionError:
            return False
        return answer.returncode == 0


OURSELVES = Account()


def server_account() -> Account:
    """Return the account for PostgreSQL and Redis."""
    if os.geteuid() != 0:
        return OURSELVES
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def reachable_directory(preferred: Path, *, account: Account) -> Path:
    """Create and return a directory below which `account` can work: `preferred` where that is possible.

    Otherwise a directory of its own in a public place, to which `preferred` becomes a link.
    """
    if preferred.is_symlink():
        preferred.resolve().mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
        return preferred.resolve()
    preferred.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
    preferred.chmod(_TRAVERSABLE)
    if account.can_run("test", "-x", preferred):
        return preferred
    name = hashlib.sha256(str(preferred.absolute()).encode()).hexdigest()[:16]
    for place in _PUBLIC_PLACES:
        directory = place / name
        directory.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
        if account.can_run("test", "-x", directory):
            preferred.rmdir()
            preferred.symlink_to(directory)
            return directory
    raise StackError(
        f"The servers run as user {account.uid} because PostgreSQL refuses root, and that user can enter "
        f"neither {preferred} nor {_PUBLIC_PLACES[0]}. Move the folder to a place that others may enter."
    )
