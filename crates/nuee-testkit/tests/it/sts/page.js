// The page of a data lab, as Onyxia has one: its user signs in elsewhere, the page sends the access token to the token
// service, and acts on S3 with temporary keys. Bundled for the browser by browser.js, which calls what is in `lab`.

import {
    CreateBucketCommand,
    DeleteBucketPolicyCommand,
    DeleteObjectCommand,
    DeleteObjectsCommand,
    DeletePublicAccessBlockCommand,
    GetBucketPolicyCommand,
    GetObjectCommand,
    HeadBucketCommand,
    HeadObjectCommand,
    ListObjectsV2Command,
    PutBucketPolicyCommand,
    PutObjectCommand,
    S3Client,
} from "@aws-sdk/client-s3";
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const base64url = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function check(condition, what) {
    if (!condition) throw new Error(what);
}

// What is attempted fails with this code, which the page can read.
async function refused(code, attempt) {
    const failure = await attempt.then(
        () => "nothing",
        (error) => error.Code ?? error.name,
    );
    check(failure === code, `${code} was expected, and ${failure} came`);
}

// Where the browser goes to sign in.
async function signIn(issuer, callback) {
    const verifier = random();
    sessionStorage.setItem("verifier", verifier);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    const asked = new URLSearchParams({
        client_id: "lab",
        response_type: "code",
        redirect_uri: callback,
        scope: "openid",
        state: random(),
        code_challenge: base64url(new Uint8Array(digest)),
        code_challenge_method: "S256",
    });
    return `${issuer}/auth?${asked}`;
}

// The access token, once the browser is back.
async function accessToken(issuer, callback) {
    const answer = await fetch(`${issuer}/token`, {
        method: "POST",
        body: new URLSearchParams({
            grant_type: "authorization_code",
            client_id: "lab",
            redirect_uri: callback,
            code: new URLSearchParams(location.search).get("code"),
            code_verifier: sessionStorage.getItem("verifier"),
        }),
    });
    return (await answer.json()).access_token;
}

// Temporary keys, as Onyxia asks for them: everything in the query, and an empty body.
async function keysByQuery(endpoint, token) {
    const asked = new URLSearchParams({
        Action: "AssumeRoleWithWebIdentity",
        WebIdentityToken: token,
        DurationSeconds: "604800",
        Version: "2011-06-15",
    });
    const answer = await fetch(`${endpoint}/?${asked}`, { method: "POST" });
    check(answer.status === 200, await answer.clone().text());
    const document = new DOMParser().parseFromString(await answer.text(), "text/xml");
    const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
    const text = (name) => document.getElementsByTagNameNS(namespace, name)[0].textContent;
    check(new Date(text("Expiration")) > new Date(), "the keys are good for a while");
    return {
        accessKeyId: text("AccessKeyId"),
        secretAccessKey: text("SecretAccessKey"),
        sessionToken: text("SessionToken"),
    };
}

// The same by the SDK, which sends a form.
async function keysByForm(endpoint, token, RoleArn) {
    const sts = new STSClient({ endpoint, region: "fr1", credentials: { accessKeyId: "", secretAccessKey: "" } });
    const command = new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: "lab", WebIdentityToken: token });
    const { Credentials } = await sts.send(command);
    return {
        accessKeyId: Credentials.AccessKeyId,
        secretAccessKey: Credentials.SecretAccessKey,
        sessionToken: Credentials.SessionToken,
    };
}

