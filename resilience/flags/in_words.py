"""How a switch, a flag or a sample stands, in words: for the command and for the dashboard."""

from resilience.flags.declaration import Declaration, Flag, Sample, Switch
from resilience.flags.memory import current


def value_in_words(one: Declaration) -> str:
    """Return what this process reads of it: "on", "20 %", "off (default)", or the safe value and why."""
    snapshot = current()
    if snapshot is None:
        return f"{_word(one.safe)} (the database does not answer; the safe value)"
    match one:
        case Switch(name=name) if name in snapshot.switches:
            return _word(snapshot.switches[name])
        case Flag(name=name) if name in snapshot.flags:
            row = snapshot.flags[name]
            return f"{row.per_mille / 10:g} %" if row.everyone is None else _word(row.everyone)
        case Sample(name=name) if name in snapshot.samples:
            return f"{snapshot.samples[name] / 10:g} %"
        case _:
            return f"{_word(one.default)} (default)"


def _word(is_on: bool) -> str:  # noqa: FBT001
    return "on" if is_on else "off"
