//! What one tool signs, the other verifies; and who signed is not who did not.

use anyhow::Result;

use super::Scene;
use super::sandbox::{FILE, Sandbox};
use crate::outcome::Outcome;
use crate::sigstore_stack::{Claims, Realm};
use crate::table::{Cell, Row, Table};
use crate::tool::Tool;

const TABLE: Table<8> = Table {
    first: "signer, model",
    columns: [
        "ours → ours",
        "ours → theirs",
        "theirs → ours",
        "theirs → theirs",
        "we refuse another name",
        "we refuse another provider",
        "we refuse another instance",
        "we refuse a change",
    ],
};

/// Who signs, and what.
struct Case {
    name: &'static str,
    realm: Realm,
    claims: fn() -> Claims,
    identity: &'static str,
    model: &'static str,
}

const PERSON: Case = Case {
    name: "a person, a folder",
    realm: Realm::People,
    claims: || Claims::person("someone@example.com"),
    identity: "someone@example.com",
    model: "model",
};
const WORKFLOW: Case = Case {
    name: "a workflow, a folder",
    realm: Realm::Workflows,
    claims: || Claims::workflow("example/model", "main"),
    identity: "https://github.com/example/model/.github/workflows/build.yml@refs/heads/main",
    model: "model",
};
const CASES: [Case; 5] = [
    PERSON,
    Case { name: "a person, a file", model: FILE, ..PERSON },
    Case {
        name: "a person of another provider, a folder",
        realm: Realm::Partners,
        claims: || Claims::person("partner@example.org"),
        identity: "partner@example.org",
        ..PERSON
    },
    WORKFLOW,
    Case { name: "a workflow, a file", model: FILE, ..WORKFLOW },
];

/// Exchanges signatures of people and workflows.
pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let mut rows = Vec::with_capacity(CASES.len());
    for case in &CASES {
        let sandbox = Sandbox::new(scene.folder(), case.name, &scene.stack)?;
        std::fs::copy(&scene.other.files.trust_config, sandbox.path("other.json"))?;
        rows.push(case.exchange(scene, &sandbox));
    }
    Ok(TABLE.print("Exchange", &rows))
}

impl Case {
    fn exchange(&self, Scene { ours, theirs, stack, .. }: &Scene, sandbox: &Sandbox<'_>) -> Row<8> {
        let (from_us, from_them) = (self.sign(ours, sandbox), self.sign(theirs, sandbox));
        let signed = |result: &Result<()>| result.as_ref().map(|&()| ()).map_err(|error| anyhow::anyhow!("{error:#}"));
        let right = sandbox.rule(self.identity, self.realm);
        let verify = |signer: &Tool, verifier: &Tool| sandbox.run(verifier, &self.verify(signer, &right));

        let cells = [
            Cell::from(signed(&from_us).and_then(|()| verify(ours, ours)?.succeeds())),
            match signed(&from_us).and_then(|()| verify(ours, theirs)) {
                // It takes a single file under the name `.` alone; OMS §6.1.2 asks for its base name.
                Ok(said) if self.model == FILE => {
                    let reason = format!("Extra files found in model '{FILE}': .");
                    said.fails(1, &[&reason]).map_or_else(|error| Cell::Failed(format!("{error:#}")), |()| Cell::Cannot)
                }
                said => Cell::from(said.and_then(|said| said.succeeds())),
            },
            Cell::from(signed(&from_them).and_then(|()| verify(theirs, ours)?.succeeds())),
            Cell::from(signed(&from_them).and_then(|()| verify(theirs, theirs)?.succeeds())),
            self.refused(
                ours,
                sandbox,
                &sandbox.rule("nobody@example.com", self.realm),
                &["expected a signature of `nobody@example.com`, found one of", self.identity],
            ),
            self.refused(
                ours,
                sandbox,
                &sandbox.rule(self.identity, self.another_realm()),
                &[
                    &format!("expected the identity provider `{}`", stack.issuer(self.another_realm()).url),
                    &stack.issuer(self.realm).url,
                ],
            ),
            self.refused(ours, sandbox, &right.replace("trust.json", "other.json"), &["trusted root"]),
            self.refused_after_change(ours, sandbox, &right),
        ];
        Row { name: self.name, cells }
    }

    fn sign(&self, tool: &Tool, sandbox: &Sandbox<'_>) -> Result<()> {
        let token = sandbox.token(self.realm, &(self.claims)())?;
        let target = format!("sign sigstore {} --signature {}.sig", self.model, tool.name);
        sandbox.run(tool, &format!("{target} --trust_config trust.json --identity_token {token}"))?.succeeds()
    }

    fn verify(&self, signer: &Tool, rule: &str) -> String {
        format!("verify sigstore {} --signature {}.sig {rule}", self.model, signer.name)
    }

    fn refused(&self, ours: &Tool, sandbox: &Sandbox<'_>, rule: &str, says: &[&str]) -> Cell {
        Cell::from(sandbox.run(ours, &self.verify(ours, rule)).and_then(|said| said.fails(1, says)))
    }

    fn refused_after_change(&self, ours: &Tool, sandbox: &Sandbox<'_>, rule: &str) -> Cell {
        let attempt = || {
            let changed = if self.model == FILE { FILE } else { "model/config.json" };
            let before = std::fs::read(sandbox.path(changed))?;
            sandbox.write(changed, "changed\n")?;
            let said = sandbox.run(ours, &self.verify(ours, rule))?;
            sandbox.write(changed, before)?;
            said.fails(1, &["the model is not what was signed"])
        };
        Cell::from(attempt())
    }

    fn another_realm(&self) -> Realm {
        if self.realm == Realm::People { Realm::Partners } else { Realm::People }
    }
}
