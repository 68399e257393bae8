"""What Cyberduck and Mountain Duck ask, as their sources have it: listings in URLs' encoding, and settings of buckets.

https://github.com/iterate-ch/cyberduck/tree/master/s3. boto3 asks for the same encoding and takes it off again, so these
requests are signed here and sent as they are.
"""

import re
import urllib.parse

import signer
from support import *

AWKWARD = ["a b/1", "a+b/1", "a%2Fb", "été/1", "a&b<c>", "\x01\x1f", "\ufffe", "a\rb", "🦀", "plain"]


def _list(name, **query):
    """A listing as it comes: its encoding, and the values of an element, decoded."""
    text = urllib.parse.urlencode({"encoding-type": "url"} | query, quote_via=urllib.parse.quote)
    status, _, body = signer.Signed("GET", f"/{name}?{text}", signer.EMPTY).send()
    equal((status, b"<EncodingType>url</EncodingType>" in body), (200, True))
    body = body.decode("ascii")
    return lambda element: [urllib.parse.unquote(value) for value in re.findall(f"<{element}>([^<]*)</{element}>", body)]


def _filled(s3):
    name = bucket(s3)
    for key in AWKWARD:
        s3.put_object(Bucket=name, Key=key, Body=b"text")
    return name


def keys_are_listed_in_the_encoding_that_is_asked_for():
    name = _filled(client())
    expected = sorted(AWKWARD, key=str.encode)
    for query in ({}, {"list-type": "2"}, {"max-keys": "1000", "marker": ""}):
        equal(_list(name, **query)("Key"), expected)


def directories_and_pages_are_listed_in_the_same_encoding():
    name = _filled(client())
    told = _list(name, delimiter="/", prefix="")
    # The prefix of the listing comes before those that it gathers.
    equal(told("Prefix"), ["", "a b/", "a+b/", "été/"])
    equal(_list(name, prefix="été/", delimiter="/")("Prefix"), ["été/"])
    found, marker = [], ""
    while True:
        told = _list(name, **{"max-keys": "3", "marker": marker, "delimiter": "|"})
        found += told("Key")
        if told("IsTruncated") == ["false"]:
            break
        (marker,) = told("NextMarker")
    equal(found, sorted(AWKWARD, key=str.encode))


def versions_are_listed_in_the_same_encoding():
    s3 = client()
    name = bucket(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in AWKWARD:
        s3.put_object(Bucket=name, Key=key, Body=b"text")
        s3.delete_object(Bucket=name, Key=key)
    expected = [key for key in sorted(AWKWARD, key=str.encode) for _ in range(2)]
    # Versions come before markers in a page, and each in their order.
    in_order = lambda keys: sorted(keys, key=str.encode)
    equal(in_order(_list(name, versions="", delimiter="|")("Key")), expected)
    found, marker = [], {}
    while True:
        told = _list(name, versions="", **{"max-keys": "3"}, **marker)
        found += in_order(told("Key"))
        if told("IsTruncated") == ["false"]:
            break
        marker = {"key-marker": told("NextKeyMarker")[0], "version-id-marker": told("NextVersionIdMarker")[0]}
    equal(found, expected)


def uploads_are_listed_in_the_same_encoding():
    s3 = client()
    name = bucket(s3)
    # The library cannot read the others in the answer to the creation.
    keys = [key for key in AWKWARD if key.isprintable()]
    for key in keys:
        s3.create_multipart_upload(Bucket=name, Key=key)
    equal(_list(name, uploads="")("Key"), sorted(keys, key=str.encode))


def what_is_shown_of_a_bucket_is_read():
    s3 = client()
    name = bucket(s3)
    # What the window of information asks for one after the other.
    equal(s3.get_bucket_location(Bucket=name)["LocationConstraint"], "fr1")
    equal("Status" in s3.get_bucket_versioning(Bucket=name), False)
    equal("LoggingEnabled" in s3.get_bucket_logging(Bucket=name), False)
    equal("Status" in s3.get_bucket_accelerate_configuration(Bucket=name), False)
    equal(len(s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]), 1)
    equal(len(s3.get_bucket_acl(Bucket=name)["Grants"]), 1)
    for operation, code in {
        "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
        "get_bucket_website": "NoSuchWebsiteConfiguration",
        "get_bucket_tagging": "NoSuchTagSet",
        "get_bucket_cors": "NoSuchCORSConfiguration",
    }.items():
        with refused(code, 404):
            getattr(s3, operation)(Bucket=name)


def a_directory_is_an_object_that_ends_in_a_slash():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="new folder/", Body=b"", ContentType="application/x-directory")
    s3.put_object(Bucket=name, Key="new folder/a", Body=b"text")
    told = _list(name, prefix="new folder/", delimiter="/")
    equal(told("Key"), ["new folder/", "new folder/a"])
    # A move is a copy and a deletion, of the directory itself too.
    for key in ("", "a"):
        source = {"Bucket": name, "Key": f"new folder/{key}"}
        s3.copy_object(Bucket=name, Key=f"renamed/{key}", CopySource=source, MetadataDirective="COPY")
        s3.delete_object(**source)
    equal(_list(name)("Key"), ["renamed/", "renamed/a"])
    equal(s3.head_object(Bucket=name, Key="renamed/")["ContentType"], "application/x-directory")
