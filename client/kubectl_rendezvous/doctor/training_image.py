"""The training image has torch and our entry point, and its pods reach each other."""

from collections.abc import Iterable

from kubectl_rendezvous.doctor.finding import Finding, Verdict, ok
from kubectl_rendezvous.doctor.surroundings import Surroundings
from kubectl_rendezvous.wording import as_sentence

OLDEST_PYTHON, OLDEST_TORCH = (3, 11), (2, 6)
WHEEL = "kube_rendezvous-VERSION-py3-none-any.whl"  # of a release: no package index has it


def check_image(seen: Surroundings) -> Iterable[Finding]:
    """By what a pod of it reports of itself."""
    if seen.pods is None:
        return
    reports = [pod.report for pod in seen.pods if pod.report]
    if not reports:
        held = next((pod for pod in seen.pods if pod.hold), seen.pods[0])
        look = (
            f"The image must have python3, and {seen.namespace} must let such a pod run: "
            f"`kubectl -n {seen.namespace} get events`"
        )
        yield Finding(
            "image", Verdict.PROBLEM, f"No pod of the image came up: {as_sentence(held.hold or 'no report')}", look
        )
        return
    report = reports[0]
    python, torch, ours = (str(report.get(key) or "") for key in ("python", "torch", "kubeRendezvous"))
    if _version(python) < OLDEST_PYTHON:
        yield Finding(
            "image", Verdict.PROBLEM, f"Its Python is {python}; 3.11 is the oldest.", "Build it from a newer base"
        )
    if not ours:
        into = f"`COPY` {WHEEL} of a release into it, and `RUN pip install ./{WHEEL}`"
        yield Finding("image", Verdict.PROBLEM, "kube-rendezvous is not in it.", into)
    elif problem := str(report.get("entryPointProblem") or ""):
        again = f"`RUN pip install --force-reinstall --no-deps ./{WHEEL}`, with the wheel of a release"
        yield Finding(
            "image", Verdict.PROBLEM, f"torchrun's entry point cannot be loaded: {as_sentence(problem)}", again
        )
    if not torch:
        yield Finding(
            "image", Verdict.WARNING, "There is no torch in it: torchrun cannot run.", "`RUN pip install torch`"
        )
    elif _version(torch) < OLDEST_TORCH:
        yield Finding(
            "image", Verdict.PROBLEM, f"Its torch is {torch}; 2.6 is the oldest.", "`RUN pip install 'torch>=2.6'`"
        )
    elif ours and not report.get("entryPointProblem"):
        yield ok("image", f"Python {python}, torch {torch}, kube-rendezvous {ours} with torchrun's entry point.")


def check_network(seen: Surroundings) -> Iterable[Finding]:
    """Whether one pod reached a port of another."""
    if seen.pods is None:
        return
    listener, caller = seen.pods
    if not caller.report:
        if listener.report:
            look = f"`kubectl -n {seen.namespace} get events`"
            said = as_sentence(f"Pod {caller.name} did not report: {caller.hold or 'no report'}")
            yield Finding("network", Verdict.UNKNOWN, said, look)
        return
    # One that nobody reaches waits on, and reports nothing.
    where = f"from node {caller.node or '?'} to node {listener.node or '?'}"
    if error := str(caller.report.get("error") or ""):
        yield Finding(
            "network",
            Verdict.PROBLEM,
            f"A pod did not reach a port of another one, {where}: {as_sentence(error)}",
            f"Let pods of a run reach each other on every port: `kubectl -n {seen.namespace} get networkpolicies`",
        )
    else:
        one = " Both ran on one node: what lies between nodes was not tried." if caller.node == listener.node else ""
        yield ok("network", f"A pod reached a port of another one, {where}.{one}")


def check_cluster_from_pods(seen: Surroundings) -> Iterable[Finding]:
    """Whether a pod reaches the API server, as every member has to, and whether names are resolved in it."""
    report = seen.pods[1].report if seen.pods is not None else {}
    if not (where := str(report.get("apiServer") or "")):
        return
    if problem := str(report.get("apiServerProblem") or ""):
        yield Finding(
            "API server",
            Verdict.PROBLEM,
            f"A pod did not reach the API server at {where}, where every member writes: {as_sentence(problem)}",
            f"Let the pods of a run reach it: `kubectl -n {seen.namespace} get networkpolicies`",
        )
    else:
        yield ok("API server", f"A pod reached it at {where}.")
    if problem := str(report.get("nameProblem") or ""):
        yield Finding(
            "names",
            Verdict.WARNING,
            f"Names are not resolved in a pod: {as_sentence(problem)} Rounds do without; trainers often do not.",
            "`kubectl -n kube-system get pods -l k8s-app=kube-dns`",
        )
    else:
        yield ok("names", "The cluster's names are resolved in a pod.")


def _version(text: str) -> tuple[int, ...]:
    parts = text.split("+")[0].split(".")[:2]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
