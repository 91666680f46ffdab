"""Clocks agree. Rounds do not depend on it, only what is told of ages."""

from collections.abc import Iterable

from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Surroundings
from kubectl_rendezvous.wording import listed, span

TOLERATED_SECONDS = 3.0

_MEND = "Let it keep time: `timedatectl set-ntp true` there (or chrony, systemd-timesyncd)."


def check_clocks(seen: Surroundings) -> Iterable[Finding]:
    """Of this machine, of members and of nodes, against the API server's."""
    clocks = seen.clocks
    pods = {pod.name: pod.ahead for pod in seen.pods or () if pod.ahead is not None}
    wrong = {
        **({"this machine": clocks.ours} if clocks.ours is not None else {}),
        **{f"node {name}": ahead for name, ahead in clocks.nodes.items()},
        **{f"member {name}": ahead for name, ahead in clocks.members.items()},
        **{f"pod {name}": ahead for name, ahead in pods.items()},
    }
    off = [
        f"{who} ({span(abs(ahead))} {'ahead' if ahead > 0 else 'behind'})"
        for who, ahead in wrong.items()
        if abs(ahead) > TOLERATED_SECONDS + (clocks.uncertainty if who == "this machine" else 0.0)
    ]
    if off:
        yield Finding(
            "clock",
            Verdict.WARNING,
            f"Clocks differ from the API server's: {listed(off, 10)}. Rounds do not depend on it; shown ages do.",
            _MEND,
        )
    elif clocks.ours is None:
        yield Finding("clock", Verdict.UNKNOWN, "The API server tells no time.", "`date -u` here and on a node")
    else:
        also = " and those of the members" if clocks.members else ""
        yield ok("clock", f"This machine's clock{also} and the API server's agree.")
