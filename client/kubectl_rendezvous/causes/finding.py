"""What a cause function answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that holds a rendezvous up, or (``harmless``) that its reader may wonder about.

    Args:
        cause: one CamelCase word, for programs.
        sentence: what it is, with the pods, members and nodes concerned.
        next_step: what to do about it, with the command.
        subjects: names of the pods, members or nodes concerned.
    """

    cause: str
    sentence: str
    next_step: str
    subjects: tuple[str, ...] = ()
    harmless: bool = False
