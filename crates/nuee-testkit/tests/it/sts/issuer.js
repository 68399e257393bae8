// An issuer of OpenID Connect: issuer.js PORT CALLBACK. Prints its URL when it is ready, and ends with its input.
//
// Programs `ada`, `bob` and `eve` ask for tokens with their own secret; the page of the data lab sends its users here, who
// sign in with any name and any password. Access tokens are JSON Web Tokens, for the audience `nuee`.

const http = require("node:http");
const crypto = require("node:crypto");

const [, , port, callback] = process.argv;

// Imports, unlike requires, do not look where NODE_PATH says.
const urlOf = (name) => require("node:url").pathToFileURL(require.resolve(name));

const claimsOf = (name) => ({ preferred_username: name, groups: name === "eve" ? ["guests"] : ["researchers", "staff"] });

async function main() {
    const { default: Provider } = await import(urlOf("oidc-provider"));
    const server = http.createServer((request, answer) => provider.callback()(request, answer));
    await new Promise((ready) => server.listen(Number(port), "127.0.0.1", ready));
    const url = `http://127.0.0.1:${server.address().port}`;

    const keys = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
    const programs = ["ada", "bob", "eve", "../mallory", "f*"].map((name, number) => ({
        client_id: `program-${number}`,
        client_secret: "the secret of a program of the tests",
        client_name: name,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
    }));
    const page = {
        client_id: "lab",
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code"],
        redirect_uris: [callback],
    };
    const provider = new Provider(url, {
        clients: callback ? [...programs, page] : programs,
        jwks: { keys: [{ ...keys, use: "sig", alg: "RS256", kid: crypto.randomUUID() }] },
        cookies: { keys: [crypto.randomUUID()] },
        clientBasedCORS: () => true,
        findAccount: (_, name) => ({ accountId: name, claims: () => ({ sub: name }) }),
        extraTokenClaims: (_, token) => claimsOf(token.accountId ?? token.client.clientName),
        ttl: { AccessToken: 600, ClientCredentials: 600, Session: 600, Grant: 600, Interaction: 600 },
        features: {
            clientCredentials: { enabled: true },
            devInteractions: { enabled: true },
            resourceIndicators: {
                enabled: true,
                defaultResource: () => "urn:nuee",
                useGrantedResource: () => true,
                getResourceServerInfo: () => ({
                    scope: "",
                    audience: "nuee",
                    accessTokenFormat: "jwt",
                    jwt: { sign: { alg: "RS256" } },
                }),
            },
        },
    });
    console.log(url);
    process.stdin.resume().on("end", () => process.exit(0));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
