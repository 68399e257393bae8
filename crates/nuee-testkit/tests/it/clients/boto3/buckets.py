"""Buckets: their life, whose they are, how they are addressed, what is not offered."""

import urllib.parse

import botocore.exceptions
from support import *


def a_bucket_is_created_listed_and_deleted():
    s3 = client()
    for name in ("photos", "papers", "a.b-c"):
        equal(s3.create_bucket(Bucket=name)["Location"], f"/{name}")
    listed = s3.list_buckets()
    equal([entry["Name"] for entry in listed["Buckets"]], ["a.b-c", "papers", "photos"])
    equal(bool(listed["Owner"]["ID"]), True)
    equal(s3.head_bucket(Bucket="papers")["BucketRegion"], "fr1")
    equal(s3.get_bucket_location(Bucket="papers")["LocationConstraint"], "fr1")
    s3.delete_bucket(Bucket="papers")
    with refused("404", 404):
        s3.head_bucket(Bucket="papers")
    s3.get_waiter("bucket_not_exists").wait(Bucket="papers")


def buckets_are_listed_page_by_page():
    s3 = client()
    names = [f"papers-{number}" for number in range(5)]
    for name in [*names, "other"]:
        bucket(s3, name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="papers-", PaginationConfig={"PageSize": 2})
    equal([entry["Name"] for page in pages for entry in page["Buckets"]], names)


def a_bucket_is_created_with_a_location():
    s3 = client()
    s3.create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "fr1"})
    s3.head_bucket(Bucket="papers")


def a_name_that_no_bucket_can_have_is_refused():
    s3 = client()
    s3.meta.events.unregister("before-parameter-build.s3", botocore.handlers.validate_bucket_name)
    for name in ("ab", "Papers", "a_b", "-papers", "papers-", "a..b", "192.168.0.1", "x" * 64, "é" * 3):
        with refused("InvalidBucketName", 400):
            s3.create_bucket(Bucket=name)
    equal(s3.list_buckets()["Buckets"], [])


def a_bucket_that_exists_is_not_created_again():
    s3 = client()
    bucket(s3)
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket="papers")
    for account in ("neighbour", "stranger"):
        with refused("BucketAlreadyExists", 409):
            client(account).create_bucket(Bucket="papers")


def a_bucket_with_objects_is_not_deleted():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=name)
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)


def what_is_not_there_is_said_to_be_missing():
    s3 = client()
    name = bucket(s3)
    for attempt in (
        lambda: s3.list_objects_v2(Bucket="none"),
        lambda: s3.put_object(Bucket="none", Key="a", Body=b"text"),
        lambda: s3.get_object(Bucket="none", Key="a"),
        lambda: s3.delete_object(Bucket="none", Key="a"),
        lambda: s3.delete_bucket(Bucket="none"),
        lambda: s3.create_multipart_upload(Bucket="none", Key="a"),
    ):
        with refused("NoSuchBucket", 404):
            attempt()
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=name, Key="none")
    try:
        s3.get_object(Bucket=name, Key="none")
    except s3.exceptions.NoSuchKey as error:
        equal(bool(error.response["ResponseMetadata"]["RequestId"]), True)


def _attempts(s3, name):
    upload = {"Bucket": name, "Key": "a", "UploadId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {
        "read": [
            lambda: s3.list_objects_v2(Bucket=name),
            lambda: s3.list_objects(Bucket=name),
            lambda: s3.get_object(Bucket=name, Key="a"),
            lambda: s3.get_bucket_location(Bucket=name),
        ],
        "beyond a reader": [
            lambda: s3.get_bucket_encryption(Bucket=name),
            lambda: s3.put_object(Bucket=name, Key="a", Body=b"other"),
            lambda: s3.delete_object(Bucket=name, Key="a"),
            lambda: s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}]}),
            lambda: s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"}),
            lambda: s3.create_multipart_upload(Bucket=name, Key="a"),
            lambda: s3.upload_part(**upload, PartNumber=1, Body=b""),
            lambda: s3.abort_multipart_upload(**upload),
            lambda: s3.delete_bucket(Bucket=name),
            lambda: s3.put_bucket_encryption(
                Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]}
            ),
            lambda: s3.delete_bucket_encryption(Bucket=name),
        ],
    }


def another_organisations_bucket_is_denied():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    for account in ("stranger", "neighbour"):
        other = client(account)
        equal(other.list_buckets()["Buckets"], [])
        for attempts in _attempts(other, name).values():
            for attempt in attempts:
                with refused("AccessDenied", 403):
                    attempt()
        with refused("403", 403):
            other.head_bucket(Bucket=name)
        with refused("403", 403):
            other.head_object(Bucket=name, Key="a")
    equal(read(s3, name, "a"), b"text")


