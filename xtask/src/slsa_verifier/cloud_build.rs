//! Provenance of images by Google Cloud Build.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::case::{Alteration, Asked, Case, DOCUMENT, Verb, Verdict, accepted, at, decode, refused};
use super::read;

const V0_3: Base = Base {
    name: "v0.3",
    file: "google-cloud-build-v0.3/gcloud-container-github.json",
    other: V1_FILE,
    image: "us-west2-docker.pkg.dev/gosst-scare-sandbox/quickstart-docker-repo/quickstart-image@sha256:\
            f472ca4b68898c951ac3b476cba919d0d56fca4ced631fabcead51e4b2b690e7",
    source: "github.com/laurentsimon/gcb-tests",
    builder: "https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3",
};
const V1: Base = Base {
    name: "v1.0",
    file: V1_FILE,
    other: V0_3.file,
    image: "us-central1-docker.pkg.dev/argo-local-khalk/khalk-docker-ar/prod-prov-image@sha256:\
            7e9b6e7ba2842c91cf49f3e214d04a7a496f8214356f41d81a6e6dcad11f11e3",
    source: "github.com/khalkie/gcb-prod-prov",
    builder: BUILDER,
};
const V1_FILE: &str = "google-cloud-build-v1.0/v1.0-gcloud-container-github-v1.0-valid.json";
const BUILDER: &str = "https://cloudbuild.googleapis.com/GoogleHostedWorker";

/// Public files that nothing is asked of but what makes the sound one of their folder pass.
const BROKEN: [(&Base, &str); 3] = [
    (&V0_3, "google-cloud-build-v0.3/gcloud-container-invalid-signature-region.json"),
    (&V0_3, "google-cloud-build-v0.3/gcloud-container-mismatch-payload-digest.json"),
    (&V1, "google-cloud-build-v1.0/v1.0-gcloud-container-github-both-invalid-sig.json"),
];

/// A sound file, and what makes it pass.
struct Base {
    name: &'static str,
    file: &'static str,
    other: &'static str,
    image: &'static str,
    source: &'static str,
    builder: &'static str,
}

const ENTRIES: &str = "/provenance_summary/provenance";
const ENTRY: &str = "/provenance_summary/provenance/0";
const KIND: &str = "/provenance_summary/provenance/0/kind";
const RESOURCE: &str = "/provenance_summary/provenance/0/resourceUri";
const PAYLOAD: &str = "/provenance_summary/provenance/0/envelope/payload";
const PAYLOAD_TYPE: &str = "/provenance_summary/provenance/0/envelope/payloadType";
const SIGNATURES: &str = "/provenance_summary/provenance/0/envelope/signatures";
const SIGNATURE: &str = "/provenance_summary/provenance/0/envelope/signatures/0/sig";
const KEY_ID: &str = "/provenance_summary/provenance/0/envelope/signatures/0/keyid";
const V0_3_COPY: &str = "/provenance_summary/provenance/0/build/intotoStatement";
const V1_COPY: &str = "/provenance_summary/provenance/0/build/inTotoSlsaProvenanceV1";
const BUILD: &str = "/provenance_summary/provenance/0/build";
const DIGEST: &str = "/image_summary/digest";
const QUALIFIED: &str = "/image_summary/fully_qualified_digest";
const REGIONAL: &str =
    "projects/verified-builder/locations/us-west1/keyRings/attestor/cryptoKeys/builtByGCB/cryptoKeyVersions/1";

