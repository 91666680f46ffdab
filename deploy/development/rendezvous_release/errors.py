"""What goes wrong with a release, for people."""


class ReleaseError(Exception):
    """The release could not be made; the text says what to do."""
