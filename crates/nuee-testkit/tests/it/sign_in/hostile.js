// Issuers that do not answer as they should: hostile.js. Prints a line of JSON when it is ready, `{url, good, refused}`, and
// ends with its input.
//
// Each of them is below its own name. The code of a sign-in is its nonce, so that an answer can have it. An issuer of `good`
// answers well; what one of `refused` answers leads to an error that has the words which stand here.

const http = require("node:http");
const crypto = require("node:crypto");

const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const curve = crypto.generateKeyPairSync("ed25519").privateKey;
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k", use: "sig" };
const pem = publicKey.export({ format: "pem", type: "spki" });

const good = ["good", "good-plain", "signed-good", "good-late", "good-rotated", "mfa-good"];
const refused = {};
const changes = {};

// An issuer whose answer is changed so, and the words of the error.
function refuse(name, words, change) {
    refused[name] = words;
    changes[name] = change;
}

const encode = (value) => Buffer.from(value).toString("base64url");
const sign = (alg, text, key) => {
    if (alg === "none") return "";
    if (alg === "HS256") return crypto.createHmac("sha256", key).update(text).digest("base64url");
    if (alg === "EdDSA") return crypto.sign(null, Buffer.from(text), key).toString("base64url");
    return crypto.sign("RSA-SHA256", Buffer.from(text), key).toString("base64url");
};
const jwt = ({ head, claims, key, raw }) => {
    const text = `${encode(JSON.stringify(head))}.${encode(raw ?? JSON.stringify(claims))}`;
    return `${text}.${sign(head.alg, text, key)}`;
};

const seconds = () => Math.floor(Date.now() / 1000);

// What an issuer in order answers: to be changed.
function answers(base, nonce) {
    const [iss, now] = [base, seconds()];
    const head = { alg: "RS256", kid: "k", typ: "JWT" };
    const claims = { iss, sub: "ada", aud: "nuee", iat: now, exp: now + 300, nonce, acr: "eidas1-mfa" };
    return {
        configuration: {
            issuer: iss,
            jwks_uri: `${base}/keys`,
            authorization_endpoint: `${base}/auth`,
            token_endpoint: `${base}/token`,
            userinfo_endpoint: `${base}/userinfo`,
            authorization_response_iss_parameter_supported: true,
        },
        keys: { keys: [jwk] },
        id: { head, claims, key: privateKey },
        tokens: { status: 200, body: { access_token: "access", token_type: "Bearer", expires_in: 60 } },
        info: {
            status: 200,
            type: "application/jwt",
            head,
            claims: { iss, aud: "nuee", sub: "ada", email: "ada@example.org" },
            key: privateKey,
        },
    };
}

changes["good-plain"] = (a) => ((a.info.type = "application/json"), (a.info.body = JSON.stringify(a.info.claims)));
changes["good-late"] = (a) => (a.id.claims.exp = seconds() - 20);
changes["good-rotated"] = (a) => (a.id.head = { alg: "RS256" });

// ID tokens.
const claim = (name, words, changed) => refuse(name, words, (a) => Object.assign(a.id.claims, changed(a.id.claims)));
claim("nonce-other", "nonce", () => ({ nonce: "n".repeat(43) }));
claim("nonce-absent", "nonce", () => ({ nonce: undefined }));
claim("nonce-longer", "nonce", ({ nonce }) => ({ nonce: `${nonce}x` }));
claim("issuer-other", "no issuer that is known", () => ({ iss: "https://example.org" }));
claim("issuer-slash", "no issuer that is known", ({ iss }) => ({ iss: `${iss}/` }));
claim("issuer-absent", "no iss", () => ({ iss: undefined }));
claim("audience-other", "for others", () => ({ aud: "other" }));
claim("audience-by-azp", "for others", () => ({ aud: "other", azp: "nuee" }));
claim("audience-absent", "for others", () => ({ aud: undefined }));
claim("audience-several", "azp", () => ({ aud: ["nuee", "other"] }));
claim("azp-other", "azp", () => ({ azp: "other" }));
claim("expired", "expired", () => ({ exp: seconds() - 61 }));
claim("expires-never", "no exp", () => ({ exp: undefined }));
claim("issued-ahead", "ahead", () => ({ iat: seconds() + 90 }));
claim("issued-never", "no iat", () => ({ iat: undefined }));
claim("not-before-ahead", "ahead", () => ({ nbf: seconds() + 90 }));
claim("subject-absent", "sub", () => ({ sub: undefined }));
claim("subject-long", "sub", () => ({ sub: "a".repeat(256) }));
claim("mfa-weak", "multi-factor", () => ({ acr: "eidas1" }));
claim("mfa-absent", "multi-factor", () => ({ acr: undefined }));
claim("mfa-by-amr", "multi-factor", () => ({ acr: "eidas1", amr: ["mfa"] }));
claim("mfa-list", "multi-factor", () => ({ acr: ["eidas1-mfa"] }));
claim("token-long", "bytes", () => ({ note: "a".repeat(7000) }));
refuse("sub-twice", "twice", (a) => (a.id.raw = JSON.stringify(a.id.claims).replace("{", '{"sub":"eve",')));

