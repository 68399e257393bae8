"""minio-py."""

import contextlib
import datetime
import hashlib
import io
import tempfile
import urllib.parse

import minio
from common import *
from minio.commonconfig import ENABLED, GOVERNANCE, ComposeSource, CopySource, Filter, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.retention import Retention
from minio.sseconfig import Rule as SealingRule
from minio.sseconfig import SSEConfig
from minio.versioningconfig import VersioningConfig


def _client(secret=None):
    key_id, owners = keys()
    address = urllib.parse.urlsplit(ENDPOINT).netloc
    return minio.Minio(address, key_id, secret or owners, secure=ENDPOINT.startswith("https:"), region="fr1")


def _bucket(s3, name="papers", **arguments):
    s3.make_bucket(name, **arguments)
    return name


def _put(s3, name, key, body, **arguments):
    return s3.put_object(name, key, io.BytesIO(body), len(body), **arguments)


def _read(s3, name, key, **arguments):
    answer = s3.get_object(name, key, **arguments)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def _keys(s3, name, **arguments):
    return [entry.object_name for entry in s3.list_objects(name, **arguments)]


@contextlib.contextmanager
def _refused(code):
    try:
        yield
    except minio.S3Error as error:
        equal(error.code, code)
    else:
        raise AssertionError(f"it was done, and {code} was expected")


def a_bucket_is_made_found_and_removed():
    s3 = _client()
    equal(s3.bucket_exists("papers"), False)
    name = _bucket(s3, location="fr1")
    equal(s3.bucket_exists(name), True)
    equal([entry.name for entry in s3.list_buckets()], [name])
    _put(s3, name, "a", b"text")
    with _refused("BucketNotEmpty"):
        s3.remove_bucket(name)
    s3.remove_object(name, "a")
    s3.remove_bucket(name)
    equal(s3.bucket_exists(name), False)
    with _refused("NoSuchBucket"):
        s3.remove_bucket(name)


def objects_of_every_size_come_back():
    s3 = _client()
    name = _bucket(s3)
    for size in (0, 1, PART, PART + 1, 12 * MIB):
        body = content(size)
        put = _put(s3, name, "a", body, content_type="text/plain", metadata={"author": "Jeanne"})
        stat = s3.stat_object(name, "a")
        equal((stat.size, stat.etag, stat.content_type), (size, put.etag, "text/plain"))
        equal(stat.metadata["x-amz-meta-author"], "Jeanne")
        equal(_read(s3, name, "a") == body, True)
    equal(_read(s3, name, "a", offset=5 * MIB - 1, length=3), content(12 * MIB)[5 * MIB - 1 : 5 * MIB + 2])


def a_large_object_is_sent_in_parts():
    s3 = _client()
    name = _bucket(s3)
    body = content(2 * PART + 7)
    # Of unknown length, as from a pipe.
    put = s3.put_object(name, "a", io.BytesIO(body), length=-1, part_size=PART)
    equal(put.etag.endswith("-3"), True)
    equal(_read(s3, name, "a") == body, True)
    equal(list(s3.list_objects(name))[0].size, len(body))


def files_are_sent_and_fetched():
    s3 = _client()
    name = _bucket(s3)
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/there", "wb") as file:
            file.write(content(6 * MIB + 1))
        put = s3.fput_object(name, "été/a b", f"{directory}/there", part_size=PART)
        equal(put.etag.endswith("-2"), True)
        s3.fget_object(name, "été/a b", f"{directory}/back")
        with open(f"{directory}/back", "rb") as file:
            equal(file.read() == content(6 * MIB + 1), True)


def keys_are_listed():
    s3 = _client()
    name = _bucket(s3)
    for key in ("a", "a b", "d/1", "d/2/x", "é/1"):
        _put(s3, name, key, key.encode())
    equal(_keys(s3, name), ["a", "a b", "d/", "é/"])
    equal(_keys(s3, name, recursive=True), ["a", "a b", "d/1", "d/2/x", "é/1"])
    equal(_keys(s3, name, prefix="d/"), ["d/1", "d/2/"])
    equal(_keys(s3, name, recursive=True, start_after="d/1"), ["d/2/x", "é/1"])
    equal(_keys(s3, name, recursive=True, use_api_v1=True), ["a", "a b", "d/1", "d/2/x", "é/1"])
    equal(_keys(s3, name, prefix="none"), [])


def awkward_keys_name_objects_of_their_own():
    s3 = _client()
    name = _bucket(s3)
    # The library takes these for a way out of the bucket, and its HTTP library cuts the segments from the path.
    sent = [key for key in AWKWARD_KEYS if not {".", ".."} & set(key.split("/"))]
    for key in sent:
        _put(s3, name, key, key.encode())
    for key in sent:
        equal(_read(s3, name, key), key.encode())
    listed = _keys(s3, name, recursive=True)
    equal(listed, sorted(sent, key=str.encode))
    # In documents the library writes references, which XML does not have for every character.
    batch = [key for key in listed if key.isprintable() and max(key) < "\uffff"]
    equal(list(s3.remove_objects(name, [DeleteObject(key) for key in batch])), [])
    for key in set(listed) - set(batch):
        s3.remove_object(name, key)
    equal(_keys(s3, name, recursive=True), [])


def presigned_urls_read_and_write():
    s3 = _client()
    name = _bucket(s3)
    equal(fetch("PUT", s3.presigned_put_object(name, "a b"), b"text")[0], 200)
    equal(fetch("GET", s3.presigned_get_object(name, "a b"))[::2], (200, b"text"))
    told = {"response-content-type": "text/html"}
    url = s3.presigned_get_object(name, "a b", datetime.timedelta(minutes=5), response_headers=told)
    equal(fetch("GET", url)[1]["Content-Type"], "text/html")
    status, _, body = fetch("GET", _client("0" * 40).presigned_get_object(name, "a b"))
    equal((status, error_code(body)), (403, "SignatureDoesNotMatch"))


