//! What of a command line nobody may read in provenance.

use std::path::Path;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// An argument that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspectedSecret {
    /// Which word of the command it is, from 1.
    pub position: usize,
    /// What it is the value of, without the dashes before it.
    pub name: Option<String>,
}

/// A command line that may be written down, or what may not.
///
/// `redact` names what is left out: the name of a flag or variable (`api-key`), or the number of a word of the command (`3`).
/// A word that has it inside ends there, whatever follows. What identifies a user in a URL is left out in any case. Besides
/// the words, returns which of `redact` named nothing.
///
/// # Errors
/// The arguments that look like a secret and were not named.
pub fn redact_command(
    command: &[String],
    redact: &[String],
) -> Result<(Vec<String>, Vec<String>), Vec<SuspectedSecret>> {
    let mut used = vec![false; redact.len()];
    let mut suspected = Vec::new();
    let mut flag_before: Option<String> = None;
    let mut written = Vec::with_capacity(command.len());
    for (index, word) in command.iter().enumerate() {
        let position = index + 1;
        let word = without_user(word);
        let flag = flag_before.take();
        let values = values_of(flag.as_deref(), &word);
        // The end of what may be written.
        let mut end = word.len();
        for (wanted, used) in redact.iter().zip(&mut used) {
            let by_number = (*wanted == position.to_string()).then(|| values[0].start);
            let is_named = |value: &&Named<'_>| value.name.is_some_and(|name| is_same_name(name, wanted));
            let by_name = values.iter().filter(is_named).map(|value| value.start).min();
            if let Some(start) = by_number.into_iter().chain(by_name).min() {
                (*used, end) = (true, end.min(start));
            }
        }
        let is_suspect = |value: &&Named<'_>| {
            let text = word.get(value.start..value.end.min(end)).unwrap_or_default();
            is_secret_value(value.name, text)
        };
        let all: Vec<&Named<'_>> = values.iter().filter(is_suspect).collect();
        let called_so = all.iter().find(|value| value.name.is_some_and(names_secret));
        if let Some(found) = called_so.or(all.first()) {
            suspected.push(SuspectedSecret { position, name: found.name.map(normal) });
        }
        let is_redacted = redact.iter().any(|wanted| *wanted == position.to_string()) || end < word.len();
        written.push(if is_redacted { format!("{}{REDACTED}", &word[..end]) } else { word.clone() });
        let has_value = word.split_once('=').is_some_and(|(name, _)| is_name(name));
        flag_before = (position > 1 && is_flag(&word) && !has_value).then_some(word);
    }
    let unused = redact.iter().zip(used).filter(|(_, used)| !used).map(|(wanted, _)| wanted.clone()).collect();
    if suspected.is_empty() { Ok((written, unused)) } else { Err(suspected) }
}

/// Whether `value` looks like a secret, given what it is the value of, or has one inside (`ALL,HF_TOKEN=…`).
#[must_use]
pub fn is_secret(name: Option<&str>, value: &str) -> bool {
    let is_suspect = |inner: &Named<'_>| is_secret_value(inner.name, &value[inner.start..inner.end]);
    is_secret_value(name, value) || named_within(value).iter().any(is_suspect)
}

/// Whether two names of a flag, a variable or a parameter are one: without regard to case and dashes before them, `-` is `_`.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

fn is_secret_value(name: Option<&str>, value: &str) -> bool {
    looks_like_token(value) || has_secret_query(value) || (name.is_some_and(names_secret) && !is_harmless(value))
}

/// A part of a word, and what it is the value of.
#[derive(Clone, Copy, Debug)]
struct Named<'a> {
    name: Option<&'a str>,
    start: usize,
    end: usize,
}

/// Whatever a word can be the value of, and have values of inside: the one of the flag before it, the part behind its `=`,
/// what is named further in. Never empty.
fn values_of<'a>(flag_before: Option<&'a str>, word: &'a str) -> Vec<Named<'a>> {
    let whole = |name| Named { name, start: 0, end: word.len() };
    // A flag without a value is followed by another flag.
    let of_flag = flag_before.filter(|_| !is_flag(word)).map(|name| whole(Some(name)));
    let of_name = word.split_once('=').filter(|(name, _)| is_name(name));
    let of_name =
        of_name.map(|(name, value)| Named { name: Some(name), start: word.len() - value.len(), end: word.len() });
    let itself = of_flag.is_none() && of_name.is_none();
    let itself = itself.then(|| whole(None));
    of_flag.into_iter().chain(of_name).chain(itself).chain(named_within(word)).collect()
}

