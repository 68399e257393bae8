"""What Docs and Drive of La Suite ask, as their sources have it: django-storages, and boto3 beside it.

https://github.com/suitenumerique/docs keeps each document as versions of one key, and gives attachments to browsers
through a proxy that relays a request signed by the backend. https://github.com/suitenumerique/drive has browsers send
files to presigned URLs and forms.
"""

import datetime
import urllib.parse

import botocore.auth
import botocore.credentials
from botocore.awsrequest import AWSRequest
from support import *

ORIGIN = "https://docs.example"


def _store():
    """The bucket that the deployment makes, which keeps versions."""
    s3 = client(config={"signature_version": "s3v4", "s3": {"addressing_style": "path"}})
    s3.create_bucket(Bucket="media")
    s3.put_bucket_versioning(Bucket="media", VersioningConfiguration={"Status": "Enabled"})
    return s3


def _saved(s3, key, *bodies):
    return [s3.put_object(Bucket="media", Key=key, Body=body)["VersionId"] for body in bodies]


def a_file_is_saved_as_django_does():
    s3 = _store()
    # `exists`, `save`, `size`, `get_modified_time`, `open`, `listdir`, `delete`.
    with refused("404", 404):
        s3.head_object(Bucket="media", Key="a/file")
    objects = boto3.resource("s3").Bucket("media")
    objects.Object("a/file").upload_fileobj(open(__file__, "rb"), ExtraArgs={"ContentType": "text/x-python"})
    held = objects.Object("a/file")
    equal((held.content_type, held.content_length), ("text/x-python", os.path.getsize(__file__)))
    equal(held.last_modified.tzinfo is not None, True)
    page = s3.list_objects_v2(Bucket="media", Prefix="", Delimiter="/")
    equal([entry["Prefix"] for entry in page["CommonPrefixes"]], ["a/"])
    held.delete()
    with refused("404", 404):
        s3.head_object(Bucket="media", Key="a/file")


def the_versions_of_a_document_are_shown_page_by_page():
    s3 = _store()
    key = "6f1b/file"
    ids = _saved(s3, key, *(str(number).encode() for number in range(5)))
    _saved(s3, "6f1b/file-of-another", b"other")
    since = s3.head_object(Bucket="media", Key=key, VersionId=ids[0])["LastModified"]
    found, marker = [], {}
    for _ in range(len(ids)):
        page = s3.list_object_versions(Bucket="media", Prefix=key, MaxKeys=2, **marker)
        # A key of which this one is a prefix is none of its versions.
        shown = [entry for entry in page.get("Versions", []) if entry["Key"] == key]
        found += [entry["VersionId"] for entry in shown if entry["LastModified"] >= since]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    equal(found, ids[::-1])
    equal([entry["IsLatest"] for entry in page.get("Versions", []) if entry["Key"] == key], [False])


def a_version_of_a_document_is_read_and_deleted():
    s3 = _store()
    first, second = _saved(s3, "6f1b/file", b"first", b"second")
    held = s3.get_object(Bucket="media", Key="6f1b/file", VersionId=first)
    equal((held["Body"].read(), held["VersionId"], "LastModified" in held), (b"first", first, True))
    s3.delete_object(Bucket="media", Key="6f1b/file", VersionId=first)
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket="media", Key="6f1b/file", VersionId=first)
    with refused("InvalidArgument", 400):
        s3.get_object(Bucket="media", Key="6f1b/file", VersionId="undefined")
    equal(read(s3, "media", "6f1b/file"), b"second")


def a_document_is_saved_when_it_has_changed():
    s3 = _store()
    (version,) = _saved(s3, "6f1b/file", b"text")
    # Docs compares the tag with the MD5 of what it has.
    equal(s3.head_object(Bucket="media", Key="6f1b/file")["ETag"].strip('"'), "1cb251ec0d568de6a929b520c4aed8d1")
    equal(s3.head_object(Bucket="media", Key="6f1b/file")["VersionId"], version)


def _relayed(method, target, headers=None):
    """A request as the backend signs it for the proxy: to the address of the storage, whatever the browser asked for."""
    request = AWSRequest(method, f"{ENDPOINT}/{target}", headers=headers or {})
    botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(*keys()), "s3", "fr1").add_auth(request)
    return dict(request.headers.items())


