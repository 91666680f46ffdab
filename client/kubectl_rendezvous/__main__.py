"""`python -m kubectl_rendezvous`."""

import sys

from kubectl_rendezvous.cli import main

sys.exit(main())
