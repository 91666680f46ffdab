"""The operator, for whom ten heartbeats a minute are enough: eight members have the interval of thousands."""

import sys

from kube_rendezvous_core.liveness import heartbeat
from kube_rendezvous_operator.__main__ import main

heartbeat.MAX_HEARTBEATS_PER_SECOND = 1 / 6  # type: ignore[assignment]

if __name__ == "__main__":
    sys.exit(main())
