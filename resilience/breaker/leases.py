"""The probe leases that this process holds: each lets one call through, and is told of until it ends."""

from collections.abc import Sequence

from resilience.breaker.report import Ended

# A granted lease that no call takes goes back to the fleet after this; 4 beats.
UNUSED_S = 1.0
# A call that is out for longer than this was lost by a bug: its lease is renewed no more.
USED_S_MAX = 60.0


class Leases:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._free: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self._ended: list[Ended] = []
        self._told: tuple[Ended, ...] = ()
        self.wanted = 0

    def grant(self, tokens: Sequence[str], *, now: float) -> None:
        """Take up what the fleet granted."""
        for token in tokens:
            self._free[token] = now + UNUSED_S
        self.wanted = max(0, self.wanted - len(tokens))

    def take(self, now: float) -> str | None:
        """Return a lease for one call, None when none is there."""
        if not self._free:
            return None
        token, _until = self._free.popitem()
        self._used[token] = now + USED_S_MAX
        return token

    @property
    def has_free(self) -> bool:
        """Whether a call may go now."""
        return bool(self._free)

    def end(self, token: str, *, is_passed: bool | None) -> bool:
        """Give a used lease back with what its call showed; tell whether it was one."""
        if token not in self._used:
            return False
        del self._used[token]
        self._ended.append(Ended(token, is_passed))
        return True

    def held(self, now: float) -> tuple[str, ...]:
        """Return what to renew; what nobody took is given back."""
        for token in [token for token, until in self._free.items() if until <= now]:
            del self._free[token]
            self._ended.append(Ended(token, None))
        for token in [token for token, until in self._used.items() if until <= now]:
            self.end(token, is_passed=None)
        return (*self._free, *self._used)

    def take_ended(self) -> tuple[Ended, ...]:
        """Return what ended, to be told; `confirm` when the fleet has heard it."""
        self._told = tuple(self._ended)
        return self._told

    def confirm(self) -> None:
        """Forget what the fleet has heard."""
        del self._ended[: len(self._told)]
        self._told = ()

    def give_up_free(self) -> None:
        """Give back what is not used: there is nothing to probe any more."""
        self._ended += [Ended(token, None) for token in self._free]
        self._free.clear()
        self.wanted = 0
