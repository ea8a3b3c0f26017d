class GameDayError(Exception):
    """The game day cannot be held. The message says what is true and what to do next."""
