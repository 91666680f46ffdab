"""What a check answers."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: what was looked at, two words at the most.
        verdict: PROBLEM: a job cannot run, or not rightly. WARNING: it can. UNKNOWN: it could not be found out.
        sentence: how it is.
        mend: the command that changes it; "" where nothing need be done.
    """

    check: str
    verdict: Verdict
    sentence: str
    mend: str = ""


def ok(check: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, sentence)
