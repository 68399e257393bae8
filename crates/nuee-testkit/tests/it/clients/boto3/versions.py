"""Versions of objects, delete markers, and conditions on what is written."""

from support import *


def _set(s3, name, status):
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})


def _kept(s3):
    """A new bucket that keeps versions."""
    name = bucket(s3)
    _set(s3, name, "Enabled")
    return name


def _put(s3, name, key, *bodies):
    """Writes versions of a key, one after the other; gives their ids."""
    return [s3.put_object(Bucket=name, Key=key, Body=body)["VersionId"] for body in bodies]


def _versions(s3, name, **arguments):
    """What is there, as (key, id, whether it is the latest), and the same of delete markers."""
    page = s3.list_object_versions(Bucket=name, **arguments)
    told = lambda entries: [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in entries]
    return told(page.get("Versions", [])), told(page.get("DeleteMarkers", []))


def _absent(s3, name, key, **arguments):
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=name, Key=key, **arguments)


def a_bucket_keeps_versions_from_when_it_is_told_to():
    s3 = client()
    name = bucket(s3)
    equal("VersionId" in s3.put_object(Bucket=name, Key="a", Body=b"first"), False)
    equal(_versions(s3, name), ([("a", "null", True)], []))
    _set(s3, name, "Enabled")
    equal(s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
    second, third = _put(s3, name, "a", b"second", b"third")
    equal(len({"null", second, third}), 3)
    equal([version.isdigit() for version in (second, third)], [False, False])
    equal(_versions(s3, name)[0], [("a", third, True), ("a", second, False), ("a", "null", False)])
    for version, body in {"null": b"first", second: b"second", third: b"third"}.items():
        equal(read(s3, name, "a", VersionId=version), body)
        equal(s3.head_object(Bucket=name, Key="a", VersionId=version)["ContentLength"], len(body))
    latest = s3.get_object(Bucket=name, Key="a")
    equal((latest["VersionId"], latest["Body"].read()), (third, b"third"))


def a_bucket_that_stops_keeping_versions_writes_over_the_null_version():
    s3 = client()
    name = _kept(s3)
    (first,) = _put(s3, name, "a", b"first")
    _set(s3, name, "Suspended")
    equal(s3.get_bucket_versioning(Bucket=name)["Status"], "Suspended")
    for body in (b"second", b"third"):
        equal(_put(s3, name, "a", body), ["null"])
    equal(_versions(s3, name), ([("a", "null", True), ("a", first, False)], []))
    equal((read(s3, name, "a"), read(s3, name, "a", VersionId=first)), (b"third", b"first"))
    deleted = s3.delete_object(Bucket=name, Key="a")
    equal((deleted["DeleteMarker"], deleted["VersionId"]), (True, "null"))
    equal(_versions(s3, name), ([("a", first, False)], [("a", "null", True)]))
    _set(s3, name, "Enabled")
    (fourth,) = _put(s3, name, "a", b"fourth")
    equal(_versions(s3, name), ([("a", fourth, True), ("a", first, False)], [("a", "null", False)]))
    with refused("MalformedXML", 400):
        _set(s3, name, "Paused")


def a_deletion_leaves_a_marker_and_nothing_is_lost():
    s3 = client()
    name = _kept(s3)
    (first,) = _put(s3, name, "a", b"first")
    deleted = s3.delete_object(Bucket=name, Key="a")
    marker = deleted["VersionId"]
    equal((deleted["DeleteMarker"], marker != first), (True, True))
    _absent(s3, name, "a")
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], 0)
    equal(_versions(s3, name), ([("a", first, False)], [("a", marker, True)]))
    equal(read(s3, name, "a", VersionId=first), b"first")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=name)
    # Without the marker the object is there again.
    undone = s3.delete_object(Bucket=name, Key="a", VersionId=marker)
    equal((undone["DeleteMarker"], undone["VersionId"]), (True, marker))
    equal(read(s3, name, "a"), b"first")
    gone = s3.delete_object(Bucket=name, Key="a", VersionId=first)
    equal((gone.get("DeleteMarker"), gone["VersionId"]), (None, first))
    equal(_versions(s3, name), ([], []))
    s3.delete_bucket(Bucket=name)


