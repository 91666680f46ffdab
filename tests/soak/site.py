"""Where the soak runs: a control plane of its own, an operator, a namespace."""

import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from integration.handlers.bad_proxy import BadProxy
from integration.recorder import Recorder
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster, cluster
from rendezvous_local.operator_process import OperatorProcess
from soak.run import Account, Soak, nothing_left_over


def soak(account: Account, seconds: float, tell: Callable[[Account], None]) -> str:
    """Run one soak on the cluster of KUBECONFIG, or on a local one of its own.

    Args:
        account: says how many members and which seed; holds what was found afterwards.
        seconds: for how long.
        tell: called with the account after each quiet point.

    Returns:
        The end of the operator's log if anything is wrong, else "".
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster() as running,
        OperatorProcess(running.kubeconfig, log=Path(folder) / "operator.log") as operator,
    ):
        with nothing_left_over(account):
            connection = Connection.open(str(running.kubeconfig))
            namespace = f"soak-{int(time.time())}"
            connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
            try:
                with _proxy_before(running, Path(folder)) as proxy, Recorder(connection, namespace) as recorder:
                    scene = Soak(running.kubeconfig, proxy, connection, namespace, operator, account, tell)
                    scene.go(seconds, recorder)
            except AssertionError as error:
                account.violations.append(str(error))
            finally:
                connection.request("DELETE", f"/api/v1/namespaces/{namespace}")
                connection.close()
        operator.stop()
        log = (Path(folder) / "operator.log").read_text(errors="replace")
        unasked = [code for code in operator.exit_codes if code != -signal.SIGKILL]
        account.violations += [f"the operator ended unasked, with exit status {code}" for code in unasked]
        errors = [line for line in log.splitlines() if "Traceback" in line]
        account.violations += [f"the operator's log has {len(errors)} tracebacks"] if errors else []
        return "\n".join(log.splitlines()[-60:]) if account.violations else ""


def _proxy_before(cluster: Cluster, folder: Path) -> AbstractContextManager[BadProxy | None]:
    """A proxy needs a token to pass on, which the kubeconfig of somebody's cluster may not have."""
    return nullcontext() if cluster.control_plane is None else BadProxy(cluster.kubeconfig, folder)
