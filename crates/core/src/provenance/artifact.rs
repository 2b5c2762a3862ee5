//! What provenance is about: a file, or a model that is a directory, by its digests.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256, SHA384, SHA512};
use model_hash::{HashAlgorithm, Stream};

use super::ProvenanceError;
use super::statement::Subject;
use crate::manifest::{Manifest, Serialization};

/// The algorithms that an artifact is hashed with (in-toto, *DigestSet*), and the digits of each in hex.
const ALGORITHMS: [(&str, usize); 5] =
    [("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake2b", 128), ("blake3", 64)];

/// The digest of a directory: SHA-256 over the SHA-256 of each file and its name (in-toto, *DigestSet*).
const DIR_HASH: &str = "dirHash";

/// How many folders are tried, that the files may have been in.
const MAX_FOLDERS: usize = 64;

/// What is verified.
#[derive(Clone, Debug)]
pub enum Artifact {
    /// A file, or something that is known by its digests alone.
    Digests(ArtifactDigests),
    /// A model that is a directory.
    Model(ModelDigests),
}

/// What is known of a file: its digests by algorithm, in lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ArtifactDigests(BTreeMap<String, String>);

/// What is known of a directory: its files, and the digests over all of them.
#[derive(Clone, Debug)]
pub struct ModelDigests {
    /// By path, in the order of paths.
    files: Vec<(String, ArtifactDigests)>,
    /// `sha256`: the OMS root digest (OMS §6.5.1), which does not bind names; `dirHash`, which does.
    whole: BTreeMap<String, String>,
}

/// How the subjects of a statement are the artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// This subject is the file.
    File(Subject),
    /// This subject is the directory.
    Directory {
        /// The subject.
        subject: Subject,
        /// Whether its digests bind the names of the files, or their content and order alone.
        binds_names: bool,
    },
    /// Subjects are the directory's files, each.
    Files {
        /// How many of the files are subjects.
        covered: usize,
        /// Files that are no subject: only where that was allowed.
        uncovered: Vec<String>,
        /// Files that are a subject by their content, and are called otherwise there.
        renamed: Vec<String>,
        /// The algorithms of which each of these files has a digest there.
        algorithms: BTreeSet<String>,
    },
}

/// Whether every file of a directory has to be a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// Every file.
    #[default]
    Whole,
    /// One file at least; the others are named.
    Partial,
}

impl Artifact {
    /// How `subjects` are this artifact.
    pub(super) fn find(&self, subjects: &[Subject], coverage: Coverage) -> Result<Match, ProvenanceError> {
        match self {
            Self::Digests(digests) => digests.find(subjects),
            Self::Model(model) => model.find(subjects, coverage),
        }
    }
}

/// The algorithms that `subjects` name and that can be computed here.
pub(super) fn named_algorithms(subjects: &[Subject]) -> BTreeSet<&'static str> {
    let names = |algorithm: &str| subjects.iter().any(|subject| subject.digest.contains_key(algorithm));
    ALGORITHMS.iter().map(|(algorithm, _)| *algorithm).filter(|algorithm| names(algorithm)).collect()
}

impl ArtifactDigests {
    /// Adds a digest in hex: `sha256`, `sha384`, `sha512`, `blake2b` (512 bits), `blake3`. Returns whether it is one.
    pub fn add(&mut self, algorithm: &str, hex: &str) -> bool {
        let known = ALGORITHMS.iter().find(|(known, _)| *known == algorithm);
        let is_hex =
            known.is_some_and(|(_, digits)| hex.len() == *digits) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex {
            self.0.insert(algorithm.to_owned(), hex.to_ascii_lowercase());
        }
        is_hex
    }