def a_reader_reads_and_writes_nothing():
    s3, reader = client(), client("reader")
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    attempts = _attempts(reader, name)
    for attempt in attempts["read"]:
        attempt()
    for attempt in attempts["beyond a reader"]:
        with refused("AccessDenied", 403):
            attempt()
    with refused("AccessDenied", 403):
        reader.create_bucket(Bucket="other")
    equal(read(s3, name, "a"), b"text")


def _algorithm(s3, name):
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    return rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]


def _choose(s3, name, algorithm):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def a_bucket_may_have_the_look_of_kms():
    s3 = client()
    name = bucket(s3)
    equal(_algorithm(s3, name), "AES256")
    plain = s3.put_object(Bucket=name, Key="before", Body=b"text")
    equal(plain["ServerSideEncryption"], "AES256")
    _choose(s3, name, "aws:kms")
    equal(_algorithm(s3, name), "aws:kms")
    for size in (0, 1, PART + 1):
        sent = content(size)
        put = s3.put_object(Bucket=name, Key="a", Body=sent)
        equal(put["ServerSideEncryption"], "aws:kms")
        # A tag that is no MD5 has a dash, so that no client takes it for one.
        equal("-" in put["ETag"], True)
        equal(s3.head_object(Bucket=name, Key="a")["ETag"], put["ETag"])
        equal(read(s3, name, "a") == sent, True)
    again = s3.put_object(Bucket=name, Key="a", Body=content(PART + 1))
    equal(again["ETag"] != put["ETag"], True)
    s3.delete_bucket_encryption(Bucket=name)
    equal(_algorithm(s3, name), "AES256")
    equal(s3.put_object(Bucket=name, Key="after", Body=b"text")["ETag"], plain["ETag"])


def multipart_and_copies_work_with_the_look_of_kms():
    s3 = client()
    name = bucket(s3)
    _choose(s3, name, "aws:kms")
    upload = {"Bucket": name, "Key": "a"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = []
    for number, body in [(1, content(PART)), (2, b"end")]:
        parts.append({"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    equal("-" in done["ETag"], True)
    s3.copy_object(Bucket=name, Key="b", CopySource={"Bucket": name, "Key": "a"})
    equal(read(s3, name, "b") == content(PART) + b"end", True)
    equal(s3.head_object(Bucket=name, Key="b", IfMatch=s3.head_object(Bucket=name, Key="b")["ETag"])["ContentLength"], PART + 3)


def keys_and_algorithms_that_are_not_offered_are_refused():
    s3 = client()
    name = bucket(s3)
    for default in (
        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/mine"},
        {"SSEAlgorithm": "aws:kms:dsse"},
    ):
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        with refused("NotImplemented", 501):
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=rules)
    with refused("NotImplemented", 501):
        s3.put_object(Bucket=name, Key="a", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId="mine")
    equal(_algorithm(s3, name), "AES256")


def buckets_are_addressed_by_host_name():
    resolve_localhost()
    port = urllib.parse.urlsplit(ENDPOINT).port
    s3 = client(endpoint_url=f"http://s3.localhost:{port}", config={"s3": {"addressing_style": "virtual"}})
    name = bucket(s3)
    hosts = []
    s3.meta.events.register("before-send.s3", lambda request, **_: hosts.append(request.url.split("/")[2]))
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
        equal(read(s3, name, key), key.encode())
    equal(set(hosts), {f"papers.s3.localhost:{port}"})
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "~"})
    equal(s3.list_objects_v2(Bucket=name)["KeyCount"], len(AWKWARD_KEYS) + 1)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "été à la plage.txt"})
    equal(fetch("GET", url)[2], "été à la plage.txt".encode())
    # The same bucket, in the path.
    equal(read(client(), name, "~"), b"~")
    keys = [{"Key": entry["Key"]} for entry in s3.list_objects_v2(Bucket=name)["Contents"]]
    for key in keys:
        s3.delete_object(Bucket=name, **key)
    s3.delete_bucket(Bucket=name)


