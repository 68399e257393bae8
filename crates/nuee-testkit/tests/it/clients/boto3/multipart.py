"""Multipart uploads."""

import base64
import hashlib

from support import *


def _created(s3, key="a", **arguments):
    name = bucket(s3)
    upload = s3.create_multipart_upload(Bucket=name, Key=key, **arguments)["UploadId"]
    return {"Bucket": name, "Key": key, "UploadId": upload}


def _put(s3, upload, number, body, **arguments):
    sent = s3.upload_part(**upload, PartNumber=number, Body=body, **arguments)
    return {"PartNumber": number, "ETag": sent["ETag"]}


def _complete(s3, upload, parts, **arguments):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **arguments)


def _content(s3, upload):
    return read(s3, upload["Bucket"], upload["Key"])


def parts_make_an_object_whose_tag_is_the_md5_of_theirs():
    s3 = client()
    upload = _created(s3, ContentType="text/plain", Metadata={"author": "Jeanne"}, CacheControl="no-store")
    pieces = [content(PART, 1), content(PART, 2), b"end"]
    parts = [_put(s3, upload, number, piece) for number, piece in enumerate(pieces, 1)]
    done = _complete(s3, upload, parts)
    digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
    equal(done["ETag"], f'"{hashlib.md5(digests).hexdigest()}-3"')
    equal((done["Bucket"], done["Key"]), (upload["Bucket"], "a"))
    equal(_content(s3, upload) == b"".join(pieces), True)
    head = s3.head_object(Bucket=upload["Bucket"], Key="a")
    equal((head["ETag"], head["ContentLength"]), (done["ETag"], 2 * PART + 3))
    equal((head["ContentType"], head["CacheControl"]), ("text/plain", "no-store"))
    equal(head["Metadata"], {"author": "Jeanne"})
    with refused("NoSuchUpload", 404):
        s3.list_parts(**upload)


def parts_sent_out_of_order_are_joined_in_the_order_of_their_numbers():
    s3 = client()
    upload = _created(s3)
    pieces = {9_999: content(PART, 3), 3: content(PART, 1), 10_000: b"end", 7: content(PART, 2)}
    parts = [_put(s3, upload, number, piece) for number, piece in pieces.items()]
    _complete(s3, upload, sorted(parts, key=lambda part: part["PartNumber"]))
    equal(_content(s3, upload) == b"".join(pieces[number] for number in sorted(pieces)), True)


def a_part_sent_again_replaces_the_first():
    s3 = client()
    upload = _created(s3)
    first = _put(s3, upload, 1, b"first")
    second = _put(s3, upload, 1, b"second")
    with refused("InvalidPart", 400):
        _complete(s3, upload, [first])
    _complete(s3, upload, [second])
    equal(_content(s3, upload), b"second")


def parts_that_the_completion_leaves_out_are_dropped():
    s3 = client()
    upload = _created(s3)
    parts = [_put(s3, upload, number, content(PART, number)) for number in (1, 2, 3)]
    _complete(s3, upload, [parts[0], parts[2]])
    equal(_content(s3, upload) == content(PART, 1) + content(PART, 3), True)


def an_upload_of_one_part_may_be_small():
    s3 = client()
    for key, body in [("empty", b""), ("one", b"1")]:
        upload = _created(s3, key) if key == "empty" else dict(upload, Key=key)
        if key == "one":
            upload["UploadId"] = s3.create_multipart_upload(Bucket="papers", Key=key)["UploadId"]
        _complete(s3, upload, [_put(s3, upload, 1, body)])
        equal(_content(s3, upload), body)


def a_part_before_the_last_has_five_mebibytes():
    s3 = client()
    upload = _created(s3)
    parts = [_put(s3, upload, 1, content(PART - 1)), _put(s3, upload, 2, b"end")]
    with refused("EntityTooSmall", 400):
        _complete(s3, upload, parts)
    # The upload is as it was.
    equal(len(s3.list_parts(**upload)["Parts"]), 2)
    with refused("404", 404):
        s3.head_object(Bucket=upload["Bucket"], Key="a")
    parts[0] = _put(s3, upload, 1, content(PART))
    _complete(s3, upload, parts)


