//! Finding a signature, and signatures that are not one. What is wrong inside a bundle is tested with the library.

use super::support::{Sandbox, copy};

const VERIFY: &str = "verify key model --public-key key.pub.pem";

#[test]
fn a_signature_is_found_here_in_the_model_or_beside_it() {
    for place in ["model.sig", "model/model.sig", "else/model.sig", "else/model2.sig"] {
        let sandbox = Sandbox::signed();
        let bundle = sandbox.read("model.sig");
        std::fs::remove_file(sandbox.path("model.sig")).expect("removed");
        copy(&sandbox.path("model"), &sandbox.path("else/model2"));
        sandbox.write(place, bundle);
        let model = if place.starts_with("else") { "else/model2" } else { "model" };
        let run = sandbox.ok(&format!("verify key {model} --public-key key.pub.pem"));
        let shown = place.replace('/', std::path::MAIN_SEPARATOR_STR);
        assert!(
            run.stderr.contains(&format!("using the signature `{shown}`")) || run.stderr.contains(place),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn the_model_may_be_the_current_directory() {
    let sandbox = Sandbox::signed();
    let public = sandbox.path("key.pub.pem");
    let run = super::support::run(
        sandbox.command("verify key . --public-key").arg(public).current_dir(sandbox.path("model")),
    );
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn several_signatures_or_none_are_errors() {
    let sandbox = Sandbox::signed();
    sandbox.write("model/model.sig", sandbox.read("model.sig"));
    sandbox.fails(VERIFY, 2, &["several signatures were found", "model.sig", "--signature"]);
    std::fs::remove_file(sandbox.path("model.sig")).expect("removed");
    std::fs::remove_file(sandbox.path("model/model.sig")).expect("removed");
    sandbox.fails(VERIFY, 3, &["no signature of `model` was found", "--signature"]);
}

#[test]
fn a_model_in_a_folder_that_was_signed_is_not_taken_for_it() {
    let sandbox = Sandbox::signed();
    sandbox.write("model/model.sig", sandbox.read("model.sig"));
    std::fs::remove_file(sandbox.path("model.sig")).expect("removed");
    sandbox.fails(
        "verify key model/sub --public-key key.pub.pem",
        1,
        &["not what was signed (as `model`)", "was found, not given", "--signature"],
    );
}

#[test]
fn files_that_are_no_bundle_are_refused_by_name() {
    let sandbox = Sandbox::signed();
    let whole = sandbox.read("model.sig");
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("empty.sig", vec![], "not valid JSON"),
        ("garbage.sig", b"\x00\x01not json".to_vec(), "not valid JSON"),
        ("truncated.sig", whole[..whole.len() / 2].to_vec(), "not valid JSON"),
        ("deep.sig", "[".repeat(100_000).into_bytes(), "recursion limit"),
        ("other.sig", b"{}".to_vec(), "`mediaType`: expected"),
    ];
    for (name, content, says) in cases {
        sandbox.write(name, content);
        sandbox.fails(&format!("{VERIFY} --signature {name}"), 1, &[name, "is not a signature bundle", says]);
        sandbox.fails(&format!("inspect {name}"), 1, &[name, says]);
    }
    sandbox.fails(&format!("{VERIFY} --signature no-such.sig"), 3, &["no-such.sig", "cannot be read"]);
    sandbox.fails(&format!("{VERIFY} --signature model"), 3, &["cannot be read"]);
}

#[test]
fn a_bundle_that_is_too_large_is_refused_unread() {
    let sandbox = Sandbox::with_model();
    let file = std::fs::File::create(sandbox.path("large.sig")).expect("created");
    file.set_len(1 << 40).expect("a sparse file");
    sandbox.fails(
        &format!("{VERIFY} --signature large.sig"),
        1,
        &["expected at most 268435456 bytes, found 1099511627776"],
    );
}

#[test]
fn a_bundle_of_another_method_is_not_called_a_bad_signature() {
    let sandbox = Sandbox::signed();
    let text = String::from_utf8(sandbox.read("model.sig")).expect("UTF-8");
    let start = text.find("\"publicKey\"").expect("a key");
    let end = start + text[start..].find('}').expect("its end") + 1;
    let other = format!(
        "{}\"x509CertificateChain\":{{\"certificates\":[{{\"rawBytes\":\"AA==\"}}]}}{}",
        &text[..start],
        &text[end..]
    );
    sandbox.write("other.sig", other);
    sandbox.fails(
        &format!("{VERIFY} --signature other.sig"),
        1,
        &["expected a signature made with the `key` method, found one made with `certificate`"],
    );
}
