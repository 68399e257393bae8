"""What the `aws` provider of Terraform and OpenTofu asks, in its order, when it creates, reads, changes and destroys
resources, and what the two ask of the bucket that keeps their state.

The programs come from no package registry. The calls are those of their sources: of the provider, version 6,
https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service/s3, one function here for each of its
resources; of the state, https://github.com/opentofu/opentofu/tree/main/internal/backend/remote-state/s3.

The provider is as it must be configured for what is not AWS, with `skip_requesting_account_id`: if it knows the number
of an account, it asks for the tags of buckets at another service, S3 Control.
"""

import base64
import datetime
import hashlib
import io
import json
import urllib.parse

from boto3.s3.transfer import TransferConfig
from support import *

ABSENT = {
    "get_bucket_policy": {"NoSuchBucketPolicy"},
    "get_bucket_acl": set(),
    "get_bucket_cors": {"NoSuchCORSConfiguration"},
    "get_bucket_website": {"NoSuchWebsiteConfiguration"},
    "get_bucket_versioning": set(),
    "get_bucket_accelerate_configuration": set(),
    "get_bucket_request_payment": set(),
    "get_bucket_logging": set(),
    "get_bucket_lifecycle_configuration": {"NoSuchLifecycleConfiguration"},
    "get_bucket_replication": {"ReplicationConfigurationNotFoundError"},
    "get_bucket_encryption": {"ServerSideEncryptionConfigurationNotFoundError"},
    "get_object_lock_configuration": {"ObjectLockConfigurationNotFoundError"},
    "get_bucket_tagging": {"NoSuchTagSet"},
}
"""What is read of a bucket, in this order, and the codes that the provider takes for "there is none".

While it reads a bucket, the provider also takes `NotImplemented` and `MethodNotAllowed` for that; a resource beside the
bucket, which is created, read and destroyed alone, does not.
"""
BESIDE = {
    "get_public_access_block": {"NoSuchPublicAccessBlockConfiguration"},
    "get_bucket_ownership_controls": {"OwnershipControlsNotFoundError"},
    "get_bucket_notification_configuration": set(),
}
"""As `ABSENT`, of what has a resource of its own only."""


def _ask(s3, operation, name):
    """What a bucket has of this kind; `None` if there is none."""
    try:
        return getattr(s3, operation)(Bucket=name)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in (ABSENT | BESIDE)[operation]:
            return None
        raise AssertionError(f"{operation}: {error}") from error


def _gone(s3, operation, name):
    """The provider asks after a destruction until there is none, for two minutes."""
    equal((operation, _ask(s3, operation, name)), (operation, None))


def _refresh(s3, name):
    """Reads a bucket as the provider does; gives what is there."""
    s3.head_bucket(Bucket=name)
    asked = {operation: _ask(s3, operation, name) for operation in ABSENT}
    # The region is that of a header, and no question of its own.
    equal(s3.head_bucket(Bucket=name)["BucketRegion"], "fr1")
    return {operation: found for operation, found in asked.items() if found is not None}


def _created(s3, tags=None, name="papers", **arguments):
    """Creates a bucket as the provider does. It gives the tags with it, and afterwards where that is not offered."""
    arguments |= {"Bucket": name, "ACL": "private"}
    location = {"LocationConstraint": "fr1"}
    try:
        s3.create_bucket(CreateBucketConfiguration=location | ({"Tags": tags} if tags else {}), **arguments)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("UnsupportedArgument", "MalformedXML"):
            raise AssertionError(f"the creation ends here: {error}") from error
        s3.create_bucket(CreateBucketConfiguration=location, **arguments)
        s3.head_bucket(Bucket=name)
        _tag(s3, name, tags)
    s3.head_bucket(Bucket=name)
    return name


def _tag(s3, name, tags):
    """Changes the tags of a bucket: those that are there are read first."""
    _ask(s3, "get_bucket_tagging", name)
    if tags:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    else:
        s3.delete_bucket_tagging(Bucket=name)


