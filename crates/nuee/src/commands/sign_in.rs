//! `nuee login`, `logout`, `whoami`, `join` and `account …`: who acts, at a server.

use std::{fmt::Write as _, fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use http::Method;
use nuee_base::Secret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    Common,
    administer::{Output, table},
    print, runtime,
};
use crate::client::{Client, Login, Refused, ask_secret, query, segment, text};

/// Where a server of this machine is.
const LOCAL: &str = "http://127.0.0.1:9000";

/// Which server.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// The server: its URL
    #[arg(long, env = "NUEE_URL", default_value = LOCAL)]
    url: String,
    /// PEM file of the authorities that vouch for it [default: the system's]
    #[arg(long, value_name = "FILE", env = "NUEE_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
}

/// `nuee login`.
#[derive(Debug, Args)]
pub(super) struct LoginCommand {
    /// Who: your e-mail address; not needed with --issuer
    #[arg(required_unless_present = "issuer")]
    email: Option<String>,
    /// Sign in with a browser, at this issuer of the server's
    #[arg(long, value_name = "NAME", conflicts_with_all = ["email", "password_file", "code_file"])]
    issuer: Option<String>,
    /// With --issuer: demand two factors there
    #[arg(long, requires = "issuer")]
    two_factors: bool,
    /// With --issuer: become a user by the invitation whose token you are asked for
    #[arg(long, requires = "issuer")]
    join: bool,
    /// With --join: file of the invitation's token, for scripts; without it, you are asked
    #[arg(long, value_name = "FILE", requires = "join")]
    token_file: Option<PathBuf>,
    /// With --issuer: the port of this machine where the browser comes back, for a browser elsewhere whose port leads here, as by
    /// `ssh -L PORT:127.0.0.1:PORT` [default: any that is free]
    #[arg(long, value_name = "PORT", requires = "issuer")]
    port: Option<u16>,
    #[command(flatten)]
    server: Server,
    /// File of the password, for scripts; without it, you are asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File of a code of your device, for scripts; without it, you are asked if there is a device
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// `nuee logout`.
#[derive(Debug, Args)]
pub(super) struct LogoutCommand {}

/// `nuee join`.
#[derive(Debug, Args)]
pub(super) struct Join {
    /// What people will call you, such as "Ada Lovelace"
    name: String,
    #[command(flatten)]
    server: Server,
    /// File of the invitation's token, for scripts; without it, you are asked
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File of the password that you choose, for scripts; without it, you are asked
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// `nuee account …`.
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Change your password; your other sign-ins end
    Password,
    /// Add a device that shows codes, such as an application on a telephone
    SecondFactor,
    /// Accept another invitation, as who you are
    Accept,
    /// Choose a password, with a token that an owner of your organisation passed on
    Reset {
        #[command(flatten)]
        server: Server,
    },
}

fn secret_of(file: Option<&PathBuf>, prompt: &str) -> Result<Secret> {
    match file {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        None => ask_secret(prompt),
    }
}

/// A password that somebody chooses, typed twice where it is typed.
fn chosen_password(file: Option<&PathBuf>) -> Result<Secret> {
    let chosen = secret_of(file, "Choose a password, of 12 characters at least: ")?;
    if file.is_none() {
        anyhow::ensure!(ask_secret("Again: ")?.expose() == chosen.expose(), "the two are not the same");
    }
    Ok(chosen)
}

/// Runs `nuee login`.
pub(super) fn login(command: &LoginCommand, _: &Common) -> Result<ExitCode> {
    let who = match (&command.issuer, &command.email) {
        (Some(issuer), _) => at_issuer(command, issuer)?,
        (None, Some(email)) => by_password(command, email)?,
        (None, None) => anyhow::bail!("say who you are: your e-mail address"),
    };
    show_who(&who, command.output)
}

/// Keeps the token that a server has given; tells whose it is.
async fn keep(mut client: Client, given: &Value) -> Result<Value> {
    client.take_token(given)?;
    let who = client.call(Method::GET, "/sign-ins/current", None).await?;
    client.keep(
        Login::usual_file()?,
        (text(&who["user"], "email")?, who["organisation"].as_str().map(str::to_owned)),
    )?;
    Ok(who)
}

/// Signs in with a browser, which comes back to this machine with a code.
fn at_issuer(command: &LoginCommand, issuer: &str) -> Result<Value> {
    let asked = || secret_of(command.token_file.as_ref(), "Token of the invitation: ");
    let invitation = command.join.then(asked).transpose()?;
    runtime()?.block_on(async {
        let client = Client::of(&command.server.url, command.server.ca_bundle.clone())?;
        let back = Back::listen(command.port.unwrap_or(0)).await?;
        let asked = query(&[
            ("return_to", Some(back.url.clone())),
            ("multi_factor", command.two_factors.then(|| "true".to_owned())),
        ]);
        let url = client.shown_url(&format!("/issuers/{}/sign-in{asked}", segment(issuer)))?;
        print(&format!("Open this in a browser of this machine, and sign in there:\n\n  {url}\n\n"))?;
        let code = back.code().await?;
        let shown = json!({ "code": code, "invitation": invitation.as_ref().map(Secret::expose) });
        let given = client.call(Method::POST, "/issuers/exchanges", Some(shown)).await?;
        keep(client, &given).await
    })
}

/// Where a browser comes back to.
struct Back {
    listener: TcpListener,
    url: String,
}

impl Back {
    async fn listen(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.with_context(|| format!("cannot listen at 127.0.0.1:{port}"))?;
        let url = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
        Ok(Self { listener, url })
    }