def a_marker_is_no_object():
    s3 = client()
    name = _kept(s3)
    _put(s3, name, "a", b"first")
    marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
    for method, operation in {"GET": "get_object", "HEAD": "head_object"}.items():
        url = s3.generate_presigned_url(operation, {"Bucket": name, "Key": "a"})
        status, headers, _ = fetch(method, url)
        equal((status, headers["x-amz-delete-marker"], headers["x-amz-version-id"]), (404, "true", marker))
    for code, attempt in {"MethodNotAllowed": s3.get_object, "405": s3.head_object}.items():
        with refused(code, 405):
            attempt(Bucket=name, Key="a", VersionId=marker)
    with refused("MethodNotAllowed", 405):
        s3.get_object_tagging(Bucket=name, Key="a", VersionId=marker)
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a", "VersionId": marker})
    # A marker may be laid on a marker, and on nothing.
    equal(s3.delete_object(Bucket=name, Key="a")["DeleteMarker"], True)
    equal(s3.delete_object(Bucket=name, Key="none")["DeleteMarker"], True)
    equal(len(_versions(s3, name)[1]), 3)


def the_newest_version_that_is_left_is_the_latest():
    s3 = client()
    name = _kept(s3)
    versions = _put(s3, name, "a", b"0", b"1", b"2", b"3")
    s3.delete_object(Bucket=name, Key="a", VersionId=versions[1])
    s3.delete_object(Bucket=name, Key="a", VersionId=versions[3])
    equal(_versions(s3, name), ([("a", versions[2], True), ("a", versions[0], False)], []))
    equal((read(s3, name, "a"), read(s3, name, "a", VersionId=versions[0])), (b"2", b"0"))
    # What is gone is gone, and deleting it again is no error.
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=name, Key="a", VersionId=versions[3])
    s3.delete_object(Bucket=name, Key="a", VersionId=versions[3])
    equal(read(s3, name, "a"), b"2")


def versions_that_are_not_there_are_said_to_be_missing():
    s3 = client()
    name = _kept(s3)
    (first,) = _put(s3, name, "a", b"first")
    (other,) = _put(s3, name, "b", b"other")
    asked = {"Bucket": name, "Key": "a", "VersionId": other}
    source = {"Bucket": name, "Key": "b", "CopySource": asked}
    for attempt in (
        lambda: s3.get_object(**asked),
        lambda: s3.get_object(**asked | {"VersionId": "null"}),
        lambda: s3.get_object_tagging(**asked),
        lambda: s3.put_object_tagging(**asked, Tagging={"TagSet": []}),
        lambda: s3.get_object_acl(**asked),
        lambda: s3.copy_object(**source),
    ):
        with refused("NoSuchVersion", 404):
            attempt()
    with refused("404", 404):
        s3.head_object(**asked)
    equal(read(s3, name, "a", VersionId=first), b"first")


def versions_are_listed_page_by_page():
    s3 = client()
    name = _kept(s3)
    expected = []
    for key in ("a", "a b", "d/1", "d/2", "é"):
        ids = _put(s3, name, key, b"1", b"22", b"333")
        ids.append(s3.delete_object(Bucket=name, Key=key)["VersionId"])
        expected += [(key, version) for version in reversed(ids)]
    for size in (1, 2, 3, 7, 1_000):
        found, marker = [], {}
        while True:
            page = s3.list_object_versions(Bucket=name, MaxKeys=size, **marker)
            entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
            equal(len(entries) <= size, True)
            # The client gives them apart; within a page they are put in order again.
            ids = [(entry["Key"], entry["VersionId"]) for entry in entries]
            found += sorted(ids, key=expected.index)
            if not page["IsTruncated"]:
                break
            marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        equal(found, expected)
    after = s3.list_object_versions(Bucket=name, KeyMarker="d/1")["Versions"]
    equal({entry["Key"] for entry in after}, {"d/2", "é"})
    with refused("InvalidArgument", 400):
        s3.list_object_versions(Bucket=name, VersionIdMarker=expected[0][1])