def what_is_not_offered_answers_not_implemented():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    queue = {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:fr1:1:a", "Events": ["s3:ObjectCreated:*"]}]}
    elsewhere = {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}
    kept = {"Id": "all", "StorageClassAnalysis": {}}
    attempts = [
        lambda: s3.put_bucket_website(
            Bucket=name, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
        ),
        lambda: s3.put_bucket_logging(
            Bucket=name, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": name, "TargetPrefix": ""}}
        ),
        lambda: s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=queue),
        lambda: s3.put_bucket_replication(
            Bucket=name, ReplicationConfiguration={"Role": "arn:aws:iam::1:role/a", "Rules": [elsewhere]}
        ),
        lambda: s3.put_bucket_accelerate_configuration(
            Bucket=name, AccelerateConfiguration={"Status": "Enabled"}
        ),
        lambda: s3.put_bucket_request_payment(
            Bucket=name, RequestPaymentConfiguration={"Payer": "Requester"}
        ),
        lambda: s3.put_bucket_analytics_configuration(Bucket=name, Id="all", AnalyticsConfiguration=kept),
        lambda: s3.list_bucket_inventory_configurations(Bucket=name),
        lambda: s3.list_bucket_metrics_configurations(Bucket=name),
        lambda: s3.put_bucket_versioning(
            Bucket=name, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}, MFA="1 2"
        ),
        lambda: s3.restore_object(Bucket=name, Key="a", RestoreRequest={"Days": 1}),
        lambda: s3.get_object_torrent(Bucket=name, Key="a"),
        lambda: s3.put_object(Bucket=name, Key="b", Body=b"", StorageClass="GLACIER"),
        lambda: s3.put_object(Bucket=name, Key="b", Body=b"", WebsiteRedirectLocation="/a"),
        lambda: s3.put_object(
            Bucket=name, Key="b", Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32
        ),
    ]
    for number, attempt in enumerate(attempts):
        try:
            with refused("NotImplemented", 501):
                attempt()
        except AssertionError as error:
            raise AssertionError(f"attempt {number}: {error}") from error
    equal("Status" in s3.get_bucket_versioning(Bucket=name), False)
    equal([entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]], ["a"])


def what_a_new_bucket_does_not_have_is_said_as_s3_says_it():
    s3 = client()
    name = bucket(s3)
    absent = {
        "get_bucket_policy": "NoSuchBucketPolicy",
        "get_bucket_cors": "NoSuchCORSConfiguration",
        "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
        "get_bucket_replication": "ReplicationConfigurationNotFoundError",
        "get_bucket_tagging": "NoSuchTagSet",
        "get_bucket_website": "NoSuchWebsiteConfiguration",
        "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
        "get_bucket_policy_status": "NoSuchBucketPolicy",
    }
    for operation, code in absent.items():
        with refused(code, 404):
            getattr(s3, operation)(Bucket=name)
    for operation, field in {
        "get_bucket_versioning": "Status",
        "get_bucket_accelerate_configuration": "Status",
        "get_bucket_logging": "LoggingEnabled",
        "get_bucket_notification_configuration": "QueueConfigurations",
        "list_object_versions": "Versions",
    }.items():
        equal((operation, field in getattr(s3, operation)(Bucket=name)), (operation, False))
    with refused("NoSuchBucket", 404):
        s3.get_bucket_policy(Bucket="none")
    for operation in [*absent, "get_bucket_versioning", "get_bucket_acl", "get_public_access_block"]:
        with refused("AccessDenied", 403):
            getattr(client("stranger"), operation)(Bucket=name)


def a_new_bucket_is_private_and_sealed_as_at_s3():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"")
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    equal(block, dict.fromkeys(blocked, True))
    equal(s3.get_bucket_request_payment(Bucket=name)["Payer"], "BucketOwner")
    equal(_algorithm(s3, name), "AES256")
    (rule,) = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    equal(rule["ObjectOwnership"], "BucketOwnerEnforced")
    for acl in (s3.get_bucket_acl(Bucket=name), s3.get_object_acl(Bucket=name, Key="a")):
        (grant,) = acl["Grants"]
        equal((grant["Permission"], grant["Grantee"]["ID"]), ("FULL_CONTROL", acl["Owner"]["ID"]))
    equal(s3.get_object_tagging(Bucket=name, Key="a")["TagSet"], [])
    with refused("NoSuchKey", 404):
        s3.get_object_tagging(Bucket=name, Key="none")


def lifecycle_rules_come_back_as_they_were_set():
    s3 = client()
    name = bucket(s3)
    both = {"Prefix": "logs/", "Tags": [{"Key": "kind", "Value": "draft"}], "ObjectSizeGreaterThan": 10}
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
        {"ID": "both", "Status": "Disabled", "Filter": {"And": both}, "Expiration": {"Days": 2}},
        {
            "ID": "versions",
            "Status": "Enabled",
            "Filter": {"Prefix": "a/"},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 4},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    equal(s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"], rules)
    put = s3.put_object(Bucket=name, Key="b", Body=b"")
    equal(put["Expiration"].split("rule-id=")[1], '"old"')
    s3.delete_bucket_lifecycle(Bucket=name)
    with refused("NoSuchLifecycleConfiguration", 404):
        s3.get_bucket_lifecycle_configuration(Bucket=name)
    transition = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}}
    transition["Transitions"] = [{"Days": 1, "StorageClass": "GLACIER"}]
    with refused("NotImplemented", 501):
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [transition]})