def a_proxy_relays_what_the_backend_signed():
    s3 = _store()
    key = "6f1b/attachments/été 1.png"
    s3.put_object(Bucket="media", Key=key, Body=content(100_000), ContentType="image/png", Metadata={"owner": "1"})
    target = "media/" + urllib.parse.quote(key)
    signed = _relayed("GET", target)
    status, headers, body = fetch("GET", f"{ENDPOINT}/{target}", headers=signed)
    equal((status, headers["Content-Type"], body == content(100_000)), (200, "image/png", True))
    # What the browser adds is not signed, and holds all the same.
    status, _, body = fetch("GET", f"{ENDPOINT}/{target}", headers=signed | {"Range": "bytes=0-9"})
    equal((status, body), (206, content(100_000)[:10]))
    since = headers["Last-Modified"]
    equal(fetch("GET", f"{ENDPOINT}/{target}", headers=signed | {"If-Modified-Since": since})[0], 304)
    equal(fetch("GET", f"{ENDPOINT}/{target}", headers=signed | {"If-None-Match": headers["ETag"]})[0], 304)
    equal(fetch("GET", f"{ENDPOINT}/media/other", headers=signed)[0], 403)


def an_attachment_is_marked_as_safe_by_a_copy_onto_itself():
    s3 = _store()
    asked = {"Bucket": "media", "Key": "6f1b/attachments/a.png"}
    s3.put_object(**asked, Body=b"image", ContentType="image/png", Metadata={"owner": "1", "status": "processing"})
    held = s3.head_object(**asked)
    s3.copy_object(
        **asked,
        CopySource=asked,
        MetadataDirective="REPLACE",
        ContentType=held["ContentType"],
        Metadata=held["Metadata"] | {"status": "ready"},
    )
    told = s3.head_object(**asked)
    equal((told["Metadata"]["status"], told["ContentType"], told["ETag"]), ("ready", "image/png", held["ETag"]))


def a_document_with_its_attachments_is_deleted():
    s3 = _store()
    for name in ("file", "attachments/a", "attachments/b"):
        _saved(s3, f"6f1b/{name}", b"1", b"2")
    boto3.resource("s3").Bucket("media").object_versions.filter(Prefix="6f1b/").delete()
    page = s3.list_object_versions(Bucket="media")
    equal(("Versions" in page, "DeleteMarkers" in page), (False, False))


def a_browser_sends_a_file_to_a_presigned_url():
    s3 = _store()
    rule = {"AllowedOrigins": [ORIGIN], "AllowedMethods": ["PUT", "GET"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket="media", CORSConfiguration={"CORSRules": [rule]})
    asked = {"Bucket": "media", "Key": "item/1/été.txt", "ACL": "private"}
    url = s3.generate_presigned_url("put_object", Params=asked, ExpiresIn=60)
    ask = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    ask["Access-Control-Request-Headers"] = "content-type,x-amz-acl"
    status, headers, _ = fetch("OPTIONS", url, headers=ask)
    equal((status, headers["Access-Control-Allow-Headers"].replace(" ", "")), (200, "content-type,x-amz-acl"))
    sent = {"Origin": ORIGIN, "Content-Type": "text/plain", "x-amz-acl": "private"}
    status, headers, _ = fetch("PUT", url, b"text", sent)
    equal((status, headers["Access-Control-Allow-Origin"]), (200, ORIGIN))
    equal(fetch("PUT", url, b"text", sent | {"x-amz-acl": "public-read"})[0] in (400, 403), True)
    equal(s3.head_object(Bucket="media", Key="item/1/été.txt")["ContentType"], "text/plain")


def a_browser_sends_a_file_by_a_form():
    s3 = _store()
    equal(s3.get_bucket_versioning(Bucket="media")["Status"], "Enabled")
    conditions = [{"acl": "private"}, ["content-length-range", 0, 2_000_000], ["starts-with", "$Content-Type", ""]]
    form = s3.generate_presigned_post(
        "media", "item/1/notes.txt", Fields={"acl": "private"}, Conditions=conditions, ExpiresIn=60
    )
    status, headers, _ = send_form(form["url"], form["fields"] | {"Content-Type": "text/plain"}, content(MIB))
    equal((status, "x-amz-version-id" in headers), (204, True))
    equal(read(s3, "media", "item/1/notes.txt") == content(MIB), True)
    equal(send_form(form["url"], form["fields"] | {"Content-Type": "a/b"}, content(2_000_001))[0], 400)


def a_link_to_a_file_lasts_as_long_as_it_says():
    s3 = _store()
    _saved(s3, "item/1/a", b"text")
    told = {"ResponseContentDisposition": 'attachment; filename="a.txt"'}
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": "item/1/a"} | told, ExpiresIn=60)
    status, headers, _ = fetch("GET", url)
    equal((status, headers["Content-Disposition"]), (200, 'attachment; filename="a.txt"'))
    expires = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["X-Amz-Expires"]
    equal(datetime.timedelta(seconds=int(expires[0])), datetime.timedelta(minutes=1))