def a_delimiter_gathers_versions_too():
    s3 = client()
    name = _kept(s3)
    for key in ("a", "d/1", "d/2", "e/1"):
        _put(s3, name, key, b"1", b"2")
    s3.delete_object(Bucket=name, Key="e/1")
    page = s3.list_object_versions(Bucket=name, Delimiter="/")
    equal([entry["Prefix"] for entry in page["CommonPrefixes"]], ["d/", "e/"])
    equal([entry["Key"] for entry in page["Versions"]], ["a", "a"])
    equal("DeleteMarkers" in page, False)
    page = s3.list_object_versions(Bucket=name, Prefix="e/")
    equal((len(page["Versions"]), len(page["DeleteMarkers"])), (2, 1))
    page = s3.list_object_versions(Bucket=name, Delimiter="/", MaxKeys=3)
    equal((len(page["Versions"]), [entry["Prefix"] for entry in page["CommonPrefixes"]]), (2, ["d/"]))
    page = s3.list_object_versions(Bucket=name, Delimiter="/", KeyMarker=page["NextKeyMarker"])
    equal(([entry["Prefix"] for entry in page["CommonPrefixes"]], "Versions" in page), (["e/"], False))


def an_entry_says_what_its_version_is():
    s3 = client()
    name = _kept(s3)
    put = s3.put_object(Bucket=name, Key="a\tb", Body=b"text")
    marker = s3.delete_object(Bucket=name, Key="a\tb")["VersionId"]
    page = s3.list_object_versions(Bucket=name)
    (version,), (deleted,) = page["Versions"], page["DeleteMarkers"]
    described = {field: version[field] for field in ("Key", "ETag", "Size", "StorageClass", "IsLatest")}
    told = {"Key": "a\tb", "ETag": put["ETag"], "Size": 4, "StorageClass": "STANDARD", "IsLatest": False}
    equal(described, told)
    equal((deleted["Key"], deleted["VersionId"], deleted["IsLatest"]), ("a\tb", marker, True))
    equal(deleted["LastModified"] >= version["LastModified"], True)
    equal(version["Owner"]["ID"], deleted["Owner"]["ID"])


def an_old_version_is_copied():
    s3 = client()
    name = _kept(s3)
    first, second = _put(s3, name, "a", b"first", b"second")
    source = {"Bucket": name, "Key": "a", "VersionId": first}
    copied = s3.copy_object(Bucket=name, Key="b", CopySource=source)
    equal((copied["CopySourceVersionId"], copied["VersionId"] not in (first, second)), (first, True))
    equal(read(s3, name, "b"), b"first")
    # Onto its own key it is the latest again, with an id of its own.
    restored = s3.copy_object(Bucket=name, Key="a", CopySource=source)["VersionId"]
    equal([entry[1] for entry in _versions(s3, name, Prefix="a")[0]], [restored, second, first])
    equal(read(s3, name, "a"), b"first")
    upload = {"Bucket": name, "Key": "c"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)
    equal(part["CopySourceVersionId"], first)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    equal((read(s3, name, "c"), _versions(s3, name, Prefix="c")[0]), (b"first", [("c", done["VersionId"], True)]))


def each_version_has_its_own_tags():
    s3 = client()
    name = _kept(s3)
    first, second = _put(s3, name, "a", b"first", b"second")
    tags = {"TagSet": [{"Key": "state", "Value": "draft"}]}
    equal(s3.put_object_tagging(Bucket=name, Key="a", VersionId=first, Tagging=tags)["VersionId"], first)
    equal(s3.get_object_tagging(Bucket=name, Key="a")["TagSet"], [])
    told = s3.get_object_tagging(Bucket=name, Key="a", VersionId=first)
    equal((told["VersionId"], told["TagSet"]), (first, tags["TagSet"]))
    equal(s3.get_object(Bucket=name, Key="a", VersionId=first)["TagCount"], 1)
    equal(s3.delete_object_tagging(Bucket=name, Key="a", VersionId=first)["VersionId"], first)
    equal(s3.get_object_tagging(Bucket=name, Key="a", VersionId=first)["TagSet"], [])
    # Tags are no new version.
    equal([entry[1] for entry in _versions(s3, name)[0]], [second, first])


