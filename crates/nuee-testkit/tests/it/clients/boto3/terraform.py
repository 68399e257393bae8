"""What the `aws` provider of Terraform and OpenTofu asks, in its order, when it creates, reads and destroys resources.

The program itself comes from no package registry. The calls are those of the provider's sources, `aws_s3_bucket` and the
resources beside it: https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service/s3
"""

import json

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
    "get_bucket_location": set(),
    "get_bucket_tagging": {"NoSuchTagSet"},
}
"""What is read of a bucket, in this order, and the codes that the provider takes for "there is none"."""


def _refresh(s3, name):
    """Reads a bucket as the provider does; gives what is there."""
    s3.head_bucket(Bucket=name)
    found = {}
    for operation, absent in ABSENT.items():
        try:
            found[operation] = getattr(s3, operation)(Bucket=name)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in absent:
                raise AssertionError(f"{operation}: {error}") from error
    return found


def _created(s3, name="papers"):
    # The provider looks first whether the bucket is another's, and waits until it can be seen.
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "fr1"})
    return name


def a_bucket_is_created_and_read():
    s3 = client()
    name = _created(s3)
    found = _refresh(s3, name)
    absent = {"get_bucket_policy", "get_bucket_cors", "get_bucket_website", "get_bucket_lifecycle_configuration"}
    absent |= {"get_bucket_replication", "get_object_lock_configuration", "get_bucket_tagging"}
    equal(set(ABSENT) - set(found), absent)
    equal(found["get_bucket_location"]["LocationConstraint"], "fr1")
    equal(found["get_bucket_request_payment"]["Payer"], "BucketOwner")
    (grant,) = found["get_bucket_acl"]["Grants"]
    equal((grant["Grantee"]["Type"], grant["Permission"]), ("CanonicalUser", "FULL_CONTROL"))


def a_bucket_with_everything_beside_it_is_created_and_read():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "Environment", "Value": "test"}]})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    block = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    s3.put_bucket_ownership_controls(
        Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    policy = {"Version": "2012-10-17", "Statement": [_denial(name)]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    rules = [_expiration("old", "logs/"), _expiration("rest", "")]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://site.example"], "MaxAgeSeconds": 3_000}]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors})
    found = _refresh(s3, name)
    equal(found["get_bucket_versioning"]["Status"], "Enabled")
    # The provider compares what it wrote with what it reads, and writes again if they differ.
    (told,) = found["get_bucket_encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    equal((told | rule, told.get("BucketKeyEnabled", False)), (rule, False))
    equal(json.loads(found["get_bucket_policy"]["Policy"]), policy)
    equal(found["get_bucket_lifecycle_configuration"]["Rules"], rules)
    equal(found["get_bucket_cors"]["CORSRules"], cors)
    equal(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"], block)
    (told,) = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    equal(told["ObjectOwnership"], "BucketOwnerEnforced")
    equal(_refresh(s3, name).keys(), found.keys())


def _denial(name):
    """A statement of a policy that makes nothing public."""
    safe = {"Bool": {"aws:SecureTransport": "true"}}
    what = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*", "Condition": safe}
    return {"Sid": "plain", "Effect": "Deny", "Principal": "*"} | what


def _expiration(name, prefix):
    return {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": 90},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def a_bucket_with_object_lock_is_created_and_read():
    s3 = client()
    s3.create_bucket(Bucket="papers", ObjectLockEnabledForBucket=True)
    retention = {"Mode": "GOVERNANCE", "Days": 5}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    s3.put_object_lock_configuration(Bucket="papers", ObjectLockConfiguration=configuration)
    found = _refresh(s3, "papers")
    equal(found["get_object_lock_configuration"]["ObjectLockConfiguration"], configuration)
    equal(found["get_bucket_versioning"]["Status"], "Enabled")


def what_is_beside_a_bucket_is_taken_away():
    s3 = client()
    name = _created(s3)
    before = _refresh(s3, name).keys()
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [cors]})
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [_denial(name)]}))
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [_expiration("old", "")]})
    for operation in (
        s3.delete_bucket_tagging,
        s3.delete_bucket_cors,
        s3.delete_bucket_policy,
        s3.delete_bucket_lifecycle,
        s3.delete_bucket_encryption,
        s3.delete_public_access_block,
    ):
        # A second time, as after a destruction that was interrupted.
        for _ in range(2):
            operation(Bucket=name)
    equal(_refresh(s3, name).keys(), before)


def a_bucket_that_is_forced_to_go_loses_its_versions_first():
    s3 = client()
    name = _created(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for number in range(5):
        s3.put_object(Bucket=name, Key="a", Body=str(number).encode())
    s3.delete_object(Bucket=name, Key="a")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=name)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name, PaginationConfig={"PageSize": 2}):
        entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
        batch = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        equal("Errors" in s3.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True}), False)
    s3.delete_bucket(Bucket=name)
    with refused("404", 404):
        s3.head_bucket(Bucket=name)


def an_object_is_created_read_changed_and_destroyed():
    s3 = client()
    name = _created(s3)
    told = {"ContentType": "application/json", "ServerSideEncryption": "AES256", "Tagging": "a=b"}
    asked = {"Bucket": name, "Key": "settings.json"}
    # The provider uploads with its SDK's manager, with a checksum and the list that everything has.
    s3.put_object(**asked, Body=b"{}", ACL="private", ChecksumAlgorithm="CRC32", **told)
    head = s3.head_object(**asked, ChecksumMode="ENABLED")
    equal((head["ContentType"], head["ServerSideEncryption"]), ("application/json", "AES256"))
    equal(s3.get_object_tagging(**asked)["TagSet"], [{"Key": "a", "Value": "b"}])
    s3.put_object_tagging(**asked, Tagging={"TagSet": []})
    s3.delete_object(**asked)
    with refused("404", 404):
        s3.head_object(**asked)


def the_state_is_kept_and_locked():
    s3 = client()
    name = _created(s3)
    state, lock = "project/terraform.tfstate", "project/terraform.tfstate.tflock"
    with refused("404", 404):
        s3.head_object(Bucket=name, Key=state)
    equal(s3.list_objects_v2(Bucket=name, Prefix="env:/", MaxKeys=1_000)["KeyCount"], 0)
    s3.put_object(Bucket=name, Key=lock, Body=b'{"ID":"1"}', IfNoneMatch="*", ContentType="application/json")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=name, Key=lock, Body=b'{"ID":"2"}', IfNoneMatch="*", ContentType="application/json")
    # Whoever does not get the lock says who has it.
    equal(json.loads(read(s3, name, lock))["ID"], "1")
    s3.put_object(
        Bucket=name, Key=state, Body=b"{}", ACL="private", ServerSideEncryption="AES256", ChecksumAlgorithm="SHA256"
    )
    equal(read(s3, name, state, ChecksumMode="ENABLED"), b"{}")
    s3.delete_object(Bucket=name, Key=lock)
    s3.put_object(Bucket=name, Key=lock, Body=b'{"ID":"2"}', IfNoneMatch="*", ContentType="application/json")