async function useBucket(endpoint, credentials, Bucket) {
    const s3 = new S3Client({ endpoint, region: "fr1", forcePathStyle: true, credentials });
    const send = (command) => s3.send(command);
    await refused("NotFound", send(new HeadBucketCommand({ Bucket })));
    await send(new CreateBucketCommand({ Bucket }));
    await send(new HeadBucketCommand({ Bucket }));
    await refused("AccessDenied", send(new CreateBucketCommand({ Bucket: "somebody-else" })));

    await send(new PutObjectCommand({ Bucket, Key: "notes/été.txt", Body: "content", ContentType: "text/plain" }));
    const progress = [];
    const large = new Blob([new Uint8Array(12 << 20).fill(7)]);
    const upload = new Upload({ client: s3, params: { Bucket, Key: "notes/large", Body: large } });
    upload.on("httpUploadProgress", ({ loaded }) => progress.push(loaded));
    const sent = await upload.done();
    check(/-3"?$/.test(sent.ETag), `three parts make ${sent.ETag}`);
    check(progress.at(-1) === 12 << 20, "the page sees how far it is");

    const listed = await send(new ListObjectsV2Command({ Bucket, Prefix: "", Delimiter: "/" }));
    check(listed.CommonPrefixes[0].Prefix === "notes/", "folders are listed");
    const inside = await send(new ListObjectsV2Command({ Bucket, Prefix: "notes/", Delimiter: "/" }));
    check(inside.Contents.length === 2, "what is in a folder is listed");

    const head = await send(new HeadObjectCommand({ Bucket, Key: "notes/été.txt" }));
    check(head.ContentLength === 7 && head.ETag && head.LastModified, "headers of answers are read");
    const part = await send(new GetObjectCommand({ Bucket, Key: "notes/large", Range: "bytes=5-9" }));
    check((await part.Body.transformToByteArray()).length === 5, "a range is read");
    check(part.ContentRange === "bytes 5-9/12582912", "and told");

    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "notes/été.txt" }), { expiresIn: 60 });
    check((await (await fetch(url)).text()) === "content", "a link shares an object");

    await refused("NoSuchBucketPolicy", send(new GetBucketPolicyCommand({ Bucket })));
    const open = [
        { Effect: "Allow", Principal: { AWS: ["*"] }, Action: ["s3:GetObject"], Resource: [`arn:aws:s3:::${Bucket}/notes/*`] },
        {
            Effect: "Allow",
            Principal: { AWS: ["*"] },
            Action: ["s3:ListBucket"],
            Resource: [`arn:aws:s3:::${Bucket}`],
            Condition: { StringLike: { "s3:prefix": ["notes/*"] } },
        },
    ];
    const policy = { Bucket, Policy: JSON.stringify({ Version: "2012-10-17", Statement: open }) };
    await refused("AccessDenied", send(new PutBucketPolicyCommand(policy)));
    await send(new DeletePublicAccessBlockCommand({ Bucket }));
    await send(new PutBucketPolicyCommand(policy));
    check((await send(new GetBucketPolicyCommand({ Bucket }))).Policy.includes("s3:prefix"), "the policy is read back");
    const plain = await fetch(`${endpoint}/${Bucket}/notes/${encodeURIComponent("été.txt")}`);
    check((await plain.text()) === "content", "it is public now");
    await send(new DeleteBucketPolicyCommand({ Bucket }));

    await send(new DeleteObjectCommand({ Bucket, Key: "notes/été.txt" }));
    await send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "notes/large" }] } }));
    await refused("NoSuchKey", send(new GetObjectCommand({ Bucket, Key: "notes/large" })));
    const wrong = { ...credentials, sessionToken: `${credentials.sessionToken}x` };
    const thief = new S3Client({ endpoint, region: "fr1", forcePathStyle: true, credentials: wrong });
    await refused("InvalidToken", thief.send(new ListObjectsV2Command({ Bucket })));
}

// Everything, once the browser is back with a code.
async function work({ issuer, callback, endpoint, role, name }) {
    const token = await accessToken(issuer, callback);
    const byQuery = await keysByQuery(endpoint, token);
    await useBucket(endpoint, byQuery, `user-${name}`);
    const byForm = await keysByForm(endpoint, token, role);
    const sts = new STSClient({ endpoint, region: "fr1", credentials: byForm });
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    check(Arn.endsWith(":assumed-role/lab/lab"), Arn);
    const garbled = await fetch(`${endpoint}/?Action=AssumeRoleWithWebIdentity&WebIdentityToken=x`, { method: "POST" });
    check(garbled.status === 400 && (await garbled.text()).includes("InvalidIdentityToken"), "errors are read too");
    return "everything was done";
}

// What a page of an origin that nobody named can do.
async function trespass({ endpoint, bucket }) {
    return fetch(`${endpoint}/${bucket}/key`).then(
        () => "an answer was read",
        () => "nothing was read",
    );
}

window.lab = { signIn, work, trespass };
