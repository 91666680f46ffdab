"""Exit statuses of `kube-rendezvous`, as in sysexits.h where that has one: a podFailurePolicy can tell them apart."""

from kube_rendezvous.api import RendezvousClosedError, RendezvousError, RendezvousTimeoutError

FAILED = 1
USAGE = 2
UNAVAILABLE = 69
INTERNAL = 70
NOT_YET = 75
CLOSED = 79

EXPLAINED = f"""\
exit status:
  0     done
  {USAGE}     wrong usage
  {UNAVAILABLE}    the API server (or the sidecar) is out of reach or refuses us; the message says what to do
  {INTERNAL}    an error in kube-rendezvous
  {NOT_YET}    no round in time: to try again may help
  {CLOSED}    the rendezvous is closed: to try again does not help
"""


def exit_status_of(error: RendezvousError) -> int:
    """The exit status that says what went wrong."""
    if isinstance(error, RendezvousClosedError):
        return CLOSED
    if isinstance(error, RendezvousTimeoutError):
        return NOT_YET
    return UNAVAILABLE