def _tags(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def a_bucket_is_created_read_and_destroyed():
    s3 = client()
    name = _created(s3)
    found = _refresh(s3, name)
    absent = {"get_bucket_policy", "get_bucket_cors", "get_bucket_website", "get_bucket_lifecycle_configuration"}
    absent |= {"get_bucket_replication", "get_object_lock_configuration", "get_bucket_tagging"}
    equal(set(ABSENT) - set(found), absent)
    equal(found["get_bucket_request_payment"]["Payer"], "BucketOwner")
    equal("LoggingEnabled" in found["get_bucket_logging"], False)
    equal([field in found["get_bucket_versioning"] for field in ("Status", "MFADelete")], [False, False])
    (grant,) = found["get_bucket_acl"]["Grants"]
    equal((grant["Grantee"]["Type"], grant["Permission"]), ("CanonicalUser", "FULL_CONTROL"))
    s3.delete_bucket(Bucket=name)
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    # As after a destruction that was interrupted: this code means that it is done.
    with refused("NoSuchBucket", 404):
        s3.delete_bucket(Bucket=name)


def a_bucket_is_created_from_the_first_region():
    # In this region the provider looks first whether the bucket is there, and names no location.
    s3 = client(region_name="us-east-1")
    with refused("404", 404):
        s3.head_bucket(Bucket="papers")
    s3.create_bucket(Bucket="papers", ACL="private", CreateBucketConfiguration={})
    _refresh(s3, "papers")


def a_bucket_is_created_with_its_tags():
    s3 = client()
    tags = _tags(Environment="test", Owner="Bureau des élèves")
    name = _created(s3, tags)
    equal(_refresh(s3, name)["get_bucket_tagging"]["TagSet"], tags)
    _tag(s3, name, _tags(Environment="production"))
    equal(_refresh(s3, name)["get_bucket_tagging"]["TagSet"], _tags(Environment="production"))
    _tag(s3, name, [])
    _gone(s3, "get_bucket_tagging", name)


def a_bucket_keeps_versions_and_stops():
    s3 = client()
    name = _created(s3)
    # The last is the destruction: versions are suspended.
    for status in ("Enabled", "Suspended", "Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        # Three answers in a row must say the same.
        for _ in range(3):
            found = s3.get_bucket_versioning(Bucket=name)
            equal((found["Status"], found.get("MFADelete", "Disabled")), (status, "Disabled"))


def a_bucket_has_an_encryption_by_default():
    s3 = client()
    name = _created(s3)
    for algorithm in ("AES256", "aws:kms"):
        default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        # What is not configured is sent as `false`.
        rules = {"Rules": [default | {"BucketKeyEnabled": False}]}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)
        (told,) = _ask(s3, "get_bucket_encryption", name)["ServerSideEncryptionConfiguration"]["Rules"]
        # What is told and was not written would be a difference at each plan.
        equal((told | {"BucketKeyEnabled": told.get("BucketKeyEnabled", False)}), rules["Rules"][0])
    s3.delete_bucket_encryption(Bucket=name)
    equal("get_bucket_encryption" in _refresh(s3, name), True)


def a_policy_is_written_read_and_taken_away():
    s3 = client()
    name = _created(s3)
    bucket, inside = f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"
    # What most modules write, which keeps this client out of everything but the policy; and lists of one element.
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    denial = {"Sid": "tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [bucket, inside]}
    writing = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:PutObject"], "Resource": inside}
    for statement in (denial | {"Condition": tls}, writing):
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy, separators=(",", ":")))
        for _ in range(2):
            equal(json.loads(_ask(s3, "get_bucket_policy", name)["Policy"]), policy)
    for _ in range(2):
        s3.delete_bucket_policy(Bucket=name)
        _gone(s3, "get_bucket_policy", name)
    _refresh(s3, name)


def public_access_is_blocked_and_the_block_is_taken_away():
    s3 = client()
    name = _created(s3)
    flags = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    for blocked in (flags, (), flags[:1]):
        block = {flag: flag in blocked for flag in flags}
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        equal(_ask(s3, "get_public_access_block", name)["PublicAccessBlockConfiguration"], block)
    for _ in range(2):
        s3.delete_public_access_block(Bucket=name)
        _gone(s3, "get_public_access_block", name)


def an_ownership_is_written_read_and_taken_away():
    s3 = client()
    name = _created(s3)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=controls)
    for _ in range(2):
        equal(_ask(s3, "get_bucket_ownership_controls", name)["OwnershipControls"], controls)
    try:
        s3.delete_bucket_ownership_controls(Bucket=name)
    except botocore.exceptions.ClientError as error:
        # This ends the destruction too, with nothing to wait for.
        equal(error.response["Error"]["Code"], "OwnershipControlsNotFoundError")
    else:
        _gone(s3, "get_bucket_ownership_controls", name)
    s3.delete_bucket(Bucket=name)