def a_completion_names_parts_that_exist_in_ascending_order():
    s3 = client()
    upload = _created(s3)
    one, two = _put(s3, upload, 1, content(PART)), _put(s3, upload, 2, b"end")
    with refused("InvalidPartOrder", 400):
        _complete(s3, upload, [two, one])
    with refused("InvalidPartOrder", 400):
        _complete(s3, upload, [one, one])
    with refused("InvalidPart", 400):
        _complete(s3, upload, [one, two, {"PartNumber": 3, "ETag": two["ETag"]}])
    with refused("InvalidPart", 400):
        _complete(s3, upload, [one, {"PartNumber": 2, "ETag": one["ETag"]}])
    with refused("MalformedXML", 400):
        _complete(s3, upload, [])
    _complete(s3, upload, [one, two])


def a_part_number_is_1_to_10000():
    s3 = client()
    upload = _created(s3)
    for number in (0, 10_001, -1):
        with refused("InvalidArgument", 400):
            _put(s3, upload, number, b"")


def an_upload_that_is_not_there_is_no_such_upload():
    s3 = client()
    upload = _created(s3)
    elsewhere = [dict(upload, Key="other"), dict(upload, UploadId="nothing"), dict(upload, UploadId="../../x")]
    for named in elsewhere:
        for ask in (s3.list_parts, s3.abort_multipart_upload):
            with refused("NoSuchUpload", 404):
                ask(**named)
        with refused("NoSuchUpload", 404):
            _put(s3, named, 1, b"text")
        with refused("NoSuchUpload", 404):
            _complete(s3, named, [{"PartNumber": 1, "ETag": '"x"'}])


def parts_are_listed_page_by_page():
    s3 = client()
    upload = _created(s3)
    for number in (5, 2, 9, 700):
        _put(s3, upload, number, b"x" * number)
    for size in (1, 3, 4, 1_000):
        pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": size})
        listed = [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]]
        equal(listed, [(2, 2), (5, 5), (9, 9), (700, 700)])
    page = s3.list_parts(**upload, MaxParts=2)
    equal((page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]), (True, 5, 2))
    equal(page["Parts"][0]["ETag"], f'"{hashlib.md5(b"xx").hexdigest()}"')
    equal((page["Bucket"], page["Key"], page["UploadId"]), (upload["Bucket"], "a", upload["UploadId"]))


def uploads_are_listed_page_by_page():
    s3 = client()
    name = bucket(s3)
    created = []
    for key in ("é b", "a", "a", "c/1", "c/2", "a"):
        created.append((key, s3.create_multipart_upload(Bucket=name, Key=key)["UploadId"]))
    for size in (1, 2, 3, 1_000):
        paginator = s3.get_paginator("list_multipart_uploads")
        pages = paginator.paginate(Bucket=name, PaginationConfig={"PageSize": size})
        listed = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])]
        equal([key for key, _ in listed], ["a", "a", "a", "c/1", "c/2", "é b"])
        equal(sorted(listed), sorted(created))
    page = s3.list_multipart_uploads(Bucket=name, Prefix="c/")
    equal([upload["Key"] for upload in page["Uploads"]], ["c/1", "c/2"])
    page = s3.list_multipart_uploads(Bucket=name, KeyMarker="c/1")
    equal([upload["Key"] for upload in page["Uploads"]], ["c/2", "é b"])


def an_aborted_upload_is_gone():
    s3 = client()
    upload = _created(s3)
    _put(s3, upload, 1, content(PART))
    equal(s3.abort_multipart_upload(**upload)["ResponseMetadata"]["HTTPStatusCode"], 204)
    equal("Uploads" in s3.list_multipart_uploads(Bucket=upload["Bucket"]), False)
    with refused("NoSuchUpload", 404):
        _put(s3, upload, 2, b"text")
    with refused("NoSuchUpload", 404):
        s3.abort_multipart_upload(**upload)
    s3.delete_bucket(Bucket=upload["Bucket"])