    /// The code that a browser brings; what asks for anything else is told so.
    async fn code(self) -> Result<String> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let mut head = [0; 8192];
            let read = stream.read(&mut head).await?;
            let line = String::from_utf8_lossy(&head[..read]);
            let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let code = target
                .strip_prefix("/?code=")
                .filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let (status, said) = match code {
                Some(_) => ("200 OK", "You have signed in. This window can be closed."),
                None => ("404 Not Found", "This is not what is waited for."),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n\
                 {said}",
                said.len()
            );
            stream.write_all(answer.as_bytes()).await?;
            if let Some(code) = code {
                return Ok(code.to_owned());
            }
        }
    }
}

fn by_password(command: &LoginCommand, email: &str) -> Result<Value> {
    let password = secret_of(command.password_file.as_ref(), "Password: ")?;
    runtime()?.block_on(async {
        let client = Client::of(&command.server.url, command.server.ca_bundle.clone())?;
        let mut shown = json!({ "email": email, "password": password.expose(), "client": "command-line" });
        let mut given = client.call(Method::POST, "/sign-ins", Some(shown.clone())).await;
        if is_code_needed(&given) {
            let code = secret_of(command.code_file.as_ref(), "Code of your device: ")?;
            shown["code"] = Value::from(code.expose());
            given = client.call(Method::POST, "/sign-ins", Some(shown)).await;
        }
        keep(client, &given?).await
    })
}

fn is_code_needed(given: &Result<Value>) -> bool {
    let refused = given.as_ref().err().and_then(|error| error.downcast_ref::<Refused>());
    refused.is_some_and(|refused| refused.code == "code-needed")
}

