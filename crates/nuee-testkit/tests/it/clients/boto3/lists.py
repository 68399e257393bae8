"""Listing objects."""

import concurrent.futures

import signer
from support import *

KEYS = ["a", "a b", "a/", "a/1", "a/2/x", "b/1", "b/2", "b//3", "c", "d+e", "é/1", "é/2", "z%z", "\U0001f980"]


def _filled(s3):
    name = bucket(s3)
    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    return name


def _names(page):
    keys = [entry["Key"] for entry in page.get("Contents", [])]
    return keys, [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def _all(s3, operation, **arguments):
    keys, prefixes = [], []
    for page in s3.get_paginator(operation).paginate(**arguments):
        more_keys, more_prefixes = _names(page)
        keys += more_keys
        prefixes += more_prefixes
    return keys, prefixes


def keys_are_listed_in_the_order_of_their_bytes():
    s3 = client()
    name = _filled(s3)
    expected = sorted(KEYS, key=str.encode)
    equal(_names(s3.list_objects_v2(Bucket=name)), (expected, []))
    equal(_names(s3.list_objects(Bucket=name)), (expected, []))


def an_entry_says_what_its_object_is():
    s3 = client()
    name = bucket(s3)
    tag = s3.put_object(Bucket=name, Key="a", Body=b"text")["ETag"]
    head = s3.head_object(Bucket=name, Key="a")
    for page in (s3.list_objects_v2(Bucket=name, FetchOwner=True), s3.list_objects(Bucket=name)):
        (entry,) = page["Contents"]
        equal((entry["Key"], entry["Size"], entry["ETag"]), ("a", 4, tag))
        equal(entry["LastModified"].replace(microsecond=0), head["LastModified"])
        equal(entry["StorageClass"], "STANDARD")
        equal(bool(entry["Owner"]["ID"]), True)
    equal("Owner" in s3.list_objects_v2(Bucket=name)["Contents"][0], False)


def pages_of_every_size_lead_to_the_end():
    s3 = client()
    name = _filled(s3)
    for operation in ("list_objects", "list_objects_v2"):
        for size in (1, 2, 3, len(KEYS), 1_000):
            for arguments in ({}, {"Delimiter": "/"}, {"Prefix": "a", "Delimiter": "/"}, {"Prefix": "b/"}):
                whole = _all(s3, operation, Bucket=name, **arguments)
                paged = _all(s3, operation, Bucket=name, PaginationConfig={"PageSize": size}, **arguments)
                equal(paged, whole)


def a_delimiter_gathers_what_follows_it():
    s3 = client()
    name = _filled(s3)
    for operation in ("list_objects", "list_objects_v2"):
        asked = {"operation": operation, "Bucket": name}
        equal(
            _all(s3, **asked, Delimiter="/"),
            (["a", "a b", "c", "d+e", "z%z", "\U0001f980"], ["a/", "b/", "é/"]),
        )
        equal(_all(s3, **asked, Prefix="a/", Delimiter="/"), (["a/", "a/1"], ["a/2/"]))
        equal(_all(s3, **asked, Prefix="b/", Delimiter="/"), (["b/1", "b/2"], ["b//"]))
        equal(_all(s3, **asked, Prefix="é", Delimiter="/1"), (["é/2"], ["é/1"]))
        equal(_all(s3, **asked, Prefix="none/", Delimiter="/"), ([], []))


def a_page_counts_its_prefixes_too():
    s3 = client()
    name = _filled(s3)
    page = s3.list_objects_v2(Bucket=name, Delimiter="/", MaxKeys=3)
    equal(_names(page), (["a", "a b"], ["a/"]))
    equal((page["KeyCount"], page["MaxKeys"], page["IsTruncated"]), (3, 3, True))
    page = s3.list_objects_v2(Bucket=name, Delimiter="/", ContinuationToken=page["NextContinuationToken"])
    equal(_names(page), (["c", "d+e", "z%z", "\U0001f980"], ["b/", "é/"]))
    equal((page["KeyCount"], page["IsTruncated"]), (6, False))


def a_listing_starts_after_the_key_that_is_named():
    s3 = client()
    name = _filled(s3)
    after = sorted(KEYS, key=str.encode)
    for start in ("a/", "a/1", "b", "b/5", "é/1"):
        expected = [key for key in after if key.encode() > start.encode()]
        equal(_names(s3.list_objects_v2(Bucket=name, StartAfter=start))[0], expected)
        equal(_names(s3.list_objects(Bucket=name, Marker=start))[0], expected)
    equal(_names(s3.list_objects_v2(Bucket=name, StartAfter="a/1", Delimiter="/"))[1], ["a/", "b/", "é/"])


def no_key_is_listed_when_none_is_asked_for():
    s3 = client()
    name = _filled(s3)
    page = s3.list_objects_v2(Bucket=name, MaxKeys=0)
    equal((page["KeyCount"], page["IsTruncated"], "Contents" in page), (0, False, False))
    equal("Contents" in s3.list_objects(Bucket=name, MaxKeys=0), False)


def a_page_has_a_thousand_keys_at_most():
    s3 = client()
    name = bucket(s3)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: s3.put_object(Bucket=name, Key=f"{number:04}", Body=b""), range(1_003)))
    page = s3.list_objects_v2(Bucket=name, MaxKeys=5_000)
    equal((page["KeyCount"], page["MaxKeys"], page["IsTruncated"]), (1_000, 1_000, True))
    for operation in ("list_objects", "list_objects_v2"):
        equal(_all(s3, operation, Bucket=name)[0], [f"{number:04}" for number in range(1_003)])
    resource = boto3.resource("s3").Bucket(name)
    resource.objects.all().delete()
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)


def names_are_percent_encoded_when_that_is_asked_for():
    s3 = client()
    name = _filled(s3)
    url = s3.generate_presigned_url(
        "list_objects_v2",
        Params={"Bucket": name, "EncodingType": "url", "Delimiter": "/1", "Prefix": "é", "StartAfter": "a b"},
    )
    status, _, body = fetch("GET", url)
    equal(status, 200)
    for expected in (
        b"<EncodingType>url</EncodingType>",
        b"<Prefix>%C3%A9</Prefix>",
        b"<Key>%C3%A9/2</Key>",
        b"<CommonPrefixes><Prefix>%C3%A9/1</Prefix></CommonPrefixes>",
        b"<Delimiter>/1</Delimiter>",
    ):
        equal(expected in body or body, True)
    equal(b"<StartAfter>a+b</StartAfter>" in body or b"<StartAfter>a%20b</StartAfter>" in body or body, True)


def names_are_as_they_are_when_no_encoding_is_asked_for():
    s3 = client()
    name = _filled(s3)
    # Its own requests always ask for an encoding.
    status, _, body = signer.Signed("GET", f"/{name}?list-type=2&prefix=%C3%A9", signer.EMPTY).send()
    equal((status, "<Key>é/1</Key>".encode() in body or body), (200, True))


def a_token_that_the_server_did_not_give_is_refused():
    s3 = client()
    name = bucket(s3)
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=name, ContinuationToken="!")
