class StackError(Exception):
    """The embedded stack cannot start or go on. The message says what is true and what to do next."""
