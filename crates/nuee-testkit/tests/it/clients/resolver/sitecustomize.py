"""Read by Python at its start: resolves `*.localhost` to this machine, as RFC 6761 has it."""

import socket

_ask = socket.getaddrinfo


def _answer(host, *rest, **named):
    return _ask("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **named)


socket.getaddrinfo = _answer
