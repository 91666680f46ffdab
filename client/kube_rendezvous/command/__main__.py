"""``python -m kube_rendezvous.command`` is `kube-rendezvous`."""

import sys

from kube_rendezvous.command import main

if __name__ == "__main__":
    sys.exit(main())
