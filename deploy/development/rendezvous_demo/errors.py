"""The one kind of error that this package raises on purpose."""


class DemoError(RuntimeError):
    """The demonstration cannot go on. The message is for a person: what happened, to whom, and what to do."""