/// What is done to either file.
const BOTH: &[Alteration] = &[
    // The flags.
    accepted("nothing", |_| Ok(())),
    accepted("--print-provenance", |it| it.switch("--print-provenance")),
    accepted("the builder without a version", |it| it.set("--builder-id", BUILDER)),
    accepted("no builder", |it| it.remove("--builder-id")),
    refused("an empty builder", |it| it.set("--builder-id", "")),
    refused("another version of the builder", |it| it.set("--builder-id", &format!("{BUILDER}@v0.2"))),
    refused("an empty version of the builder", |it| it.set("--builder-id", &format!("{BUILDER}@"))),
    refused("two versions of the builder", |it| it.set("--builder-id", &format!("{BUILDER}@v0.3@v0.3"))),
    refused("another builder", |it| it.set("--builder-id", "https://cloudbuild.googleapis.com/GoogleHosted")),
    refused("a builder of GitHub's", |it| {
        it.set(
            "--builder-id",
            "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml",
        )
    }),
    accepted("the source with https://", |it| source(it, |found| format!("https://{found}"))),
    accepted("the source with git+https://", |it| source(it, |found| format!("git+https://{found}"))),
    refused("the source with http://", |it| source(it, |found| format!("http://{found}"))),
    refused("another source", |it| it.set("--source-uri", "github.com/sigstore/model-transparency")),
    refused("a source that it begins with", |it| source(it, |found| found[..found.len() - 1].to_owned())),
    refused("a source that begins with it", |it| source(it, |found| format!("{found}s"))),
    refused("the source with .git", |it| source(it, |found| format!("{found}.git"))),
    refused("the source with a slash", |it| source(it, |found| format!("{found}/"))),
    refused("the source in capitals", |it| source(it, str::to_uppercase)),
    refused("an empty source", |it| it.set("--source-uri", "")),
    refused("no source", |it| it.remove("--source-uri")),
    refused("another branch", |it| it.add("--source-branch", "dev")),
    refused("another tag", |it| it.add("--source-tag", "v40")),
    refused("an empty tag", |it| it.add("--source-tag", "")),
    refused("another version", |it| it.add("--source-versioned-tag", "v40")),
    refused("a version that is none", |it| it.add("--source-versioned-tag", "main")),
    refused("a tag and a version", |it| {
        it.add("--source-tag", "v39")?;
        it.add("--source-versioned-tag", "v39")
    }),
    refused("an input of a workflow", |it| it.add("--build-workflow-input", "release=yes")),
    refused("--provenance-repository", |it| it.add("--provenance-repository", "example.com/provenance")),
    refused("another image", |it| image(it, |name, _| format!("{name}@sha256:{}", "0".repeat(64)))),
    accepted("the image under another name", |it| image(it, |_, digest| format!("example.com/image@{digest}"))),
    refused("the image by a tag", |it| image(it, |name, _| format!("{name}:v39"))),
    accepted("the image's digest in capitals", |it| {
        image(it, |name, digest| format!("{name}@sha256:{}", digest["sha256:".len()..].to_uppercase()))
    }),
    refused("the image's digest, cut short", |it| image(it, |name, digest| format!("{name}@{}", &digest[..70]))),
    refused("no provenance", |it| it.set("--provenance-path", "missing.json")),
    // What is signed.
    refused("a byte of the payload", |it| it.flip(PAYLOAD, 40)),
    refused("the last byte of the payload", |it| {
        it.rewrite(PAYLOAD, |text| {
            let mut bytes = decode(text)?;
            *bytes.last_mut().context("an empty payload")? ^= 1;
            Ok(BASE64_STANDARD.encode(bytes))
        })
    }),
    refused("an empty payload", |it| it.put(PAYLOAD, "")),
    refused("a payload that is not base64", |it| it.put(PAYLOAD, "{}")),
    refused("the payload with a line break", |it| it.rewrite(PAYLOAD, |text| Ok(format!("{text}\n")))),
    refused("the payload with more padding", |it| it.rewrite(PAYLOAD, |text| Ok(format!("{text}====")))),
    refused("another payload type", |it| it.put(PAYLOAD_TYPE, "application/json")),
    refused("a byte of the signature", |it| it.flip(SIGNATURE, 20)),
    refused("a byte after the signature", |it| it.rewrite(SIGNATURE, |text| Ok(format!("{text}AAAA")))),
    refused("an empty signature", |it| it.put(SIGNATURE, "")),
    refused("no signature", |it| it.put(SIGNATURES, json!([]))),
    refused("the key of another region", |it| it.put(KEY_ID, REGIONAL)),
    refused("a key that nobody has", |it| it.put(KEY_ID, "projects/verified-builder")),
    refused("an empty key ID", |it| it.put(KEY_ID, "")),
    refused("no key ID", |it| it.cut(KEY_ID)),
    accepted("a signature that does not hold before the one that does", |it| {
        it.edit(|file| {
            let signatures = at(file, SIGNATURES)?.as_array_mut().context("a list")?;
            let mut broken = signatures[0].clone();
            broken["sig"] = "MAYCAQECAQE=".into();
            signatures.insert(0, broken);
            Ok(())
        })
    }),
    accepted("the signature twice", |it| {
        it.edit(|file| {
            let signatures = at(file, SIGNATURES)?.as_array_mut().context("a list")?;
            signatures.push(signatures[0].clone());
            Ok(())
        })
    }),
    // What is not signed.
    refused("an entry about something else than a build", |it| it.put(KIND, "VULNERABILITY")),
    refused("no kind", |it| it.cut(KIND)),
    refused("another digest in the resource", |it| it.rewrite(RESOURCE, other_digest)),
    accepted("another name in the resource", |it| it.rewrite(RESOURCE, other_name)),
    refused("another digest in the summary", |it| it.rewrite(DIGEST, other_digest)),
    refused("another qualified digest in the summary", |it| it.rewrite(QUALIFIED, other_digest)),
    accepted("another qualified name in the summary", |it| it.rewrite(QUALIFIED, other_name)),
    refused("a qualified digest without @ in the summary", |it| {
        it.rewrite(QUALIFIED, |text| Ok(text.replace('@', ":")))
    }),
    refused("no summary", |it| it.cut("/image_summary")),
    refused("no copy for people", |it| it.put(BUILD, json!({}))),
    refused("no entries", |it| it.put(ENTRIES, json!([]))),
    accepted("the entry twice", |it| {
        with_entries(it, |entries| {
            entries.insert(0, entries[0].clone());
            Ok(())
        })
    }),
    accepted("the entries in another order", |it| {
        with_entries(it, |entries| {
            entries.reverse();
            Ok(())
        })
    }),
    accepted("an entry that does not hold before it", |it| {
        with_entries(it, |entries| {
            let mut broken = entries[0].clone();
            broken["envelope"]["signatures"][0]["sig"] = "MAYCAQECAQE=".into();
            entries.insert(0, broken);
            Ok(())
        })
    }),
    accepted("an entry of another image before it", |it| {
        let mut other: Value = serde_json::from_str(&it.other)?;
        let other = at(&mut other, ENTRY)?.take();
        with_entries(it, |entries| {
            entries.insert(0, other);
            Ok(())
        })
    }),
    accepted("an entry of another image after it", |it| {
        let mut other: Value = serde_json::from_str(&it.other)?;
        let other = at(&mut other, ENTRY)?.take();
        with_entries(it, |entries| {
            entries.push(other);
            Ok(())
        })
    }),
    accepted("an entry with an altered copy before it", |it| {
        with_entries(it, |entries| {
            let mut broken = entries[0].clone();
            broken["build"] = json!({});
            entries.insert(0, broken);
            Ok(())
        })
    }),
    accepted("an unknown member", |it| it.replace("{", r#"{"unknown":1,"#)),
    refused("a member twice, the same", |it| it.replace(r#""kind": "BUILD""#, r#""kind":"BUILD","kind":"BUILD""#)),
    refused("a member twice, the last one right", |it| {
        it.replace(r#""kind": "BUILD""#, r#""kind":"OTHER","kind":"BUILD""#)
    }),
    refused("a member's name in capitals", |it| it.replace(r#""kind""#, r#""KIND""#)),
    refused("text after the end", |it| {
        it.document.push_str("{}");
        Ok(())
    }),
    refused("a list around it", |it| {
        it.document = format!("[{}]", it.document);
        Ok(())
    }),
    refused("an empty file", |it| {
        it.document.clear();
        Ok(())
    }),
];

/// What is done to the file of SLSA v0.1.
const V0_3_ALONE: &[Alteration] = &[
    accepted("the tag", |it| it.add("--source-tag", "v39")),
    refused("the tag's reference", |it| it.add("--source-tag", "refs/tags/v39")),
    accepted("the version", |it| it.add("--source-versioned-tag", "v39")),
    accepted("the version in full", |it| it.add("--source-versioned-tag", "v39.0.0")),
    accepted("the version's beginning", |it| it.add("--source-versioned-tag", "v39.0")),
    accepted("the version with build metadata", |it| it.add("--source-versioned-tag", "v39.0.0+build")),
    refused("a candidate for the version", |it| it.add("--source-versioned-tag", "v39.0.0-rc.1")),
    refused("a patch of the version", |it| it.add("--source-versioned-tag", "v39.0.1")),
    refused("the version without v", |it| it.add("--source-versioned-tag", "39")),
    refused("the version with a zero before it", |it| it.add("--source-versioned-tag", "v039")),
    refused("a branch", |it| it.add("--source-branch", "main")),
    refused("the source with its commit", |it| {
        source(it, |found| format!("{found}/commit/01ce393d04eb6df2a7b2b3e95d4126e687afb7ae"))
    }),
    refused("another builder in the copy", |it| {
        it.put(&format!("{V0_3_COPY}/slsaProvenance/builder/id"), format!("{BUILDER}@v0.2"))
    }),
    refused("another subject in the copy", |it| {
        it.rewrite(&format!("{V0_3_COPY}/subject/0/digest/sha256"), |text| Ok(text.replace('f', "0")))
    }),
    refused("another source in the copy", |it| {
        it.put(&format!("{V0_3_COPY}/slsaProvenance/materials/0/uri"), "https://github.com/sigstore/rekor")
    }),
    refused("another build's ID in the copy", |it| {
        it.put(&format!("{V0_3_COPY}/slsaProvenance/metadata/buildInvocationId"), "0")
    }),
    refused("an unknown member in the copy", |it| unknown_in_copy(it, V0_3_COPY)),
    accepted("a place of the recipe in the copy alone", |it| {
        it.edit(|file| {
            at(file, &format!("{V0_3_COPY}/slsaProvenance/recipe"))?["definedInMaterial"] = "7".into();
            Ok(())
        })
    }),
    refused("a copy in the other format too", |it| {
        it.edit(|file| {
            at(file, BUILD)?["inTotoSlsaProvenanceV1"] = json!({});
            Ok(())
        })
    }),
];

/// What is done to the file of SLSA v1.
const V1_ALONE: &[Alteration] = &[
    accepted("the branch", |it| it.add("--source-branch", "main")),
    refused("the branch's reference", |it| it.add("--source-branch", "refs/heads/main")),
    refused("the source with its branch", |it| source(it, |found| format!("{found}@refs/heads/main"))),
    refused("the branch as a tag", |it| it.add("--source-tag", "main")),
    accepted("the signature in the other alphabet", |it| {
        it.rewrite(SIGNATURE, |text| Ok(text.replace('-', "+").replace('_', "/")))
    }),
    refused("another builder in the copy", |it| it.put(&format!("{V1_COPY}/predicate/runDetails/builder/id"), "other")),
    refused("another subject in the copy", |it| {
        it.rewrite(&format!("{V1_COPY}/subject/0/digest/sha256"), |text| Ok(text.replace('7', "0")))
    }),
    refused("another source in the copy", |it| {
        it.put(&format!("{V1_COPY}/predicate/buildDefinition/externalParameters/buildConfigSource/repository"), "other")
    }),
    refused("an unknown member in the copy", |it| unknown_in_copy(it, V1_COPY)),
    refused("a copy in the other format too", |it| {
        it.edit(|file| {
            at(file, BUILD)?["intotoStatement"] = json!({});
            Ok(())
        })
    }),
    refused("the broken entry alone", |it| {
        with_entries(it, |entries| {
            entries.remove(0);
            Ok(())
        })
    }),
    accepted("the copy of the broken entry", |it| it.put("/provenance_summary/provenance/1/build", json!({}))),
];

/// Every public file, and what is done to the sound ones.
pub(super) fn cases(vectors: &Path) -> Result<Vec<Case>> {
    require_complete(vectors)?;
    let mut cases = Vec::new();
    for (base, file) in BROKEN {
        let asked = Asked { document: read(vectors, file)?, ..base.asked(vectors)? };
        let name = file.rsplit('/').next().unwrap_or(file);
        cases.push(Case::new(name, Verb::Image, Verdict::Refused, asked));
    }
    for (base, alone) in [(&V0_3, V0_3_ALONE), (&V1, V1_ALONE)] {
        let asked = base.asked(vectors)?;
        for alteration in BOTH.iter().chain(alone) {
            cases.push(Case::altered(base.name, Verb::Image, &asked, alteration)?);
        }
    }
    Ok(cases)
}

/// What is timed.
pub(super) fn timed(vectors: &Path) -> Result<Case> {
    Ok(Case::new("timed", Verb::Image, Verdict::Accepted, V1.asked(vectors)?))
}

/// Every file of Cloud Build's has a case.
fn require_complete(vectors: &Path) -> Result<()> {
    let known: Vec<&str> = BROKEN.iter().map(|(_, file)| *file).chain([V0_3.file, V1.file]).collect();
    for folder in ["google-cloud-build-v0.3", "google-cloud-build-v1.0"] {
        for entry in fs::read_dir(vectors.join(folder)).with_context(|| format!("cannot list {folder}"))? {
            let name = entry?.file_name();
            let name = format!("{folder}/{}", name.to_string_lossy());
            ensure!(!name.ends_with(".json") || known.contains(&name.as_str()), "{name}: expected a case for it");
        }
    }
    Ok(())
}

impl Base {
    fn asked(&self, vectors: &Path) -> Result<Asked> {
        let mut asked = Asked {
            image: Some(self.image.to_owned()),
            document: read(vectors, self.file)?,
            other: read(vectors, self.other)?,
            ..Asked::default()
        };
        asked.add("--provenance-path", DOCUMENT)?;
        asked.add("--source-uri", self.source)?;
        asked.add("--builder-id", self.builder)?;
        Ok(asked)
    }
}

fn source(asked: &mut Asked, change: impl FnOnce(&str) -> String) -> Result<()> {
    let found = asked.flags.iter().find(|(flag, _)| *flag == "--source-uri").and_then(|(_, value)| value.clone());
    asked.set("--source-uri", &change(&found.context("no source")?))
}

fn image(asked: &mut Asked, change: impl FnOnce(&str, &str) -> String) -> Result<()> {
    let found = asked.image.take().context("no image")?;
    let (name, digest) = found.split_once('@').context("no digest")?;
    asked.image = Some(change(name, digest));
    Ok(())
}

fn other_digest(text: &str) -> Result<String> {
    let (before, _) = text.split_once("sha256:").context("no digest")?;
    Ok(format!("{before}sha256:{}", "0".repeat(64)))
}

fn other_name(text: &str) -> Result<String> {
    let (_, digest) = text.split_once('@').context("no digest")?;
    Ok(format!("https://example.com/image@{digest}"))
}

fn unknown_in_copy(asked: &mut Asked, copy: &str) -> Result<()> {
    asked.edit(|file| {
        at(file, copy)?["unknown"] = 1.into();
        Ok(())
    })
}

fn with_entries(asked: &mut Asked, change: impl FnOnce(&mut Vec<Value>) -> Result<()>) -> Result<()> {
    asked.edit(|file| change(at(file, ENTRIES)?.as_array_mut().context("a list")?))
}