/// Runs `nuee logout`.
pub(super) fn logout(_: &LogoutCommand, _: &Common) -> Result<ExitCode> {
    let file = Login::usual_file()?;
    let Some(login) = Login::read(&file)? else {
        print("Nobody is signed in.\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    let ended = runtime()?.block_on(async {
        let client = Client::signed_in(file.clone(), login).await?;
        client.call(Method::DELETE, "/sign-ins/current", None).await
    });
    Login::forget(&file)?;
    match ended {
        Ok(ended) => print(&signed_out(&ended["issuer_session"]))?,
        Err(error) => print(&format!("Forgotten here; the server was not told: {error:#}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is said to somebody who has signed out, and may have a session at an issuer.
fn signed_out(session: &Value) -> String {
    match (session["issuer"].as_str(), session["sign_out_url"].as_str()) {
        (None, _) => "Signed out.\n".to_owned(),
        (Some(issuer), None) => format!("Signed out here. You may still be signed in at {issuer}.\n"),
        (Some(issuer), Some(url)) => format!(
            "Signed out here. To sign out at {issuer} too, open this in the browser where you signed in:\n\n  {url}\n"
        ),
    }
}

/// Runs `nuee whoami`.
pub(super) fn whoami(output: Output, common: &Common) -> Result<ExitCode> {
    let who = ask(common, async |client| client.call(Method::GET, "/sign-ins/current", None).await)?;
    show_who(&who, output)
}

/// Asks something as whoever is signed in.
pub(super) fn ask<T>(common: &Common, what: impl AsyncFnOnce(Client) -> Result<T>) -> Result<T> {
    let (file, login) = common.signed_in()?.ok_or_else(Refused::nobody)?;
    runtime()?.block_on(async { what(Client::signed_in(file, login).await?).await })
}

fn show_who(who: &Value, output: Output) -> Result<ExitCode> {
    if output.json {
        print(&format!("{}\n", serde_json::to_string_pretty(who)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let factors = if who["multi_factor"] == true { "two factors" } else { "one factor" };
    let (user, until) = (&who["user"], text(who, "expires_at")?);
    let mut shown = format!("{}, {}\n", text(user, "name")?, text(user, "email")?);
    let of = who["organisation"].as_str().unwrap_or("the platform, which they run");
    writeln!(shown, "of {of}, signed in by {factors} until {until}\n")?;
    let rights = who["rights"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cell = |right: &Value, name: &str| right[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<[String; 3]> = rights
        .iter()
        .map(|right| {
            let whole = if who["organisation"].is_null() { "the platform" } else { "the organisation" };
            let place = right["project"].as_str().unwrap_or(whole).to_owned();
            let ends = right["expires_at"].as_str().unwrap_or("never").to_owned();
            [place, cell(right, "role"), ends]
        })
        .collect();
    let rows = rows.iter().map(|row| row.each_ref().map(String::as_str));
    shown.push_str(&table(["WHERE", "ROLE", "ENDS"], rows)?);
    print(&shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `nuee join`.
pub(super) fn join(join: &Join, _: &Common) -> Result<ExitCode> {
    let token = secret_of(join.token_file.as_ref(), "Token of the invitation: ")?;
    let password = chosen_password(join.password_file.as_ref())?;
    let user = runtime()?.block_on(async {
        let client = Client::of(&join.server.url, join.server.ca_bundle.clone())?;
        let shown = json!({ "token": token.expose(), "name": join.name, "password": password.expose() });
        client.call(Method::POST, "/invitations/acceptances", Some(shown)).await
    })?;
    let email = text(&user, "email")?;
    let url = &join.server.url;
    let at = if url == LOCAL { String::new() } else { format!(" --url {url}") };
    print(&format!("Welcome, {}. Sign in now: nuee login {email}{at}\n", text(&user, "name")?))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `nuee account …`.
pub(super) fn account(command: &AccountCommand, common: &Common) -> Result<ExitCode> {
    match command {
        AccountCommand::Password => {
            let present = ask_secret("Present password: ")?;
            let next = chosen_password(None)?;
            let change = json!({ "present": present.expose(), "next": next.expose() });
            ask(common, async |client| client.call(Method::PUT, "/account/password", Some(change)).await)?;
            print("The password is changed; other sign-ins have ended.\n")?;
        }
        AccountCommand::SecondFactor => ask(common, second_factor)?,
        AccountCommand::Accept => {
            let token = ask_secret("Token of the invitation: ")?;
            let shown = json!({ "token": token.expose() });
            ask(common, async |client| client.call(Method::POST, "/account/invitations", Some(shown)).await)?;
            print("The role is yours: see `nuee whoami`.\n")?;
        }
        AccountCommand::Reset { server } => {
            let token = ask_secret("Token: ")?;
            let chosen = chosen_password(None)?;
            let shown = json!({ "token": token.expose(), "password": chosen.expose() });
            let user = runtime()?.block_on(async {
                let client = Client::of(&server.url, server.ca_bundle.clone())?;
                client.call(Method::POST, "/password-resets", Some(shown)).await
            })?;
            print(&format!("Chosen. Sign in now: nuee login {}\n", text(&user, "email")?))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn second_factor(mut client: Client) -> Result<()> {
    let device = client.call(Method::POST, "/account/second-factor", None).await?;
    print(&format!(
        "Add this to your application for codes, as a text or as a link:\n\n  {}\n  {}\n\n",
        text(&device, "secret")?,
        text(&device, "uri")?
    ))?;
    let code = ask_secret("A code that it shows: ")?;
    let shown = json!({ "code": code.expose() });
    let enrolled = client.call(Method::POST, "/account/second-factor/confirmation", Some(shown)).await?;
    client.take_token(&enrolled["sign_in"])?;
    let mut said = String::from(
        "From now on a code is asked for. Each of these does once for one: keep them on paper.\n\n",
    );
    for code in enrolled["recovery_codes"].as_array().map(Vec::as_slice).unwrap_or_default() {
        writeln!(said, "  {}", code.as_str().unwrap_or_default())?;
    }
    print(&said)
}