def a_form_uploads_what_its_policy_allows():
    s3 = _client()
    name = _bucket(s3)
    policy = PostPolicy(name, datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))
    policy.add_starts_with_condition("key", "in/")
    policy.add_content_length_range_condition(1, 10)
    fields = s3.presigned_post_policy(policy) | {"key": "in/a"}
    url = f"{ENDPOINT}/{name}"
    equal(send_form(url, fields, b"text")[0], 204)
    equal(_read(s3, name, "in/a"), b"text")
    equal(send_form(url, fields, b"x" * 11)[0], 400)
    equal(send_form(url, fields | {"key": "out/a"}, b"text")[0], 403)


def objects_are_copied_and_composed():
    s3 = _client()
    name = _bucket(s3)
    first = _put(s3, name, "a", content(PART), metadata={"author": "Jeanne"})
    copied = s3.copy_object(name, "b c", CopySource(name, "a"))
    equal(copied.etag, first.etag)
    equal(s3.stat_object(name, "b c").metadata["x-amz-meta-author"], "Jeanne")
    s3.copy_object(name, "b c", CopySource(name, "b c"), metadata={"author": "Paul"}, metadata_directive="REPLACE")
    equal(s3.stat_object(name, "b c").metadata["x-amz-meta-author"], "Paul")
    with _refused("PreconditionFailed"):
        s3.copy_object(name, "d", CopySource(name, "a", match_etag="0" * 32))
    _put(s3, name, "end", b"end")
    s3.compose_object(name, "whole", [ComposeSource(name, "a"), ComposeSource(name, "end")])
    equal(_read(s3, name, "whole") == content(PART) + b"end", True)


def tags_and_settings_come_back():
    s3 = _client()
    name = _bucket(s3)
    tags = Tags.new_object_tags()
    tags["state"] = "à lire"
    _put(s3, name, "a", b"text", tags=tags)
    equal(dict(s3.get_object_tags(name, "a")), {"state": "à lire"})
    s3.delete_object_tags(name, "a")
    equal(s3.get_object_tags(name, "a"), None)
    equal(s3.get_bucket_tags(name), None)
    s3.set_bucket_tags(name, tags)
    equal(dict(s3.get_bucket_tags(name)), {"state": "à lire"})
    s3.delete_bucket_tags(name)
    equal(s3.get_bucket_lifecycle(name), None)
    rule = Rule(ENABLED, rule_filter=Filter(prefix="logs/"), rule_id="old", expiration=Expiration(days=3))
    s3.set_bucket_lifecycle(name, LifecycleConfig([rule]))
    equal(s3.get_bucket_lifecycle(name).rules[0].expiration.days, 3)
    s3.delete_bucket_lifecycle(name)
    s3.set_bucket_encryption(name, SSEConfig(SealingRule.new_sse_s3_rule()))
    equal(s3.get_bucket_encryption(name).rule.sse_algorithm, "AES256")
    with _refused("NoSuchBucketPolicy"):
        s3.get_bucket_policy(name)


def versions_are_kept_listed_and_removed():
    s3 = _client()
    name = _bucket(s3)
    equal(s3.get_bucket_versioning(name).status, None)
    s3.set_bucket_versioning(name, VersioningConfig(ENABLED))
    equal(s3.get_bucket_versioning(name).status, ENABLED)
    first, second = (_put(s3, name, "a", body).version_id for body in (b"first", b"second"))
    s3.remove_object(name, "a")
    with _refused("NoSuchKey"):
        s3.stat_object(name, "a")
    equal(_read(s3, name, "a", version_id=first), b"first")
    entries = list(s3.list_objects(name, include_version=True))
    equal([entry.version_id for entry in entries if not entry.is_delete_marker], [second, first])
    equal([entry.is_latest for entry in entries if entry.is_delete_marker], ["true"])
    every = [DeleteObject("a", entry.version_id) for entry in entries]
    equal(list(s3.remove_objects(name, every)), [])
    s3.remove_bucket(name)


def what_is_retained_is_not_removed():
    s3 = _client()
    name = _bucket(s3, object_lock=True)
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    version = _put(s3, name, "a", b"text", retention=Retention(GOVERNANCE, until), legal_hold=True).version_id
    told = s3.get_object_retention(name, "a", version)
    equal((told.mode, told.retain_until_date), (GOVERNANCE, until))
    equal(s3.is_object_legal_hold_enabled(name, "a", version), True)
    with _refused("AccessDenied"):
        s3.remove_object(name, "a", version)
    s3.disable_object_legal_hold(name, "a", version)
    (failed,) = s3.remove_objects(name, [DeleteObject("a", version)])
    equal(failed.code, "AccessDenied")
    equal(list(s3.remove_objects(name, [DeleteObject("a", version)], bypass_governance_mode=True)), [])


def errors_are_told_by_their_codes():
    s3 = _client()
    with _refused("NoSuchBucket"):
        _put(s3, "papers", "a", b"text")
    name = _bucket(s3)
    with _refused("BucketAlreadyOwnedByYou"):
        _bucket(s3)
    with _refused("NoSuchKey"):
        _read(s3, name, "none")
    _put(s3, name, "a", b"text")
    with _refused("InvalidRange"):
        _read(s3, name, "a", offset=10)
    with _refused("SignatureDoesNotMatch"):
        list(_client("0" * 40).list_objects(name))
    equal(hashlib.md5(_read(s3, name, "a")).hexdigest(), s3.stat_object(name, "a").etag)
