"""Who signs, and how: every form of a body, every wrong secret."""

import hashlib

import botocore
import signer
from support import *

FORMS = (
    signer.UNSIGNED,
    signer.SIGNED_CHUNKS,
    signer.SIGNED_CHUNKS_AND_TRAILER,
    signer.UNSIGNED_CHUNKS_AND_TRAILER,
)


def bodies_are_taken_in_every_form():
    s3 = client()
    name = bucket(s3)
    for size in (0, 1, 65_536, 200_000):
        sent = content(size, size)
        for form in (*FORMS, hashlib.sha256(sent).hexdigest()):
            status, headers, body = signer.put(f"/{name}/a", sent, form)
            equal((form, status, body), (form, 200, b""))
            equal(headers["ETag"], f'"{hashlib.md5(sent).hexdigest()}"')
            got = s3.get_object(Bucket=name, Key="a")
            equal(got["Body"].read() == sent, True)
            # How a body travelled is not what it is encoded in.
            equal("ContentEncoding" in got, False)
            s3.delete_object(Bucket=name, Key="a")


def a_checksum_in_a_trailer_is_kept():
    s3 = client()
    name = bucket(s3)
    for form in (signer.SIGNED_CHUNKS_AND_TRAILER, signer.UNSIGNED_CHUNKS_AND_TRAILER):
        equal(signer.put(f"/{name}/a", content(200_000), form)[0], 200)
        head = s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED")
        equal(head["ChecksumCRC32"], signer.crc32(content(200_000)))
        s3.delete_object(Bucket=name, Key="a")


def a_body_that_is_not_what_was_signed_is_refused():
    s3 = client()
    name = bucket(s3)
    sent = content(200_000)

    def flip(at):
        return lambda body: body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    signed = hashlib.sha256(sent).hexdigest()
    for form, codes in [
        (signed, ("XAmzContentSHA256Mismatch",)),
        (signer.SIGNED_CHUNKS, ("SignatureDoesNotMatch",)),
        (signer.SIGNED_CHUNKS_AND_TRAILER, ("SignatureDoesNotMatch",)),
        (signer.UNSIGNED_CHUNKS_AND_TRAILER, ("BadDigest",)),
    ]:
        for at in (1_000, 100_000, 190_000):
            status, _, body = signer.put(f"/{name}/a", sent, form, spoil=flip(at))
            equal((form, at, status, error_code(body) in codes or body), (form, at, status, True))
            equal(status in (400, 403), True)
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_wrong_checksum_in_a_trailer_is_refused():
    s3 = client()
    name = bucket(s3)
    for form in (signer.SIGNED_CHUNKS_AND_TRAILER, signer.UNSIGNED_CHUNKS_AND_TRAILER):
        status, _, body = signer.put(f"/{name}/a", b"text", form, checksum=signer.crc32(b"other"))
        equal((status, error_code(body)), (400, "BadDigest"))
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_wrong_secret_is_refused_in_every_form():
    s3 = client()
    name = bucket(s3)
    wrong = (keys()[0], "0" * 40)
    for form in (*FORMS, hashlib.sha256(b"text").hexdigest()):
        status, _, body = signer.put(f"/{name}/a", b"text", form, credentials=wrong)
        equal((form, status, error_code(body)), (form, 403, "SignatureDoesNotMatch"))
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def the_client_sends_what_it_sends_over_tls():
    """The bytes of a connection that a proxy takes out of TLS: an unsigned body, its checksum in the trailer."""
    s3 = client(endpoint_url=ENDPOINT.replace("http:", "https:"))
    seen = []

    def take_out_of_tls(request, **_):
        request.url = request.url.replace("https:", "http:")
        seen.append(request.headers["X-Amz-Content-SHA256"])

    s3.meta.events.register("before-send.s3", take_out_of_tls)
    name = bucket(s3)
    for size in (0, 1, 3 * MIB):
        s3.put_object(Bucket=name, Key="a", Body=content(size))
        equal(seen[-1], signer.UNSIGNED_CHUNKS_AND_TRAILER.encode())
        equal(read(s3, name, "a") == content(size), True)
    upload = {"Bucket": name, "Key": "b"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    sent = s3.upload_part(**upload, PartNumber=1, Body=content(MIB))
    part = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    equal(read(s3, name, "b") == content(MIB), True)
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_wrong_secret_is_a_signature_that_does_not_match():
    s3 = client()
    name = bucket(s3)
    wrong = client(aws_access_key_id=keys()[0], aws_secret_access_key="0" * 40)
    for attempt in (
        lambda: wrong.list_buckets(),
        lambda: wrong.create_bucket(Bucket="mine"),
        lambda: wrong.put_object(Bucket=name, Key="a", Body=b"text"),
        lambda: wrong.list_objects_v2(Bucket=name),
        lambda: wrong.delete_bucket(Bucket=name),
    ):
        with refused("SignatureDoesNotMatch", 403):
            attempt()
    equal([entry["Name"] for entry in s3.list_buckets()["Buckets"]], [name])


def an_unknown_key_is_an_invalid_access_key_id():
    for unknown in ("AKIAIOSFODNN7EXAMPLE", "NU" + "A" * 18, "x"):
        with refused("InvalidAccessKeyId", 403):
            client(aws_access_key_id=unknown, aws_secret_access_key=keys()[1]).list_buckets()


def who_signs_nothing_is_denied():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    anyone = client(config={"signature_version": botocore.UNSIGNED})
    with refused("AccessDenied", 403):
        anyone.get_object(Bucket=name, Key="a")
    with refused("AccessDenied", 403):
        anyone.put_object(Bucket=name, Key="b", Body=b"text")
    with refused("AccessDenied", 403):
        anyone.list_buckets()
    with refused("AccessDenied", 403):
        anyone.list_objects_v2(Bucket="no-such-bucket")


def any_region_is_taken():
    for region in ("fr1", "us-east-1", "eu-west-3"):
        equal("Buckets" in client(region_name=region).list_buckets(), True)


def version_two_signatures_are_refused():
    s3 = client(config={"signature_version": "s3"})
    with refused("InvalidRequest", 400):
        s3.list_buckets()
