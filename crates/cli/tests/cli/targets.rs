//! Where a signature is written, and what is never overwritten.

use super::support::Sandbox;

#[test]
fn a_signature_never_replaces_the_key_or_the_model() {
    let sandbox = Sandbox::with_model();
    let cases = [
        ("sign key model --private-key key.pem --signature key.pem", "the private key"),
        ("sign key model/config.json --private-key key.pem --signature model/config.json", "the model"),
        ("sign key model --private-key key.pem --signature model/config.json", "a file of the model"),
    ];
    for (words, says) in cases {
        sandbox.fails(words, 2, &["would overwrite", says]);
    }
    assert_eq!(sandbox.read("model/config.json"), b"{}\n");
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_before_the_work() {
    let sandbox = Sandbox::with_model();
    sandbox.fails("sign key model --private-key key.pem --signature no/such/out.sig", 3, &["cannot be written"]);
    sandbox.fails("sign key model --private-key key.pem --signature model/sub", 3, &["cannot be written"]);
}

#[test]
fn an_old_signature_is_replaced() {
    let sandbox = Sandbox::signed();
    sandbox.write("model/config.json", "changed");
    sandbox.ok("sign key model --private-key key.pem");
    sandbox.ok("verify key model --public-key key.pub.pem");
}

#[test]
fn a_signature_inside_the_model_is_not_part_of_it() {
    let sandbox = Sandbox::with_model();
    let sign = "sign key model --private-key key.pem --signature model/sub/my.sig";
    sandbox.ok(sign);
    sandbox.ok("verify key model --public-key key.pub.pem --signature model/sub/my.sig");
    // Again, with the old one there.
    sandbox.ok(sign);
    sandbox.ok("verify key model --public-key key.pub.pem --signature model/sub/my.sig");
    let recorded = &sandbox.statement("model/sub/my.sig")["predicate"]["serialization"]["ignore_paths"];
    assert_eq!(*recorded, serde_json::json!([".git", ".gitattributes", ".github", ".gitignore", "sub/my.sig"]));
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_written_in_place_and_links_through() {
    let sandbox = Sandbox::with_model();
    let run = sandbox.ok("sign key model --private-key key.pem --signature /dev/stdout --log-level error");
    assert!(run.stdout.starts_with("{\"mediaType\""), "{}", run.stdout);
    assert!(!std::fs::metadata("/dev/null").expect("there").is_file());
    sandbox.ok("sign key model --private-key key.pem --signature /dev/null");
    assert!(!std::fs::metadata("/dev/null").expect("there").is_file());

    sandbox.write("real.sig", "");
    std::os::unix::fs::symlink("real.sig", sandbox.path("link.sig")).expect("linked");
    sandbox.ok("sign key model --private-key key.pem --signature link.sig");
    assert!(std::fs::symlink_metadata(sandbox.path("link.sig")).expect("there").is_symlink());
    sandbox.ok("verify key model --public-key key.pub.pem --signature real.sig");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    let sandbox = Sandbox::with_model();
    sandbox.fails("sign key model --private-key key.pem --signature /dev/full", 3, &["`/dev/full` cannot be written"]);
}
