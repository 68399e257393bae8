"""Copies of objects."""

import datetime

from support import *

TOLD = {
    "CacheControl": "no-store",
    "ContentDisposition": "inline",
    "ContentEncoding": "gzip",
    "ContentLanguage": "fr",
    "ContentType": "text/plain",
    "Metadata": {"author": "Jeanne"},
}


def _described(s3, name, key):
    head = s3.head_object(Bucket=name, Key=key)
    return {field: head.get(field) for field in TOLD}


def a_copy_in_its_bucket_has_the_content_and_the_metadata():
    s3 = client()
    name = bucket(s3)
    put = s3.put_object(Bucket=name, Key="a", Body=content(300_000), **TOLD)
    copied = s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})
    equal(copied["CopyObjectResult"]["ETag"], put["ETag"])
    equal(_described(s3, name, "b"), TOLD)
    # Each lives on without the other.
    s3.delete_object(Bucket=name, Key="a")
    equal(read(s3, name, "b") == content(300_000), True)


def a_copy_to_another_bucket_outlives_the_first():
    s3 = client()
    name, other = bucket(s3), bucket(s3, "other")
    for size in (0, 1, PART + 1):
        s3.put_object(Bucket=name, Key=str(size), Body=content(size), **TOLD)
        s3.copy_object(Bucket=other, Key=str(size), CopySource=f"{name}/{size}")
        s3.delete_object(Bucket=name, Key=str(size))
        equal(read(s3, other, str(size)) == content(size), True)
        equal(_described(s3, other, str(size)), TOLD)


def a_copy_may_replace_the_metadata():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", **TOLD)
    source = {"Bucket": name, "Key": "a"}
    s3.copy_object(
        Bucket=name,
        Key="b",
        CopySource=source,
        MetadataDirective="REPLACE",
        ContentType="text/html",
        Metadata={"editor": "Paul"},
    )
    nothing = dict.fromkeys(TOLD)
    equal(_described(s3, name, "b"), nothing | {"ContentType": "text/html", "Metadata": {"editor": "Paul"}})


def a_copy_that_keeps_the_metadata_ignores_what_comes_with_it():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", **TOLD)
    s3.copy_object(
        Bucket=name,
        Key="b",
        CopySource={"Bucket": name, "Key": "a"},
        MetadataDirective="COPY",
        ContentType="text/html",
        Metadata={"editor": "Paul"},
    )
    equal(_described(s3, name, "b"), TOLD)


def an_object_is_copied_onto_itself_to_replace_its_metadata():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=content(PART), **TOLD)
    source = {"Bucket": name, "Key": "a"}
    for _ in range(2):
        s3.copy_object(
            Bucket=name, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"mtime": "1700000000.5"}
        )
        equal(s3.head_object(Bucket=name, Key="a")["Metadata"], {"mtime": "1700000000.5"})
        equal(read(s3, name, "a") == content(PART), True)


def an_object_is_not_copied_onto_itself_without_a_change():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=name, Key="a", CopySource={"Bucket": name, "Key": "a"})


def a_copy_of_a_multipart_object_outlives_it():
    s3 = client()
    name = bucket(s3)
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    pieces = [content(PART, 1), content(9, 2)]
    parts = []
    for number, piece in enumerate(pieces, 1):
        parts.append({"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=piece)["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    whole = b"".join(pieces)
    copied = s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})
    tag = s3.head_object(Bucket=name, Key="b")["ETag"]
    equal(copied["CopyObjectResult"]["ETag"], tag)
    equal(tag.endswith('-2"'), True)
    s3.delete_object(Bucket=name, Key="a")
    equal(read(s3, name, "b") == whole, True)


def a_copy_has_conditions_on_its_source():
    s3 = client()
    name = bucket(s3)
    tag = s3.put_object(Bucket=name, Key="a", Body=b"text")["ETag"]
    written = s3.head_object(Bucket=name, Key="a")["LastModified"]
    earlier = written - datetime.timedelta(hours=1)
    asked = {"Bucket": name, "Key": "b", "CopySource": {"Bucket": name, "Key": "a"}}
    for condition in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": tag},
        {"CopySourceIfModifiedSince": written},
        {"CopySourceIfUnmodifiedSince": earlier},
    ):
        with refused("PreconditionFailed", 412):
            s3.copy_object(**asked, **condition)
    with refused("404", 404):
        s3.head_object(Bucket=name, Key="b")
    for condition in (
        {"CopySourceIfMatch": tag},
        {"CopySourceIfNoneMatch": '"other"'},
        {"CopySourceIfModifiedSince": earlier},
        {"CopySourceIfUnmodifiedSince": written},
    ):
        s3.copy_object(**asked, **condition)


def a_copy_of_what_is_not_there_is_refused():
    s3 = client()
    name = bucket(s3)
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "none"})
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": "none", "Key": "a"})


def a_large_object_is_copied_in_parts():
    s3 = client()
    name, other = bucket(s3), bucket(s3, "other")
    s3.put_object(Bucket=name, Key="a", Body=content(3 * PART), Metadata={"author": "Jeanne"})
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    s3.copy({"Bucket": name, "Key": "a"}, other, "a", Config=config)
    head = s3.head_object(Bucket=other, Key="a")
    equal(head["ETag"].endswith('-3"'), True)
    equal(read(s3, other, "a") == content(3 * PART), True)


def nobody_copies_from_another_organisation():
    s3, stranger = client(), client("stranger")
    name, theirs = bucket(s3), bucket(stranger, "theirs")
    stranger.put_object(Bucket=theirs, Key="a", Body=b"theirs")
    s3.put_object(Bucket=name, Key="a", Body=b"ours")
    with refused("AccessDenied", 403):
        s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": theirs, "Key": "a"})
    with refused("AccessDenied", 403):
        s3.copy_object(Bucket=theirs, Key="b", CopySource={"Bucket": name, "Key": "a"})
    upload = {"Bucket": name, "Key": "b"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    with refused("AccessDenied", 403):
        s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": theirs, "Key": "a"})
    equal(stranger.list_objects_v2(Bucket=theirs)["KeyCount"], 1)