/// No value that is looked for inside a text is longer.
const MOST_CHARACTERS: usize = 1024;

/// Everything in a text that has a name: `NAME=VALUE`, `NAME: VALUE` of a header or a document, `--name VALUE` of a command
/// line in a word.
fn named_within(text: &str) -> Vec<Named<'_>> {
    let mut all: Vec<Named<'_>> = text.match_indices(['=', ':']).filter_map(|(at, _)| named_at(text, at)).collect();
    all.extend(flags_within(text));
    all
}

/// What is named by a `=` or `:` at `at`. A value ends where a list of them, a query or a shell would have it end.
fn named_at(text: &str, at: usize) -> Option<Named<'_>> {
    let (before, after) = (&text[..at], &text[at + 1..]);
    let spaced = before.trim_end();
    let closed = spaced.trim_end_matches(is_quote);
    let name = &closed[closed.len() - length(closed.chars().rev().take_while(|one| is_of_name(*one)))..];
    let is_equals = text[at..].starts_with('=');
    // A shell has nothing between a variable and its value: `NAME= command` is another one.
    let may_be_spaced = !is_equals || spaced.len() < before.len();
    let rest = if may_be_spaced { after.trim_start() } else { after }.trim_start_matches(is_quote);
    let value_of = |rest: &str| length(rest.chars().take(MOST_CHARACTERS).take_while(|one| !ends_value(*one)));
    let (mut start, mut value) = (text.len() - rest.len(), value_of(rest));
    // `Authorization: Bearer …`
    let scheme = &rest[..value];
    if ["bearer", "basic", "digest", "token", "apikey"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        let next = rest[value..].trim_start();
        if !next.is_empty() && next.len() < rest.len() - value {
            (start, value) = (text.len() - next.len(), value_of(next));
        }
    }
    let end = start + value;
    // `std::token`, `registry/secret:latest` and `https://` are no names with values, `token = next(…)` is a program.
    let is_of_document = is_equals
        || after.starts_with(char::is_whitespace)
        || closed.len() < spaced.len()
        || (value >= 8 && !name.contains('/') && !after.starts_with([':', '/']));
    let is_call = spaced.len() < before.len() && text[end..].starts_with(['(', '[']);
    (!name.is_empty() && value > 0 && is_of_document && !is_call).then_some(Named { name: Some(name), start, end })
}

/// The values of the flags of a command line that is one word: `sh -c '… --password …'`.
fn flags_within(text: &str) -> Vec<Named<'_>> {
    let is_between = |one: char| one.is_whitespace() || is_quote(one) || ";&|()`,".contains(one);
    let mut found = Vec::new();
    let (mut flag, mut end_before) = (None, 0);
    while let Some(between) = text[end_before..].find(|one| !is_between(one)) {
        let start = end_before + between;
        let is_other_command = text[end_before..start].contains([';', '&', '|', '\n']);
        end_before = text[start..].find(is_between).map_or(text.len(), |length| start + length);
        let word = &text[start..end_before];
        if is_flag(word) {
            flag = (!word.contains('=')).then_some(word);
        } else if let Some(name) = flag.take().filter(|_| !is_other_command) {
            found.push(Named { name: Some(name), start, end: end_before });
        }
    }
    found
}

fn length(characters: impl Iterator<Item = char>) -> usize {
    characters.map(char::len_utf8).sum()
}

fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\')
}

/// Whether a URL in `value` has a signature or a token in its query: whoever has such a URL may fetch what it names.
fn has_secret_query(value: &str) -> bool {
    const SIGNED: [&str; 5] = ["sig", "signature", "x-amz-signature", "x-goog-signature", "x-amz-security-token"];
    let Some((_, query)) = value.split_once("://").and_then(|(_, rest)| rest.split_once(['?', '#'])) else {
        return false;
    };
    query.split(['&', ';', '#', '?']).filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        let name = normal(name);
        (SIGNED.contains(&name.as_str()) || names_secret(&name)) && !is_harmless(value)
    })
}

