// The AWS SDK for JavaScript, version 3, with what front ends and Node services do.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { Readable } = require("node:stream");

const sdk = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const { AWKWARD_KEYS, ENDPOINT, PART, content, read, refused, same } = require("../scripts/common.js");

const ORIGIN = "https://docs.example";
const Bucket = "papers";

function client(options = {}) {
    return new sdk.S3({ endpoint: ENDPOINT, region: "fr1", forcePathStyle: true, maxAttempts: 1, ...options });
}

async function bucket() {
    const s3 = client();
    await s3.createBucket({ Bucket });
    return s3;
}

async function text(s3, Key, more = {}) {
    return (await s3.getObject({ Bucket, Key, ...more })).Body.transformToString();
}

exports.a_bucket_is_made_found_and_removed = async () => {
    const s3 = client();
    await refused("NotFound", () => s3.headBucket({ Bucket }));
    const configuration = { CreateBucketConfiguration: { LocationConstraint: "fr1" } };
    await s3.createBucket({ Bucket, ...configuration });
    await s3.headBucket({ Bucket });
    assert.deepEqual((await s3.listBuckets()).Buckets.map((entry) => entry.Name), [Bucket]);
    await refused("BucketAlreadyOwnedByYou", () => s3.createBucket({ Bucket }));
    await s3.putObject({ Bucket, Key: "a", Body: "text" });
    await refused("BucketNotEmpty", () => s3.deleteBucket({ Bucket }));
    await s3.deleteObject({ Bucket, Key: "a" });
    await s3.deleteBucket({ Bucket });
};

exports.bodies_of_every_kind_come_back = async () => {
    const s3 = await bucket();
    const whole = content(PART + 1);
    for (const Body of ["été", "", Buffer.from([0]), whole, new Uint8Array(whole)]) {
        const Metadata = { author: "Jeanne" };
        await s3.putObject({ Bucket, Key: "a b", Body, ContentType: "text/plain", Metadata });
        const got = await s3.getObject({ Bucket, Key: "a b" });
        assert.deepEqual([got.ContentType, got.Metadata], ["text/plain", Metadata]);
        same(await got.Body.transformToByteArray(), Buffer.from(Body));
    }
    const Body = Readable.from([whole.subarray(0, 1_000), whole.subarray(1_000)]);
    await s3.putObject({ Bucket, Key: "a b", Body, ContentLength: whole.length });
    same(await read((await s3.getObject({ Bucket, Key: "a b" })).Body), whole);
    const part = await s3.getObject({ Bucket, Key: "a b", Range: "bytes=5-14" });
    same(await part.Body.transformToByteArray(), whole.subarray(5, 15));
};

exports.a_checksum_is_sent_by_default_and_verified = async () => {
    const s3 = await bucket();
    const put = await s3.putObject({ Bucket, Key: "a", Body: "text" });
    assert.ok(put.ChecksumCRC32);
    const head = await s3.headObject({ Bucket, Key: "a", ChecksumMode: "ENABLED" });
    assert.deepEqual([head.ChecksumCRC32, head.ChecksumType], [put.ChecksumCRC32, "FULL_OBJECT"]);
    for (const ChecksumAlgorithm of ["CRC32C", "SHA1", "SHA256"]) {
        const told = await s3.putObject({ Bucket, Key: "a", Body: "text", ChecksumAlgorithm });
        assert.ok(told[`Checksum${ChecksumAlgorithm}`]);
        assert.equal(await text(s3, "a"), "text");
    }
    const wrong = crypto.createHash("sha256").update("other").digest("base64");
    await refused("BadDigest", () => s3.putObject({ Bucket, Key: "b", Body: "text", ChecksumSHA256: wrong }));
    const quiet = client({ requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" });
    await quiet.putObject({ Bucket, Key: "c", Body: "text" });
    assert.equal(await text(quiet, "c"), "text");
};

exports.an_upload_is_sent_in_parts = async () => {
    const s3 = await bucket();
    const whole = content(2 * PART + 7);
    const params = { Bucket, Key: "é", Body: Readable.from([whole.subarray(0, 9), whole.subarray(9)]) };
    const upload = new Upload({ client: s3, params, partSize: PART, queueSize: 2 });
    const seen = [];
    upload.on("httpUploadProgress", (progress) => seen.push(progress.part));
    const done = await upload.done();
    assert.match(done.ETag, /-3"$/);
    assert.deepEqual(seen.toSorted(), [1, 2, 3]);
    same(await (await s3.getObject({ Bucket, Key: "é" })).Body.transformToByteArray(), whole);
};

exports.an_upload_that_is_given_up_is_gone = async () => {
    const s3 = await bucket();
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: "a" });
    await s3.uploadPart({ Bucket, Key: "a", UploadId, PartNumber: 1, Body: content(9) });
    assert.equal((await s3.listParts({ Bucket, Key: "a", UploadId })).Parts.length, 1);
    assert.equal((await s3.listMultipartUploads({ Bucket })).Uploads.length, 1);
    await s3.abortMultipartUpload({ Bucket, Key: "a", UploadId });
    assert.equal((await s3.listMultipartUploads({ Bucket })).Uploads, undefined);
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: "x" }] };
    await refused("NoSuchUpload", () => s3.completeMultipartUpload({ Bucket, Key: "a", UploadId, MultipartUpload }));
};