    /// Hashes what `reader` has, with SHA-256 and those of `algorithms` that are known.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn of(mut reader: impl Read, algorithms: &BTreeSet<&str>) -> io::Result<Self> {
        let mut hashers: Vec<(&str, Hasher)> = ALGORITHMS
            .iter()
            .filter(|(algorithm, _)| *algorithm == "sha256" || algorithms.contains(algorithm))
            .map(|(algorithm, _)| (*algorithm, Hasher::new(algorithm)))
            .collect();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hashers.iter_mut().for_each(|(_, hasher)| hasher.update(&buffer[..length]));
        }
        Ok(Self(hashers.into_iter().map(|(name, hasher)| (name.to_owned(), hasher.finish())).collect()))
    }

    /// The digests by algorithm.
    #[must_use]
    pub fn by_algorithm(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether at least one digest is known, and each that is known is the same. A directory's digest is no file's.
    fn fit(&self, digest: &BTreeMap<String, String>) -> bool {
        !digest.contains_key(DIR_HASH) && fit(&self.0, digest)
    }

    fn find(&self, subjects: &[Subject]) -> Result<Match, ProvenanceError> {
        let found = subjects.iter().find(|subject| self.fit(&subject.digest));
        found
            .cloned()
            .map(Match::File)
            .ok_or_else(|| ProvenanceError::Subject { expected: self.describe(), found: describe_subjects(subjects) })
    }

    /// `sha256:…`, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let preferred = self.0.get_key_value("sha256").or_else(|| self.0.iter().next());
        preferred.map_or_else(String::new, |(algorithm, hex)| format!("{algorithm}:{hex}"))
    }
}

