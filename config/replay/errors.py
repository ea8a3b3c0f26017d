"""Why a replay stops. The message says what is true and what to do next."""


class ReplayError(Exception):
    """The replay cannot go on; what was sent so far is safe, and running it again does the rest."""


class SourceError(ReplayError):
    """The file is not what docs/replay.md describes; found before anything is sent."""


class KeyRefusedError(ReplayError):
    """The API key is unknown, or lacks a permission: no request would fare better."""


class NoAnswerError(ReplayError):
    """A request was sent again and again, and nothing came back for too long."""


class StoppedError(ReplayError):
    """Another thread of this replay gave up, or somebody pressed Ctrl-C."""
