"""Deletes a Member object that was judged."""

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.failures import is_no_such_object
from kube_rendezvous.resources import MEMBER_PLURAL
from kube_rendezvous.resources.names import object_path
from kube_rendezvous_core import Expulsion
from kube_rendezvous_core.liveness.expulsions import preconditions


class ChangedMeanwhileError(Exception):
    """It is another object now, or has been written since it was judged: look again."""


def delete_member(connection: Connection, expulsion: Expulsion) -> bool:
    """Delete it.

    Returns:
        False if there was none any more.

    Raises:
        ChangedMeanwhileError: see there.
        ApiFailureError: it was refused, or did not work.
    """
    member = expulsion.member
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions(expulsion)}
    try:
        connection.request("DELETE", object_path(MEMBER_PLURAL, member.namespace, member.name), body=options)
    except ApiFailureError as failure:
        if failure.status == 409:
            raise ChangedMeanwhileError from failure
        if not is_no_such_object(failure, member.name):
            raise
        return False
    return True
