//! Flags that do not fit: who signed, and what is expected of that.

use super::super::support::Sandbox;

#[test]
fn one_kind_of_signer_is_named() {
    let sandbox = Sandbox::with_model();
    sandbox.write("a", "a");
    sandbox.write("b.json", r#"{"payload":"","payloadType":"","signatures":[]}"#);
    for (flags, says) in [
        ("", "--source-uri, --repo or --owner, or whose signature counts"),
        ("--builder-id https://b.example", "needs an expectation"),
        ("--key key.pub.pem --certificate-chain c.pem", "cannot be used with"),
        ("--key key.pub.pem --identity a", "cannot be used with"),
        ("--key key.pub.pem --identity-regexp a", "cannot be used with"),
        ("--key key.pub.pem --identity-provider https://a.example", "cannot be used with"),
        ("--key key.pub.pem --certificate c.pem", "cannot be used with"),
        ("--key key.pub.pem --crl c.pem", "--certificate-chain"),
        ("--identity a --identity-provider https://a.example --crl c.pem", "--certificate-chain"),
        ("--identity a --identity-provider https://a.example --certificate c.pem", "--certificate-chain"),
        ("--repo a/b --crl c.pem", "--certificate-chain"),
        ("--certificate c.pem", "--certificate-chain"),
        ("--crl c.pem", "--certificate-chain"),
        ("--certificate-chain c.pem --identity-provider https://a.example", "cannot be used with"),
        ("--identity a --identity-regexp a", "cannot be used with"),
        ("--identity a", "--identity-provider URL too"),
        ("--identity-regexp a", "--identity-provider URL too"),
        ("--identity-regexp ( --identity-provider https://a.example", "--identity-regexp"),
        ("--identity-provider https://a.example", "--identity NAME too"),
        ("--repo a/b --identity-provider https://a.example", "--identity NAME too"),
        ("--source-uri https://git.example.com/a --identity a", "--key, --certificate-chain or --identity"),
        ("--key key.pub.pem --signer-workflow a", "--signer-workflow is about workflows on GitHub"),
        ("--key key.pub.pem --signer-repo a/b", "--signer-repo is about workflows on GitHub"),
        ("--key key.pub.pem --signer-digest a", "--signer-digest is about workflows on GitHub"),
        ("--key key.pub.pem --build-workflow-input a=b", "--build-workflow-input is about workflows on GitHub"),
        ("--key key.pub.pem --source-uri=", "--source-uri: expected an address, found none"),
        ("--key key.pub.pem --cloud-build-keys a", "--cloud-build-keys is for provenance of Google Cloud Build"),
        ("--key key.pub.pem --digest-alg md5", "--digest-alg"),
        ("--key key.pub.pem --source-tag v1 --source-versioned-tag v1", "cannot be used with"),
    ] {
        sandbox.fails(&format!("provenance verify a --provenance-path b.json {flags}"), 2, &[says]);
    }
}

#[test]
fn what_cannot_be_read_is_not_checked() {
    let sandbox = Sandbox::with_model();
    sandbox.write("a", "a");
    sandbox.write("b.json", "{}");
    for flags in ["--key no-such", "--certificate-chain no-such", "--key key.pub.pem --builder-map no-such"] {
        sandbox.fails(
            &format!("provenance verify a --provenance-path b.json {flags}"),
            3,
            &["`no-such` cannot be read"],
        );
    }
    sandbox.fails("provenance verify a --provenance-path b.json --key b.json", 1, &["the public key `b.json`"]);
    sandbox.fails("provenance verify a --provenance-path . --key key.pub.pem", 3, &["`.` cannot be read"]);
}
