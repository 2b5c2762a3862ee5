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

/// How many names of the same content are looked at.
const MAX_NAMES: usize = 64;

/// What is verified.
#[derive(Clone, Debug)]
pub enum Artifact {
    /// A file, or something that is known by its digests alone.
    Digests(ArtifactDigests),
    /// A model that is a directory.
    Model(ModelDigests),
}

/// What is known of a file: its digests by algorithm, in lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        let (mut covered, mut uncovered, mut renamed) = (0, Vec::new(), Vec::new());
        let mut algorithms: Option<BTreeSet<String>> = None;
        for (path, digests) in &self.files {
            match index.found(digests) {
                None => uncovered.push(path.clone()),
                Some((names, named)) => {
                    covered += 1;
                    match &mut algorithms {
                        Some(algorithms) => algorithms.retain(|algorithm| named.contains(algorithm.as_str())),
                        None => algorithms = Some(named.into_iter().map(str::to_owned).collect()),
                    }
                    // Of files that are all the same the provenance may list a million.
                    let is_called = |name: &&str| is_called(name, path);
                    if !names.contains(path.as_str()) && !names.iter().take(MAX_NAMES).any(is_called) {
                        renamed.push(path.clone());
                    }
                }
            }
        }
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

    /// The names of the subjects that a file is, if it is one, and the algorithms of their digests.
    fn found(&self, file: &ArtifactDigests) -> Option<(HashSet<&'a str>, HashSet<&'a str>)> {
        let (mut names, mut algorithms) = (HashSet::new(), HashSet::new());
        let same = file.0.iter().filter_map(|(algorithm, hex)| self.0.get(&(algorithm.as_str(), hex.as_str())));
        for subject in same.flatten().filter(|subject| file.fit(&subject.digest)) {
            names.insert(subject.name.as_str());
            algorithms.extend(subject.digest.keys().map(String::as_str));
        }
        (!names.is_empty()).then_some((names, algorithms))
    }
}

/// Whether a subject's name is the path, perhaps in a folder (`dist/model/config.json`).
fn is_called(name: &str, path: &str) -> bool {
    name.strip_suffix(path).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
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
        let all = [of("dist/a", b"1"), of("b/c", b"2"), of("other", b"3"), of("more", b"4")];
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
    fn a_line_break_in_a_name_leaves_no_directory_hash() {
        let model = model(&[("a\nb", b"1")]);
        assert!(!model.whole().contains_key("dirHash"));
        let root = model.whole()["sha256"].clone();
        let subject = subject("m", &[("sha256", &root), ("dirHash", &root)]);
        assert!(matches!(model.find(&[subject], Coverage::Whole), Ok(Match::Directory { binds_names: false, .. })));
    }
}
