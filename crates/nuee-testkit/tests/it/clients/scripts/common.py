"""What every script shares: where the server is, content, names, comparisons, plain HTTP.

The environment says where the server is, as it would to anybody's script: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so
on. NUEE_ACCOUNTS holds key pairs of further service accounts, by name: `reader` may only read in the owner's project,
`neighbour` owns another project of the same organisation, `stranger` owns a project of another organisation.
"""

import http.client
import os
import random
import socket
import ssl
import urllib.parse

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
MIB = 1 << 20
PART = 5 * MIB
"""The smallest part that is not the last."""


def keys():
    """The owner's access key id and secret."""
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def content(size, seed=1):
    """Bytes that look random, and are the same each time."""
    return random.Random(seed).randbytes(size)


def equal(found, expected):
    """Asserts without printing megabytes."""
    if found != expected:
        raise AssertionError(f"found {found!r:.2000}\nexpected {expected!r:.2000}")


def fetch(method, url, body=None, headers=None):
    """One request of plain HTTP: its status, headers and body."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=60, context=trust)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(method, target, body=body, headers=headers or {})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def send_form(url, fields, content, filename="notes.txt"):
    """What a browser sends when a form with a file is submitted: its status, headers and body."""
    mark = "between-the-fields"
    pieces = []
    for name, value in fields.items():
        pieces.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = b"".join([*pieces, head.encode(), content, f"\r\n--{mark}--\r\n".encode()])
    return fetch("POST", url, body, {"Content-Type": f"multipart/form-data; boundary={mark}"})


def error_code(body):
    """The code in an error's document."""
    start = body.index(b"<Code>") + len(b"<Code>")
    return body[start : body.index(b"</Code>")].decode()


def resolve_localhost():
    """Resolves every name below `localhost` to this machine, as RFC 6761 has it and not every machine does."""
    ask = socket.getaddrinfo

    def answer(host, *rest, **named):
        return ask("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **named)

    socket.getaddrinfo = answer


AWKWARD_KEYS = [
    "été à la plage.txt",
    "日本語/ファイル",
    "🦀 and 𝄞",
    "e\u0301 apart",
    "\u00e9 together",
    "\u202eright to left",
    "\u00a0no break",
    "a b  c",
    " around ",
    "/",
    "//",
    "/first",
    "last/",
    "a//b",
    "a///b//",
    ".",
    "..",
    "./a",
    "../a",
    "a/./b",
    "a/../b",
    "../../../../etc/passwd",
    "a/..",
    "%",
    "100%",
    "%2F",
    "a%2Fb",
    "%2e%2e%2fa",
    "%25",
    "%00",
    "%é",
    "a+b",
    "a&b=c",
    "a?b#c",
    "?uploads",
    "a=b;c:d,e@f$g!h(i)[j]{k}|l^m`n",
    "'single' and \"double\"",
    "<Key>&amp;</Key>",
    "]]>",
    "back\\slash",
    "*",
    "~",
    "-",
    "a\nb",
    "a\rb",
    "a\tb",
    "\x01\x1f\x7f",
    "\ufeffmark",
    "\ufffe\uffff",
    "CON",
    ".metadata",
    "x" * 1024,
    "é" * 512,
    "/" * 1024,
]
"""Keys that paths, queries, XML or file systems treat in their own way, and S3 does not. All are different."""
