"""`kubectl rendezvous dashboard`: start everything, tell the address, go on until Ctrl-C."""

from collections.abc import Callable

from kube_rendezvous.signal_proof import Flag
from kubectl_rendezvous.dashboard.feed import Feeds
from kubectl_rendezvous.dashboard.followed_list import FollowedList
from kubectl_rendezvous.dashboard.followed_rendezvous import FollowedRendezvous
from kubectl_rendezvous.dashboard.server import DashboardServer
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.reading import Reader

_FIRST_LIST_SECONDS = 15.0


def serve_dashboard(reader: Reader, port: int, say: Callable[[str], None], *, everywhere: bool) -> None:
    """Serve the page until Ctrl-C.

    Args:
        port: of this machine; 0 for any free one.
        say: told the address, once it can be opened.
        everywhere: all namespaces.

    Raises:
        CommandError: the API server refuses to be asked, or the port is taken.
    """
    everything = FollowedList(reader, everywhere=everywhere)
    everything.start(_FIRST_LIST_SECONDS)
    single = Feeds(FollowedRendezvous(reader, everything).follow)
    try:
        server = DashboardServer(port, everything, single, None if everywhere else reader.namespace)
    except OSError as error:
        everything.stop()
        raise CommandError(
            f"Port {port} of this machine cannot be used ({error.strerror or error}): take another one, or none "
            "(--port 0 takes any that is free)"
        ) from error
    try:
        say(f"Dashboard of {everything.scope}, with your rights and for you only: {server.address}")
        say("Ctrl-C ends it.")
        Flag().wait()  # an Event would not always hear of Ctrl-C
    except KeyboardInterrupt:
        return
    finally:
        server.close()
        everything.stop()
