"""Putting, getting and deleting objects."""

import datetime
import hashlib
import io
import os
import tempfile

from support import *


def _round_trip(size):
    s3 = client()
    name = bucket(s3)
    sent = content(size)
    put = s3.put_object(Bucket=name, Key="report.pdf", Body=sent)
    equal(put["ETag"], f'"{hashlib.md5(sent).hexdigest()}"')
    got = s3.get_object(Bucket=name, Key="report.pdf")
    equal(got["ContentLength"], size)
    equal(got["ETag"], put["ETag"])
    equal(got["Body"].read() == sent, True)
    head = s3.head_object(Bucket=name, Key="report.pdf")
    equal((head["ContentLength"], head["ETag"]), (size, put["ETag"]))


def an_object_of_no_bytes_comes_back():
    _round_trip(0)


def an_object_of_one_byte_comes_back():
    _round_trip(1)


def an_object_of_five_mebibytes_and_a_byte_comes_back():
    _round_trip(5 * MIB + 1)


def files_of_every_size_come_back():
    s3 = client()
    name = bucket(s3)
    with tempfile.TemporaryDirectory() as directory:
        there, back = os.path.join(directory, "there"), os.path.join(directory, "back")
        for size in (0, 1, 5 * MIB + 1):
            with open(there, "wb") as file:
                file.write(content(size, size))
            s3.upload_file(there, name, "été/ report  %2F.pdf")
            s3.download_file(name, "été/ report  %2F.pdf", back)
            with open(back, "rb") as file:
                equal(file.read() == content(size, size), True)


def objects_around_the_size_of_a_sealed_chunk_come_back():
    s3 = client()
    name = bucket(s3)
    for size in (65_535, 65_536, 65_537, 131_072, MIB - 1, MIB, MIB + 1):
        sent = content(size, size)
        s3.put_object(Bucket=name, Key=str(size), Body=sent)
        equal(read(s3, name, str(size)) == sent, True)


def a_file_of_300_mebibytes_comes_back():
    s3 = client()
    name = bucket(s3)
    with tempfile.TemporaryDirectory() as directory:
        there, back = os.path.join(directory, "there"), os.path.join(directory, "back")
        sent = hashlib.sha256()
        with open(there, "wb") as file:
            for seed in range(300):
                piece = content(MIB, seed)
                sent.update(piece)
                file.write(piece)
        s3.upload_file(there, name, "archive.tar")
        os.unlink(there)
        s3.download_file(name, "archive.tar", back)
        with open(back, "rb") as file:
            equal(hashlib.file_digest(file, "sha256").digest(), sent.digest())
    # The client sends parts of 8 MiB.
    equal(s3.head_object(Bucket=name, Key="archive.tar")["ETag"][-4:-1], "-38")


def an_object_sent_as_a_stream_comes_back():
    s3 = client()
    name = bucket(s3)
    sent = content(MIB)
    s3.upload_fileobj(io.BytesIO(sent), name, "stream")
    received = io.BytesIO()
    s3.download_fileobj(name, "stream", received)
    equal(received.getvalue() == sent, True)


def awkward_keys_name_objects_of_their_own():
    s3 = client()
    name = bucket(s3)
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    for key in AWKWARD_KEYS:
        equal(read(s3, name, key), key.encode())
        equal(s3.head_object(Bucket=name, Key=key)["ContentLength"], len(key.encode()))
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]]
    equal(listed, sorted(AWKWARD_KEYS, key=str.encode))
    for key in AWKWARD_KEYS:
        s3.delete_object(Bucket=name, Key=key)
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def awkward_keys_are_copied():
    s3 = client()
    name = bucket(s3)
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
        s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": key})
        equal(read(s3, name, "copy"), key.encode())


def a_key_of_1025_bytes_is_too_long():
    s3 = client()
    name = bucket(s3)
    with refused("KeyTooLongError", 400):
        s3.put_object(Bucket=name, Key="é" * 512 + "x", Body=b"")