/// A text with every URL in it stripped of its user and password.
#[must_use]
pub fn without_user(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, after) = rest.split_at(at + 3);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        out.push_str(scheme);
        rest = &after[user_length(&after[..end])..];
    }
    out.push_str(rest);
    out
}

/// The length of what identifies a user in the rest of a URL, from its authority on.
fn user_length(rest: &str) -> usize {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // The digest of an image is behind an `@` too.
    let ends_user =
        |part: &str| part.rmatch_indices('@').map(|(at, _)| at).find(|at| !part[at + 1..].starts_with("sha256:"));
    let (at, host) = match ends_user(authority) {
        Some(at) => (at + 1, &authority[at + 1..]),
        None => (0, authority),
    };
    let is_named = host.contains('.') || host.starts_with('[') || host == "localhost";
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|digit| digit.is_ascii_digit());
    let has_port = host.split_once(':').is_some_and(|(_, port)| is_port(port));
    // A password with a `/` in it, which no URL may have and people write all the same.
    if authority.contains(':') && !has_port && !is_named {
        return ends_user(rest).map_or(0, |at| at + 1);
    }
    at
}

/// A word that is the name of a value: `--name`, `-n`.
fn is_flag(word: &str) -> bool {
    word.len() > 1
        && word.starts_with('-')
        && word[1..].starts_with(|next: char| next == '-' || next.is_ascii_alphabetic())
}

/// Whether what stands before a `=` is a name: of a flag, a variable, or a setting such as `+model.hub.token`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_name)
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '+' | '/' | '@')
}

fn ends_value(character: char) -> bool {
    character.is_whitespace() || ",;&|\"'`\\()<>{}[]".contains(character)
}

/// A name as it is compared.
fn normal(name: &str) -> String {
    name.trim_start_matches(['-', '+']).to_lowercase().replace('_', "-")
}

/// What has tokens that are no secrets: tokenizers, models, limits (`--pad-token`, `--mask_token`, `--max-tokens`).
const OF_TOKENIZERS: [&str; 56] = [
    "pad",
    "mask",
    "bos",
    "eos",
    "unk",
    "sep",
    "cls",
    "special",
    "image",
    "audio",
    "video",
    "speech",
    "text",
    "vision",
    "start",
    "stop",
    "begin",
    "end",
    "boi",
    "eoi",
    "boa",
    "eoa",
    "fim",
    "mid",
    "prefix",
    "middle",
    "suffix",
    "new",
    "next",
    "previous",
    "extra",
    "decoder",
    "encoder",
    "forced",
    "max",
    "min",
    "num",
    "per",
    "total",
    "sub",
    "word",
    "class",
    "register",
    "query",
    "prompt",
    "placeholder",
    "initializer",
    "modifier",
    "input",
    "output",
    "target",
    "separator",
    "blank",
    "unknown",
    "think",
    "first",
];

/// What only says something of a secret: `--token-type`, `--password-file`.
const ABOUT_SECRETS: [&str; 16] = [
    "file",
    "files",
    "path",
    "dir",
    "directory",
    "name",
    "type",
    "env",
    "variable",
    "store",
    "manager",
    "provider",
    "length",
    "size",
    "count",
    "policy",
];

