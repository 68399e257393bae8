// What scripts share: where the server is, content, awkward names, refusals. As common.py, for JavaScript.

const assert = require("node:assert/strict");
const crypto = require("node:crypto");

const MIB = 1 << 20;

// Bytes that look random, and are the same each time.
function content(size, seed = 1) {
    const cipher = crypto.createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
    return cipher.update(Buffer.alloc(size));
}

// Asserts without printing megabytes.
function same(found, expected) {
    assert.ok(Buffer.compare(Buffer.from(found), Buffer.from(expected)) === 0, `${found.length} bytes differ`);
}

// What is attempted fails with this error of S3.
async function refused(code, attempt) {
    try {
        await attempt();
    } catch (error) {
        assert.equal(error.code ?? error.name, code, error);
        return;
    }
    assert.fail(`it was done, and ${code} was expected`);
}

// The whole of a stream.
async function read(stream) {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
}

module.exports = {
    ENDPOINT: process.env.AWS_ENDPOINT_URL,
    KEY_ID: process.env.AWS_ACCESS_KEY_ID,
    SECRET: process.env.AWS_SECRET_ACCESS_KEY,
    MIB,
    PART: 5 * MIB,
    AWKWARD_KEYS: [
        "été à la plage.txt",
        "日本語/ファイル",
        "🦀 and 𝄞",
        "a b  c",
        "100%",
        "%2F",
        "a%2Fb",
        "a+b",
        "a&b=c",
        "a?b#c",
        "a=b;c:d,e@f$g!h(i)[j]{k}|l^m`n",
        "'single' and \"double\"",
        "<Key>&amp;</Key>",
        "back\\slash",
        "*",
        "~",
        "constructor",
        "__proto__",
    ],
    content,
    same,
    refused,
    read,
};