def an_upload_under_way_does_not_show_in_its_bucket():
    s3 = client()
    upload = _created(s3)
    s3.put_object(Bucket=upload["Bucket"], Key="a", Body=b"before")
    part = _put(s3, upload, 1, b"after")
    equal(_content(s3, upload), b"before")
    _complete(s3, upload, [part])
    equal(_content(s3, upload), b"after")


def a_completion_under_if_none_match_replaces_nothing():
    s3 = client()
    upload = _created(s3)
    part = _put(s3, upload, 1, b"second")
    s3.put_object(Bucket=upload["Bucket"], Key="a", Body=b"first")
    with refused("PreconditionFailed", 412):
        _complete(s3, upload, [part], IfNoneMatch="*")
    equal(_content(s3, upload), b"first")
    s3.delete_object(Bucket=upload["Bucket"], Key="a")
    _complete(s3, upload, [part], IfNoneMatch="*")
    equal(_content(s3, upload), b"second")


def a_completion_whose_size_is_wrong_is_refused():
    s3 = client()
    upload = _created(s3)
    part = _put(s3, upload, 1, b"text")
    with refused("InvalidRequest", 400):
        _complete(s3, upload, [part], MpuObjectSize=5)
    _complete(s3, upload, [part], MpuObjectSize=4)


def parts_are_copied_from_objects_and_their_ranges():
    s3 = client()
    upload = _created(s3)
    other = bucket(s3, "other")
    source = content(2 * PART, 1)
    s3.put_object(Bucket=other, Key="source é", Body=source)
    named = {"Bucket": other, "Key": "source é"}
    asked = [{}, {"CopySourceRange": f"bytes=7-{PART + 6}"}, {"CopySourceRange": "bytes=0-0"}]
    parts = []
    for number, arguments in enumerate(asked, 1):
        copied = s3.upload_part_copy(**upload, PartNumber=number, CopySource=named, **arguments)
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    equal(parts[0]["ETag"], f'"{hashlib.md5(source).hexdigest()}"')
    _complete(s3, upload, parts)
    equal(_content(s3, upload) == source + source[7 : PART + 7] + source[:1], True)


def a_copied_part_whose_range_is_outside_is_refused():
    s3 = client()
    upload = _created(s3)
    s3.put_object(Bucket=upload["Bucket"], Key="source", Body=b"0123456789")
    named = {"Bucket": upload["Bucket"], "Key": "source"}
    for asked, code in [
        ("bytes=0-10", "InvalidRange"),
        ("bytes=5-4", "InvalidRange"),
        ("bytes=0-", "InvalidArgument"),
        ("bytes=-3", "InvalidArgument"),
        ("0-3", "InvalidArgument"),
    ]:
        with refused(code):
            s3.upload_part_copy(**upload, PartNumber=1, CopySource=named, CopySourceRange=asked)
    equal("Parts" in s3.list_parts(**upload), False)


def a_copied_part_has_conditions_on_its_source():
    s3 = client()
    upload = _created(s3)
    tag = s3.put_object(Bucket=upload["Bucket"], Key="source", Body=b"text")["ETag"]
    asked = {**upload, "PartNumber": 1, "CopySource": {"Bucket": upload["Bucket"], "Key": "source"}}
    s3.upload_part_copy(**asked, CopySourceIfMatch=tag)
    with refused("PreconditionFailed", 412):
        s3.upload_part_copy(**asked, CopySourceIfMatch='"other"')
    with refused("PreconditionFailed", 412):
        s3.upload_part_copy(**asked, CopySourceIfNoneMatch=tag)
    with refused("NoSuchKey", 404):
        s3.upload_part_copy(**dict(asked, CopySource={"Bucket": upload["Bucket"], "Key": "none"}))