def a_list_that_gives_the_owner_everything_is_written_and_read():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_acl(Bucket=name, ACL="private")
    found = _ask(s3, "get_bucket_acl", name)
    # The same as a document: `access_control_policy`, of the owner that `aws_canonical_user_id` looks up.
    owner = s3.list_buckets()["Owner"]["ID"]
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": owner}, "Permission": "FULL_CONTROL"}
    s3.put_bucket_acl(Bucket=name, AccessControlPolicy={"Grants": [grant], "Owner": {"ID": owner}})
    equal([entry["Grantee"]["ID"] for entry in found["Grants"]] + [found["Owner"]["ID"]], [owner, owner])
    # Nothing is asked when it is destroyed.
    equal(_ask(s3, "get_bucket_acl", name)["Grants"], found["Grants"])


def cross_origin_rules_are_written_read_and_taken_away():
    s3 = client()
    name = _created(s3)
    # What is not configured is sent as zero.
    short = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 0}
    long = {"AllowedMethods": ["PUT", "POST"], "AllowedOrigins": ["https://site.example"], "MaxAgeSeconds": 3_000}
    long |= {"ID": "uploads", "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
    for rules in ([short], [long, short]):
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
        told = _ask(s3, "get_bucket_cors", name)["CORSRules"]
        equal([{"MaxAgeSeconds": 0} | rule for rule in told], rules)
    for _ in range(2):
        s3.delete_bucket_cors(Bucket=name)
        _gone(s3, "get_bucket_cors", name)


def _rule(name, **settings):
    return {"ID": name, "Status": "Enabled", "Expiration": {"Days": 90}} | settings


def lifecycle_rules_are_written_read_and_taken_away():
    s3 = client()
    name = _created(s3)
    both = {"Prefix": "tmp/", "Tags": _tags(kind="draft", team="press")}
    rules = [
        _rule("no filter", Filter={}),
        _rule("a filter of nothing", Filter={"Prefix": ""}, Status="Disabled"),
        _rule("a prefix", Filter={"Prefix": "logs/"}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
        _rule("a prefix as it was written before", Prefix="old/"),
        _rule("a tag", Filter={"Tag": {"Key": "kind", "Value": "draft"}}),
        _rule("a size", Filter={"ObjectSizeGreaterThan": 500}),
        _rule("several", Filter={"And": both | {"ObjectSizeGreaterThan": 500, "ObjectSizeLessThan": 64_000}}),
        _rule("tags", Filter={"And": {"Prefix": "", "Tags": both["Tags"]}}),
        _rule("a date", Filter={}, Expiration={"Date": datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)}),
        _rule("markers", Filter={}, Expiration={"ExpiredObjectDeleteMarker": True}),
        {"ID": "versions", "Status": "Enabled", "Filter": {"Prefix": ""}},
    ]
    rules[-1]["NoncurrentVersionExpiration"] = {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3}
    smallest = {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
    for some in (rules[:2], rules):
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": some}, **smallest)
        # Three answers in a row must have rules of the same names and states, and then nothing may have changed.
        for _ in range(3):
            told = _ask(s3, "get_bucket_lifecycle_configuration", name)
            equal(_without_empty_filters(told["Rules"]), _without_empty_filters(some))
            equal({key: told[key] for key in smallest}, smallest)
    for _ in range(2):
        s3.delete_bucket_lifecycle(Bucket=name)
        _gone(s3, "get_bucket_lifecycle_configuration", name)


def _without_empty_filters(rules):
    """A filter without an element is as good as none; one with an empty prefix is another."""
    return [{key: value for key, value in rule.items() if (key, value) != ("Filter", {})} for rule in rules]


def notifications_are_read_and_taken_away():
    s3 = client()
    name = _created(s3)
    for _ in range(2):
        # Also what destroys it, since there is no deletion.
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        found = _ask(s3, "get_bucket_notification_configuration", name)
        equal([field for field in found if field.endswith(("Configuration", "Configurations"))], [])


def object_lock_is_written_read_and_taken_away():
    s3 = client()
    name = _created(s3, ObjectLockEnabledForBucket=True)
    enabled = {"ObjectLockEnabled": "Enabled"}
    equal(_refresh(s3, name)["get_object_lock_configuration"]["ObjectLockConfiguration"], enabled)
    # The last is the destruction.
    for default in ({"Mode": "GOVERNANCE", "Days": 5}, {"Mode": "COMPLIANCE", "Years": 1}, None):
        configuration = enabled | ({"Rule": {"DefaultRetention": default}} if default else {})
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)
        found = _ask(s3, "get_object_lock_configuration", name)["ObjectLockConfiguration"]
        equal((found["ObjectLockEnabled"], found.get("Rule", {}).get("DefaultRetention")), ("Enabled", default))
    # A resource for the versions cannot be undone here, and the provider knows that by this sentence.
    try:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        said = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed"
        equal((told["Code"], said in told["Message"]), ("InvalidBucketState", True))
    else:
        raise AssertionError("the versions were suspended")
    equal(s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")


def a_bucket_that_keeps_versions_gets_object_lock():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configuration)
    equal(_refresh(s3, name)["get_object_lock_configuration"]["ObjectLockConfiguration"], configuration)


def what_is_not_offered_fails_when_it_is_created():
    s3 = client()
    name = _created(s3)
    before = _refresh(s3, name).keys()
    elsewhere = {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}
    replication = {"Role": "arn:aws:iam::1:role/a", "Rules": [elsewhere]}
    logging = {"LoggingEnabled": {"TargetBucket": name, "TargetPrefix": "log/"}}
    for operation, arguments in {
        s3.put_bucket_logging: {"BucketLoggingStatus": logging},
        s3.put_bucket_replication: {"ReplicationConfiguration": replication},
        s3.put_bucket_website: {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}},
        s3.put_bucket_accelerate_configuration: {"AccelerateConfiguration": {"Status": "Enabled"}},
        s3.put_bucket_request_payment: {"RequestPaymentConfiguration": {"Payer": "Requester"}},
    }.items():
        with refused("NotImplemented", 501):
            operation(Bucket=name, **arguments)
    # So nothing of them is in the state, and their destruction is never asked for.
    equal(_refresh(s3, name).keys(), before)


