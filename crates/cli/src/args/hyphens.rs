//! `--private_key` is `--private-key`: scripts written for the Python tool use either.

use std::ffi::OsString;

/// Puts `-` for `_` in the names of long flags; their values and what follows `--` stay as they are.
pub(crate) fn with_hyphens(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut flags_end = false;
    let change = |argument: OsString| {
        flags_end |= argument == "--";
        match argument.to_str() {
            Some(text) if !flags_end && text.starts_with("--") => {
                let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
                format!("{}{value}", name.replace('_', "-")).into()
            }
            _ => argument,
        }
    };
    arguments.into_iter().map(change).collect()
}

/// Whether the result is asked for as JSON, for command lines that can't be parsed.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    // What follows `--` is another command's.
    let ours = arguments.iter().position(|argument| argument == "--").map_or(arguments, |end| &arguments[..end]);
    ours.iter().any(|argument| argument == "--format=json")
        || ours.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(arguments: &[&str]) -> Vec<String> {
        let changed = with_hyphens(arguments.iter().map(OsString::from).collect());
        changed.into_iter().map(|argument| argument.into_string().expect("UTF-8")).collect()
    }

    #[test]
    fn flags_change_and_values_do_not() {
        assert_eq!(
            changed(&["--private_key", "my_key", "--no-ignore_unsigned_files", "--a_b=c_d", "x_y", "-a_b"]),
            ["--private-key", "my_key", "--no-ignore-unsigned-files", "--a-b=c_d", "x_y", "-a_b"]
        );
        assert_eq!(changed(&["--", "--a_b"]), ["--", "--a_b"]);
    }

    #[test]
    fn a_command_that_is_run_has_its_own_format() {
        let asks = |arguments: &[&str]| asks_for_json(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asks(&["--format", "json", "--", "x"]) && asks(&["--format=json"]));
        assert!(!asks(&["--", "x", "--format", "json"]) && !asks(&["--", "--format=json"]));
    }
}
