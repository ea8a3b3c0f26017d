"""Game days that were held: what each found, and when its fault was, for the charts."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.dashboard.gamedays.holding import folder

FILES = {
    "report.md": "text/markdown; charset=utf-8",
    "report.json": "application/json",
    "requests.csv": "text/csv; charset=utf-8",
    "plot.png": "image/png",
}
# As config.gameday.report names them: when, and which.
_NAME = re.compile(r"\d{8}-\d{6}-[a-z0-9-]{1,64}")
_SHOWN_MAX = 50


@dataclass(frozen=True)
class Held:
    """One game day. `verdict`: pass, missed or fail. The fault lasted from `began_at` to `healed_at`."""

    name: str
    scenario: str
    title: str
    held_at: datetime
    began_at: datetime
    healed_at: datetime
    verdict: str
    audit: str
    document: dict[str, Any]


def held(*, since: datetime | None = None) -> list[Held]:
    """Return the newest game days, the newest first; of those that ended after `since`."""
    found = []
    for place in _places():
        one = read(place.name)
        if one is None:
            continue
        if since is not None and one.healed_at < since:
            break
        found.append(one)
    return found


def read(name: str) -> Held | None:
    """Return the game day of this name; None when there is none, or its report is not whole."""
    if not _NAME.fullmatch(name):
        return None
    try:
        document = json.loads((folder() / name / "report.json").read_text())
        load_began = float(document["facts"]["load began at"])
        fault = document["windows"]["fault"]
        return Held(
            name=name,
            scenario=document["scenario"],
            title=document["title"],
            held_at=datetime.fromisoformat(document["held_at"]),
            began_at=datetime.fromtimestamp(load_began + fault["begin_s"], UTC),
            healed_at=datetime.fromtimestamp(load_began + fault["end_s"], UTC),
            verdict=document["verdict"],
            audit=document["audit"].get("verdict", "unknown"),
            document=document,
        )
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def file_of(name: str, file: str) -> Path | None:
    """Return the path of one of `FILES` of a game day; None when there is none."""
    if not _NAME.fullmatch(name) or file not in FILES:
        return None
    path = folder() / name / file
    return path if path.is_file() else None


def _places() -> Sequence[Path]:
    try:
        places = [place for place in folder().iterdir() if _NAME.fullmatch(place.name)]
    except FileNotFoundError:
        return []
    return sorted(places, key=lambda place: place.name, reverse=True)[:_SHOWN_MAX]
