"""Reads what the checks need. Nothing is written: access is asked for by reviews, admission by a dry run."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.resources import MEMBER_PLURAL, MalformedMemberError, member_manifest, parse_member
from kube_rendezvous.resources.names import GROUP, VERSION, best_version, collection_path
from kube_rendezvous.resources.timestamps import parse_time
from kubectl_rendezvous.doctor.clocks import TOLERATED_SECONDS
from kubectl_rendezvous.doctor.definitions import NAMES
from kubectl_rendezvous.doctor.installed import read_definition, read_deployment, read_guard
from kubectl_rendezvous.doctor.rights import OPERATOR_NEEDS, TRAINER_MAY_WANT, TRAINER_NEEDS, TRAINER_SHOULD_NOT
from kubectl_rendezvous.doctor.surroundings import (
    DEFAULT_OPERATOR_NAMESPACE,
    Clocks,
    Definition,
    Deployment,
    Guard,
    Right,
    SeenLease,
    Surroundings,
)
from kubectl_rendezvous.heartbeats import renewed_at
from kubectl_rendezvous.reading import Reader, in_words, read_rendezvous

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
_REVIEWS = "/apis/authorization.k8s.io/v1"
_CHART = "app.kubernetes.io/name=kube-rendezvous"


class SurroundingsReader:
    """Reads one cluster as a job of one namespace would meet it.

    Args:
        reader: of the namespace.
        account: service account of the training pods.
        operator_namespace: None: it is looked for.
    """

    def __init__(self, reader: Reader, account: str, operator_namespace: str | None) -> None:
        self._reader = reader
        self._connection: Connection = reader.connection
        self._namespace = reader.namespace
        self._account = account
        self._operator_namespace = operator_namespace

    def read(self) -> Surroundings:
        """All of it.

        Raises:
            CommandError: the API server does not answer, or does not take our credentials.
        """
        try:
            return self._read()
        except ApiFailureError as failure:
            raise in_words(failure, self._namespace) from failure

    def _read(self) -> Surroundings:
        before = time.time()
        facts = self._connection.server_facts()
        clocks = self._clocks(facts.time, before, time.time())
        now = facts.time or datetime.now(UTC)
        served = self._served()
        deployments = self._deployments()
        serving = next((d for d in deployments or () if not d.serves or self._namespace in d.serves), None)
        lease, readable = self._lease(serving, now) if serving is not None and serving.lease else (None, True)
        account = f"system:serviceaccount:{self._namespace}:{self._account}"
        local = f"{_REVIEWS}/namespaces/{self._namespace}/localsubjectaccessreviews"
        operator = f"system:serviceaccount:{serving.namespace}:{serving.account}" if serving is not None else ""
        default = self._operator_namespace or DEFAULT_OPERATOR_NAMESPACE
        return Surroundings(
            namespace=self._namespace,
            operator_namespace=serving.namespace if serving is not None else default,
            account=self._account,
            kubernetes=facts.version,
            served=served,
            definitions=self._definitions(served),
            deployments=deployments,
            lease=lease,
            lease_readable=readable,
            account_exists=self._exists(f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{self._account}"),
            account_may=self._may(local, account, (*TRAINER_NEEDS, *TRAINER_MAY_WANT, *TRAINER_SHOULD_NOT)),
            operator_may=self._may(f"{_REVIEWS}/subjectaccessreviews", operator, OPERATOR_NEEDS) if operator else None,
            guard=self._guard(account),
            clocks=clocks,
            observed=self._observed() if best_version(served) else (0, 0),
            now=now,
        )

    def _items(self, path: str, selector: str = "") -> list[dict[str, Any]] | None:
        """None: we may not."""
        query = {"labelSelector": selector} if selector else None
        answer = self._unless_refused(lambda: self._connection.request("GET", path, query=query))
        return None if answer is None else answer.get("items") or []

    def _unless_refused(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        try:
            return ask()
        except ApiFailureError as failure:
            if failure.status not in (403, 404):
                raise
            return None

    def _exists(self, path: str) -> bool | None:
        try:
            self._connection.request("GET", path)
        except ApiFailureError as failure:
            if failure.status not in (403, 404):
                raise
            return False if failure.status == 404 else None
        return True

    def _served(self) -> tuple[str, ...]:
        group = self._unless_refused(lambda: self._connection.request("GET", f"/apis/{GROUP}")) or {}
        return tuple(version["version"] for version in group.get("versions") or ())

    def _definitions(self, served: tuple[str, ...]) -> Mapping[str, Definition | None] | None:
        found: dict[str, Definition | None] = {}
        for name in NAMES:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            try:
                found[name] = read_definition(self._connection.request("GET", path), best_version(served) or VERSION)
            except ApiFailureError as failure:
                if failure.status == 403:
                    return None
                if failure.status != 404:
                    raise
                found[name] = None
        return found

    def _deployments(self) -> tuple[Deployment, ...] | None:
        default = self._operator_namespace or DEFAULT_OPERATOR_NAMESPACE
        own = f"/apis/apps/v1/namespaces/{default}/deployments"
        items = None if self._operator_namespace else self._items("/apis/apps/v1/deployments", _CHART)
        if items is None:
            items = self._items(own)
        return None if items is None else tuple(filter(None, map(read_deployment, items)))

    def _lease(self, operator: Deployment, now: datetime) -> tuple[SeenLease | None, bool]:
        path = f"{_LEASES.format(operator.namespace)}/{operator.lease}"
        if (there := self._exists(path)) is not True:
            return None, there is False
        first = _read_lease(self._connection.request("GET", path))
        if first.renewed is not None and (now - first.renewed).total_seconds() <= first.seconds:
            return first, True
        # By the clocks it has run out; whether the clocks are right, a second look tells: it is renewed in a third.
        time.sleep(first.seconds / 3 + 2.0)
        second = _read_lease(self._connection.request("GET", path))
        alive = second.renewed != first.renewed
        return SeenLease(second.holder, second.renewed, second.seconds, alive), True

    def _may(self, path: str, user: str, rights: Iterable[Right]) -> Mapping[Right, bool] | None:
        _, _, namespace, _ = user.split(":")
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        kind = "LocalSubjectAccessReview" if path.endswith("localsubjectaccessreviews") else "SubjectAccessReview"
        answers: dict[Right, bool] = {}
        for right in rights:
            resource, _, part = right.resource.partition("/")
            asked = {
                "namespace": self._namespace,
                "verb": right.verb,
                "group": right.group,
                "resource": resource,
                "subresource": part,
            }
            spec = {"user": user, "groups": groups, "resourceAttributes": asked}
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": kind,
                "metadata": {"namespace": self._namespace} if kind.startswith("Local") else {},
                "spec": spec,
            }
            answer = self._unless_refused(lambda body=body: self._connection.request("POST", path, body=body))  # type: ignore[misc]
            if answer is None:
                return None
            answers[right] = bool((answer.get("status") or {}).get("allowed"))
        return answers

    def _guard(self, trainer: str) -> Guard:
        policies = self._items(f"{_ADMISSION}/validatingadmissionpolicies")
        bindings = self._items(f"{_ADMISSION}/validatingadmissionpolicybindings")
        # As a trainer, if we may act as one and it has its rights: administrators are exempt.
        said = self._dry_run(trainer)
        return read_guard(policies, bindings, self._dry_run() if said is None else said)

    def _dry_run(self, user: str = "") -> str | None:
        """What the API server says to a Member of a pod that is not the writer's."""
        body = member_manifest(
            name="doctor",
            rendezvous="doctor",
            rendezvous_uid="doctor",
            address="127.0.0.1",
            port=1,
            renew_time=datetime.now(UTC),
            pod_name="doctor",
            pod_uid="doctor",
        )
        path = collection_path(MEMBER_PLURAL, self._namespace)
        try:
            self._connection.request("POST", path, query={"dryRun": "All"}, body=body, as_user=user)
        except ApiFailureError as failure:
            if failure.status == 403 and "ValidatingAdmissionPolicy" in failure.message:
                return failure.message
            if failure.status not in (403, 404, 409, 422):
                raise
            return None
        return ""

    def _clocks(self, moment: datetime | None, before: float, after: float) -> Clocks:
        """By what the API server told between two moments of ours."""
        if moment is None:
            return Clocks(None, 0.0)
        # The header has whole seconds: the true moment lies within one after it.
        uncertainty = 0.5 + (after - before) / 2
        ours = (before + after) / 2 - (moment.timestamp() + 0.5)
        members = self._items(collection_path(MEMBER_PLURAL, self._namespace)) or ()
        nodes = self._items(_LEASES.format("kube-node-lease")) or ()
        ahead = {lease["metadata"]["name"]: _read_lease(lease).renewed for lease in nodes}
        return Clocks(
            ours,
            uncertainty,
            dict(filter(None, map(_member_ahead, members))),
            {
                name: seconds
                for name, renewed in ahead.items()
                if renewed is not None
                and (seconds := (renewed - moment).total_seconds()) > TOLERATED_SECONDS + uncertainty
            },
        )

    def _observed(self) -> tuple[int, int]:
        items = self._items(collection_path("rendezvous", self._namespace)) or ()
        answered = [obj for obj in items if read_rendezvous(obj).rendezvous.status.observed_generation]
        return len(answered), len(items)


def _read_lease(obj: Mapping[str, Any]) -> SeenLease:
    spec = obj.get("spec") or {}
    renewed = spec.get("renewTime")
    return SeenLease(
        str(spec.get("holderIdentity") or ""),
        parse_time(renewed) if renewed else None,
        float(spec.get("leaseDurationSeconds") or 0),
    )


def _member_ahead(obj: Mapping[str, Any]) -> tuple[str, float] | None:
    """The API server notes when it took a write, in whole seconds; the member wrote its own time into it."""
    written = [entry["time"] for entry in obj["metadata"].get("managedFields") or () if entry.get("time")]
    try:
        member = parse_member(obj)
    except MalformedMemberError:
        return None
    renewed = renewed_at(member)
    if renewed is None or not written:
        return None
    return member.name, (renewed - max(map(parse_time, written))).total_seconds() - 0.5
