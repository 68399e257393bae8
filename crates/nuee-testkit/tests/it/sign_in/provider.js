// A provider of OpenID Connect where people sign in: provider.js MANNER [CALLBACK]. Prints its URL when it is ready, and ends
// with its input. Without CALLBACK it waits for a line of its input that says it, once it has printed.
//
// MANNER is `openid`, which wants PKCE and says plainly who somebody is; `no-logout`, which is the same and lets nobody sign
// out; or `proconnect`, which lives below /api/v2, signs userinfo, knows values of `acr`, and refuses parameters that
// ProConnect does not know. Its form takes any `login`, and the `acr` that the sign-in is to have.

const http = require("node:http");
const crypto = require("node:crypto");

const [, , manner, told] = process.argv;
const isProConnect = manner === "proconnect";
const base = isProConnect ? "/api/v2" : "";

// Imports, unlike requires, do not look where NODE_PATH says.
const urlOf = (name) => require("node:url").pathToFileURL(require.resolve(name));

// What ProConnect takes in an authorisation request.
const taken = new Set([
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "claims", "prompt", "login_hint", "idp_hint",
]);

const profile = (name) => ({
    sub: `id-of-${name}`,
    email: `${name}@example.org`,
    email_verified: isProConnect ? undefined : true,
    given_name: name,
    family_name: "Lovelace",
    usual_name: "Lovelace",
    siret: "13002526500013",
});

async function textOf(request) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    return Buffer.concat(pieces).toString();
}

function lineOfInput() {
    return new Promise((resolve) => require("node:readline").createInterface(process.stdin).once("line", resolve));
}

// The form where somebody signs in.
async function interact(provider, request, answer) {
    if (request.method !== "POST") {
        answer.setHeader("content-type", "text/html");
        return answer.end('<form method="post"><input name="login"><input name="acr"><button>Sign in</button></form>');
    }
    const form = new URLSearchParams(await textOf(request));
    const { params } = await provider.interactionDetails(request, answer);
    const finish = (result) =>
        provider.interactionFinished(request, answer, result, { mergeWithLastSubmission: false });
    const accountId = form.get("login");
    if (!accountId) return finish({ error: "access_denied", error_description: "nobody agreed" });
    const grant = new provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    grant.addOIDCClaims(["acr"]);
    const acr = form.get("acr") || undefined;
    return finish({ login: { accountId, acr, amr: acr ? undefined : ["pwd"] }, consent: { grantId: await grant.save() } });
}

function serve(provider, request, answer) {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (!pathname.startsWith(base)) return answer.writeHead(404).end();
    const unknown = [...searchParams.keys()].find((name) => !taken.has(name));
    if (isProConnect && pathname.endsWith("/auth") && unknown) return answer.writeHead(400).end(`unknown: ${unknown}`);
    if (pathname.includes("/interaction/")) return interact(provider, request, answer);
    request.originalUrl = request.url;
    request.url = request.url.slice(base.length);
    return provider.callback()(request, answer);
}

async function main() {
    const { default: Provider } = await import(urlOf("oidc-provider"));
    let ready;
    const provided = new Promise((resolve) => (ready = resolve));
    const server = http.createServer(async (request, answer) => {
        try {
            await serve(await provided, request, answer);
        } catch (error) {
            answer.writeHead(500).end(String(error));
        }
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${server.address().port}${base}`;

    if (!told) console.log(url);
    const callback = told ?? (await lineOfInput());
    const keys = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
    const client = {
        client_id: "nuee",
        client_secret: "a secret of the tests: with & and +",
        token_endpoint_auth_method: isProConnect ? "client_secret_post" : "client_secret_basic",
        redirect_uris: [callback],
        post_logout_redirect_uris: [new URL("signed-out", callback).href],
        ...(isProConnect ? { userinfo_signed_response_alg: "RS256" } : {}),
    };
    ready(new Provider(url, {
        clients: [client],
        jwks: { keys: [{ ...keys, use: "sig", alg: "RS256", kid: crypto.randomUUID() }] },
        cookies: { keys: [crypto.randomUUID()] },
        findAccount: (_, name) => ({ accountId: name, claims: () => profile(name) }),
        claims: {
            openid: ["sub"],
            email: ["email", "email_verified"],
            profile: ["given_name", "family_name"],
            given_name: ["given_name"],
            usual_name: ["usual_name"],
            siret: ["siret"],
        },
        acrValues: isProConnect ? ["eidas1", "eidas1-mfa", "eidas2", "eidas3"] : [],
        pkce: { required: () => !isProConnect },
        interactions: { url: (_, interaction) => `${base}/interaction/${interaction.uid}` },
        ttl: { AccessToken: 60, Session: 600, Grant: 600, Interaction: 600, IdToken: 600 },
        features: {
            devInteractions: { enabled: false },
            claimsParameter: { enabled: true },
            jwtUserinfo: { enabled: isProConnect },
            rpInitiatedLogout: { enabled: manner !== "no-logout" },
        },
    }));
    if (told) console.log(url);
    process.stdin.resume().on("end", () => process.exit(0));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
