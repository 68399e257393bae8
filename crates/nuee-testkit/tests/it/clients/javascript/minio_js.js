// minio-js.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const { Readable } = require("node:stream");

const minio = require("minio");

const { AWKWARD_KEYS, ENDPOINT, KEY_ID, MIB, PART, SECRET, content, read, refused, same } = require("../scripts/common.js");

function client(secretKey = SECRET) {
    const { hostname, port, protocol } = new URL(ENDPOINT);
    return new minio.Client({
        endPoint: hostname,
        port: Number(port),
        useSSL: protocol === "https:",
        accessKey: KEY_ID,
        secretKey,
        region: "fr1",
    });
}

async function bucket(s3, name = "papers", options = {}) {
    await s3.makeBucket(name, "fr1", options);
    return name;
}

async function all(stream) {
    const entries = [];
    for await (const entry of stream) entries.push(entry);
    return entries;
}

async function names(s3, name, prefix = "", recursive = true) {
    const entries = await all(s3.listObjectsV2(name, prefix, recursive));
    return entries.map((entry) => entry.name ?? entry.prefix);
}

exports.a_bucket_is_made_found_and_removed = async () => {
    const s3 = client();
    assert.equal(await s3.bucketExists("papers"), false);
    const name = await bucket(s3);
    assert.equal(await s3.bucketExists(name), true);
    assert.deepEqual((await s3.listBuckets()).map((entry) => entry.name), [name]);
    await s3.putObject(name, "a", "text");
    await refused("BucketNotEmpty", () => s3.removeBucket(name));
    await s3.removeObject(name, "a");
    await s3.removeBucket(name);
    assert.equal(await s3.bucketExists(name), false);
};

exports.objects_of_every_size_come_back = async () => {
    const s3 = client();
    const name = await bucket(s3);
    for (const size of [0, 1, PART, PART + 1]) {
        const body = content(size);
        const put = await s3.putObject(name, "a b", body, size, { "Content-Type": "text/plain", Author: "Jeanne" });
        const stat = await s3.statObject(name, "a b");
        assert.deepEqual([stat.size, stat.etag], [size, put.etag]);
        assert.deepEqual([stat.metaData["content-type"], stat.metaData.author], ["text/plain", "Jeanne"]);
        same(await read(await s3.getObject(name, "a b")), body);
    }
    same(await read(await s3.getPartialObject(name, "a b", 5, 10)), content(PART).subarray(5, 15));
};

exports.a_stream_of_unknown_length_is_sent_as_a_part = async () => {
    const s3 = client();
    const name = await bucket(s3);
    const body = content(2 * PART + 7);
    const put = await s3.putObject(name, "a", Readable.from([body.subarray(0, MIB), body.subarray(MIB)]));
    assert.match(put.etag, /-1$/);
    same(await read(await s3.getObject(name, "a")), body);
};

exports.files_are_sent_and_fetched = async () => {
    const s3 = client();
    const name = await bucket(s3);
    const directory = fs.mkdtempSync("files-");
    fs.writeFileSync(`${directory}/there`, content(66 * MIB));
    const put = await s3.fPutObject(name, "été/a b", `${directory}/there`, { "Content-Type": "text/csv" });
    assert.match(put.etag, /-2$/);
    await s3.fGetObject(name, "été/a b", `${directory}/back`);
    same(fs.readFileSync(`${directory}/back`), content(66 * MIB));
    fs.rmSync(directory, { recursive: true });
};

exports.keys_are_listed = async () => {
    const s3 = client();
    const name = await bucket(s3);
    for (const key of ["a", "a b", "d/1", "d/2/x", "é/1"]) await s3.putObject(name, key, key);
    assert.deepEqual(await names(s3, name), ["a", "a b", "d/1", "d/2/x", "é/1"]);
    assert.deepEqual(await names(s3, name, "", false), ["a", "a b", "d/", "é/"]);
    assert.deepEqual(await names(s3, name, "d/", false), ["d/1", "d/2/"]);
    const first = await all(s3.listObjects(name, "d/", true));
    assert.deepEqual(first.map((entry) => entry.name), ["d/1", "d/2/x"]);
};

exports.awkward_keys_name_objects_of_their_own = async () => {
    const s3 = client();
    const name = await bucket(s3);
    for (const key of AWKWARD_KEYS) await s3.putObject(name, key, key);
    for (const key of AWKWARD_KEYS) assert.equal((await read(await s3.getObject(name, key))).toString(), key);
    assert.deepEqual((await names(s3, name)).toSorted(), AWKWARD_KEYS.toSorted());
    await s3.removeObjects(name, AWKWARD_KEYS);
    assert.deepEqual(await names(s3, name), []);
};

exports.presigned_urls_read_and_write = async () => {
    const s3 = client();
    const name = await bucket(s3);
    const put = await fetch(await s3.presignedPutObject(name, "a b"), { method: "PUT", body: "text" });
    assert.equal(put.status, 200);
    const answer = await fetch(await s3.presignedGetObject(name, "a b", 60, { "response-content-type": "text/html" }));
    assert.deepEqual([answer.headers.get("content-type"), await answer.text()], ["text/html", "text"]);
    const wrong = await fetch(await client("0".repeat(40)).presignedGetObject(name, "a b"));
    assert.equal(wrong.status, 403);
};

