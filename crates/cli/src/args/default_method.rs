//! `sign MODEL` is `sign sigstore MODEL`: the method need not be named when it is the usual one.

use std::ffi::{OsStr, OsString};

/// The method that is meant when none is named.
const DEFAULT: &str = "sigstore";

/// Global options that take a value.
const WITH_VALUE: [&str; 3] = ["--format", "--log-level", "--jobs"];

/// Puts the default method into `sign …` and `verify …` where none is named. `is_method` says what is one, or `help`.
///
/// The first word after the verb decides: a model called `key` in the current directory is `./key`.
pub(crate) fn with_default_method(
    mut arguments: Vec<OsString>,
    is_method: impl Fn(&str, &OsStr) -> bool,
) -> Vec<OsString> {
    let Some(verb_at) = next_word(&arguments, 1) else { return arguments };
    let Some(verb @ ("sign" | "verify")) = arguments[verb_at].to_str() else { return arguments };
    let names_one = match next_word(&arguments, verb_at + 1) {
        Some(at) => is_method(verb, &arguments[at]) || arguments[at] == "--help" || arguments[at] == "-h",
        // Nothing follows, and the help says what may.
        None => true,
    };
    if !names_one {
        arguments.insert(verb_at + 1, DEFAULT.into());
    }
    arguments
}

/// The next argument that is not a global option.
fn next_word(arguments: &[OsString], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let argument = arguments.get(at)?.to_str();
        if WITH_VALUE.iter().any(|option| argument == Some(option)) {
            at += 2;
        } else if WITH_VALUE.iter().any(|option| argument.is_some_and(|text| text.starts_with(&format!("{option}=")))) {
            at += 1;
        } else {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let changed = with_default_method(arguments, |_, word| word == "key" || word == "help");
        changed.iter().map(|word| word.to_str().expect("ASCII")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_default_is_put_in_only_where_no_method_is() {
        for (line, expected) in [
            ("m sign model", "m sign sigstore model"),
            ("m verify --identity a model", "m verify sigstore --identity a model"),
            ("m --format json verify model", "m --format json verify sigstore model"),
            ("m sign ./key", "m sign sigstore ./key"),
            ("m verify --signature key model", "m verify sigstore --signature key model"),
            ("m sign -- model", "m sign sigstore -- model"),
        ] {
            assert_eq!(changed(line), expected);
        }
        for line in [
            "m",
            "m sign",
            "m sign --help",
            "m sign key model",
            "m verify --jobs 2 key model",
            "m digest model",
            "m sign help",
        ] {
            assert_eq!(changed(line), line);
        }
    }
}