def a_bucket_with_everything_beside_it_is_read_and_destroyed():
    s3 = client()
    name = _created(s3)
    _tag(s3, name, _tags(Environment="test"))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_cors(
        Bucket=name, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    )
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [_rule("old", Filter={})]})
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucketPolicy"}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": f"arn:aws:s3:::{name}"}]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    absent = {"get_bucket_website", "get_bucket_replication", "get_object_lock_configuration"}
    for _ in range(2):
        equal(set(ABSENT) - _refresh(s3, name).keys(), absent)
    # A bucket goes with what is beside it.
    s3.delete_bucket(Bucket=name)
    with refused("404", 404):
        s3.head_bucket(Bucket=name)


def _empty(s3, name, force, page):
    """Empties a bucket as the provider does: its versions, and then its delete markers, and page by page."""
    listing = {"Bucket": name, "EncodingType": "url", "PaginationConfig": {"PageSize": page}}
    for kind in ("Versions", "DeleteMarkers"):
        for found in s3.get_paginator("list_object_versions").paginate(**listing):
            entries = [(urllib.parse.unquote_plus(it["Key"]), it["VersionId"]) for it in found.get(kind, [])]
            _delete(s3, name, entries, force and kind == "Versions")


def _delete(s3, name, entries, force):
    bypass = {"BypassGovernanceRetention": True} if force else {}
    # A key that a document cannot have is deleted alone.
    batch = []
    for key, version in entries:
        if all(_is_of_xml(character) for character in key):
            batch.append({"Key": key, "VersionId": version})
        else:
            s3.delete_object(Bucket=name, Key=key, VersionId=version, **bypass)
    if not batch:
        return
    told = s3.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True}, **bypass)
    for error in told.get("Errors", []):
        # By this code the provider knows what is held, if it may pass over locks.
        equal((error["Code"], force), ("AccessDenied", True))
        asked = {"Bucket": name, "Key": error["Key"], "VersionId": error["VersionId"]}
        s3.put_object_legal_hold(**asked, LegalHold={"Status": "OFF"})
        s3.delete_object(**asked)


def _is_of_xml(character):
    basic = " " <= character <= "\ud7ff" or "\ue000" <= character <= "\ufffd"
    return character in "\t\n\r" or basic or character > "\uffff"


