"""The programs that show Neurorama: the dashboard, JupyterLab, and the kernel for it."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from . import places
from .errors import InputError

KERNEL = "neurorama"


def dashboard(host: str, port: int) -> int:
    """Serves the dashboard until it is stopped; its exit code.

    Raises:
        InputError: nothing can listen on that address, others would reach it without a login, or a setting is wrong.
    """
    from .jobs.settings import Settings

    Settings.of_environment()
    main = places.app() / _entrance(host)
    _free(host, port, "neurorama app")
    print(f"Neurorama is at http://{host}:{port} (Ctrl-C stops it)", flush=True)
    where = [f"--server.address={host}", f"--server.port={port}"]  # the rest is in the app's own config.toml
    return _serve([sys.executable, "-m", "streamlit", "run", str(main), *where])


def loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _entrance(host: str) -> str:
    """The file of the dashboard to serve: the one with a password in front where others reach it."""
    from . import users

    if loopback(host) or _identity_provider():
        return "main.py"
    if users.names():
        return "gate.py"
    raise InputError(
        f"host={host!r} lets others in, and nobody would ask who they are: `neurorama users add NAME` gives somebody a "
        "password, or name your identity provider in the section [auth] of .streamlit/secrets.toml (deploy/README.md)"
    )


def _identity_provider() -> bool:
    """Whether a login is set up where Streamlit looks for it."""
    for folder in (Path.home(), Path.cwd(), places.app()):
        try:
            secrets = tomllib.loads((folder / ".streamlit" / "secrets.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if {"redirect_uri", "cookie_secret"} <= secrets.get("auth", {}).keys():
            return True
    return False


def jupyter(port: int, browser: bool) -> int:
    """Serves JupyterLab on the notebooks until it is stopped; its exit code.

    Raises:
        InputError: nothing can listen on that port.
    """
    _free("localhost", port, "neurorama lab")
    if kernel() is None:
        install_kernel(sys.prefix)
    folder = places.notebooks() if places.root() else _copies(Path.cwd() / "neurorama-notebooks")
    print(f"JupyterLab is on {folder} (Ctrl-C stops it)", flush=True)
    flags = ["--ip=localhost", f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    if not browser:
        flags.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container
        flags.append("--allow-root")
    return _serve([sys.executable, "-m", "jupyterlab", *flags])


def _copies(folder: Path) -> Path:
    """The shipped notebooks, in a folder where they may be changed; what was changed there is left as it is."""
    folder.mkdir(exist_ok=True)
    for shipped in sorted(places.notebooks().glob("*.ipynb")):
        own = folder / shipped.name
        if not own.exists():
            shutil.copyfile(shipped, own)
        elif not filecmp.cmp(shipped, own, shallow=False):
            print(f"{own.name} was changed; it is left as it is", flush=True)
    return folder


def _free(host: str, port: int, command: str) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port={port} is in use; try `{command} --port {port + 1}`") from None
        if error.errno == errno.EACCES:
            raise InputError(f"port={port} is not for everyone to use; take one above 1023") from None
        raise InputError(f"host={host!r} is not an address of this machine; try localhost") from None


def _serve(command: Sequence[str]) -> int:
    """Runs a server in the foreground; Ctrl-C reaches it as well, and it is given the time to end."""
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # whoever ends us ends the server too
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def kernel() -> str | None:
    """Where Jupyter finds the kernel named Neurorama, or None."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(KERNEL).resource_dir
    except NoSuchKernel:
        return None


def install_kernel(prefix: str = "") -> str:
    """Installs this Python as the kernel "Neurorama" under `prefix`, or for the user; where it went.

    Raises:
        InputError: the folder cannot be written.
    """
    from ipykernel.kernelspec import install

    try:
        return install(kernel_name=KERNEL, display_name="Neurorama", user=not prefix, prefix=prefix or None)
    except OSError as error:
        raise InputError(f"the kernel cannot be written to {prefix or 'the user folder'!r}: {error.strerror}") from None