def a_batch_deletes_keys_and_versions():
    s3 = client()
    name = _kept(s3)
    first, second = _put(s3, name, "a", b"first", b"second")
    (other,) = _put(s3, name, "b", b"other")
    asked = [{"Key": "a", "VersionId": first}, {"Key": "b"}, {"Key": "none"}]
    done = {entry["Key"]: entry for entry in s3.delete_objects(Bucket=name, Delete={"Objects": asked})["Deleted"]}
    equal(done["a"], {"Key": "a", "VersionId": first})
    markers = {key: done[key]["DeleteMarkerVersionId"] for key in ("b", "none")}
    equal([done[key]["DeleteMarker"] for key in markers], [True, True])
    expected = [(key, marker, True) for key, marker in markers.items()]
    equal(_versions(s3, name), ([("a", second, True), ("b", other, False)], expected))
    asked = [{"Key": key, "VersionId": version} for key, version, _ in sum(_versions(s3, name), [])]
    done = {entry["Key"]: entry for entry in s3.delete_objects(Bucket=name, Delete={"Objects": asked})["Deleted"]}
    equal(done["none"]["DeleteMarkerVersionId"], markers["none"])
    equal(_versions(s3, name), ([], []))
    s3.delete_bucket(Bucket=name)


def an_object_is_replaced_under_if_match():
    s3 = client()
    name = bucket(s3)
    asked = {"Bucket": name, "Key": "a"}
    with refused("NoSuchKey", 404):
        s3.put_object(**asked, Body=b"first", IfMatch='"none"')
    first = s3.put_object(**asked, Body=b"first")["ETag"]
    second = s3.put_object(**asked, Body=b"second", IfMatch=first)["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(**asked, Body=b"third", IfMatch=first)
    with refused("PreconditionFailed", 412):
        s3.put_object(**asked, Body=b"third", IfNoneMatch="*")
    equal((read(s3, name, "a"), s3.head_object(**asked)["ETag"]), (b"second", second))


def an_object_under_a_marker_may_be_created():
    s3 = client()
    name = _kept(s3)
    asked = {"Bucket": name, "Key": "a"}
    tag = s3.put_object(**asked, Body=b"first", IfNoneMatch="*")["ETag"]
    s3.delete_object(**asked)
    with refused("NoSuchKey", 404):
        s3.put_object(**asked, Body=b"second", IfMatch=tag)
    s3.put_object(**asked, Body=b"second", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(**asked, Body=b"third", IfNoneMatch="*")
    equal(len(_versions(s3, name)[0]), 2)


def an_object_is_deleted_under_if_match():
    s3 = client()
    name = bucket(s3)
    asked = {"Bucket": name, "Key": "a"}
    tag = s3.put_object(**asked, Body=b"first")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.delete_object(**asked, IfMatch='"other"')
    failed = s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a", "ETag": '"other"'}]})
    equal([(error["Key"], error["Code"]) for error in failed["Errors"]], [("a", "PreconditionFailed")])
    equal(read(s3, name, "a"), b"first")
    s3.delete_object(**asked, IfMatch=tag)
    _absent(s3, name, "a")
    s3.put_object(**asked, Body=b"first")
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a", "ETag": tag}]})
    _absent(s3, name, "a")


def a_copy_and_a_completion_have_conditions_on_what_they_replace():
    s3 = client()
    name = bucket(s3)
    first = s3.put_object(Bucket=name, Key="a", Body=b"first")["ETag"]
    other = s3.put_object(Bucket=name, Key="b", Body=b"other")["ETag"]
    copy = {"Bucket": name, "Key": "a", "CopySource": {"Bucket": name, "Key": "b"}}
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": other}):
        with refused("PreconditionFailed", 412):
            s3.copy_object(**copy, **condition)
    equal(read(s3, name, "a"), b"first")
    s3.copy_object(**copy, IfMatch=first)
    s3.copy_object(**copy | {"Key": "c"}, IfNoneMatch="*")
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"in parts")["ETag"]
    complete = upload | {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": first}):
        with refused("PreconditionFailed", 412):
            s3.complete_multipart_upload(**complete, **condition)
    equal(read(s3, name, "a"), b"other")
    s3.complete_multipart_upload(**complete, IfMatch=other)
    equal(read(s3, name, "a"), b"in parts")


def a_presigned_url_reads_the_version_that_it_names():
    s3 = client()
    name = _kept(s3)
    first, second = _put(s3, name, "a", b"first", b"second")
    asked = {"Bucket": name, "Key": "a", "VersionId": first}
    url = s3.generate_presigned_url("get_object", Params=asked)
    status, headers, body = fetch("GET", url)
    equal((status, headers["x-amz-version-id"], body), (200, first, b"first"))
    equal(fetch("GET", url.replace(first, second))[0], 403)
