"""Kubernetes is new enough, and serves our resources with every field that we write."""

from collections.abc import Iterable

from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL, SLICE_PLURAL
from kube_rendezvous.resources.names import GROUP, SPOKEN_VERSIONS, best_version
from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Surroundings
from kubectl_rendezvous.wording import listed

OLDEST_KUBERNETES = (1, 31)

WRITTEN_FIELDS = {
    MEMBER_PLURAL: frozenset(
        {
            *("rendezvous", "rendezvousUID", "podName", "podUID", "nodeName", "slot", "holdsPlace"),
            *("address", "port", "afterRound", "renewTime", "leaving", "preparing", "closeRequested", "closeReason"),
            *("readsSlices", "watchPort", "suspects"),
        }
    ),
    RENDEZVOUS_PLURAL: frozenset({"minNodes", "maxNodes", "lastCallSeconds", "closed"}),
    SLICE_PLURAL: frozenset(
        {"rendezvous", "rendezvousUID", "round", "members", "ranks", "slots", "incarnations", "domains", "history"}
    ),
}
"""What this version of client and command writes into specs: the API server drops what a definition does not know."""

NAMES = tuple(f"{plural}.{GROUP}" for plural in (RENDEZVOUS_PLURAL, MEMBER_PLURAL, SLICE_PLURAL))


def check_kubernetes(seen: Surroundings) -> Iterable[Finding]:
    """The API server's version."""
    version = "{}.{}".format(*seen.kubernetes)
    if seen.kubernetes < OLDEST_KUBERNETES:
        oldest = "{}.{}".format(*OLDEST_KUBERNETES)
        yield Finding(
            "Kubernetes",
            Verdict.PROBLEM,
            f"The API server is of version {version}; {oldest} is the oldest that has selectable fields.",
            "Upgrade the cluster, or use another one: `kubectl config use-context NAME`.",
        )
    else:
        yield ok("Kubernetes", f"The API server is of version {version}.")


def check_definitions(seen: Surroundings) -> Iterable[Finding]:
    """The CustomResourceDefinitions."""
    version = best_version(seen.served)
    if version is None:
        others = f"; it serves {listed(seen.served)}" if seen.served else ""
        yield Finding(
            "definitions",
            Verdict.PROBLEM,
            f"The API server does not serve {GROUP}/{' or '.join(SPOKEN_VERSIONS)}{others}.",
            f"`{seen.install}`, or `kubectl apply --server-side -f crds/`",
        )
        return
    if seen.definitions is None:
        yield Finding(
            "definitions",
            Verdict.UNKNOWN,
            f"{GROUP}/{version} is served; whether its definitions are up to date we may not see.",
            "Ask somebody who may: `kubectl auth can-i get customresourcedefinitions`.",
        )
        return
    wrong = list(_wrong(seen))
    for sentence in wrong:
        mend = f"`{seen.install}`, or `kubectl apply --server-side --force-conflicts -f crds/`"
        yield Finding("definitions", Verdict.PROBLEM, sentence, mend)
    if not wrong:
        yield ok(
            "definitions",
            f"{', '.join(NAMES[:-1])} and {NAMES[-1]} are served as {listed(seen.served)}, with all fields.",
        )


def _wrong(seen: Surroundings) -> Iterable[str]:
    for name in NAMES:
        definition = (seen.definitions or {}).get(name)
        if definition is None:
            yield f"The definition {name} is missing."
        elif not definition.established or definition.trouble:
            yield f"The definition {name} cannot be used: {definition.trouble or 'it is not established'}."
        elif best_version(definition.versions) is None:
            yield f"The definition {name} serves {listed(definition.versions)}, not {' or '.join(SPOKEN_VERSIONS)}."
        elif missing := sorted(WRITTEN_FIELDS[name.partition(".")[0]] - definition.fields):
            yield f"The definition {name} is older than this command: it does not know {listed(missing)}."