exports.a_form_uploads_what_its_policy_allows = async () => {
    const s3 = client();
    const name = await bucket(s3);
    const policy = s3.newPostPolicy();
    policy.setBucket(name);
    policy.setKeyStartsWith("in/");
    policy.setContentLengthRange(1, 10);
    policy.setExpires(new Date(Date.now() + 3_600_000));
    const { formData, postURL } = await s3.presignedPostPolicy(policy);
    const send = (key, text) => {
        const form = new FormData();
        for (const [field, value] of Object.entries({ ...formData, key })) form.append(field, value);
        form.append("file", new Blob([text]), "notes.txt");
        return fetch(postURL, { method: "POST", body: form });
    };
    assert.equal((await send("in/${filename}", "text")).status, 204);
    assert.equal((await send("in/a", "x".repeat(11))).status, 400);
    assert.equal((await send("out/a", "text")).status, 403);
    assert.deepEqual(await names(s3, name), ["in/notes.txt"]);
};

exports.objects_are_copied_and_composed = async () => {
    const s3 = client();
    const name = await bucket(s3);
    await s3.putObject(name, "a b", content(PART), PART, { Author: "Jeanne" });
    await s3.copyObject(name, "c", `/${name}/a b`);
    assert.equal((await s3.statObject(name, "c")).metaData.author, "Jeanne");
    const conditions = new minio.CopyConditions();
    conditions.setMatchETag("0".repeat(32));
    await refused("PreconditionFailed", () => s3.copyObject(name, "d", `/${name}/c`, conditions));
    await s3.putObject(name, "end", "end");
    const sources = ["a b", "end"].map((Object) => new minio.CopySourceOptions({ Bucket: name, Object }));
    const destination = new minio.CopyDestinationOptions({ Bucket: name, Object: "whole" });
    await s3.composeObject(destination, sources);
    same(await read(await s3.getObject(name, "whole")), Buffer.concat([content(PART), Buffer.from("end")]));
};

exports.versions_are_kept_listed_and_removed = async () => {
    const s3 = client();
    const name = await bucket(s3);
    await s3.setBucketVersioning(name, { Status: "Enabled" });
    assert.equal((await s3.getBucketVersioning(name)).Status, "Enabled");
    const first = (await s3.putObject(name, "a", "first")).versionId;
    const second = (await s3.putObject(name, "a", "second")).versionId;
    await s3.removeObject(name, "a");
    await refused("NotFound", () => s3.statObject(name, "a"));
    const versionId = first;
    assert.equal((await read(await s3.getObject(name, "a", { versionId }))).toString(), "first");
    const entries = await all(s3.listObjects(name, "", true, { IncludeVersion: true }));
    const kept = entries.filter((entry) => !entry.isDeleteMarker).map((entry) => entry.versionId);
    assert.deepEqual([kept, entries.length], [[second, first], 3]);
    await s3.removeObjects(name, entries);
    await s3.removeBucket(name);
};

exports.tags_and_settings_come_back = async () => {
    const s3 = client();
    const name = await bucket(s3);
    await s3.putObject(name, "a", "text");
    const told = [{ Key: "state", Value: "à lire" }];
    await s3.setObjectTagging(name, "a", { state: "à lire" });
    assert.deepEqual(await s3.getObjectTagging(name, "a"), told);
    await s3.removeObjectTagging(name, "a");
    assert.deepEqual(await s3.getObjectTagging(name, "a"), []);
    await refused("NoSuchTagSet", () => s3.getBucketTagging(name));
    await s3.setBucketTagging(name, { state: "à lire" });
    assert.deepEqual(await s3.getBucketTagging(name), told);
    await refused("NoSuchLifecycleConfiguration", () => s3.getBucketLifecycle(name));
    const rule = { ID: "old", Status: "Enabled", Filter: { Prefix: "logs/" }, Expiration: { Days: "3" } };
    await s3.setBucketLifecycle(name, { Rule: [rule] });
    await s3.removeBucketLifecycle(name);
    await refused("NoSuchBucketPolicy", () => s3.getBucketPolicy(name));
};

exports.what_is_retained_is_not_removed = async () => {
    const s3 = client();
    const name = await bucket(s3, "papers", { ObjectLocking: true });
    await s3.setObjectLockConfig(name, { mode: "GOVERNANCE", unit: "Days", validity: 1 });
    assert.deepEqual((await s3.getObjectLockConfig(name)).mode, "GOVERNANCE");
    const { versionId } = await s3.putObject(name, "a", "text");
    assert.equal((await s3.getObjectRetention(name, "a", { versionId })).mode, "GOVERNANCE");
    await refused("AccessDenied", () => s3.removeObject(name, "a", { versionId }));
    await s3.setObjectLegalHold(name, "a", { versionId, status: "ON" });
    assert.deepEqual(await s3.getObjectLegalHold(name, "a", { versionId }), { Status: "ON" });
    await s3.setObjectLegalHold(name, "a", { versionId, status: "OFF" });
    await s3.removeObject(name, "a", { versionId, governanceBypass: true });
    await s3.removeBucket(name);
};

exports.uploads_under_way_are_listed_and_removed = async () => {
    const s3 = client();
    const name = await bucket(s3);
    await s3.initiateNewMultipartUpload(name, "a b", {});
    assert.deepEqual((await all(s3.listIncompleteUploads(name, "", true))).map((entry) => entry.key), ["a b"]);
    await s3.removeIncompleteUpload(name, "a b");
    assert.deepEqual(await all(s3.listIncompleteUploads(name, "", true)), []);
};

exports.errors_are_told_by_their_codes = async () => {
    const s3 = client();
    await refused("NoSuchBucket", () => s3.putObject("papers", "a", "text"));
    const name = await bucket(s3);
    await refused("BucketAlreadyOwnedByYou", () => bucket(s3));
    await refused("NoSuchKey", () => s3.getObject(name, "none"));
    const put = await s3.putObject(name, "a", "text");
    await refused("InvalidRange", () => s3.getPartialObject(name, "a", 10));
    await refused("SignatureDoesNotMatch", () => names(client("0".repeat(40)), name));
    assert.equal(put.etag, crypto.createHash("md5").update("text").digest("hex"));
};