// How they are signed.
refuse("alg-none", "alg", (a) => (a.id.head.alg = "none"));
refuse("alg-shared-public-key", "alg", (a) => ((a.id.head.alg = "HS256"), (a.id.key = pem)));
refuse("alg-shared-secret", "alg", (a) => ((a.id.head.alg = "HS256"), (a.id.key = "a secret of the tests: with & and +")));
refuse("alg-of-others", "not signed with", (a) => {
    a.id.head = { alg: "EdDSA", kid: "o" };
    a.id.key = curve;
    a.keys.keys.push({ ...crypto.createPublicKey(curve).export({ format: "jwk" }), kid: "o" });
});
refuse("key-other", "signature", (a) => (a.id.key = other));
refuse("key-unknown", "signature", (a) => (a.id.head.kid = "unknown"));
refuse("key-along", "signature", (a) => {
    a.id.key = other;
    a.id.head.jwk = crypto.createPublicKey(other).export({ format: "jwk" });
});
refuse("key-none", "signature", (a) => (a.keys.keys = []));
refuse("typ-access", "access token", (a) => (a.id.head.typ = "at+jwt"));
refuse("typ-logout", "another kind", (a) => (a.id.head.typ = "logout+jwt"));
refuse("crit", "crit", (a) => (a.id.head.crit = ["exp"]));

// Userinfo.
const info = (name, words, change) => refuse(name, words, (a) => change(a.info));
info("info-other-person", "another person", (it) => (it.claims.sub = "eve"));
info("info-nobody", "another person", (it) => (it.claims.sub = undefined));
info("info-plain-other-person", "another person", (it) => ((it.type = "application/json"), (it.body = '{"sub":"eve"}')));
info("signed-plain", "not signed", (it) => ((it.type = "application/json"), (it.body = '{"sub":"ada"}')));
info("signed-alg-none", "alg", (it) => (it.head = { alg: "none" }));
info("signed-by-other", "signature", (it) => (it.key = other));
info("signed-for-others", "for others", (it) => (it.claims.aud = "other"));
info("signed-by-other-issuer", "no issuer that is known", (it) => (it.claims.iss = "https://example.org"));
info("signed-expired", "expired", (it) => (it.claims.exp = seconds() - 61));
info("signed-access-token", "access token", (it) => (it.head = { ...it.head, typ: "at+jwt" }));
info("info-page", "neither", (it) => ((it.type = "text/html"), (it.body = '{"sub":"ada"}')));
info("info-cut", "malformed", (it) => ((it.type = "application/json"), (it.body = '{"sub":"ada"')));
info("info-large", "limit", (it) => ((it.type = "application/json"), (it.body = `{"sub":"ada","n":"${"a".repeat(70000)}"}`)));
info("info-refuses", "401", (it) => (it.status = 401));
info("info-redirects", "302", (it) => ((it.status = 302), (it.location = "../good/userinfo")));