def _force_away(s3, name, force=False, page=1_000):
    """Destroys a bucket with `force_destroy`: it is emptied when it turns out not to be empty."""
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=name)
    _empty(s3, name, force, page)
    s3.delete_bucket(Bucket=name)
    with refused("404", 404):
        s3.head_bucket(Bucket=name)


def _fill(s3, name, keys):
    """Objects, versions and delete markers of each kind."""
    # What is written before versions are kept has the id `null`.
    for status in (None, "Enabled", "Suspended"):
        if status is not None:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        for key in keys:
            s3.put_object(Bucket=name, Key=key, Body=b"")
        for key in keys[::3]:
            s3.delete_object(Bucket=name, Key=key)


def a_bucket_that_is_forced_to_go_loses_its_versions_first():
    s3 = client()
    name = _created(s3)
    _fill(s3, name, AWKWARD_KEYS)
    _force_away(s3, name)


def a_bucket_that_is_forced_to_go_is_emptied_page_by_page():
    s3 = client()
    name = _created(s3)
    _fill(s3, name, [f"reports/{number:02}.pdf" for number in range(20)])
    # A page begins after a version that the page before it was deleted with.
    _force_away(s3, name, page=7)


def a_bucket_that_is_forced_to_go_loses_its_locks_first():
    s3 = client()
    name = _created(s3, ObjectLockEnabledForBucket=True)
    retention = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _later(days=2)}
    s3.put_object(Bucket=name, Key="retained", Body=b"", ChecksumAlgorithm="CRC32", **retention)
    s3.put_object(Bucket=name, Key="held", Body=b"", ChecksumAlgorithm="CRC32", ObjectLockLegalHoldStatus="ON")
    for key in ("held", "retained", "free"):
        s3.delete_object(Bucket=name, Key=key)
    _force_away(s3, name, force=True)


def _later(**span):
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(**span)


def _head(s3, asked, **arguments):
    """What is told of an object that was just written, with its tags."""
    head = s3.head_object(**asked, **arguments)
    # Without a class the provider takes it for the standard one. A key's name would have it look that key up.
    equal((head.get("StorageClass", "STANDARD"), "SSEKMSKeyId" in head), ("STANDARD", False))
    return head, s3.get_object_tagging(**asked)["TagSet"]


def an_object_is_created_read_changed_and_destroyed():
    s3 = client()
    asked = {"Bucket": _created(s3), "Key": "settings/app.json"}
    told = {"ContentType": "application/json", "CacheControl": "no-cache", "ServerSideEncryption": "AES256"}
    told |= {"Metadata": {"team": "press"}, "StorageClass": "STANDARD"}
    s3.put_object(**asked, Body=b"{}", Tagging="Environment=test&Owner=Bureau+%C3%A9l%C3%A8ves", **told)
    head, tags = _head(s3, asked)
    equal({key: head.get(key, "STANDARD") for key in told}, told)
    equal((head["ETag"].strip('"'), "VersionId" in head), ("99914b932bd37a50b983c5e7c90ae93b", False))
    equal(tags, _tags(Environment="test", Owner="Bureau élèves"))
    # Changed content is uploaded anew, with a checksum if one is configured.
    s3.put_object(**asked, Body=b"[]", ChecksumAlgorithm="SHA256", Tagging="Environment=test")
    head, tags = _head(s3, asked, ChecksumMode="ENABLED")
    equal("ChecksumSHA256" in head, True)
    # Tags are changed alone.
    for tags in (_tags(Environment="production"), []):
        s3.get_object_tagging(**asked)
        if tags:
            s3.put_object_tagging(**asked, Tagging={"TagSet": tags})
        else:
            s3.delete_object_tagging(**asked)
        equal(_head(s3, asked)[1], tags)
    s3.put_object_acl(**asked, ACL="private")
    for _ in range(2):
        s3.delete_object(**asked)
    with refused("404", 404):
        s3.head_object(**asked)


def a_large_object_is_created_in_parts():
    s3 = client()
    name = _created(s3)
    whole = content(2 * PART + 7)
    s3.upload_fileobj(io.BytesIO(whole), name, "archive.bin", Config=TransferConfig(PART, 5, PART))
    head, _ = _head(s3, {"Bucket": name, "Key": "archive.bin"}, ChecksumMode="ENABLED")
    equal((head["ContentLength"], head["ETag"].strip('"').partition("-")[2]), (len(whole), "3"))
    equal(read(s3, name, "archive.bin") == whole, True)