exports.presigned_urls_read_and_write = async () => {
    await bucket();
    // Otherwise the checksum of no bytes is part of a URL to write to.
    const s3 = client({ requestChecksumCalculation: "WHEN_REQUIRED" });
    const key = { Bucket, Key: "item/a b+é.txt" };
    const put = await getSignedUrl(s3, new sdk.PutObjectCommand({ ...key, ContentType: "text/plain" }), {
        expiresIn: 60,
        signableHeaders: new Set(["content-type"]),
    });
    const send = (type) => fetch(put, { method: "PUT", body: "text", headers: { "Content-Type": type } });
    assert.equal((await send("text/html")).status, 403);
    assert.equal((await send("text/plain")).status, 200);
    const get = await getSignedUrl(s3, new sdk.GetObjectCommand(key), { expiresIn: 60 });
    const answer = await fetch(get, { headers: { Range: "bytes=1-2" } });
    assert.deepEqual([answer.status, await answer.text()], [206, "ex"]);
    const head = await getSignedUrl(s3, new sdk.HeadObjectCommand(key), { expiresIn: 60 });
    assert.equal((await fetch(head, { method: "HEAD" })).headers.get("content-type"), "text/plain");
    assert.equal((await fetch(put, { method: "DELETE", headers: { "Content-Type": "text/plain" } })).status, 403);
};

exports.a_browser_sends_to_a_presigned_url_after_a_preflight = async () => {
    const s3 = await bucket();
    const rule = { AllowedOrigins: [ORIGIN], AllowedMethods: ["GET", "PUT", "POST"], AllowedHeaders: ["*"] };
    rule.ExposeHeaders = ["ETag"];
    await s3.putBucketCors({ Bucket, CORSConfiguration: { CORSRules: [rule] } });
    const signer = client({ requestChecksumCalculation: "WHEN_REQUIRED" });
    const url = await getSignedUrl(signer, new sdk.PutObjectCommand({ Bucket, Key: "a" }), { expiresIn: 60 });
    // `fetch` of Node sends no Origin of its own, and leaves one that is given.
    const asked = { Origin: ORIGIN, "Access-Control-Request-Method": "PUT" };
    asked["Access-Control-Request-Headers"] = "content-type";
    const preflight = await fetch(url, { method: "OPTIONS", headers: asked });
    assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [200, ORIGIN]);
    assert.equal(preflight.headers.get("access-control-allow-headers"), "content-type");
    const headers = { Origin: ORIGIN, "Content-Type": "text/plain" };
    const put = await fetch(url, { method: "PUT", body: "text", headers });
    assert.deepEqual([put.status, put.headers.get("access-control-allow-origin")], [200, ORIGIN]);
    const get = await getSignedUrl(s3, new sdk.GetObjectCommand({ Bucket, Key: "none" }), { expiresIn: 60 });
    const missing = await fetch(get, { headers: { Origin: ORIGIN } });
    assert.deepEqual([missing.status, missing.headers.get("access-control-expose-headers")], [404, "ETag"]);
};

exports.a_form_uploads_what_its_policy_allows = async () => {
    const s3 = await bucket();
    const Conditions = [["content-length-range", 1, 10], ["starts-with", "$Content-Type", "text/"]];
    const asked = { Bucket, Key: "in/${filename}", Conditions, Fields: { acl: "private" } };
    const { url, fields } = await createPresignedPost(s3, asked);
    const send = (body, type) => {
        const form = new FormData();
        for (const [name, value] of Object.entries({ ...fields, "Content-Type": type })) form.append(name, value);
        form.append("file", new Blob([body]), "notes.txt");
        return fetch(url, { method: "POST", body: form });
    };
    assert.equal((await send("text", "text/plain")).status, 204);
    assert.equal((await send("x".repeat(11), "text/plain")).status, 400);
    assert.equal((await send("text", "image/png")).status, 403);
    assert.equal(await text(s3, "in/notes.txt"), "text");
};

