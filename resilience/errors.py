"""The three kinds of error. A bug is the third: an AssertionError or whatever else nobody catches."""


class HoldfastError(Exception):
    """Something that this platform foresees. `code` is stable and is what clients match on."""

    code = "error"
    retryable = False

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class Refusal(HoldfastError):
    """A business "no": shown to the user as it is; trying again changes nothing."""

    code = "refused"


class Operational(HoldfastError):
    """A part did not answer, or is busy: counted, and worth trying again."""

    code = "temporarily_unavailable"
    retryable = True
