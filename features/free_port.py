"""A port of this machine, looked at before a server is started on it: a server's own traceback helps nobody."""

from __future__ import annotations

import errno
import socket

from features.errors import Refusal

LOWEST, HIGHEST = 1, 65535
"""Ports that can be named (RFC 6335); 0 would be any free one, at an address that nobody was told."""

LOOPBACK = "127.0.0.1"


class PortRefused(Refusal):
    """A server cannot listen on the port that was named: it is taken, kept for administrators, or no port."""

    code = "port_refused"


def check_port(port: int, host: str = LOOPBACK) -> None:
    """Refuse a port that a server could not listen on now.

    Parameters
    ----------
    port
        1 to 65535.
    host
        The address to listen on.

    Raises
    ------
    PortRefused
        It is no port, another program listens there, or the system keeps it for administrators.

    Examples
    --------
    >>> check_port(70000)
    Traceback (most recent call last):
        ...
    features.free_port.PortRefused: --port: 70000 is no port. Name one from 1 to 65535, such as 3001.
    """
    if not LOWEST <= port <= HIGHEST:
        way_out = f"Name one from {LOWEST} to {HIGHEST}, such as 3001."
        raise PortRefused(f"{port} is no port", field="--port", way_out=way_out)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        # As servers do: without it a port whose last connections are closing would look taken for a minute.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise PortRefused(_why(port, error), field="--port", way_out=_way_out(error)) from None


def _why(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another program listens on port {port}"
    return f"port {port} cannot be listened on ({error.strerror})"


def _way_out(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "Stop it, or name another port with --port, such as 3001."
    return "Name a port above 1023 with --port, such as 3001."
