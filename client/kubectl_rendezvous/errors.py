"""What ends a command with exit status 1."""


class CommandError(Exception):
    """The command cannot do what was asked; the text says why and what the reader can do."""