def metadata_and_content_headers_come_back():
    s3 = client()
    name = bucket(s3)
    told = {
        "CacheControl": "max-age=60, private",
        "ContentDisposition": "attachment; filename=\"r.pdf\"; filename*=UTF-8''r%C3%A9.pdf",
        "ContentEncoding": "gzip",
        "ContentLanguage": "fr, br",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"author": "Jeanne", "two-words": "a, b; c=d", "spaces": "in  the  middle", "case": "KEPT"},
    }
    expires = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
    s3.put_object(Bucket=name, Key="r.pdf", Body=b"text", Expires=expires, **told)
    for answer in (s3.get_object(Bucket=name, Key="r.pdf"), s3.head_object(Bucket=name, Key="r.pdf")):
        equal({field: answer.get(field) for field in told}, told)
        equal(answer["ExpiresString"], "Tue, 06 May 2031 07:08:09 GMT")


def an_object_without_a_content_type_is_octets():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    head = s3.head_object(Bucket=name, Key="a")
    equal((head["ContentType"], head["Metadata"]), ("binary/octet-stream", {}))
    equal([field for field in ("CacheControl", "ContentEncoding", "ExpiresString") if field in head], [])


def metadata_of_more_than_two_kibibytes_is_too_large():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"", Metadata={"m": "x" * 2047})
    with refused("MetadataTooLarge", 400):
        s3.put_object(Bucket=name, Key="a", Body=b"", Metadata={"m": "x" * 2048})


def an_object_that_is_put_again_is_replaced_with_its_metadata():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"first", Metadata={"one": "1"}, ContentType="text/plain")
    s3.put_object(Bucket=name, Key="a", Body=content(PART), Metadata={"two": "2"})
    got = s3.get_object(Bucket=name, Key="a")
    equal((got["ContentLength"], got["Metadata"]), (PART, {"two": "2"}))
    equal(got["ContentType"], "binary/octet-stream")
    equal(got["Body"].read() == content(PART), True)


def ranges_give_the_bytes_that_they_name():
    s3 = client()
    name = bucket(s3)
    sent = content(200_000)
    s3.put_object(Bucket=name, Key="a", Body=sent)
    last = len(sent) - 1
    cases = [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        (f"bytes={last}-{last}", last, last),
        ("bytes=-1", last, last),
        ("bytes=-70000", last - 69_999, last),
        ("bytes=-999999", 0, last),
        ("bytes=65535-65536", 65_535, 65_536),
        ("bytes=65536-131071", 65_536, 131_071),
        ("bytes=150000-", 150_000, last),
        ("bytes=100000-999999", 100_000, last),
        ("bytes=0-", 0, last),
    ]
    for asked, first, end in cases:
        got = s3.get_object(Bucket=name, Key="a", Range=asked)
        equal(got["ResponseMetadata"]["HTTPStatusCode"], 206)
        equal(got["ContentRange"], f"bytes {first}-{end}/{len(sent)}")
        equal(got["ContentLength"], end - first + 1)
        equal(got["Body"].read() == sent[first : end + 1], True)
        head = s3.head_object(Bucket=name, Key="a", Range=asked)
        equal((head["ContentLength"], head["ContentRange"]), (end - first + 1, got["ContentRange"]))


def a_range_beyond_the_end_is_refused():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"0123456789")
    s3.put_object(Bucket=name, Key="empty", Body=b"")
    for key, asked in [("a", "bytes=10-"), ("a", "bytes=10-20"), ("a", "bytes=-0"), ("empty", "bytes=0-0")]:
        with refused("InvalidRange", 416):
            s3.get_object(Bucket=name, Key=key, Range=asked)


