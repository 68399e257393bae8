"""Presigned URLs, fetched with plain HTTP."""

import datetime
import hashlib
from unittest import mock

from support import *


def _url(s3, operation, expires=300, **parameters):
    url = s3.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)
    assert "X-Amz-Signature=" in url, url
    return url


def a_presigned_get_needs_no_key():
    s3 = client()
    name = bucket(s3)
    key = "été/a b+c%2F&d"
    s3.put_object(Bucket=name, Key=key, Body=content(200_000), ContentType="text/plain")
    url = _url(s3, "get_object", Bucket=name, Key=key)
    status, headers, body = fetch("GET", url)
    equal((status, headers["Content-Type"], body == content(200_000)), (200, "text/plain", True))
    status, headers, body = fetch("GET", url, headers={"Range": "bytes=5-9"})
    equal((status, body), (206, content(200_000)[5:10]))


def a_presigned_get_chooses_headers_of_its_answer():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    told = {"ResponseContentType": "text/html", "ResponseContentDisposition": 'attachment; filename="a b.html"'}
    status, headers, _ = fetch("GET", _url(s3, "get_object", Bucket=name, Key="a", **told))
    equal((status, headers["Content-Type"]), (200, "text/html"))
    equal(headers["Content-Disposition"], 'attachment; filename="a b.html"')


def a_presigned_put_writes():
    s3 = client()
    name = bucket(s3)
    url = _url(s3, "put_object", Bucket=name, Key="a b")
    for body in (b"", b"text", content(2 * MIB)):
        status, headers, _ = fetch("PUT", url, body)
        equal((status, headers["ETag"]), (200, f'"{hashlib.md5(body).hexdigest()}"'))
        equal(read(s3, name, "a b") == body, True)


def a_presigned_put_with_signed_headers_wants_them():
    s3 = client()
    name = bucket(s3)
    told = {"ContentType": "text/plain", "Metadata": {"author": "Jeanne"}}
    url = _url(s3, "put_object", Bucket=name, Key="a", **told)
    headers = {"Content-Type": "text/plain", "x-amz-meta-author": "Jeanne"}
    for wrong in ({}, dict(headers, **{"Content-Type": "text/html"}), dict(headers, **{"x-amz-meta-author": "Paul"})):
        equal(fetch("PUT", url, b"text", wrong)[0], 403)
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)
    equal(fetch("PUT", url, b"text", headers)[0], 200)
    head = s3.head_object(Bucket=name, Key="a")
    equal((head["ContentType"], head["Metadata"]), ("text/plain", {"author": "Jeanne"}))


def a_presigned_put_takes_no_header_that_was_not_signed():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="secret", Body=b"secret")
    url = _url(s3, "put_object", Bucket=name, Key="a")
    for unsigned in ({"x-amz-copy-source": f"/{name}/secret"}, {"x-amz-meta-author": "Paul"}, {"x-amz-acl": "private"}):
        status, _, _ = fetch("PUT", url, b"", unsigned)
        equal((unsigned, status), (unsigned, 403))
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 1)


def a_presigned_head_describes():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", Metadata={"author": "Jeanne"})
    status, headers, body = fetch("HEAD", _url(s3, "head_object", Bucket=name, Key="a"))
    equal((status, headers["Content-Length"], headers["x-amz-meta-author"], body), (200, "4", "Jeanne", b""))


def a_presigned_delete_deletes():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    equal(fetch("DELETE", _url(s3, "delete_object", Bucket=name, Key="a"))[0], 204)
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_presigned_part_is_part_of_an_upload():
    s3 = client()
    name = bucket(s3)
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    status, headers, _ = fetch("PUT", _url(s3, "upload_part", **upload, PartNumber=1), b"text")
    equal(status, 200)
    parts = {"Parts": [{"PartNumber": 1, "ETag": headers["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    equal(read(s3, name, "a"), b"text")


def a_presigned_url_is_good_for_what_it_says():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    s3.put_object(Bucket=name, Key="b", Body=b"other")
    url = _url(s3, "get_object", Bucket=name, Key="a")
    flipped = url[:-1] + ("0" if url[-1] != "0" else "1")
    tampered = [
        ("PUT", url),
        ("DELETE", url),
        ("GET", url.replace("/a?", "/b?")),
        ("GET", url.replace("X-Amz-Expires=300", "X-Amz-Expires=301")),
        ("GET", url + "&response-content-type=text/html"),
        ("GET", flipped),
        ("GET", url.replace("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=")),
        ("GET", url.replace("fr1", "fr2")),
    ]
    for method, wrong in tampered:
        status, _, body = fetch(method, wrong, b"" if method == "PUT" else None)
        equal((method, wrong, status in (400, 403)), (method, wrong, True))
        equal(b"text" in body and method == "GET" and b"<Error>" not in body, False)
    equal((read(s3, name, "a"), read(s3, name, "b")), (b"text", b"other"))


def _url_of(s3, moment, expires, **parameters):
    """A URL that was made at another moment."""
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: moment):
        return _url(s3, "get_object", expires, **parameters)


def a_presigned_url_ends_when_it_says():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    hour = datetime.timedelta(hours=1)
    equal(fetch("GET", _url_of(s3, now - hour, 7_200, Bucket=name, Key="a"))[0], 200)
    status, _, body = fetch("GET", _url_of(s3, now - hour, 3_500, Bucket=name, Key="a"))
    equal((status, error_code(body)), (403, "AccessDenied"))
    # One from the future is for no one yet.
    equal(fetch("GET", _url_of(s3, now + hour, 7_200, Bucket=name, Key="a"))[0], 403)


def a_presigned_url_lasts_seven_days_at_most():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    week = 7 * 24 * 3600
    equal(fetch("GET", _url(s3, "get_object", week, Bucket=name, Key="a"))[0], 200)
    for expires in (week + 1, 10**9):
        status, _, body = fetch("GET", _url(s3, "get_object", expires, Bucket=name, Key="a"))
        equal((status, error_code(body)), (400, "AuthorizationQueryParametersError"))


def a_presigned_url_with_a_wrong_secret_is_refused():
    s3 = client()
    name = bucket(s3)
    wrong = client(aws_access_key_id=keys()[0], aws_secret_access_key="0" * 40)
    for operation, method in [("put_object", "PUT"), ("get_object", "GET"), ("delete_object", "DELETE")]:
        status, _, body = fetch(method, _url(wrong, operation, Bucket=name, Key="a"), b"" if method == "PUT" else None)
        equal((status, error_code(body)), (403, "SignatureDoesNotMatch"))
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def a_presigned_url_gives_no_more_than_its_signer_has():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    reader, stranger = client("reader"), client("stranger")
    equal(fetch("GET", _url(reader, "get_object", Bucket=name, Key="a"))[0], 200)
    equal(fetch("PUT", _url(reader, "put_object", Bucket=name, Key="a"), b"other")[0], 403)
    equal(fetch("GET", _url(stranger, "get_object", Bucket=name, Key="a"))[0], 403)
    equal(read(s3, name, "a"), b"text")