/// Whether at least one digest is known, and each that is known is the same.
fn fit(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> bool {
    let mut known = theirs.iter().filter_map(|(algorithm, hex)| Some((ours.get(algorithm)?, hex))).peekable();
    known.peek().is_some() && known.all(|(ours, theirs)| ours == theirs)
}

enum Hasher {
    Sha2(Context),
    Other(Box<Stream>),
}

impl Hasher {
    fn new(algorithm: &str) -> Self {
        match algorithm {
            "sha384" => Self::Sha2(Context::new(&SHA384)),
            "sha512" => Self::Sha2(Context::new(&SHA512)),
            "blake2b" => Self::Other(Box::new(Stream::new(HashAlgorithm::Blake2b))),
            "blake3" => Self::Other(Box::new(Stream::new(HashAlgorithm::Blake3))),
            _ => Self::Sha2(Context::new(&SHA256)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha2(context) => context.update(bytes),
            Self::Other(stream) => stream.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha2(context) => hex(context.finish().as_ref()),
            Self::Other(stream) => stream.finish().to_hex(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ModelDigests {
    /// The digests of a directory of which `manifest` lists every file by its SHA-256; none for a manifest of another kind.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let parameters = manifest.parameters();
        if parameters.hash != HashAlgorithm::Sha256 || parameters.serialization != Serialization::Files {
            return None;
        }
        let digest = |hex: String| ArtifactDigests(BTreeMap::from([("sha256".to_owned(), hex)]));
        let mut files: Vec<(String, ArtifactDigests)> = manifest
            .resources()
            .iter()
            .map(|resource| (resource.name().to_owned(), digest(resource.digest().to_hex())))
            .collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut whole = BTreeMap::from([("sha256".to_owned(), manifest.root_digest().to_hex())]);
        whole.extend(dir_hash(&files).map(|hash| (DIR_HASH.to_owned(), hash)));
        Some(Self { files, whole })
    }

    /// The digests of the whole of a manifest of any kind, and nothing of its files. Of a kind that [`Self::of`] does not
    /// take that is the root digest alone.
    #[must_use]
    pub fn whole_of(manifest: &Manifest) -> Self {
        let root = || BTreeMap::from([("sha256".to_owned(), manifest.root_digest().to_hex())]);
        let whole = Self::of(manifest).map_or_else(root, |model| model.whole);
        Self { files: Vec::new(), whole }
    }

    /// The same directory with the root digest of a manifest of another kind.
    #[must_use]
    pub fn with_root_of(mut self, manifest: &Manifest) -> Self {
        self.whole.insert("sha256".to_owned(), manifest.root_digest().to_hex());
        self
    }

    /// The paths of the files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str())
    }

    /// Adds what else is known of a file.
    pub fn add(&mut self, path: &str, digests: ArtifactDigests) {
        if let Ok(index) = self.files.binary_search_by(|(known, _)| known.as_str().cmp(path)) {
            self.files[index].1.0.extend(digests.0);
        }
    }

    /// The digests of the whole: `sha256`, the OMS root digest, and `dirHash` unless a name has a line break.
    #[must_use]
    pub fn whole(&self) -> &BTreeMap<String, String> {
        &self.whole
    }

    fn find(&self, subjects: &[Subject], coverage: Coverage) -> Result<Match, ProvenanceError> {
        if let Some(subject) = subjects.iter().find(|subject| fit(&self.whole, &subject.digest)) {
            let binds_names = subject.digest.contains_key(DIR_HASH) && self.whole.contains_key(DIR_HASH);
            return Ok(Match::Directory { subject: subject.clone(), binds_names });
        }
        let index = Index::of(subjects);
        // Of files that are all the same the provenance may list a million.
        let mut known: HashMap<&ArtifactDigests, Option<Named<'_>>> = HashMap::new();
        for (_, digests) in &self.files {
            known.entry(digests).or_insert_with(|| index.found(digests));
        }
        let (mut found, mut uncovered) = (Vec::new(), Vec::new());
        let mut algorithms: Option<BTreeSet<String>> = None;
        for (path, digests) in &self.files {
            match known.get(digests).and_then(Option::as_ref) {
                None => uncovered.push(path.clone()),
                Some(named) => {
                    match &mut algorithms {
                        Some(algorithms) => {
                            algorithms.retain(|algorithm| named.algorithms.contains(algorithm.as_str()));
                        }
                        None => algorithms = Some(named.algorithms.iter().map(|name| (*name).to_owned()).collect()),
                    }
                    found.push((path.as_str(), &named.names));
                }
            }
        }
        let (covered, renamed) = (found.len(), renamed(&found));
        if covered == 0 {
            let root = self.whole.get("sha256").map_or("", String::as_str);
            return Err(ProvenanceError::Subject {
                expected: format!("the root digest sha256:{root}, or of each file"),
                found: describe_subjects(subjects),
            });
        }
        if !uncovered.is_empty() && coverage == Coverage::Whole {
            return Err(ProvenanceError::Uncovered { covered, uncovered });
        }
        Ok(Match::Files { covered, uncovered, renamed, algorithms: algorithms.unwrap_or_default() })
    }
}

/// Subjects by their digests: a model has many files, and provenance many subjects.
struct Index<'a>(HashMap<(&'a str, &'a str), Vec<&'a Subject>>);

/// The names of the subjects that a file is, and the algorithms of their digests.
struct Named<'a> {
    names: BTreeSet<&'a str>,
    algorithms: BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    fn of(subjects: &'a [Subject]) -> Self {
        let mut index: HashMap<_, Vec<&Subject>> = HashMap::new();
        for subject in subjects {
            for (algorithm, hex) in &subject.digest {
                index.entry((algorithm.as_str(), hex.as_str())).or_default().push(subject);
            }
        }
        Self(index)
    }

    /// What the subjects say that a file is, if it is one.
    fn found(&self, file: &ArtifactDigests) -> Option<Named<'a>> {
        let mut named = Named { names: BTreeSet::new(), algorithms: BTreeSet::new() };
        let same = file.0.iter().filter_map(|(algorithm, hex)| self.0.get(&(algorithm.as_str(), hex.as_str())));
        for subject in same.flatten().filter(|subject| file.fit(&subject.digest)) {
            named.names.insert(subject.name.as_str());
            named.algorithms.extend(subject.digest.keys().map(String::as_str));
        }
        (!named.names.is_empty()).then_some(named)
    }
}

/// The files that are called otherwise in the provenance, given the names of the subjects that each is.
///
/// There they may have been in a folder (`dist/model/config.json`), all in the same one: of two models in two folders
/// the provenance says nothing of a mixture.
fn renamed(found: &[(&str, &BTreeSet<&str>)]) -> Vec<String> {
    let is_folder = |folder: &&str| folder.is_empty() || folder.ends_with('/');
    let folders_of = |(path, names): &(&str, &BTreeSet<&'_ str>)| {
        names.iter().filter_map(|name| name.strip_suffix(path)).filter(is_folder).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut folders = BTreeSet::from([String::new()]);
    let mut seen = HashSet::new();
    for one in found {
        if folders.len() < MAX_FOLDERS && seen.insert(std::ptr::from_ref(one.1)) {
            folders.extend(folders_of(one).into_iter().take(MAX_FOLDERS - folders.len()));
        }
    }
    let others = |folder: &String| {
        let is_other = |(path, names): &&(&str, &BTreeSet<&str>)| !names.contains(format!("{folder}{path}").as_str());
        found.iter().filter(is_other).map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>()
    };
    folders.iter().map(others).min_by_key(Vec::len).unwrap_or_default()
}

/// The digest of a directory's files and names. With a line break in a name there is none, since a line is a file.
fn dir_hash(files: &[(String, ArtifactDigests)]) -> Option<String> {
    let mut context = Context::new(&SHA256);
    for (path, digests) in files {
        if path.contains(['\n', '\r']) {
            return None;
        }
        context.update(format!("{}  {path}\n", digests.0.get("sha256")?).as_bytes());
    }
    Some(hex(context.finish().as_ref()))
}

/// The subjects, for people: the first few.
fn describe_subjects(subjects: &[Subject]) -> String {
    let digests = subjects.iter().flat_map(|subject| &subject.digest);
    let shown: Vec<String> = digests.take(4).map(|(algorithm, hex)| format!("{algorithm}:{hex}")).collect();
    let more = subjects.len().saturating_sub(4);
    if shown.is_empty() {
        return "none".to_owned();
    }
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Parameters, Resource};
    use crate::model::{ModelPath, SymlinkPolicy};

    fn digest(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(algorithm, hex)| ((*algorithm).to_owned(), (*hex).to_owned())).collect()
    }

    fn subject(name: &str, pairs: &[(&str, &str)]) -> Subject {
        Subject { name: name.to_owned(), digest: digest(pairs) }
    }

    fn sha256(content: &[u8]) -> String {
        HashAlgorithm::Sha256.digest(content).to_hex()
    }

    fn model(files: &[(&str, &[u8])]) -> ModelDigests {
        let resource = |(path, content): &(&str, &[u8])| {
            Resource::file(&ModelPath::parse(path).expect("valid"), HashAlgorithm::Sha256.digest(content))
        };
        let manifest =
            Manifest::new(files.iter().map(resource).collect(), Parameters::new(SymlinkPolicy::Deny)).expect("valid");
        ModelDigests::of(&manifest).expect("by files, with SHA-256")
    }

    #[test]
    fn every_digest_that_is_known_has_to_be_the_same() {
        let mut artifact = ArtifactDigests::default();
        assert!(artifact.add("sha256", &"A".repeat(64)) && artifact.add("sha512", &"b".repeat(128)));
        let (a, b) = ("a".repeat(64), "b".repeat(128));
        assert!(artifact.fit(&digest(&[("sha256", &a)])));
        assert!(artifact.fit(&digest(&[("sha256", &a), ("sha512", &b), ("gitCommit", "x")])));
        for other in [
            vec![],
            vec![("gitCommit", "x")],
            vec![("sha256", b.as_str())],
            vec![("sha256", &a), ("sha512", &a)],
            vec![("sha256", &a), ("dirHash", &a)],
        ] {
            assert!(!artifact.fit(&digest(&other)), "{other:?}");
        }
        assert!(!artifact.add("sha1", &"a".repeat(40)) && !artifact.add("sha256", &"g".repeat(64)));
    }

    #[test]
    fn a_file_is_hashed_with_what_is_asked_for() {
        let all = BTreeSet::from(["sha384", "sha512", "blake2b", "blake3", "sha1"]);
        let digests = ArtifactDigests::of(&b"abc"[..], &all).expect("readable");
        let lengths: Vec<(&str, usize)> =
            digests.by_algorithm().iter().map(|(algorithm, hex)| (algorithm.as_str(), hex.len())).collect();
        assert_eq!(lengths, [("blake2b", 128), ("blake3", 64), ("sha256", 64), ("sha384", 96), ("sha512", 128)]);
        // FIPS 180-4 and RFC 7693 have these as examples.
        assert!(digests.by_algorithm()["sha256"].starts_with("ba7816bf"));
        assert!(digests.by_algorithm()["sha384"].starts_with("cb00753f"));
        assert!(digests.by_algorithm()["sha512"].starts_with("ddaf35a1"));
        assert!(digests.by_algorithm()["blake2b"].starts_with("ba80a53f"));
        let only = ArtifactDigests::of(&b"abc"[..], &BTreeSet::new()).expect("readable");
        assert_eq!(only.by_algorithm().len(), 1);
    }

    #[test]
    fn a_directory_is_its_root_digest_or_its_directory_hash() {
        let model = model(&[("b/c", b"2"), ("a", b"1")]);
        let listing = format!("{}  a\n{}  b/c\n", sha256(b"1"), sha256(b"2"));
        let (root, dir_hash) = (model.whole()["sha256"].clone(), sha256(listing.as_bytes()));
        assert_eq!(model.whole()["dirHash"], dir_hash);
        let found = |pairs: &[(&str, &str)]| model.find(&[subject("m", pairs)], Coverage::Whole);
        assert!(matches!(found(&[("sha256", &root)]), Ok(Match::Directory { binds_names: false, .. })));
        assert!(matches!(found(&[("dirHash", &dir_hash)]), Ok(Match::Directory { binds_names: true, .. })));
        let both = [("sha256", root.as_str()), ("dirHash", &dir_hash)];
        assert!(matches!(found(&both), Ok(Match::Directory { binds_names: true, .. })));
        for other in [[("sha256", root.as_str()), ("dirHash", &root)], [("sha256", &dir_hash), ("dirHash", &dir_hash)]]
        {
            assert!(matches!(found(&other), Err(ProvenanceError::Subject { .. })), "{other:?}");
        }
    }

    #[test]
    fn a_root_digest_is_no_files_digest_and_a_files_no_directorys() {
        let one = model(&[("a", b"1")]);
        let file = ArtifactDigests::of(&b"1"[..], &BTreeSet::new()).expect("readable");
        let root = one.whole()["sha256"].clone();
        assert_ne!(file.by_algorithm()["sha256"], root);
        assert!(file.find(&[subject("m", &[("sha256", &root)])]).is_err());
        // What a directory's subject has is of no file, even if its digest were the same.
        let directory = subject("m", &[("sha256", &sha256(b"1")), ("dirHash", &one.whole()["dirHash"])]);
        assert!(file.find(std::slice::from_ref(&directory)).is_err());
        assert!(one.find(&[directory], Coverage::Partial).is_err());
    }

    #[test]
    fn every_file_of_a_directory_has_to_be_a_subject() {
        let model = model(&[("a", b"1"), ("b/c", b"2"), ("d", b"3")]);
        let of = |name, content: &[u8]| subject(name, &[("sha256", &sha256(content))]);
        let all = [of("dist/a", b"1"), of("dist/b/c", b"2"), of("other", b"3"), of("more", b"4")];
        let found = model.find(&all, Coverage::Whole).expect("covered");
        let (renamed, algorithms) = (vec!["d".to_owned()], BTreeSet::from(["sha256".to_owned()]));
        assert_eq!(found, Match::Files { covered: 3, uncovered: vec![], renamed, algorithms });
        let error = model.find(&all[..1], Coverage::Whole).expect_err("two are missing");
        assert!(matches!(&error, ProvenanceError::Uncovered { covered: 1, uncovered } if uncovered == &["b/c", "d"]));
        let found = model.find(&all[..1], Coverage::Partial).expect("allowed");
        assert!(matches!(found, Match::Files { covered: 1, uncovered, .. } if uncovered == ["b/c", "d"]));
        let nothing = model.find(&all[3..], Coverage::Partial);
        assert!(matches!(nothing, Err(ProvenanceError::Subject { .. })));
    }

    #[test]
    fn names_are_those_of_one_folder() {
        let of = |name, content: &[u8]| subject(name, &[("sha256", &sha256(content))]);
        let both = [of("new/a", b"1"), of("new/b", b"2"), of("old/a", b"3"), of("old/b", b"4")];
        let renamed = |files: &[(&str, &[u8])]| match model(files).find(&both, Coverage::Whole) {
            Ok(Match::Files { renamed, .. }) => renamed,
            other => panic!("{other:?}"),
        };
        assert!(renamed(&[("a", b"1"), ("b", b"2")]).is_empty());
        assert!(renamed(&[("a", b"3"), ("b", b"4")]).is_empty());
        assert!(renamed(&[("new/a", b"1"), ("old/b", b"4")]).is_empty());
        assert_eq!(renamed(&[("a", b"1"), ("b", b"4")]), ["b"]);
        assert_eq!(renamed(&[("a", b"2"), ("b", b"1")]), ["a", "b"]);
    }

    #[test]
    fn many_files_that_are_the_same_are_looked_up_once() {
        let names: Vec<String> = (0..3_000).map(|index| format!("f{index}")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let subjects: Vec<Subject> =
            (0..30_000).map(|index| subject(&format!("s{index}/x"), &[("sha256", &sha256(b""))])).collect();
        let found = model(&files).find(&subjects, Coverage::Whole).expect("covered");
        assert!(matches!(found, Match::Files { covered: 3_000, renamed, .. } if renamed.len() == 3_000));
    }

    #[test]
    fn a_line_break_in_a_name_leaves_no_directory_hash() {
        let model = model(&[("a\nb", b"1")]);
        assert!(!model.whole().contains_key("dirHash"));
        let root = model.whole()["sha256"].clone();
        let subject = subject("m", &[("sha256", &root), ("dirHash", &root)]);
        assert!(matches!(model.find(&[subject], Coverage::Whole), Ok(Match::Directory { binds_names: false, .. })));
    }
}