def an_object_that_has_versions_is_destroyed_with_all_of_them():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "a", "ab"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    equal("VersionId" in _head(s3, {"Bucket": name, "Key": "a"})[0], True)
    s3.delete_object(Bucket=name, Key="a")
    for kind in ("Versions", "DeleteMarkers"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name, Prefix="a"):
            for entry in page.get(kind, []):
                # Keys that only begin the same are passed over.
                if entry["Key"] == "a":
                    s3.delete_object(Bucket=name, Key="a", VersionId=entry["VersionId"])
    left = s3.list_object_versions(Bucket=name)
    equal(([entry["Key"] for entry in left["Versions"]], "DeleteMarkers" in left), (["ab"], False))


def an_object_that_is_locked_is_changed_and_forced_to_go():
    s3 = client()
    asked = {"Bucket": _created(s3, ObjectLockEnabledForBucket=True), "Key": "a"}
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _later(days=5)}
    s3.put_object(**asked, Body=b"", ChecksumAlgorithm="CRC32", ObjectLockLegalHoldStatus="ON", **lock)
    head, _ = _head(s3, asked)
    equal({key: head[key] for key in lock} | {"hold": head["ObjectLockLegalHoldStatus"]}, lock | {"hold": "ON"})
    bypass = {"BypassGovernanceRetention": True}
    # Longer, shorter, and not at all.
    for days in (9, 2, None):
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": _later(days=days)} if days else {}
        s3.put_object_retention(**asked, Retention=retention, **({} if days == 9 else bypass))
        head, _ = _head(s3, asked)
        told = {"Mode": head.get("ObjectLockMode"), "RetainUntilDate": head.get("ObjectLockRetainUntilDate")}
        equal({key: value for key, value in told.items() if value}, retention)
    # With `force_destroy`, a version that is held is let go when its deletion is denied.
    asked |= {"VersionId": head["VersionId"]}
    with refused("AccessDenied", 403):
        s3.delete_object(**asked, **bypass)
    equal(s3.head_object(**asked)["ObjectLockLegalHoldStatus"], "ON")
    s3.put_object_legal_hold(**asked, LegalHold={"Status": "OFF"})
    s3.delete_object(**asked, **bypass)
    s3.delete_bucket(Bucket=asked["Bucket"])


def an_object_is_copied_read_and_destroyed():
    s3 = client()
    name = _created(s3)
    source, asked = "dir/été a+b.txt", {"Bucket": name, "Key": "copy.txt"}
    told = {"ContentType": "text/plain", "Metadata": {"team": "press"}}
    s3.put_object(Bucket=name, Key=source, Body=b"text", Tagging="a=b", **told)
    # The provider encodes the source as in a form: slashes too, and a space as a plus.
    quoted = urllib.parse.quote_plus(f"{name}/{source}")

    def named(params, **_):
        params["headers"]["x-amz-copy-source"] = quoted

    s3.meta.events.register("before-call.s3.CopyObject", named)
    copied = s3.copy_object(**asked, CopySource={"Bucket": name, "Key": source})
    equal({"ETag", "LastModified"} <= copied["CopyObjectResult"].keys(), True)
    head, tags = _head(s3, asked)
    equal(({key: head[key] for key in told}, tags), (told, _tags(a="b")))
    replaced = {"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE", "Tagging": "c=d"}
    s3.copy_object(**asked, CopySource={"Bucket": name, "Key": source}, ContentType="text/html", **replaced)
    head, tags = _head(s3, asked)
    equal((head["ContentType"], head["Metadata"], tags), ("text/html", {}, _tags(c="d")))
    s3.delete_object(**asked)
    with refused("404", 404):
        s3.head_object(**asked)


def buckets_and_objects_are_looked_up():
    s3 = client()
    name = _created(s3)
    s3.head_bucket(Bucket=name)
    equal(s3.head_bucket(Bucket=name)["BucketRegion"], "fr1")
    _gone(s3, "get_bucket_website", name)
    for number in range(12):
        s3.put_object(Bucket=name, Key=f"docs/{number:02}.json", Body=b"{}", ContentType="application/json")
    listed = s3.list_objects_v2(Bucket=name, Prefix="docs/", MaxKeys=1_000, FetchOwner=True)
    equal({entry["Owner"]["ID"] for entry in listed["Contents"]}, {s3.list_buckets()["Owner"]["ID"]})
    equal(s3.list_objects_v2(Bucket=name, Delimiter="/", MaxKeys=1_000)["CommonPrefixes"], [{"Prefix": "docs/"}])
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 5})
    equal([len(page["Contents"]) for page in pages], [5, 5, 2])
    asked = {"Bucket": name, "Key": "docs/07.json"}
    head, tags = _head(s3, asked)
    equal((head["ContentType"], tags), ("application/json", []))
    # The body is downloaded by ranges, whatever its size.
    equal(_downloaded(s3, asked), b"{}")