exports.awkward_keys_name_objects_of_their_own = async () => {
    const s3 = await bucket();
    for (const Key of AWKWARD_KEYS) await s3.putObject({ Bucket, Key, Body: Key });
    for (const Key of AWKWARD_KEYS) {
        assert.equal(await text(s3, Key), Key);
        const url = await getSignedUrl(s3, new sdk.GetObjectCommand({ Bucket, Key }));
        assert.equal(await (await fetch(url)).text(), Key);
    }
    const { Contents } = await s3.listObjectsV2({ Bucket });
    assert.deepEqual(Contents.map((entry) => entry.Key).toSorted(), AWKWARD_KEYS.toSorted());
    const Objects = AWKWARD_KEYS.map((Key) => ({ Key }));
    assert.equal((await s3.deleteObjects({ Bucket, Delete: { Objects } })).Deleted.length, Objects.length);
};

exports.keys_are_listed_page_by_page = async () => {
    const s3 = await bucket();
    for (const Key of ["a", "a b", "d/1", "d/2", "é/1"]) await s3.putObject({ Bucket, Key, Body: Key });
    const found = [];
    const asked = { Bucket, Delimiter: "/", EncodingType: "url" };
    for await (const page of sdk.paginateListObjectsV2({ client: s3, pageSize: 2 }, asked)) {
        found.push(...(page.Contents ?? []).map((entry) => entry.Key));
        found.push(...(page.CommonPrefixes ?? []).map((entry) => entry.Prefix));
    }
    assert.deepEqual(found.map(decodeURIComponent), ["a", "a b", "d/", "é/"]);
};

exports.versions_are_kept_listed_and_removed = async () => {
    const s3 = await bucket();
    await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Enabled" } });
    const ids = [];
    for (const Body of ["first", "second"]) ids.push((await s3.putObject({ Bucket, Key: "a", Body })).VersionId);
    const { DeleteMarker } = await s3.deleteObject({ Bucket, Key: "a" });
    assert.equal(DeleteMarker, true);
    await refused("NoSuchKey", () => text(s3, "a"));
    assert.equal(await text(s3, "a", { VersionId: ids[0] }), "first");
    const { Versions, DeleteMarkers } = await s3.listObjectVersions({ Bucket, Prefix: "a" });
    assert.deepEqual(Versions.map((entry) => entry.VersionId), ids.toReversed());
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    await s3.deleteObjects({ Bucket, Delete: { Objects, Quiet: true } });
    await s3.deleteBucket({ Bucket });
};

exports.copies_tags_and_conditions_hold = async () => {
    const s3 = await bucket();
    const { ETag } = await s3.putObject({ Bucket, Key: "a é", Body: "text", Tagging: "state=draft", IfNoneMatch: "*" });
    const CopySource = `${Bucket}/${encodeURIComponent("a é")}`;
    const copied = await s3.copyObject({ Bucket, Key: "b", CopySource, CopySourceIfMatch: ETag });
    assert.equal(copied.CopyObjectResult.ETag, ETag);
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: "b" })).TagSet, [{ Key: "state", Value: "draft" }]);
    await refused("PreconditionFailed", () => s3.putObject({ Bucket, Key: "b", Body: "x", IfNoneMatch: "*" }));
    await refused("PreconditionFailed", () => s3.putObject({ Bucket, Key: "b", Body: "x", IfMatch: '"other"' }));
    await s3.putObject({ Bucket, Key: "b", Body: "new", IfMatch: ETag });
    const unchanged = s3.getObject({ Bucket, Key: "a é", IfNoneMatch: ETag });
    await assert.rejects(unchanged, (error) => error.$metadata.httpStatusCode === 304);
};

exports.errors_are_told_by_their_names = async () => {
    const s3 = client();
    await refused("NoSuchBucket", () => s3.putObject({ Bucket, Key: "a", Body: "text" }));
    await s3.createBucket({ Bucket });
    await refused("NoSuchKey", () => s3.getObject({ Bucket, Key: "none" }));
    await refused("NotFound", () => s3.headObject({ Bucket, Key: "none" }));
    await refused("NoSuchBucketPolicy", () => s3.getBucketPolicy({ Bucket }));
    const credentials = { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "0".repeat(40) };
    await refused("SignatureDoesNotMatch", () => client({ credentials }).listObjectsV2({ Bucket }));
};
