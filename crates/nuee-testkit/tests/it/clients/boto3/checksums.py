"""Checksums: verified, kept, told."""

import base64
import hashlib
import zlib

from support import *


def _reflected_crc(polynomial, width):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ polynomial if value & 1 else value >> 1
        table.append(value)

    def crc(data):
        state = ones = (1 << width) - 1
        for byte in data:
            state = table[(state ^ byte) & 255] ^ state >> 8
        return (state ^ ones).to_bytes(width // 8, "big")

    return crc


DIGESTS = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": _reflected_crc(0x82F63B78, 32),
    "CRC64NVME": _reflected_crc(0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}


def _text(algorithm, data):
    return base64.b64encode(DIGESTS[algorithm](data)).decode()


def _field(algorithm):
    return "Checksum" + algorithm


def _told(answer):
    return {field: answer[field] for field in answer if field.startswith("Checksum")}


def a_checksum_that_is_sent_is_kept_and_told():
    s3 = client()
    name = bucket(s3)
    for algorithm in DIGESTS:
        text = _text(algorithm, b"text")
        put = s3.put_object(Bucket=name, Key=algorithm, Body=b"text", **{_field(algorithm): text})
        expected = {_field(algorithm): text, "ChecksumType": "FULL_OBJECT"}
        equal(_told(put), expected)
        for ask in (s3.get_object, s3.head_object):
            equal(_told(ask(Bucket=name, Key=algorithm, ChecksumMode="ENABLED")), expected)
        (entry,) = s3.list_objects_v2(Bucket=name, Prefix=algorithm, StartAfter=algorithm[:-1], MaxKeys=1)["Contents"]
        equal((entry["ChecksumAlgorithm"], entry["ChecksumType"]), ([algorithm], "FULL_OBJECT"))


def a_checksum_that_is_wrong_is_refused_and_nothing_is_written():
    s3 = client()
    name = bucket(s3)
    for size in (4, 2 * MIB):
        for algorithm in DIGESTS:
            with refused("BadDigest", 400):
                wrong = {_field(algorithm): _text(algorithm, b"other")}
                s3.put_object(Bucket=name, Key="a", Body=content(size), **wrong)
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_checksum_that_is_malformed_is_refused():
    s3 = client()
    name = bucket(s3)
    for text in ("!", "AAAA", _text("SHA256", b"text")):
        with refused("InvalidRequest", 400):
            s3.put_object(Bucket=name, Key="a", Body=b"text", ChecksumCRC32=text)


def a_content_md5_that_is_wrong_is_refused():
    s3 = client()
    name = bucket(s3)
    right = base64.b64encode(hashlib.md5(b"text").digest()).decode()
    s3.put_object(Bucket=name, Key="a", Body=b"text", ContentMD5=right)
    with refused("BadDigest", 400):
        s3.put_object(Bucket=name, Key="b", Body=b"other", ContentMD5=right)
    with refused("InvalidDigest", 400):
        s3.put_object(Bucket=name, Key="b", Body=b"text", ContentMD5="AAAA")
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 1)


def the_client_computes_a_checksum_that_is_kept():
    s3 = client()
    name = bucket(s3)
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        s3.put_object(Bucket=name, Key="a", Body=b"text", ChecksumAlgorithm=algorithm)
        head = s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED")
        equal(head[_field(algorithm)], _text(algorithm, b"text"))


def a_client_that_sends_no_checksum_gets_one():
    s3 = client(config={"request_checksum_calculation": "when_required"})
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    head = s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED")
    equal(head["ChecksumCRC64NVME"], _text("CRC64NVME", b"text"))


def a_range_is_told_without_the_checksum_of_the_whole():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"0123456789")
    got = s3.get_object(Bucket=name, Key="a", Range="bytes=2-4", ChecksumMode="ENABLED")
    equal((_told(got), got["Body"].read()), ({}, b"234"))


