"""What Nextcloud asks of its primary storage, as its sources have it (`lib/private/Files/ObjectStore`).

The calls are S3ConnectionTrait's, which finds or makes the bucket, and S3ObjectTrait's: small files in one request, large
ones in parts, reading through presigned or signed requests by range, and copies in parts beyond a size.
"""

import io

from support import *


def _store():
    """A client with the settings that Nextcloud has for what is not AWS, and its bucket."""
    s3 = client(
        config={
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    )
    # `doesBucketExist` of the SDK for PHP, then `createBucket`, then the same look again.
    with refused("404", 404):
        s3.head_bucket(Bucket="nextcloud")
    s3.create_bucket(Bucket="nextcloud")
    s3.head_bucket(Bucket="nextcloud")
    return s3


def _told(number):
    return {"Bucket": "nextcloud", "Key": f"urn:oid:{number}"}


METADATA = {"original-name": "%C3%A9t%C3%A9.txt", "original-storage": "home::jeanne"}
WRITTEN = {"ACL": "private", "ContentType": "text/plain", "StorageClass": "STANDARD", "Metadata": METADATA}


def a_small_file_is_written_and_read():
    s3 = _store()
    for number, size in enumerate((0, 1, PART)):
        s3.put_object(**_told(number), Body=content(size), **WRITTEN)
        head = s3.head_object(**_told(number))
        equal((head["ContentLength"], head["Metadata"]), (size, METADATA))
        equal(read(s3, "nextcloud", f"urn:oid:{number}") == content(size), True)


def a_large_file_is_written_in_parts_and_read_by_ranges():
    s3 = _store()
    whole = content(3 * PART + 9)
    # `MultipartUploader`, with `before_initiate` that gives the metadata.
    upload = _told(7) | {"UploadId": s3.create_multipart_upload(**_told(7), **WRITTEN)["UploadId"]}
    parts = []
    for number, start in enumerate(range(0, len(whole), PART), 1):
        sent = s3.upload_part(**upload, PartNumber=number, Body=whole[start : start + PART])
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    equal(s3.head_object(**_told(7))["Metadata"], METADATA)
    # `SeekableHttpStream` asks again from where the reader is, without an end.
    for start in (0, 10, 2 * PART + 1, len(whole) - 1):
        got = s3.get_object(**_told(7), Range=f"bytes={start}-")
        equal(got["ContentRange"], f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        equal(got["Body"].read() == whole[start:], True)


def a_stream_of_unknown_length_is_written():
    s3 = _store()
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    whole = content(2 * PART + 1)
    s3.upload_fileobj(io.BytesIO(whole), **_told(8), ExtraArgs=WRITTEN, Config=config)
    equal(read(s3, "nextcloud", "urn:oid:8") == whole, True)


def a_file_is_copied():
    s3 = _store()
    s3.put_object(**_told(1), Body=content(2 * PART + 3), **WRITTEN)
    # In one request below 5 GiB.
    s3.copy_object(**_told(2), CopySource=_told(1), ACL="private", MetadataDirective="COPY")
    equal(s3.head_object(**_told(2))["Metadata"], METADATA)
    # `MultipartCopy` beyond.
    upload = _told(3) | {"UploadId": s3.create_multipart_upload(**_told(3), **WRITTEN)["UploadId"]}
    size, parts = 2 * PART + 3, []
    for number, start in enumerate(range(0, size, PART), 1):
        window = f"bytes={start}-{min(start + PART, size) - 1}"
        copied = s3.upload_part_copy(
            **upload, PartNumber=number, CopySource=_told(1), CopySourceRange=window
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    equal(read(s3, "nextcloud", "urn:oid:3") == content(size), True)


def an_upload_of_chunks_is_listed_and_given_up():
    s3 = _store()
    # Version 2 of chunked uploads keeps the parts in the storage itself.
    upload = _told(4) | {"UploadId": s3.create_multipart_upload(**_told(4))["UploadId"]}
    for number in (1, 2):
        s3.upload_part(**upload, PartNumber=number, Body=content(9), ContentLength=9)
    listed = s3.list_parts(**upload, MaxParts=1_000, PartNumberMarker=0)
    equal([part["Size"] for part in listed["Parts"]], [9, 9])
    s3.abort_multipart_upload(**upload)
    with refused("NoSuchUpload", 404):
        s3.list_parts(**upload)


def a_file_is_deleted_and_no_longer_found():
    s3 = _store()
    s3.put_object(**_told(1), Body=b"text", **WRITTEN)
    s3.delete_object(**_told(1))
    # `doesObjectExist`, and the read that Nextcloud turns into "not found".
    with refused("404", 404):
        s3.head_object(**_told(1))
    with refused("NoSuchKey", 404):
        s3.get_object(**_told(1))
    s3.delete_object(**_told(1))


def what_is_there_is_listed_for_a_check():
    s3 = _store()
    for number in range(12):
        s3.put_object(**_told(number), Body=b"text", **WRITTEN)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="nextcloud", Prefix="urn:oid:", PaginationConfig={"PageSize": 5}
    )
    equal(len([entry for page in pages for entry in page["Contents"]]), 12)


def a_file_is_downloaded_by_a_presigned_url():
    s3 = _store()
    s3.put_object(**_told(1), Body=b"text", **WRITTEN)
    told = {"ResponseContentDisposition": "attachment; filename*=UTF-8''%C3%A9t%C3%A9.txt"}
    told["ResponseContentType"] = "text/plain"
    status, headers, body = fetch("GET", s3.generate_presigned_url("get_object", Params=_told(1) | told))
    equal((status, body, headers["Content-Disposition"]), (200, b"text", told["ResponseContentDisposition"]))