// Tokens.
const tokens = (name, words, change) => refuse(name, words, (a) => change(a.tokens));
const says = (name, words, status, body) => tokens(name, words, (it) => Object.assign(it, { status, body }));
says("code-used", "the code was used", 400, { error: "invalid_grant", error_description: "grant is invalid" });
says("client-wrong", "client_secret_file", 401, { error: "invalid_client" });
says("scope-wrong", "scopes", 400, { error: "invalid_scope" });
says("broken", "500", 500, "<html>");
says("page", "no tokens", 200, "<html>");
says("no-tokens", "no tokens", 200, {});
tokens("type-mac", "Bearer", (it) => (it.body.token_type = "mac"));
tokens("access-expired", "expired", (it) => (it.body.expires_in = 0));
tokens("access-unsendable", "cannot be sent", (it) => (it.body.access_token = "a\r\nx: y"));
tokens("access-empty", "cannot be sent", (it) => (it.body.access_token = ""));
tokens("id-token-absent", "no ID token", (it) => (it.idToken = false));
tokens("tokens-large", "limit", (it) => (it.body.note = "a".repeat(70000)));
tokens("tokens-redirect", "307", (it) => ((it.status = 307), (it.location = "../good/token")));
tokens("silent", "no answer", (it) => (it.silent = true));

// Configurations: a sign-in does not begin.
const begins = (name, words, change) => refuse(name, words, (a) => change(a.configuration, a));
begins("configuration-of-another", "is that of", (it) => (it.issuer = "https://example.org"));
begins("configuration-slash", "is that of", (it) => (it.issuer += "/"));
begins("configuration-large", "limit", (it) => (it.note = "a".repeat(2 << 20)));
begins("configuration-redirects", "302", (it, a) => (a.redirects = true));
begins("configuration-keyless", "jwks_uri", (it) => (it.jwks_uri = undefined));
begins("authorisation-absent", "authorization_endpoint", (it) => (it.authorization_endpoint = undefined));
begins("authorisation-script", "authorization_endpoint", (it) => (it.authorization_endpoint = "javascript:alert(1)"));
begins("authorisation-fragment", "fragment", (it) => (it.authorization_endpoint += "#x"));
begins("token-endpoint-absent", "token_endpoint", (it) => (it.token_endpoint = undefined));
begins("token-endpoint-file", "token_endpoint", (it) => (it.token_endpoint = "file:///etc/passwd"));
begins("userinfo-unix", "userinfo_endpoint", (it) => (it.userinfo_endpoint = "unix:/run/nuee.sock"));
begins("signed-no-userinfo", "not signed", (it) => (it.userinfo_endpoint = undefined));

async function serve(url, request, answer) {
    const [, name, ...rest] = new URL(request.url, url).pathname.split("/");
    const [base, path] = [`${url}/${name}`, rest.join("/")];
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const form = new URLSearchParams(Buffer.concat(pieces).toString());
    const all = answers(base, form.get("code") ?? "");
    changes[name]?.(all);
    const send = (status, type, body, location) => {
        answer.writeHead(status, { "content-type": type, ...(location ? { location: `${base}/${location}` } : {}) });
        answer.end(body);
    };
    const json = (body, status = 200, location) =>
        send(status, "application/json", typeof body === "string" ? body : JSON.stringify(body), location);
    switch (path) {
        case ".well-known/openid-configuration":
            return all.redirects ? json("", 302, "../good/.well-known/openid-configuration") : json(all.configuration);
        case "keys":
            return json(all.keys);
        case "token": {
            const { silent, status, body, location, idToken } = all.tokens;
            if (silent) return undefined;
            if (form.get("client_secret") !== "a secret of the tests: with & and +") return json({ error: "invalid_client" }, 401);
            if (body.access_token !== undefined && idToken !== false) body.id_token = jwt(all.id);
            return json(body, status, location);
        }
        case "userinfo": {
            if (request.headers.authorization !== "Bearer access") return json("", 401);
            return send(all.info.status, all.info.type, all.info.body ?? jwt(all.info), all.info.location);
        }
        default:
            return send(404, "text/plain", "");
    }
}

const server = http.createServer((request, answer) => serve(url, request, answer).catch((error) => answer.destroy(error)));
let url;
server.listen(0, "127.0.0.1", () => {
    url = `http://127.0.0.1:${server.address().port}`;
    console.log(JSON.stringify({ url, good, refused }));
    process.stdin.resume().on("end", () => process.exit(0));
});
