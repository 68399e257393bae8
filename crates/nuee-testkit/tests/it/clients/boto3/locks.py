"""Object lock: what is retained or held is not removed before its time, whoever asks."""

import datetime

from support import *

DAY = datetime.timedelta(days=1)


def _now():
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _locked(s3, default=None):
    """A new bucket with object lock, and perhaps a default retention of (mode, days)."""
    s3.create_bucket(Bucket="papers", ObjectLockEnabledForBucket=True)
    if default is not None:
        mode, days = default
        _configure(s3, {"Mode": mode, "Days": days})
    return "papers"


def _configure(s3, retention=None):
    configuration = {"ObjectLockEnabled": "Enabled"}
    if retention is not None:
        configuration["Rule"] = {"DefaultRetention": retention}
    s3.put_object_lock_configuration(Bucket="papers", ObjectLockConfiguration=configuration)


def _put(s3, name, key="a", **arguments):
    return s3.put_object(Bucket=name, Key=key, Body=b"text", **arguments)["VersionId"]


def _retain(s3, asked, mode, until, **arguments):
    s3.put_object_retention(**asked, Retention={"Mode": mode, "RetainUntilDate": until}, **arguments)


def _kept(s3, asked, **arguments):
    """A version is not deleted, alone or in a batch."""
    with refused("AccessDenied", 403):
        s3.delete_object(**asked, **arguments)
    batch = {"Objects": [{"Key": asked["Key"], "VersionId": asked["VersionId"]}]}
    failed = s3.delete_objects(Bucket=asked["Bucket"], Delete=batch, **arguments)
    equal([error["Code"] for error in failed["Errors"]], ["AccessDenied"])
    equal(read(s3, **{"bucket": asked["Bucket"], "key": asked["Key"], "VersionId": asked["VersionId"]}), b"text")


def a_bucket_has_object_lock_from_its_creation():
    s3 = client()
    name = _locked(s3)
    told = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    equal(told, {"ObjectLockEnabled": "Enabled"})
    equal(s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
    with refused("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    for retention in ({"Mode": "GOVERNANCE", "Days": 30}, {"Mode": "COMPLIANCE", "Years": 2}):
        _configure(s3, retention)
        told = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        equal(told["Rule"]["DefaultRetention"], retention)
    _configure(s3)
    equal("Rule" in s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"], False)


def a_bucket_that_keeps_versions_may_get_object_lock():
    s3 = client()
    name = bucket(s3)
    with refused("InvalidBucketState", 409):
        _configure(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    _configure(s3)
    asked = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    _retain(s3, asked, "GOVERNANCE", _now() + DAY)
    _kept(s3, asked)


def a_default_that_means_nothing_is_refused():
    s3 = client()
    name = _locked(s3)
    for retention, code in (
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"Mode": "FOREVER", "Days": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidArgument"),
        ({"Mode": "GOVERNANCE", "Days": -1}, "InvalidArgument"),
        ({"Mode": "COMPLIANCE", "Years": 101}, "InvalidArgument"),
    ):
        with refused(code, 400):
            _configure(s3, retention)
    equal("Rule" in s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"], False)


def a_default_retains_what_is_written_after_it():
    s3 = client()
    name = _locked(s3)
    before = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    _configure(s3, {"Mode": "GOVERNANCE", "Days": 10})
    with refused("NoSuchObjectLockConfiguration", 404):
        s3.get_object_retention(**before)
    upload = {"Bucket": name, "Key": "b"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"text")["ETag"]}]
    written = {
        "a": _put(s3, name),
        "b": s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["VersionId"],
        "c": s3.copy_object(Bucket=name, Key="c", CopySource={"Bucket": name, "Key": "a"})["VersionId"],
    }
    for key, version in written.items():
        asked = {"Bucket": name, "Key": key, "VersionId": version}
        head = s3.head_object(**asked)
        equal(head["ObjectLockMode"], "GOVERNANCE")
        days = head["ObjectLockRetainUntilDate"] - head["LastModified"]
        equal(datetime.timedelta(days=9) < days <= datetime.timedelta(days=10, seconds=1), True)
        _kept(s3, asked)
    s3.delete_object(**before)


def a_writer_says_what_retains_the_object():
    s3 = client()
    name = _locked(s3, ("GOVERNANCE", 1))
    until = _now() + 5 * DAY
    told = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    asked = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name, ObjectLockLegalHoldStatus="ON", **told)}
    head = s3.head_object(**asked)
    equal({field: head[field] for field in told}, told)
    equal(head["ObjectLockLegalHoldStatus"], "ON")
    equal(s3.get_object_retention(**asked)["Retention"], {"Mode": "COMPLIANCE", "RetainUntilDate": until})
    equal(s3.get_object_legal_hold(**asked)["LegalHold"]["Status"], "ON")
    for wrong in (
        {"ObjectLockMode": "GOVERNANCE"},
        {"ObjectLockRetainUntilDate": until},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _now() - DAY},
        {"ObjectLockMode": "FOREVER", "ObjectLockRetainUntilDate": until},
    ):
        with refused("InvalidArgument", 400):
            _put(s3, name, "b", **wrong)
    equal([entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]], ["a"])


