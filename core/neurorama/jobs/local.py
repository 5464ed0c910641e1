"""The cluster of this machine: a process that holds a Dask scheduler and its workers, and ends with its server.

It stands apart from the server so that neither keeps the other from work, and so that workers are forked from a
process that has imported torch and done nothing else: the second one, and one that takes the place of a dead one,
are there at once. Nobody else on the machine can give it work: it listens on loopback, and to its server's key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .settings import Settings

if TYPE_CHECKING:
    from distributed.security import Security

_PRELOADED = (
    "torch",
    "networkx",
    "distributed.nanny",
    "neurorama.codec",
    "neurorama.jobs.work",
    "neurorama.runner",
    "neurorama.kernels.propagation",
)
_SPARE = 1024  # MB that a worker has beside what a run may take
_KEY = ("tls_ca_file", "tls_client_cert", "tls_client_key")


@dataclass(frozen=True)
class Local:
    """A running cluster: where it listens, and the key to it."""

    process: subprocess.Popen[bytes]
    address: str
    key: dict[str, str]

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def security(self) -> Security:
        from distributed.security import Security

        return Security(**self.key, require_encryption=True)  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        """Ends it with all its workers."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


_HERE: dict[tuple[int, int], Local] = {}
_ONE_AT_A_TIME = threading.Lock()


def local(settings: Settings) -> Local:
    """The cluster of this process, started when it is first wanted, and again when it has died.

    Raises:
        RuntimeError: it does not start.
    """
    wanted = settings.workers, settings.memory_limit
    with _ONE_AT_A_TIME:
        if wanted not in _HERE or not _HERE[wanted].alive:
            _HERE[wanted] = _started(*wanted)
        return _HERE[wanted]


def _started(workers: int, memory: int) -> Local:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(workers), str(memory)],
        stdin=subprocess.PIPE,  # closed by us, or by our death: then it ends
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C is for the server, which then ends it in good order
    )
    assert process.stdout is not None
    told = process.stdout.readline()
    if not told:
        process.kill()
        raise RuntimeError(f"the side processes do not start (exit code {process.wait()})")
    return Local(process, **json.loads(told))


def main(workers: int, memory: int) -> None:
    """Holds the cluster until the other end of stdin is gone."""
    import multiprocessing
    from multiprocessing import forkserver

    method = "spawn"
    if "forkserver" in multiprocessing.get_all_start_methods():
        method = "forkserver"
        multiprocessing.get_context(method).set_forkserver_preload(list(_PRELOADED))
        forkserver.ensure_running()  # imports torch while we import Dask

    import logging

    from dask import config
    from distributed import LocalCluster
    from distributed.security import Security

    config.set({"distributed.worker.multiprocessing-method": method})
    config.set({f"distributed.{part}.http.routes": [] for part in ("scheduler", "worker")})  # tells nobody anything
    security = Security.temporary()
    cluster: Any = LocalCluster(
        host="127.0.0.1",
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=(memory + _SPARE) * 2**20,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        security=security,
        silence_logs=logging.CRITICAL,
    )
    with cluster:
        key = {name: getattr(security, name) for name in _KEY}
        print(json.dumps({"address": cluster.scheduler_address, "key": key}), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
