"""What buckets and objects are set to: tags, policies, public access, CORS, access control lists; attributes and forms."""

import hashlib
import json

from support import *

ORIGIN = "https://site.example"
BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def _tags(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _tags_of(s3, name, key):
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=name, Key=key)["TagSet"]}


def _open(name, action="s3:GetObject", **more):
    """A policy that lets everybody do something with the objects of a bucket."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{name}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


def _url(name, key=""):
    return f"{ENDPOINT}/{name}/{key}"


def tags_of_an_object_come_back():
    s3 = client()
    name = bucket(s3)
    asked = {"Bucket": name, "Key": "a"}
    s3.put_object(**asked, Body=b"text", Tagging="state=draft&owner=J+%C3%A9")
    equal(_tags_of(s3, name, "a"), {"owner": "J é", "state": "draft"})
    equal(s3.head_object(**asked).get("TagCount"), 2)
    s3.put_object_tagging(**asked, Tagging=_tags(kind="report"))
    equal(_tags_of(s3, name, "a"), {"kind": "report"})
    copy = {"Bucket": name, "CopySource": asked}
    s3.copy_object(**copy, Key="b")
    s3.copy_object(**copy, Key="c", TaggingDirective="REPLACE", Tagging="kind=copy")
    equal((_tags_of(s3, name, "b"), _tags_of(s3, name, "c")), ({"kind": "report"}, {"kind": "copy"}))
    s3.delete_object_tagging(**asked)
    equal(_tags_of(s3, name, "a"), {})
    # What is written anew has none of the old tags.
    s3.put_object_tagging(**asked, Tagging=_tags(kind="report"))
    s3.put_object(**asked, Body=b"other")
    equal(_tags_of(s3, name, "a"), {})


def tags_that_cannot_be_are_refused():
    s3 = client()
    name = bucket(s3)
    asked = {"Bucket": name, "Key": "a"}
    s3.put_object(**asked, Body=b"text")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    for tags in (_tags(**{"k" * 129: ""}), _tags(a="v" * 257), twice, _tags(**{"aws:a": "b"})):
        with refused("InvalidTag", 400):
            s3.put_object_tagging(**asked, Tagging=tags)
    many = {f"k{number}": "" for number in range(11)}
    with refused("BadRequest", 400):
        s3.put_object_tagging(**asked, Tagging=_tags(**many))
    with refused("BadRequest", 400):
        s3.put_object(**asked, Body=b"other", Tagging="&".join(many))
    for tagging in ("a=1&a=2", "k" * 129 + "=1"):
        with refused("InvalidTag", 400):
            s3.put_object(**asked, Body=b"other", Tagging=tagging)
    equal((read(s3, name, "a"), s3.get_object_tagging(**asked)["TagSet"]), (b"text", []))
    s3.put_object_tagging(**asked, Tagging=_tags(**{"é" * 128: "v" * 256}))


def tags_of_a_bucket_come_back():
    s3 = client()
    name = bucket(s3)
    tags = _tags(**{f"k{number:02}": "é /=+-_.:@" for number in range(50)})
    s3.put_bucket_tagging(Bucket=name, Tagging=tags)
    equal(s3.get_bucket_tagging(Bucket=name)["TagSet"], tags["TagSet"])
    with refused("BadRequest", 400):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [*tags["TagSet"], {"Key": "more", "Value": ""}]})
    s3.delete_bucket_tagging(Bucket=name)
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=name)


def a_public_policy_needs_an_open_door():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a b", Body=b"text")
    policy = _open(name)
    with refused("AccessDenied", 403):
        s3.put_bucket_policy(Bucket=name, Policy=policy)
    equal(fetch("GET", _url(name, "a%20b"))[0], 403)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKED, False))
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    # It comes back as it was put, byte for byte.
    equal(s3.get_bucket_policy(Bucket=name)["Policy"], policy)
    equal(s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"], True)
    equal(fetch("GET", _url(name, "a%20b"))[::2], (200, b"text"))
    for method, url in (("PUT", _url(name, "b")), ("DELETE", _url(name, "a%20b")), ("GET", _url(name))):
        equal((method, fetch(method, url, b"")[0]), (method, 403))
    restricted = dict.fromkeys(BLOCKED, False) | {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=restricted)
    equal(fetch("GET", _url(name, "a%20b"))[0], 403)
    s3.delete_public_access_block(Bucket=name)
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        s3.get_public_access_block(Bucket=name)
    equal(fetch("GET", _url(name, "a%20b"))[0], 200)
    s3.delete_bucket_policy(Bucket=name)
    equal(fetch("GET", _url(name, "a%20b"))[0], 403)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=name)


def a_policy_that_is_not_understood_is_malformed():
    s3 = client()
    name = bucket(s3)
    good = json.loads(_open(name, Effect="Deny"))
    statement = good["Statement"][0]
    for policy in (
        "{}",
        "not JSON",
        "[]",
        json.dumps(good | {"Statement": []}),
        json.dumps(good | {"Version": "2020-01-01"}),
        json.dumps(good | {"Statement": [statement | {"Effect": "Perhaps"}]}),
        json.dumps(good | {"Statement": [statement | {"Action": "s3:Dance"}]}),
        json.dumps(good | {"Statement": [statement | {"Resource": "arn:aws:s3:::other/*"}]}),
        json.dumps(good | {"Statement": [statement | {"Principal": {"AWS": "nobody"}}]}),
        json.dumps(good | {"Statement": [statement | {"Condition": {"Guess": {"aws:SourceIp": "::"}}}]}),
    ):
        with refused("MalformedPolicy", 400):
            s3.put_bucket_policy(Bucket=name, Policy=policy)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=name)


def a_policy_denies_whoever_has_a_role():
    s3, reader = client(), client("reader")
    name = bucket(s3)
    for key in ("open/a", "shut/a"):
        s3.put_object(Bucket=name, Key=key, Body=b"text")
    policy = json.loads(_open(name, Effect="Deny", Resource=f"arn:aws:s3:::{name}/shut/*"))
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    equal(s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"], False)
    equal(read(reader, name, "open/a"), b"text")
    for denied in (s3, reader):
        with refused("AccessDenied", 403):
            denied.get_object(Bucket=name, Key="shut/a")
    # Who is shut out may still open again.
    s3.delete_bucket_policy(Bucket=name)
    equal(read(s3, name, "shut/a"), b"text")


def a_policy_lists_what_is_under_a_prefix():
    s3 = client()
    name = bucket(s3)
    for key in ("public/a", "private/a"):
        s3.put_object(Bucket=name, Key=key, Body=b"text")
    s3.delete_public_access_block(Bucket=name)
    condition = {"StringLike": {"s3:prefix": ["public/*"]}}
    policy = _open(name, "s3:ListBucket", Resource=f"arn:aws:s3:::{name}", Condition=condition)
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    status, _, body = fetch("GET", _url(name, "?list-type=2&prefix=public/"))
    equal((status, b"<Key>public/a</Key>" in body), (200, True))
    for query in ("?list-type=2", "?list-type=2&prefix=private/", "?list-type=2&prefix=publi"):
        equal((query, fetch("GET", _url(name, query))[0]), (query, 403))
    equal(fetch("GET", _url(name, "public/a"))[0], 403)


RULES = [
    {
        "ID": "site",
        "AllowedOrigins": [ORIGIN],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["content-type", "x-amz-*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["HEAD"]},
]


def _preflight(name, origin, method, headers=None):
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    status, told, _ = fetch("OPTIONS", _url(name, "a"), headers=asked)
    return status, told


def browsers_ask_before_they_send():
    s3 = client()
    name = bucket(s3)
    equal(_preflight(name, ORIGIN, "PUT")[0], 403)
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": RULES})
    equal(s3.get_bucket_cors(Bucket=name)["CORSRules"], RULES)
    status, told = _preflight(name, ORIGIN, "PUT", "content-type, x-amz-acl")
    equal((status, told["Access-Control-Allow-Origin"], told["Access-Control-Max-Age"]), (200, ORIGIN, "600"))
    equal(told["Access-Control-Allow-Methods"], "GET, PUT")
    equal(told["Access-Control-Allow-Headers"].replace(" ", ""), "content-type,x-amz-acl")
    equal(told["Access-Control-Expose-Headers"], "ETag, x-amz-version-id")
    equal("Origin" in told["Vary"], True)
    equal(_preflight(name, "https://other.example", "HEAD")[0], 200)
    for origin, method, headers in (
        (ORIGIN, "DELETE", None),
        (ORIGIN, "PUT", "authorization"),
        ("https://other.example", "PUT", None),
        ("http://site.example", "GET", None),
        ("https://site.example.evil", "GET", None),
    ):
        equal((origin, method, _preflight(name, origin, method, headers)[0]), (origin, method, 403))
    s3.delete_bucket_cors(Bucket=name)
    equal(_preflight(name, ORIGIN, "PUT")[0], 403)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=name)


def answers_and_errors_tell_browsers_what_they_may_read():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text")
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": RULES})
    url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "a"})
    for target, expected in ((url, 200), (url.replace("/a?", "/b?"), 403), (_url(name, "none"), 403)):
        status, told, _ = fetch("GET", target, headers={"Origin": ORIGIN})
        equal((status, told["Access-Control-Allow-Origin"]), (expected, ORIGIN))
        equal(told["Access-Control-Expose-Headers"], "ETag, x-amz-version-id")
    _, told, _ = fetch("GET", url, headers={"Origin": "https://elsewhere.org"})
    equal(told["Access-Control-Allow-Origin"], None)


def cross_origin_rules_that_cannot_be_are_refused():
    s3 = client()
    name = bucket(s3)
    good = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    for rules, code in (
        ([good | {"AllowedMethods": ["TRACE"]}], "InvalidRequest"),
        ([good | {"AllowedOrigins": ["https://*.*.example"]}], "InvalidRequest"),
        ([good | {"AllowedHeaders": ["x-*-*"]}], "InvalidRequest"),
        ([good | {"ExposeHeaders": ["x-*"]}], "InvalidRequest"),
        ([good] * 101, "InvalidRequest"),
    ):
        with refused(code, 400):
            s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=name)


def lists_say_what_is_so_or_are_not_supported():
    s3 = client()
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a", Body=b"text", ACL="private")
    acl = s3.get_bucket_acl(Bucket=name)
    document = {"Owner": acl["Owner"], "Grants": acl["Grants"]}
    s3.put_bucket_acl(Bucket=name, ACL="private")
    s3.put_bucket_acl(Bucket=name, AccessControlPolicy=document)
    s3.put_object_acl(Bucket=name, Key="a", ACL="bucket-owner-full-control")
    s3.put_object_acl(Bucket=name, Key="a", AccessControlPolicy=document)
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    shared = document | {"Grants": [{"Grantee": everybody, "Permission": "READ"}]}
    for attempt in (
        lambda: s3.put_bucket_acl(Bucket=name, ACL="public-read"),
        lambda: s3.put_bucket_acl(Bucket=name, AccessControlPolicy=shared),
        lambda: s3.put_bucket_acl(Bucket=name, GrantRead="id=somebody"),
        lambda: s3.put_object_acl(Bucket=name, Key="a", ACL="authenticated-read"),
        lambda: s3.put_object_acl(Bucket=name, Key="a", AccessControlPolicy=shared),
        lambda: s3.put_object(Bucket=name, Key="b", Body=b"", ACL="public-read"),
        lambda: s3.put_object(Bucket=name, Key="b", Body=b"", GrantFullControl="id=somebody"),
        lambda: s3.copy_object(Bucket=name, Key="b", CopySource=f"{name}/a", ACL="public-read"),
        lambda: s3.create_multipart_upload(Bucket=name, Key="b", ACL="public-read"),
    ):
        with refused("AccessControlListNotSupported", 400):
            attempt()
    equal([entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]], ["a"])
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=enforced)


def attributes_say_what_an_object_is_made_of():
    s3 = client()
    name = bucket(s3)
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    put = s3.put_object(Bucket=name, Key="a", Body=b"text", ChecksumAlgorithm="SHA256")
    told = s3.get_object_attributes(Bucket=name, Key="a", ObjectAttributes=wanted)
    equal((told["ETag"], told["ObjectSize"], told["StorageClass"]), (put["ETag"].strip('"'), 4, "STANDARD"))
    equal(told["Checksum"], {"ChecksumSHA256": put["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"})
    equal("ObjectParts" in told, False)
    told = s3.get_object_attributes(Bucket=name, Key="a", ObjectAttributes=["ObjectSize"])
    equal((told["ObjectSize"], "ETag" in told, "Checksum" in told), (4, False, False))
    upload = {"Bucket": name, "Key": "b"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in enumerate((content(PART), b"end"), 1):
        sent = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    told = s3.get_object_attributes(Bucket=name, Key="b", ObjectAttributes=wanted, MaxParts=1)["ObjectParts"]
    equal((told["TotalPartsCount"], told["IsTruncated"], told["NextPartNumberMarker"]), (2, True, 1))
    first = {"PartNumber": 1, "Size": PART, "ChecksumSHA256": parts[0]["ChecksumSHA256"]}
    equal(told["Parts"], [first])
    rest = s3.get_object_attributes(Bucket=name, Key="b", ObjectAttributes=wanted, PartNumberMarker=1)
    equal([part["PartNumber"] for part in rest["ObjectParts"]["Parts"]], [2])
    with refused("NoSuchKey", 404):
        s3.get_object_attributes(Bucket=name, Key="none", ObjectAttributes=wanted)


def a_form_uploads_what_its_policy_allows():
    s3 = client()
    name = bucket(s3)
    conditions = [["content-length-range", 1, 1_000], ["starts-with", "$Content-Type", "text/"], {"acl": "private"}]
    form = s3.generate_presigned_post(name, "in/${filename}", Fields={"acl": "private"}, Conditions=conditions)
    send = lambda fields, body: send_form(form["url"], form["fields"] | fields, body, "été.txt")
    status, headers, _ = send({"Content-Type": "text/plain"}, b"text")
    equal((status, headers["ETag"]), (204, f'"{hashlib.md5(b"text").hexdigest()}"'))
    head = s3.head_object(Bucket=name, Key="in/été.txt")
    equal((head["ContentLength"], head["ContentType"]), (4, "text/plain"))
    for body, fields, code in (
        (b"", {"Content-Type": "text/plain"}, "EntityTooSmall"),
        (b"x" * 1_001, {"Content-Type": "text/plain"}, "EntityTooLarge"),
        (b"text", {"Content-Type": "image/png"}, "AccessDenied"),
        (b"text", {"Content-Type": "text/plain", "key": "elsewhere"}, "AccessDenied"),
        (b"text", {"Content-Type": "text/plain", "acl": "public-read"}, "AccessDenied"),
        (b"text", {"Content-Type": "text/plain", "x-amz-meta-more": "a"}, "AccessDenied"),
        (b"text", {"Content-Type": "text/plain", "x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
    ):
        equal((fields, error_code(send(fields, body)[2])), (fields, code))
    equal([entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]], ["in/été.txt"])


def an_object_says_how_it_is_sealed():
    s3 = client()
    name = bucket(s3)
    for algorithm in ("AES256", "aws:kms"):
        asked = {"Bucket": name, "Key": algorithm, "ServerSideEncryption": algorithm}
        equal(s3.put_object(**asked, Body=b"text")["ServerSideEncryption"], algorithm)
        equal(s3.head_object(Bucket=name, Key=algorithm)["ServerSideEncryption"], algorithm)
        copied = s3.copy_object(**asked | {"Key": "copy"}, CopySource={"Bucket": name, "Key": algorithm})
        equal(copied["ServerSideEncryption"], algorithm)
        equal(s3.create_multipart_upload(**asked | {"Key": "parts"})["ServerSideEncryption"], algorithm)
    tags = [s3.head_object(Bucket=name, Key=key)["ETag"] for key in ("AES256", "aws:kms")]
    equal((tags[0] == f'"{hashlib.md5(b"text").hexdigest()}"', "-" in tags[1]), (True, True))