def governance_is_passed_over_by_who_asks_to():
    s3 = client()
    name = _locked(s3)
    asked = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    until = _now() + 2 * DAY
    _retain(s3, asked, "GOVERNANCE", until)
    _retain(s3, asked, "GOVERNANCE", until + DAY)
    with refused("AccessDenied", 403):
        _retain(s3, asked, "GOVERNANCE", until)
    with refused("AccessDenied", 403):
        s3.put_object_retention(**asked, Retention={})
    _kept(s3, asked)
    _retain(s3, asked, "GOVERNANCE", until, BypassGovernanceRetention=True)
    equal(s3.get_object_retention(**asked)["Retention"]["RetainUntilDate"], until)
    with refused("AccessDenied", 403):
        client("reader").delete_object(**asked, BypassGovernanceRetention=True)
    s3.delete_object(**asked, BypassGovernanceRetention=True)
    with refused("NoSuchVersion", 404):
        s3.get_object(**asked)
    # In a batch, too.
    asked["VersionId"] = _put(s3, name, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    batch = {"Objects": [{"Key": "a", "VersionId": asked["VersionId"]}]}
    s3.delete_objects(Bucket=name, Delete=batch, BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=name)


def nobody_passes_over_compliance():
    s3 = client()
    name = _locked(s3)
    asked = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    until = _now() + 2 * DAY
    _retain(s3, asked, "COMPLIANCE", until)
    _kept(s3, asked)
    _kept(s3, asked, BypassGovernanceRetention=True)
    for mode, date in (("COMPLIANCE", until - DAY), ("GOVERNANCE", until), ("GOVERNANCE", until + DAY)):
        with refused("AccessDenied", 403):
            _retain(s3, asked, mode, date, BypassGovernanceRetention=True)
    with refused("AccessDenied", 403):
        s3.put_object_retention(**asked, Retention={}, BypassGovernanceRetention=True)
    _retain(s3, asked, "COMPLIANCE", until + DAY)
    equal(s3.get_object_retention(**asked)["Retention"]["RetainUntilDate"], until + DAY)
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=name)


def a_legal_hold_ends_when_it_is_taken_off():
    s3 = client()
    name = _locked(s3)
    asked = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    with refused("NoSuchObjectLockConfiguration", 404):
        s3.get_object_legal_hold(**asked)
    equal("ObjectLockLegalHoldStatus" in s3.head_object(**asked), False)
    s3.put_object_legal_hold(**asked, LegalHold={"Status": "ON"})
    equal(s3.get_object_legal_hold(**asked)["LegalHold"]["Status"], "ON")
    equal(s3.head_object(**asked)["ObjectLockLegalHoldStatus"], "ON")
    _kept(s3, asked)
    _kept(s3, asked, BypassGovernanceRetention=True)
    with refused("MalformedXML", 400):
        s3.put_object_legal_hold(**asked, LegalHold={"Status": "MAYBE"})
    s3.put_object_legal_hold(**asked, LegalHold={"Status": "OFF"})
    equal(s3.get_object_legal_hold(**asked)["LegalHold"]["Status"], "OFF")
    equal(s3.head_object(**asked)["ObjectLockLegalHoldStatus"], "OFF")
    s3.delete_object(**asked)


def what_is_locked_may_be_hidden_and_followed():
    s3 = client()
    name = _locked(s3, ("COMPLIANCE", 1))
    first = {"Bucket": name, "Key": "a", "VersionId": _put(s3, name)}
    second = _put(s3, name)
    marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=name, Key="a")
    _kept(s3, first)
    _kept(s3, first | {"VersionId": second})
    # A marker is never locked.
    s3.delete_object(Bucket=name, Key="a", VersionId=marker)
    equal(s3.head_object(Bucket=name, Key="a")["VersionId"], second)


def locks_need_a_bucket_that_has_them():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    asked = {"Bucket": name, "Key": "a"}
    for attempt in (
        lambda: _retain(s3, asked, "GOVERNANCE", _now() + DAY),
        lambda: s3.put_object_legal_hold(**asked, LegalHold={"Status": "ON"}),
        lambda: s3.get_object_retention(**asked),
        lambda: s3.get_object_legal_hold(**asked),
        lambda: s3.put_object(**asked, Body=b"", ObjectLockLegalHoldStatus="ON"),
        lambda: s3.put_object(
            **asked, Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=_now() + DAY
        ),
    ):
        with refused("InvalidRequest", 400):
            attempt()
    equal(read(s3, name, "a"), b"text")


def a_retention_is_for_the_version_that_is_named():
    s3 = client()
    name = _locked(s3)
    first, second = _put(s3, name), _put(s3, name)
    _retain(s3, {"Bucket": name, "Key": "a"}, "GOVERNANCE", _now() + DAY)
    with refused("NoSuchObjectLockConfiguration", 404):
        s3.get_object_retention(Bucket=name, Key="a", VersionId=first)
    s3.delete_object(Bucket=name, Key="a", VersionId=first)
    _kept(s3, {"Bucket": name, "Key": "a", "VersionId": second})
    with refused("InvalidArgument", 400):
        _retain(s3, {"Bucket": name, "Key": "a"}, "GOVERNANCE", _now() - DAY)
    with refused("NoSuchKey", 404):
        _retain(s3, {"Bucket": name, "Key": "none"}, "GOVERNANCE", _now() + DAY)
