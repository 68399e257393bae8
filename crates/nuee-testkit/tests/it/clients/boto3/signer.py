"""Requests whose payload is signed in a form of one's choice, signed with the client library's own parts.

The forms of a body: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import base64
import hashlib
import hmac
import zlib

import botocore.auth
import botocore.credentials
from botocore.awsrequest import AWSRequest
from support import ENDPOINT, fetch, keys

UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_AND_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EMPTY = hashlib.sha256(b"").hexdigest()


class _Auth(botocore.auth.S3SigV4Auth):
    """Signs a request that announces this payload."""

    def __init__(self, key_id, secret, payload):
        super().__init__(botocore.credentials.Credentials(key_id, secret), "s3", "fr1")
        self.announced = payload

    def payload(self, request):
        return self.announced


class Signed:
    """A request under way: its headers, and the chain of its chunks' signatures."""

    def __init__(self, method, path, payload, headers=None, credentials=None):
        self.method, self.url = method, ENDPOINT + path
        self.credentials = credentials or keys()
        request = AWSRequest(method=method, url=self.url, headers=headers or {})
        request.context["payload_signing_enabled"] = True
        _Auth(*self.credentials, payload).add_auth(request)
        self.headers = dict(request.headers.items())
        self.signature = self.headers["Authorization"].rsplit("=", 1)[1]
        self.date = self.headers["X-Amz-Date"]
        self.scope = f"{self.date[:8]}/fr1/s3/aws4_request"

    def next_signature(self, algorithm, *lines):
        """The signature of the next chunk or of the trailer, which covers the one before."""
        key = ("AWS4" + self.credentials[1]).encode()
        for word in self.scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        text = "\n".join([algorithm, self.date, self.scope, self.signature, *lines])
        self.signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        return self.signature

    def send(self, body=None):
        return fetch(self.method, self.url, body, self.headers)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def put(path, data, form, chunk_size=65_536, checksum=None, credentials=None, spoil=lambda body: body):
    """Puts an object in this form. `spoil` may change the body after it was signed."""
    headers = {}
    chunked = form.startswith("STREAMING-")
    trailing = form.endswith("-TRAILER")
    if chunked:
        headers |= {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(data))}
    if trailing:
        headers["X-Amz-Trailer"] = "x-amz-checksum-crc32"
    request = Signed("PUT", path, form, headers, credentials)
    if not chunked:
        return request.send(spoil(data))
    pieces = [data[start : start + chunk_size] for start in range(0, len(data), chunk_size)]
    body = b""
    for piece in [*pieces, b""]:
        body += f"{len(piece):x}".encode()
        if form != UNSIGNED_CHUNKS_AND_TRAILER:
            lines = EMPTY, hashlib.sha256(piece).hexdigest()
            body += b";chunk-signature=" + request.next_signature("AWS4-HMAC-SHA256-PAYLOAD", *lines).encode()
        body += b"\r\n" + (piece + b"\r\n" if piece else b"")
    if trailing:
        trailer = "x-amz-checksum-crc32:" + (checksum or crc32(data))
        body += trailer.encode() + b"\r\n"
        if form == SIGNED_CHUNKS_AND_TRAILER:
            digest = hashlib.sha256(trailer.encode() + b"\n").hexdigest()
            body += b"x-amz-trailer-signature:"
            body += request.next_signature("AWS4-HMAC-SHA256-TRAILER", digest).encode() + b"\r\n"
    return request.send(spoil(body + b"\r\n"))