/// Whether a name says that its value is a secret.
fn names_secret(name: &str) -> bool {
    // What stands before is a folder.
    let words = words_of(name.rsplit('/').next().unwrap_or_default());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.last().is_none_or(|last| ABOUT_SECRETS.contains(last)) {
        return false;
    }
    let is_one = |word: &&str| {
        matches!(*word, "secret" | "secrets" | "bearer" | "authorization")
            || word.ends_with("secret")
            || [
                "password",
                "passwd",
                "passphrase",
                "credential",
                "apikey",
                "accesskey",
                "accountkey",
                "privatekey",
                "secretkey",
                "sharedkey",
            ]
            .iter()
            .any(|known| word.contains(known))
    };
    if words.iter().any(is_one) {
        return true;
    }
    match words.as_slice() {
        [
            ..,
            "api" | "access" | "private" | "secret" | "auth" | "wandb" | "account" | "storage" | "shared"
            | "encryption" | "subscription" | "master" | "openai" | "anthropic" | "aws" | "azure" | "hmac" | "comet"
            | "neptune",
            "key",
        ]
        | [.., "api" | "access" | "auth" | "hub" | "hf", "tokens"]
        | [
            ..,
            "db" | "database" | "user" | "smtp" | "redis" | "mysql" | "postgres" | "pg" | "http" | "proxy" | "root",
            "pass",
        ]
        | ["pat" | "pw" | "auth" | "cookie"]
        | [.., "pwd"] => true,
        [.., kind, "token"] => !OF_TOKENIZERS.contains(kind),
        [.., last] => last.strip_suffix("token").is_some_and(|kind| !OF_TOKENIZERS.contains(&kind)),
        [] => false,
    }
}