def _multipart(algorithm, kind, with_parts):
    s3 = client()
    name = bucket(s3)
    created = s3.create_multipart_upload(Bucket=name, Key="a", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    equal((created["ChecksumAlgorithm"], created["ChecksumType"]), (algorithm, kind))
    upload = {"Bucket": name, "Key": "a", "UploadId": created["UploadId"]}
    pieces, parts = [content(PART), b"end"], []
    for number, piece in enumerate(pieces, 1):
        text = {_field(algorithm): _text(algorithm, piece)}
        sent = s3.upload_part(**upload, PartNumber=number, Body=piece, **text)
        equal(_told(sent), text)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]} | (text if with_parts else {}))
    listed = s3.list_parts(**upload)
    equal((listed["ChecksumAlgorithm"], listed["ChecksumType"]), (algorithm, kind))
    equal([part[_field(algorithm)] for part in listed["Parts"]], [_text(algorithm, piece) for piece in pieces])
    if kind == "FULL_OBJECT":
        expected = _text(algorithm, b"".join(pieces))
    else:
        expected = _text(algorithm, b"".join(DIGESTS[algorithm](piece) for piece in pieces)) + "-2"
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    told = {_field(algorithm): expected, "ChecksumType": kind}
    equal(_told(done), told)
    equal(_told(s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED")), told)
    # The client verifies the checksum of a whole while it reads.
    equal(read(s3, name, "a") == b"".join(pieces), True)


def parts_with_crc32_make_a_composite_checksum():
    _multipart("CRC32", "COMPOSITE", True)


def parts_with_crc32c_make_a_composite_checksum():
    _multipart("CRC32C", "COMPOSITE", True)


def parts_with_sha1_make_a_composite_checksum():
    _multipart("SHA1", "COMPOSITE", True)


def parts_with_sha256_make_a_composite_checksum():
    _multipart("SHA256", "COMPOSITE", True)


def parts_with_crc32_make_the_checksum_of_the_whole():
    _multipart("CRC32", "FULL_OBJECT", False)


def parts_with_crc32c_make_the_checksum_of_the_whole():
    _multipart("CRC32C", "FULL_OBJECT", False)


def parts_with_crc64nvme_make_the_checksum_of_the_whole():
    _multipart("CRC64NVME", "FULL_OBJECT", True)


def a_kind_of_checksum_that_an_algorithm_cannot_have_is_refused():
    s3 = client()
    name = bucket(s3)
    for algorithm, kind in [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]:
        with refused("InvalidRequest", 400):
            s3.create_multipart_upload(Bucket=name, Key="a", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    equal("Uploads" in s3.list_multipart_uploads(Bucket=name), False)


def an_upload_without_an_algorithm_has_a_checksum_of_the_whole():
    s3 = client(config={"request_checksum_calculation": "when_required"})
    name = bucket(s3)
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    sent = s3.upload_part(**upload, PartNumber=1, Body=b"text")
    parts = [{"PartNumber": 1, "ETag": sent["ETag"]}]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=name, Key="a", ChecksumMode="ENABLED")
    equal(_told(head), {"ChecksumCRC64NVME": _text("CRC64NVME", b"text"), "ChecksumType": "FULL_OBJECT"})


def a_completion_with_the_wrong_checksum_is_refused():
    s3 = client()
    name = bucket(s3)
    upload = {"Bucket": name, "Key": "a"}
    created = s3.create_multipart_upload(**upload, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload["UploadId"] = created["UploadId"]
    sent = s3.upload_part(**upload, PartNumber=1, Body=b"text")
    part = {"PartNumber": 1, "ETag": sent["ETag"]}
    wrong, right = _text("CRC32", b"other"), _text("CRC32", b"text")
    with refused("InvalidPart", 400):
        parts = {"Parts": [part | {"ChecksumCRC32": wrong}]}
        s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    with refused("BadDigest", 400):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, ChecksumCRC32=wrong)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, ChecksumCRC32=right)


def a_part_with_another_algorithm_than_its_upload_is_refused():
    s3 = client()
    name = bucket(s3)
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]
    with refused("InvalidRequest", 400):
        s3.upload_part(**upload, PartNumber=1, Body=b"text", ChecksumAlgorithm="CRC32")


def a_copy_keeps_the_checksum_or_gets_the_one_that_is_asked_for():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", ChecksumAlgorithm="SHA1")
    source = {"Bucket": name, "Key": "a"}
    kept = s3.copy_object(Bucket=name, Key="b", CopySource=source)["CopyObjectResult"]
    equal(_told(kept), {"ChecksumSHA1": _text("SHA1", b"text"), "ChecksumType": "FULL_OBJECT"})
    asked = s3.copy_object(Bucket=name, Key="b", CopySource=source, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    equal(_told(asked), {"ChecksumSHA256": _text("SHA256", b"text"), "ChecksumType": "FULL_OBJECT"})
    equal(s3.head_object(Bucket=name, Key="b", ChecksumMode="ENABLED")["ChecksumSHA256"], _text("SHA256", b"text"))