def ranges_of_a_multipart_object_cross_its_parts():
    s3 = client()
    name = bucket(s3)
    pieces = [content(PART, 1), content(PART + 7, 2), content(9, 3)]
    upload = s3.create_multipart_upload(Bucket=name, Key="a")["UploadId"]
    parts = []
    for number, piece in enumerate(pieces, 1):
        sent = s3.upload_part(Bucket=name, Key="a", UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    s3.complete_multipart_upload(Bucket=name, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    whole = b"".join(pieces)
    edge = 2 * PART + 7
    for first, last in [(PART - 1, PART), (PART, PART), (PART - 70_000, edge + 3), (edge - 1, edge), (edge, edge + 8)]:
        got = read(s3, name, "a", Range=f"bytes={first}-{last}")
        equal(got == whole[first : last + 1], True)
    equal(read(s3, name, "a", Range="bytes=-10") == whole[-10:], True)
    equal(read(s3, name, "a") == whole, True)


def an_answer_carries_the_headers_that_the_request_asks_for():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", ContentType="text/plain")
    got = s3.get_object(
        Bucket=name,
        Key="a",
        ResponseCacheControl="no-store",
        ResponseContentDisposition='attachment; filename="été.txt"',
        ResponseContentEncoding="identity",
        ResponseContentLanguage="fr",
        ResponseContentType="application/json",
        ResponseExpires=datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.UTC),
    )
    equal((got["CacheControl"], got["ContentEncoding"]), ("no-store", "identity"))
    equal((got["ContentLanguage"], got["ContentType"]), ("fr", "application/json"))
    equal(got["ExpiresString"], "Tue, 06 May 2031 07:08:09 GMT")
    equal("attachment" in got["ContentDisposition"], True)


def reads_under_a_condition_are_answered_by_it():
    s3 = client()
    name = bucket(s3)
    tag = s3.put_object(Bucket=name, Key="a", Body=b"text")["ETag"]
    written = s3.head_object(Bucket=name, Key="a")["LastModified"]
    earlier, later = written - datetime.timedelta(hours=1), written + datetime.timedelta(seconds=1)
    done = [
        {"IfMatch": tag},
        {"IfMatch": "*"},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": earlier},
        {"IfUnmodifiedSince": written},
        {"IfUnmodifiedSince": later},
        # The tag is asked first (RFC 9110, section 13.2.2).
        {"IfMatch": tag, "IfUnmodifiedSince": earlier},
        {"IfNoneMatch": '"other"', "IfModifiedSince": later},
    ]
    not_modified = [
        {"IfNoneMatch": tag},
        {"IfNoneMatch": "*"},
        {"IfModifiedSince": written},
        {"IfNoneMatch": tag, "IfModifiedSince": earlier},
    ]
    failed = [{"IfMatch": '"other"'}, {"IfUnmodifiedSince": earlier}]
    for read_it in (s3.get_object, s3.head_object):
        for condition in done:
            equal(read_it(Bucket=name, Key="a", **condition)["ETag"], tag)
        for condition in not_modified:
            with refused("304", 304):
                read_it(Bucket=name, Key="a", **condition)
        for condition in failed:
            with refused("PreconditionFailed" if read_it == s3.get_object else "412", 412):
                read_it(Bucket=name, Key="a", **condition)


def an_object_is_created_once_under_if_none_match():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="lock", Body=b"first", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=name, Key="lock", Body=b"second", IfNoneMatch="*")
    equal(read(s3, name, "lock"), b"first")
    s3.delete_object(Bucket=name, Key="lock")
    s3.put_object(Bucket=name, Key="lock", Body=b"third", IfNoneMatch="*")
    equal(read(s3, name, "lock"), b"third")


def a_deleted_object_is_gone_and_deleting_it_again_is_no_error():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    for _ in range(2):
        equal(s3.delete_object(Bucket=name, Key="a")["ResponseMetadata"]["HTTPStatusCode"], 204)
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=name, Key="a")
    with refused("404", 404):
        s3.head_object(Bucket=name, Key="a")


def a_thousand_keys_are_deleted_at_once():
    s3 = client()
    name = bucket(s3)
    keys = [f"{number:04} & <é>" for number in range(1_000)]
    for key in keys[::100]:
        s3.put_object(Bucket=name, Key=key, Body=b"")
    s3.put_object(Bucket=name, Key="kept", Body=b"")
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in keys]})
    equal(sorted(entry["Key"] for entry in answer["Deleted"]), keys)
    equal(answer.get("Errors", []), [])
    equal([entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]], ["kept"])


def a_quiet_batch_says_nothing_of_what_it_deleted():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"")
    answer = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}], "Quiet": True})
    equal(("Deleted" in answer, "Errors" in answer), (False, False))
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_batch_of_1001_keys_is_malformed_and_deletes_nothing():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="0", Body=b"")
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": str(number)} for number in range(1_001)]})
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 1)
