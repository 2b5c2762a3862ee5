//! Where the identity of who signs comes from: a token that is given, a login, the job.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Scene;
use super::report::Report;
use super::sandbox::{SIGN, Said, Sandbox};
use crate::outcome::Outcome;
use crate::sigstore_stack::{Claims, Login, PERSON, Realm, browse, workflow_environment};
use crate::tool::Tool;

const WORKFLOW: &str = "https://github.com/example/model/.github/workflows/build.yml@refs/heads/main";
/// Without a token.
const SIGN_WITHOUT: &str = "sign model --trust-config trust.json";
/// The same as the reference tool understands it.
const SIGN_WITH_METHOD: &str = "sign sigstore model --signature model.sig --trust_config trust.json";

/// Signs in every way, and verifies who it was.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let mut report = Report::new("Identities");
    let sandbox = Sandbox::new(scene.folder(), "identities", &scene.stack)?;
    let check = Check { ours: &scene.ours, sandbox: &sandbox };

    let token = sandbox.token(Realm::People, &Claims::person(PERSON))?;
    report.check("a token in a file", check.signs(&mut sandbox.command(check.ours, SIGN), PERSON, Realm::People));
    let mut command = sandbox.command(check.ours, &format!("{SIGN_WITHOUT} --identity-token {token}"));
    report.check("a token on the command line", check.signs(&mut command, PERSON, Realm::People));
    let mut command = sandbox.command(check.ours, SIGN_WITHOUT);
    command.env("SIGSTORE_ID_TOKEN", token);
    report.check("a token in the environment", check.signs(&mut command, PERSON, Realm::People));

    logins(scene, &check, &mut report)?;
    for tool in [&scene.ours, &scene.theirs] {
        let mut command = sandbox.command(tool, &format!("{SIGN_WITH_METHOD} --use_ambient_credentials"));
        command.envs(workflow_environment(&scene.stack.issuer(Realm::Workflows)));
        let name = format!("a job of GitHub ({})", tool.name);
        report.check(&name, check.signs(&mut command, WORKFLOW, Realm::Workflows));
    }
    let says = ["nobody says who signs"];
    report.check("nobody", check.fails(&mut sandbox.command(check.ours, SIGN_WITHOUT), &says));
    Ok(report.close())
}

/// People at a browser, here or elsewhere.
fn logins(Scene { ours, theirs, stack, .. }: &Scene, check: &Check<'_>, report: &mut Report) -> Result<()> {
    let issuers = stack.issuers().context("the issuers run")?;
    let browser = format!("{} browse %s", std::env::current_exe()?.display());
    for tool in [ours, theirs] {
        let visitor = format!("visitor-of-{}@example.com", tool.name);
        issuers.set_login(Login::As(visitor.clone()));
        let mut command = check.sandbox.command(tool, SIGN_WITH_METHOD);
        command.env("BROWSER", &browser);
        let name = format!("a login in a browser ({})", tool.name);
        report.check(&name, check.signs(&mut command, &visitor, Realm::People));

        let mut command = check.sandbox.command(tool, &format!("{SIGN_WITH_METHOD} --oauth_force_oob"));
        let name = format!("a login elsewhere, and its code ({})", tool.name);
        report.check(&name, check.clear().and_then(|()| type_code(&mut command)?.succeeds()));
        report.check(&format!("{name}, verified"), check.verifies(&visitor, Realm::People));
    }
    issuers.set_login(Login::Denied);
    let mut command = check.sandbox.command(ours, SIGN_WITHOUT);
    command.env("BROWSER", &browser);
    report.check("a login that is declined", check.fails(&mut command, &["the login was refused"]));
    issuers.set_login(Login::As(PERSON.to_owned()));
    Ok(())
}

/// How each way is judged.
struct Check<'a> {
    ours: &'a Tool,
    sandbox: &'a Sandbox<'a>,
}

impl Check<'_> {
    fn clear(&self) -> Result<()> {
        let signature = self.sandbox.path("model.sig");
        if signature.exists() {
            std::fs::remove_file(signature)?;
        }
        Ok(())
    }

    fn signs(&self, command: &mut Command, identity: &str, realm: Realm) -> Result<()> {
        self.clear()?;
        Said::from(crate::process::output(command)?).succeeds()?;
        self.verifies(identity, realm)
    }

    fn verifies(&self, identity: &str, realm: Realm) -> Result<()> {
        self.sandbox.run(self.ours, &format!("verify model {}", self.sandbox.rule(identity, realm)))?.succeeds()
    }

    fn fails(&self, command: &mut Command, says: &[&str]) -> Result<()> {
        self.clear()?;
        Said::from(crate::process::output(command)?).fails(3, says)?;
        self.sandbox.wrote_nothing()
    }
}

/// Runs a command that shows a URL, opens it, and types what is shown there.
fn type_code(command: &mut Command) -> Result<Said> {
    // Python keeps what it prints until it has much, where nobody watches.
    command.env("PYTHONUNBUFFERED", "1");
    // One pipe for both streams: the tools differ in where they ask.
    let (mut shown, writer) = std::io::pipe()?;
    command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the writing end until it is dropped, and the pipe would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (mut text, mut byte) = (String::new(), [0]);
    let url = loop {
        ensure!(shown.read(&mut byte)? == 1, "it showed no URL: {text}");
        text.push(char::from(byte[0]));
        // The last word is whole once something follows it.
        let found = text.split_whitespace().find(|word| word.contains("/authorize?"));
        if let Some(url) = found.filter(|_| text.ends_with(char::is_whitespace)) {
            break url.to_owned();
        }
    };
    let code = browse(&url)?;
    writeln!(child.stdin.take().context("stdin is a pipe")?, "{}", code.trim())?;
    let mut rest = String::new();
    shown.read_to_string(&mut rest)?;
    let mut output = child.wait_with_output()?;
    output.stderr = (text + &rest).into_bytes();
    Ok(output.into())
}
