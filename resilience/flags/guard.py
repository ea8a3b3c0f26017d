"""Whether the units with a flag fare worse than those without: a test that may be looked at at any time.

The danger: a test for a fixed number of units that is looked at every few seconds finds a difference, sooner
or later, where there is none. This one is an e-process: its value `e` may be looked at after every block of
units, and in a world without a difference it exceeds 1/level ever with a chance of at most `level` (Ville).

Per block it multiplies by the likelihood of an alternative over that of the null, both fixed before the
block is seen: the safe test of two proportions of Turner, Ly and Grünwald ("Generic E-variables for exact
sequential k-sample tests that allow for optional stopping", 2024). One-sided: the alternative says that the
rate with the flag is higher, by `difference_min` at least. Pure.
"""

import math
from dataclasses import dataclass, replace

# What is believed before anything is seen: a beta distribution with the weight of two units and a mean of
# 5 %; from the first hundred units on the data speak.
_PRIOR_BAD, _PRIOR_GOOD = 0.1, 1.9


@dataclass(frozen=True)
class Guard:
    """When a flag is to be turned off by itself.

    `level`: the chance that a harmless flag is ever turned off for one of its two measures. `difference_min`:
    how much worse, in shares of units, is worth an alarm. `slow_after_s`: a unit that took longer is slow.
    """

    level: float = 1e-4
    difference_min: float = 0.01
    slow_after_s: float = 1.0


@dataclass(frozen=True)
class Block:
    """Units that were counted: how many with and without the flag, and how many of them were bad."""

    on: int = 0
    on_bad: int = 0
    off: int = 0
    off_bad: int = 0


@dataclass(frozen=True)
class Evidence:
    """What was seen so far, and the logarithm of the e-value."""

    seen: Block = Block()
    log_e: float = 0.0

    def after(self, block: Block, *, guard: Guard) -> "Evidence":
        """Return the evidence with one more block; `block` must not have been chosen by what is in it."""
        seen = Block(*(old + new for old, new in zip(_fields(self.seen), _fields(block), strict=True)))
        if not block.on or not block.off:
            # Nothing to compare with; what is learnt of the rates helps the blocks to come.
            return replace(self, seen=seen)
        return Evidence(seen, self.log_e + _log_growth(self.seen, block, guard.difference_min))

    def convicts(self, guard: Guard) -> bool:
        """Tell whether the flag is to be turned off."""
        return self.log_e >= -math.log(guard.level)


def _log_growth(before: Block, block: Block, difference_min: float) -> float:
    without = _mean(before.off, before.off_bad)
    with_flag = min(max(_mean(before.on, before.on_bad), without + difference_min), 1 - 1e-9)
    without = min(without, with_flag - difference_min)
    null = (block.on * with_flag + block.off * without) / (block.on + block.off)
    return _log_ratio(block.on, block.on_bad, with_flag, null) + _log_ratio(
        block.off, block.off_bad, without, null
    )


def _log_ratio(units: int, bad: int, rate: float, null: float) -> float:
    return bad * math.log(rate / null) + (units - bad) * math.log((1 - rate) / (1 - null))


def _mean(units: int, bad: int) -> float:
    return (_PRIOR_BAD + bad) / (_PRIOR_BAD + _PRIOR_GOOD + units)


def _fields(block: Block) -> tuple[int, int, int, int]:
    return block.on, block.on_bad, block.off, block.off_bad
