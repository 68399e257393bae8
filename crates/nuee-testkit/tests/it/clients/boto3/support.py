"""What the scripts beside this one share: clients of the server under test, content, names, plain HTTP.

The environment says where the server is, as it would to anybody's script: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so
on. NUEE_ACCOUNTS holds key pairs of further service accounts, by name: `reader` may only read in the owner's project,
`neighbour` owns another project of the same organisation, `stranger` owns a project of another organisation.
"""

import contextlib
import http.client
import json
import os
import random
import socket
import urllib.parse

import boto3
import botocore.exceptions
from botocore.config import Config

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
MIB = 1 << 20
PART = 5 * MIB
"""The smallest part that is not the last."""


def client(account=None, config=None, **settings):
    """A client with the settings of the environment, or with another service account's keys."""
    if account is not None:
        key_id, secret = json.loads(os.environ["NUEE_ACCOUNTS"])[account]
        settings |= {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    return boto3.client("s3", config=config and Config(**config), **settings)


def keys():
    """The owner's access key id and secret."""
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def bucket(s3, name="papers"):
    """A new bucket."""
    s3.create_bucket(Bucket=name)
    return name


def content(size, seed=1):
    """Bytes that look random, and are the same each time."""
    return random.Random(seed).randbytes(size)


def read(s3, bucket, key, **arguments):
    """The whole content of an object."""
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


@contextlib.contextmanager
def refused(code, status=None):
    """What is done inside fails with this error of S3."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]["Code"]
        answered = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert told == code, f"{told} ({error}) instead of {code}"
        assert status in (None, answered), f"{answered} instead of {status}"
    else:
        raise AssertionError(f"it was done, and {code} was expected")


def equal(found, expected):
    """Asserts without printing megabytes."""
    if found != expected:
        raise AssertionError(f"found {found!r:.2000}\nexpected {expected!r:.2000}")


def fetch(method, url, body=None, headers=None):
    """One request of plain HTTP: its status, headers and body."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    target = parts.path + ("?" + parts.query if parts.query else "")
    connection.request(method, target, body=body, headers=headers or {})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


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