def _downloaded(s3, asked):
    got = s3.get_object(**asked, Range=f"bytes=0-{PART - 1}")
    body = got["Body"].read()
    equal(got["ContentRange"], f"bytes 0-{len(body) - 1}/{len(body)}")
    return body


STATE = {"ContentType": "application/json", "ServerSideEncryption": "AES256", "ACL": "private"}
"""How a state is written that is configured with `encrypt` and `acl`."""


def _write_state(s3, name, key, body, **arguments):
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    arguments |= {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
    s3.put_object(Bucket=name, Key=key, Body=body, **STATE, **arguments)


def _read_state(s3, name, key):
    """A state, or `None`. The object is looked for before it is read."""
    try:
        s3.head_object(Bucket=name, Key=key)
    except botocore.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "404")
        return None
    return read(s3, name, key)


def _lock(s3, name, key, who):
    """Takes the lock of a state; gives whoever has it, after it or before."""
    info = json.dumps({"ID": who, "Operation": "OperationTypeApply", "Path": f"{name}/{key}"}).encode()
    try:
        _write_state(s3, name, f"{key}.tflock", info, IfNoneMatch="*")
    except botocore.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "PreconditionFailed")
    return json.loads(read(s3, name, f"{key}.tflock"))["ID"]


def _unlock(s3, name, key, who):
    equal(json.loads(read(s3, name, f"{key}.tflock"))["ID"], who)
    s3.delete_object(Bucket=name, Key=f"{key}.tflock")


def the_state_is_locked_written_and_read():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    key = "project/terraform.tfstate"
    for serial in range(3):
        equal(_lock(s3, name, key, f"first {serial}"), f"first {serial}")
        equal(_lock(s3, name, key, "second"), f"first {serial}")
        state = _read_state(s3, name, key)
        equal(state and json.loads(state), {"serial": serial - 1} if serial else None)
        _write_state(s3, name, key, json.dumps({"serial": serial}).encode(), Tagging="Environment=test")
        _unlock(s3, name, key, f"first {serial}")
    # A lock that is broken by force is gone for whoever had it.
    with refused("NoSuchKey", 404):
        read(s3, name, f"{key}.tflock")
    # Terraform downloads by ranges.
    equal(json.loads(_downloaded(s3, {"Bucket": name, "Key": key})), {"serial": 2})


def workspaces_are_made_listed_and_deleted():
    s3 = client()
    name = _created(s3)
    key = "project/terraform.tfstate"
    listing = {"Bucket": name, "Prefix": "env:/", "MaxKeys": 1_000}
    equal(s3.list_objects_v2(**listing).get("Contents", []), [])
    _write_state(s3, name, key, b"{}")
    for workspace in ("staging", "production"):
        path = f"env:/{workspace}/{key}"
        equal(_lock(s3, name, path, "init"), "init")
        equal(_read_state(s3, name, path), None)
        _write_state(s3, name, path, b"{}")
        _unlock(s3, name, path, "init")
    listed = [entry["Key"] for entry in s3.list_objects_v2(**listing)["Contents"]]
    equal(listed, [f"env:/production/{key}", f"env:/staging/{key}"])
    s3.delete_object(Bucket=name, Key=f"env:/staging/{key}")
    equal(s3.list_objects_v2(**listing)["KeyCount"], 1)


def a_state_is_kept_without_checksums():
    # `skip_s3_checksum`, and a bucket that is not there.
    s3 = client(
        config={"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    )
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket="papers", Prefix="env:/", MaxKeys=1_000)
    equal(_read_state(s3, "papers", "terraform.tfstate"), None)
    name = _created(s3)
    s3.put_object(Bucket=name, Key="terraform.tfstate", Body=b"{}", ContentType="application/json")
    equal(_read_state(s3, name, "terraform.tfstate"), b"{}")
