// A browser, and the page of a data lab that it shows: browser.js PAGE_SCRIPT. Prints the origins of two pages, then reads a
// line of JSON that says where everything is, and does with Chromium what a user would.

const http = require("node:http");
const readline = require("node:readline");
const esbuild = require("esbuild");
const puppeteer = require("puppeteer-core");

const [, , script] = process.argv;

// Serves the page on an origin of its own.
async function serve(bundle) {
    const server = http.createServer((request, answer) => {
        const isScript = request.url === "/page.js";
        answer.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
        answer.end(isScript ? bundle : "<!doctype html><title>Lab</title><script src=/page.js></script>");
    });
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    return `http://127.0.0.1:${server.address().port}`;
}

async function signIn(page, config) {
    await page.goto(config.origin);
    const address = await page.evaluate(({ issuer, callback }) => window.lab.signIn(issuer, callback), config);
    await page.goto(address);
    await page.type("input[name=login]", config.name);
    await page.type("input[name=password]", "any");
    await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
    if (!page.url().startsWith(config.callback)) {
        await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
    }
}

async function run() {
    const built = await esbuild.build({
        entryPoints: [script],
        bundle: true,
        write: false,
        platform: "browser",
        nodePaths: [process.env.NODE_PATH],
        logLevel: "error",
    });
    const bundle = built.outputFiles[0].text;
    const origins = { origin: await serve(bundle), stranger: await serve(bundle) };
    console.log(JSON.stringify(origins));
    const lines = readline.createInterface({ input: process.stdin });
    const line = await new Promise((told) => lines.once("line", told));
    const config = { ...origins, ...JSON.parse(line) };

    const browser = await puppeteer.launch({
        executablePath: "/usr/bin/chromium",
        headless: true,
        args: process.getuid() === 0 ? ["--no-sandbox"] : [],
    });
    try {
        const page = await browser.newPage();
        page.on("console", (message) => console.error(message.text()));
        await signIn(page, config);
        console.log(await page.evaluate((config) => window.lab.work(config), config));
        await page.goto(config.stranger);
        console.log(await page.evaluate((config) => window.lab.trespass(config), config));
    } finally {
        await browser.close();
    }
}

run().then(
    () => process.exit(0),
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