/// The words of a name in lower case: `hub_token`, `hubToken` and `HUB-TOKEN` have the same.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (at, one) in characters.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).map(|at| characters[at]), characters.get(at + 1));
        // `hfToken`, and `HFToken` before its last capital.
        let begins = one.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if begins || !one.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| one.is_alphanumeric()) {
            word.extend(one.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Values that are no secret, whatever they are called: nothing, switches, small numbers, special tokens, variables, and
/// paths. What begins with a `/` may be a key in base64 as well, and is a path if there is something.
fn is_harmless(value: &str) -> bool {
    let word = value.to_ascii_lowercase();
    let is_in = |open: char, close: char| value.len() > 2 && value.starts_with(open) && value.ends_with(close);
    matches!(word.as_str(), "" | "true" | "false" | "yes" | "no" | "none" | "null" | "auto")
        || (value.len() < 4 && value.bytes().all(|byte| byte.is_ascii_digit()))
        || is_in('<', '>')
        || is_in('[', ']')
        || is_variable(value)
        || ["./", "../", "~/"].iter().any(|folder| value.starts_with(folder))
        || (value.contains(['/', '.']) && Path::new(value).exists())
}

/// What a shell replaces: `$NAME`, `${NAME}`, `$(command)`.
fn is_variable(value: &str) -> bool {
    let is_word = |one: char| one.is_ascii_alphanumeric() || one == '_';
    value.strip_prefix('$').is_some_and(|rest| {
        let is_name = !rest.starts_with(|one: char| one.is_ascii_digit());
        rest.starts_with(['{', '('])
            || (is_name && rest.trim_start_matches(is_word).chars().next().is_none_or(ends_value))
    })
}

/// Tokens that look like what they are, wherever they stand: how each service's begin, and how many characters follow.
const TOKENS: [(&str, usize); 26] = [
    ("hf_", 30),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("gldt-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("sk-", 20),
    ("sk_live_", 16),
    ("hvs.", 20),
    ("xapp-", 20),
    ("SG.", 40),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("pypi-", 50),
    ("npm_", 30),
    ("dop_v1_", 40),
    ("dapi", 32),
    ("nvapi-", 40),
    ("r8_", 30),
];

fn looks_like_token(value: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let has_prefix = |(prefix, length): &(&str, usize)| {
        value.match_indices(prefix).any(|(at, _)| {
            let starts_there = at == 0 || !value[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
            let rest = &value[at + prefix.len()..];
            let token: &str = &rest[..rest.find(|character: char| !is_plain(character)).unwrap_or(rest.len())];
            // A folder may be called `sk-learn-experiments-of-2026`.
            starts_there
                && token.len() >= *length
                && token.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
                && (*prefix != "sk-" || token.split('-').any(|part| part.len() >= 16))
        })
    };
    TOKENS.iter().any(has_prefix) || value.contains("PRIVATE KEY-----") || is_jwt(value)
}

/// Three parts, of which the first is the beginning of a JSON object in base64.
fn is_jwt(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let is_base64 = |part: &&str| {
        part.len() > 8 && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    value.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(is_base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn suspected(line: &str) -> Vec<(usize, Option<String>)> {
        match redact_command(&words(line), &[]) {
            Ok(_) => Vec::new(),
            Err(suspected) => suspected.into_iter().map(|one| (one.position, one.name)).collect(),
        }
    }

    #[test]
    fn what_is_called_a_secret_stops_the_command() {
        let token = format!("hf_{}", "aB3".repeat(12));
        for (line, position, name) in [
            ("python t.py --password hunter2".to_owned(), 4, Some("password")),
            ("python t.py --hub_token=abcdefgh".to_owned(), 3, Some("hub-token")),
            ("env HF_TOKEN=abcdefgh python t.py".to_owned(), 2, Some("hf-token")),
            ("python t.py +wandb.api_key=0123456789abcdef".to_owned(), 3, Some("wandb.api-key")),
            ("python t.py --token s3cr3t-value".to_owned(), 4, Some("token")),
            (format!("python t.py {token}"), 3, None),
            (format!("python t.py --note x:{token}"), 4, Some("note")),
            ("python t.py --data https://b.example/d?sv=1&sig=abc%2Fdef".to_owned(), 4, Some("data")),
            ("python t.py https://s3.example/d?X-Amz-Date=1&X-Amz-Signature=0123abcd".to_owned(), 3, None),
            ("python t.py --aws AKIAABCDEFGHIJKLMNOP".to_owned(), 4, Some("aws")),
            ("python t.py --id eyJhbGciOiJub25l.eyJzdWIiOiJhYmMi.c2lnbmF0dXJl".to_owned(), 4, Some("id")),
        ] {
            assert_eq!(suspected(&line), [(position, name.map(str::to_owned))], "{line}");
        }
    }

    #[test]
    fn a_flag_before_it_hides_no_secret() {
        for (line, position, name) in [
            ("docker run -e WANDB_API_KEY=0123456789abcdef0123 image", 4, "wandb-api-key"),
            ("python t.py --multirun +hub.token=s3cr3t-value", 4, "hub.token"),
            ("python t.py --verbose HF_TOKEN=abcdefgh", 4, "hf-token"),
            ("spark-submit --conf spark.ssl.password=hunter2", 3, "spark.ssl.password"),
            ("spark-submit --conf=spark.ssl.password=hunter2", 2, "spark.ssl.password"),
            ("sbatch --export=ALL,HF_TOKEN=abcdefgh", 2, "hf-token"),
            ("sbatch --export ALL,HF_TOKEN='abcdefgh'", 3, "hf-token"),
            ("python t.py --password a=b", 4, "password"),
        ] {
            assert_eq!(suspected(line), [(position, Some(name.to_owned()))], "{line}");
            let name = name.to_uppercase().replace('-', "_");
            let (written, unused) = redact_command(&words(line), std::slice::from_ref(&name)).expect("it is named");
            assert_eq!(unused, Vec::<String>::new(), "{line}");
            assert!(written[position - 1].ends_with(REDACTED), "{written:?}");
            assert!(!written.join(" ").contains(line.rsplit('=').next().expect("a value")), "{written:?}");
        }
        let line = words("sbatch --export ALL,A=1,HF_TOKEN=abcdefgh,B=2 --lr=0.1 x=y");
        let (written, _) = redact_command(&line, &["hf_token".to_owned()]).expect("it is named");
        assert_eq!(written.join(" "), "sbatch --export ALL,A=1,HF_TOKEN=[redacted] --lr=0.1 x=y");
        assert!(is_secret(Some("launch"), "ALL,HF_TOKEN=abcdefgh"));
        assert!(!is_secret(Some("launch"), "lr=0.1,tokenizer=bert,max_tokens=512"));
    }

    #[test]
    fn what_training_commands_have_is_no_secret() {
        for line in [
            "python train.py --lr 0.1 --tokenizer bert --max-tokens 4096 --pad_token [PAD]",
            "torchrun --nproc-per-node 2 train.py --mask-token=<mask> --key-dim 64 --num_key_value_heads 8",
            "python -m trainer --token-type bpe --use-auth-token true --auth-key-file ./key",
            "python t.py --secret-file /run/secrets/x --password $PASSWORD --author me",
            "python t.py sk-learn-experiments-of-the-year --data hf://datasets/a/b",
            "python t.py --hub_token --push",
            "python t.py https://host/sk-learn-experiments-of-the-year-2026",
            "python t.py https://data.example/d?version=2&signed=true sig=x --ratio 3?sig=1",
            "python t.py --max-tokens 512 --num_tokens 1000000 --tokenizer bert-base --pad-token-id 0 --token-type word",
            "python t.py --key-value store --max_new_tokens=128 --tokens-per-sample 512 --token-dropout 0.1 --tokens 20B",
            "python t.py --eos-token </s> --bos_token=bos --image-token <image> --user-token <|user|> --cls_token CLS",
            "python t.py --tokenizer.pad_token=pad --padToken pad --masktoken m --special-tokens a,b --next-token-loss 1",
            "python t.py --sort-key length --text_key text --image-key jpg --primary-key id --key-padding mask",
            "python t.py --password-file pw.txt --token-file tok.txt --secret-name training --credential-provider env",
            "python t.py --data s3://bucket/secret-project/epoch=3/lr=0.1 --image registry/my-secret:latest --passes 3",
            "python t.py --monitor val/next_token:accuracy --patch-size 16 --author me --keys a,b --auth none",
            "env TOKENIZERS_PARALLELISM=false CUBLAS_WORKSPACE_CONFIG=:4096:8 PYTHONHASHSEED=0 python t.py",
            "sh -c HF_TOKEN=$HF_TOKEN;python --hub_token;python --password $(cat --api-key ${KEY}",
        ] {
            assert_eq!(suspected(line), [], "{line}");
        }
    }

    #[test]
    fn secrets_are_seen_in_shell_lines_headers_and_documents() {
        for (word, written) in [
            ("export HF_TOKEN=abcdefgh; ./fake", "export HF_TOKEN=[redacted]"),
            ("cd x && ./fake --password hunter2", "cd x && ./fake --password [redacted]"),
            ("./fake --password 'hunter2 and more'", "./fake --password '[redacted]"),
            ("HF_TOKEN='ab cd' ./fake", "HF_TOKEN=[redacted]"),
            ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer [redacted]"),
            ("authorization:Basic dXNlcjpwdw==", "authorization:Basic [redacted]"),
            ("X-Api-Key: abcdefgh", "X-Api-Key: [redacted]"),
            ("PRIVATE-TOKEN:abcdefgh", "PRIVATE-TOKEN:[redacted]"),
            (r#"{"lr": 0.1, "api_key": "abcdefgh"}"#, r#"{"lr": 0.1, "api_key": "[redacted]"#),
            (r#"{\"api_key\": \"abcdefgh\"}"#, r#"{\"api_key\": \"[redacted]"#),
            (r#"["--password","hunter2"]"#, r#"["--password","[redacted]"#),
            ("password = 'hunter2'", "password = '[redacted]"),
            (
                "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=abcdEFGH12345==",
                "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=[redacted]",
            ),
            ("https://gitlab.example/f?private_token=abcdefgh", "https://gitlab.example/f?private_token=[redacted]"),
            ("postgresql://h/db?password=hunter2", "postgresql://h/db?password=[redacted]"),
        ] {
            let command = ["sh", "-c", word].map(str::to_owned);
            let suspected = redact_command(&command, &[]).expect_err(word);
            assert_eq!((suspected.len(), suspected[0].position), (1, 3), "{word}");
            let name = suspected[0].name.clone().expect("a name");
            let (redacted, unused) = redact_command(&command, &[name]).expect("it is named");
            assert_eq!((redacted[2].as_str(), unused.len()), (written, 0));
            assert!(is_secret(None, word) && !is_secret(None, written), "{word}");
        }
    }

    #[test]
    fn a_secret_has_many_names() {
        let base64 = "/abcdEFGH1234abcdEFGH1234abcdEFGH1234abcd";
        for (name, value) in [
            ("PGPASSWORD", "hunter2"),
            ("MYSQL_PWD", "hunter2"),
            ("DB_PASS", "hunter2"),
            ("authToken", "abcdefgh"),
            ("hfToken", "abcdefgh"),
            ("HFToken", "abcdefgh"),
            ("hftoken", "abcdefgh"),
            ("mlflow-tracking-token", "abcdefgh"),
            ("vault-token", "hvs.CAESIabcdefgh"),
            ("private_token", "abcdefgh"),
            ("clientSecret", "abcdefgh"),
            ("AccountKey", "abcdEFGH12345=="),
            ("SharedAccessKey", "abcdEFGH12345=="),
            ("accountkey", "abcdEFGH12345=="),
            ("passwd", "1234"),
            ("credentials", "abcdefgh"),
            ("aws-secret-access-key", base64),
            ("password", "$2y$10$abcdefgh"),
            ("password", "~hunter2"),
        ] {
            assert!(is_secret(Some(name), value), "{name}");
            let line = ["t", &format!("--{name}"), value].map(str::to_owned);
            assert_eq!(redact_command(&line, &[]).expect_err(name)[0].position, 3, "{name}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!is_secret(Some("password"), &folder.path().display().to_string()), "a path");
        assert!(is_secret(Some("password"), &folder.path().join("none").display().to_string()), "no path");
        assert!(!is_secret(Some("data"), base64));
    }

    proptest::proptest! {
        #[test]
        fn what_follows_a_name_that_is_left_out_is_not_written(
            before in "[-a-zA-Z=:,;'\"{ \\\\é/@]{0,24}", between in "(=|: |=\"|: \"| )", after in "\\PC{0,24}"
        ) {
            let word = format!("{before} --my-name{between}SECRETWORD{after}");
            let (written, unused) = redact_command(&["t".to_owned(), "x".to_owned(), word], &["MY_NAME".to_owned()])
                .unwrap_or_default();
            proptest::prop_assert!(unused.is_empty() && !written.concat().contains("SECRETWORD"), "{written:?}");
        }
    }

    #[test]
    fn what_is_named_is_left_out() {
        let line = words("python t.py --api-key k123456 --password=hunter22 last-secret HF_TOKEN=abcdefgh");
        let redact: Vec<String> = ["api_key", "--password", "6", "HF_TOKEN", "other"].map(str::to_owned).to_vec();
        let (written, unused) = redact_command(&line, &redact).expect("each is named");
        assert_eq!(
            written.join(" "),
            "python t.py --api-key [redacted] --password=[redacted] [redacted] HF_TOKEN=[redacted]"
        );
        assert_eq!(unused, ["other"]);
        assert!(redact_command(&line, &redact[..2]).is_err(), "HF_TOKEN is not named");
    }

    #[test]
    fn users_are_no_part_of_a_url() {
        for (text, expected) in [
            ("https://u:p@host/path", "https://host/path"),
            ("git+https://token@host", "git+https://host"),
            ("a https://u@h b ssh://g@h/p@1", "a https://h b ssh://h/p@1"),
            ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
            ("https://a@b@host/", "https://host/"),
            ("https://", "https://"),
            ("user@host", "user@host"),
            ("https://user:p/w@host/a.git", "https://host/a.git"),
            ("--a=https://user:pa/s?s#w@host/r.git b@c", "--a=https://host/r.git b@c"),
            ("https://user:p@ss/word@host.example/r", "https://host.example/r"),
            ("https://u:p@host.example/pkg@1.2", "https://host.example/pkg@1.2"),
            ("https://host:8080/a@b", "https://host:8080/a@b"),
            ("https://u:p@localhost:80/a@b", "https://localhost:80/a@b"),
            ("http://[::1]/a@b", "http://[::1]/a@b"),
            ("docker://alpine:3@sha256:00", "docker://alpine:3@sha256:00"),
            ("https://u:p/w@host/x https://u:p/w@host/y", "https://host/x https://host/y"),
        ] {
            assert_eq!(without_user(text), expected);
        }
        let (written, _) = redact_command(&words("python t.py --data=https://u:p@h/d"), &[]).expect("no secret");
        assert_eq!(written[2], "--data=https://h/d");
    }
}
