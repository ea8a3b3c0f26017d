"""Who the servers run as: ourselves, or `nobody` when we are root, since PostgreSQL refuses root."""

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.stack.errors import StackError

_TRAVERSABLE = 0o711
# For root whose folder is below a private home, which `nobody` cannot enter. Not a temporary
# directory, where anybody could lay a link in root's way.
_PUBLIC_PLACE = Path("/var/lib/holdfast")


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
    directory = _PUBLIC_PLACE / name
    try:
        directory.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"PostgreSQL refuses root, so the servers run as user {account.uid}, who cannot enter "
            f"{preferred}, and {directory} cannot be made. Move the folder to where everybody may enter."
        ) from error
    preferred.rmdir()
    preferred.symlink_to(directory)
    return directory
