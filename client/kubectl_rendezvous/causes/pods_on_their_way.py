"""Labelled pods that have not joined, by what holds them."""

from collections.abc import Iterable

from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.observation import Hold, Observation, SeenPod
from kubectl_rendezvous.wording import as_sentence, count, listed

GATED = "PodsGated"
UNSCHEDULED = "PodsNotScheduled"
NO_IMAGE = "ImageNotPulled"
CRASHING = "ContainersCrash"
MISCONFIGURED = "ContainersNotCreated"
WITHOUT_PROCESS = "PodsWithoutProcess"
NOT_JOINED = "RunningButNotJoined"
STARTING = "PodsStarting"


def gated_pods(seen: Observation) -> Iterable[Finding]:
    """Somebody, such as a queue, has not let them go to the scheduler yet."""
    for why, pods in _held(seen, Hold.GATED):
        gate = why.removeprefix("SchedulingGated: ")
        kueue = f"; of Kueue's: `{seen.kubectl} get workloads`" if "kueue.x-k8s.io" in gate else ""
        step = f"Nobody waits for them; they come when whoever set the gate lifts it (quota, a queue){kueue}"
        yield _finding(GATED, pods, "is held back by a scheduling gate", gate, step, plural="are held back by gates")


def unscheduled_pods(seen: Observation) -> Iterable[Finding]:
    """The scheduler finds no node for them."""
    for why, pods in _held(seen, Hold.UNSCHEDULED):
        advice = "Free what the scheduler misses or ask for less in the pod template"
        if "gpu" in why.lower():
            advice = "Free GPUs, add a GPU node, or start with fewer nodes (spec.minNodes)"
        step = f"{advice}; the whole answer of the scheduler: `{seen.kubectl} describe pod {pods[0].name}`"
        yield _finding(UNSCHEDULED, pods, "cannot be scheduled", why, step)


def pods_without_image(seen: Observation) -> Iterable[Finding]:
    """Their image cannot be pulled."""
    for why, pods in _held(seen, Hold.IMAGE):
        step = f"Correct the image or the pull secret in the pod template: `{seen.kubectl} describe pod {pods[0].name}`"
        yield _finding(NO_IMAGE, pods, "cannot start for want of the image", why, step)


def crashing_pods(seen: Observation) -> Iterable[Finding]:
    """Their process ends again and again before it joins."""
    for why, pods in _held(seen, Hold.CRASHING):
        step = f"Read why the process ends: `{seen.kubectl} logs {pods[0].name} --previous`"
        restarts = max(pod.restarts for pod in pods)
        text = f"{why} ({count(restarts, 'restart')})" if restarts else why
        yield _finding(CRASHING, pods, "crashes before joining", text, step, plural="crash before joining")


def misconfigured_pods(seen: Observation) -> Iterable[Finding]:
    """Their container cannot be made: a missing Secret, a wrong command."""
    for why, pods in _held(seen, Hold.MISCONFIGURED):
        step = f"Correct the pod template: `{seen.kubectl} describe pod {pods[0].name}`"
        yield _finding(MISCONFIGURED, pods, "cannot start its container", why, step, plural="cannot start a container")


def pods_without_process(seen: Observation) -> Iterable[Finding]:
    """Their container has ended, or is being restarted in place with all others of the pod."""
    for why, pods in _held(seen, Hold.WITHOUT_PROCESS):
        step = (
            f"Wait: one that is started again has its slot and rank again; why it ended: `{seen.kubectl} describe pod "
            f"{pods[0].name}`"
        )
        yield _finding(WITHOUT_PROCESS, pods, "is without its process", why, step, plural="are without their process")


def starting_pods(seen: Observation) -> Iterable[Finding]:
    """They will be here soon."""
    for why, pods in _held(seen, Hold.STARTING):
        step = f"Wait; follow them: `{seen.kubectl} get pods -w -l rendezvous.dev/name={seen.name}`"
        yield _finding(STARTING, pods, "is on its way", why, step, plural="are on their way", harmless=True)


def running_but_not_joined(seen: Observation) -> Iterable[Finding]:
    """They run, but no process in them has joined."""
    # One that names another rendezvous has its own cause.
    pods = [p for p in seen.pods_to_join if p.hold is Hold.RUNNING and (not p.run_ids or seen.name in p.run_ids)]
    if pods:
        step = (
            f"Read the log: `{seen.kubectl} logs {pods[0].name}`. Does it run torchrun with --rdzv-backend=kubernetes "
            f"--rdzv-id={seen.name}, and may its service account create rendezvousmembers?"
        )
        yield _finding(NOT_JOINED, pods, "runs but has not joined", "", step, plural="run but have not joined")


def _held(seen: Observation, hold: Hold) -> Iterable[tuple[str, list[SeenPod]]]:
    """Pods with this hold that the rendezvous could use, grouped by what the cluster says."""
    groups: dict[str, list[SeenPod]] = {}
    for pod in seen.pods_to_join:
        if pod.hold is hold:
            # The back-off's message names the pod itself: for the grouping only its reason counts.
            groups.setdefault(pod.why if hold is not Hold.CRASHING else pod.why.split(":")[0], []).append(pod)
    return groups.items()


def _finding(
    cause: str,
    pods: list[SeenPod],
    does: str,
    why: str,
    next_step: str,
    *,
    plural: str = "",
    harmless: bool = False,
) -> Finding:
    names = [pod.name for pod in pods]
    text = f"Pod {names[0]} {does}" if len(pods) == 1 else f"{len(pods)} pods {plural or does} ({listed(names)})"
    sentence = as_sentence(f"{text}: {why}" if why else text)
    return Finding(cause, sentence, next_step, tuple(names), harmless)
