"""Against a server that speaks TLS. AWS_CA_BUNDLE says whom to trust."""

import os
import urllib.parse

import botocore.exceptions
import signer
from support import ENDPOINT, MIB, PART, bucket, client, content, equal, read, resolve_localhost


def _secure(s3):
    """Notes the form of each body that is sent; nothing is sent in the clear."""
    forms = []

    def note(request, **_):
        equal(request.url.startswith("https://"), True)
        forms.append(request.headers.get("X-Amz-Content-SHA256"))

    s3.meta.events.register("before-send.s3", note)
    return forms


def bodies_of_every_size_come_back_inside_tls():
    s3 = client()
    name = bucket(s3)
    forms = _secure(s3)
    for size in (0, 1, 65_536, 3 * MIB, 20 * MIB):
        s3.put_object(Bucket=name, Key="a", Body=content(size))
        equal(forms[-1], signer.UNSIGNED_CHUNKS_AND_TRAILER.encode())
        equal(read(s3, name, "a") == content(size), True)
    equal(read(s3, name, "a", Range="bytes=5-9"), content(20 * MIB)[5:10])
    equal("ChecksumCRC32" in s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED"), True)


def parts_make_an_object_inside_tls():
    s3 = client()
    upload = {"Bucket": bucket(s3), "Key": "a"}
    forms = _secure(s3)
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = []
    for number, size in enumerate((PART, PART, 7), 1):
        sent = s3.upload_part(**upload, PartNumber=number, Body=content(size, number))
        equal(forms[-1], signer.UNSIGNED_CHUNKS_AND_TRAILER.encode())
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    whole = content(PART, 1) + content(PART, 2) + content(7, 3)
    equal(read(s3, upload["Bucket"], "a") == whole, True)


def buckets_have_host_names_inside_tls():
    resolve_localhost()
    port = urllib.parse.urlsplit(ENDPOINT).port
    style = {"s3": {"addressing_style": "virtual"}}
    s3 = client(endpoint_url=f"https://s3.localhost:{port}", config=style)
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    equal(read(s3, name, "a"), b"text")


def who_is_not_told_to_trust_the_server_refuses_it():
    del os.environ["AWS_CA_BUNDLE"]
    try:
        client().list_buckets()
    except botocore.exceptions.SSLError:
        return
    raise AssertionError("the client trusts a server that it does not know")
