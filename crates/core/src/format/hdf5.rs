//! HDF5, and what Keras keeps in it.
//!
//! All groups and the places of all datasets are read, so that what reaches into other files is found; of attributes, those
//! of the root alone. No data of a dataset is.

mod dense;
mod group;
mod object;
mod structure;

use std::collections::HashSet;

use super::bytes::{Bytes, Stop};
use super::cursor::{shown, until};
use super::{Format, Recognition, keras_config};

use group::{Link, Target};
use object::{Attribute, Object};
use structure::File;

/// More groups and datasets than any model has.
const MOST_OBJECTS: usize = 1 << 18;
/// The most problems that are told.
const MOST_PROBLEMS: usize = 32;

/// Looks for the magic bytes where HDF5 allows them, then walks from the root.
pub(super) fn read(bytes: &Bytes) -> Result<Option<Recognition>, Stop> {
    let Some(superblock) = structure::find(bytes)? else { return Ok(None) };
    let mut found = Recognition { format: Some(Format::Hdf5), ..Recognition::default() };
    let outcome = File::open(bytes, superblock, &mut found).and_then(|(file, root)| walk(&file, root, &mut found));
    until(found, outcome)
}

fn walk(file: &File, root: u64, found: &mut Recognition) -> Result<(), Stop> {
    let object = Object::read(file, root)?;
    let attributes = object.attributes(file, found)?;
    let mut tree = Tree { seen: HashSet::from([root]), ..Tree::default() };
    let outcome = tree.descend(file, &object, found);
    // What Keras says of itself is worth reading even if the tree is broken.
    found.format = Some(if attributes.iter().any(|attribute| attribute.name == b"model_config") {
        Format::Hdf5KerasModel
    } else if tree.is_keras_3() || attributes.iter().any(|attribute| attribute.name.starts_with(b"layer_names")) {
        Format::Hdf5KerasWeights
    } else {
        Format::Hdf5
    });
    for (name, detail) in [("keras_version", "Keras version"), ("backend", "backend")] {
        if let Some(value) = text(&attributes, name, found) {
            found.details.push((detail, shown(&value)));
        }
    }
    found.details.push(("groups", tree.groups.to_string()));
    found.details.push(("datasets", tree.datasets.to_string()));
    for name in ["model_config", "training_config"] {
        let Some(value) = text(&attributes, name, found) else { continue };
        match keras_config::read(&value) {
            Ok(config) => {
                if let (Some(class), "model_config") = (config.class_name, name) {
                    found.details.push(("class", class));
                }
                found.code.extend(config.code);
            }
            Err(Stop::Malformed(problem)) => found.problems.push(format!("`{name}`: {problem}")),
            Err(stop @ Stop::Read(_)) => return Err(stop),
        }
    }
    outcome
}

/// The text of an attribute. One that is something else, or stands twice, is a problem.
fn text(attributes: &[Attribute], name: &str, found: &mut Recognition) -> Option<Vec<u8>> {
    let mut of_that_name = attributes.iter().filter(|attribute| attribute.name == name.as_bytes());
    let attribute = of_that_name.next()?;
    if of_that_name.next().is_some() {
        found.problems.push(format!("the attribute `{name}` stands twice"));
    }
    if attribute.text.is_none() {
        found.problems.push(format!("the attribute `{name}` is not a text"));
    }
    attribute.text.clone()
}

/// What was met on the way through a file.
#[derive(Default)]
struct Tree {
    seen: HashSet<u64>,
    groups: u64,
    datasets: u64,
    /// Names of the root's members that Keras 3 uses.
    has_layers: bool,
    has_variables: bool,
    /// How many members of groups are called `vars`: each layer of Keras 3 has one.
    variables: u64,
}

impl Tree {
    const fn is_keras_3(&self) -> bool {
        self.has_layers && self.variables > 0 || self.has_variables && self.variables > 1
    }

    fn descend(&mut self, file: &File, root: &Object, found: &mut Recognition) -> Result<(), Stop> {
        self.groups += 1;
        let mut next = root.links(file)?;
        for link in &next {
            self.has_layers |= matches!(&link.name[..], b"layers" | b"_layer_checkpoint_dependencies");
            self.has_variables |= link.name == b"vars";
        }
        while let Some(Link { name, target }) = next.pop() {
            self.variables += u64::from(name == b"vars");
            let address = match target {
                Target::Here(address) => address,
                Target::ByName => continue,
                Target::File(other) => {
                    let name = shown(&name);
                    found.problems.push(format!("`{name}` is a link into the file `{}`", shown(&other)));
                    bounded(found)?;
                    continue;
                }
                Target::Foreign(kind) => {
                    found.problems.push(format!("`{}` is a link of kind {kind}, which is not of HDF5", shown(&name)));
                    bounded(found)?;
                    continue;
                }
            };
            if !self.seen.insert(address) {
                continue;
            }
            if self.seen.len() > MOST_OBJECTS {
                return Err(Stop::malformed(format!("more than {MOST_OBJECTS} groups and datasets")));
            }
            let object = Object::read(file, address)?;
            if object.is_group() {
                self.groups += 1;
                next.extend(object.links(file)?);
            } else {
                self.datasets += u64::from(object.is_dataset());
                object.other_files(file, &shown(&name), found)?;
            }
            bounded(found)?;
        }
        Ok(())
    }
}

fn bounded(found: &Recognition) -> Result<(), Stop> {
    if found.problems.len() > MOST_PROBLEMS {
        Err(Stop::malformed("there are more problems than these"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::CodeOnLoad;
    use super::super::cursor::testing::{is_never_whole_when_cut, look, problem, withstands_damage};
    use super::*;

    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../../../testdata/formats/", $name)).as_slice()
        };
    }

    const MODEL: &[u8] = file!("keras_hdf5_model.h5");
    const PLAIN: &[u8] = file!("hdf5_plain.h5");
    const LATEST: &[u8] = file!("hdf5_latest.h5");
    const LINK: &[u8] = file!("hdf5_external_link.h5");
    const STORAGE: &[u8] = file!("hdf5_external_storage.h5");
    const DENSE: &[u8] = file!("hdf5_dense.h5");

    /// The file with `from`, which it has once, replaced.
    fn altered(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let places = file.windows(from.len()).enumerate().filter(|(_, bytes)| *bytes == from).map(|(place, _)| place);
        let places = places.collect::<Vec<_>>();
        let [place] = places[..] else { panic!("{places:?}") };
        [&file[..place], to, &file[place + from.len()..]].concat()
    }

    /// Where the message of `model_config` has its type.
    fn model_config_type(file: &[u8]) -> usize {
        let name = b"model_config\0\0\0\0";
        file.windows(name.len()).position(|bytes| bytes == name).expect("it is there") + name.len()
    }

    #[test]
    fn what_keras_wrote_is_told_apart() {
        let (model, weights) = (Format::Hdf5KerasModel, Format::Hdf5KerasWeights);
        for (bytes, format, version) in [
            (MODEL, model, Some("3.15.1")),
            (file!("keras_hdf5_compiled.h5"), model, Some("3.15.1")),
            (file!("tf_keras_hdf5_model.h5"), model, Some("2.21.0")),
            (file!("keras_hdf5.weights.h5"), weights, None),
            (file!("tf_keras_hdf5_weights.h5"), weights, Some("2.21.0")),
            (PLAIN, Format::Hdf5, None),
            (LATEST, Format::Hdf5, None),
        ] {
            let found = look(read, bytes).expect("HDF5");
            assert_eq!((found.format, &found.code[..], &found.problems[..]), (Some(format), &[][..], &[][..]));
            let told = found.details.iter().find(|(name, _)| *name == "Keras version").map(|(_, value)| &**value);
            assert_eq!(told, version);
        }
        let class = ("class", "Sequential".to_owned());
        assert!(look(read, MODEL).expect("HDF5").details.contains(&class));
    }

    #[test]
    fn lambda_layers_are_named() {
        let found = look(read, file!("keras_hdf5_lambda.h5")).expect("HDF5");
        assert_eq!(found.code, [CodeOnLoad::LambdaLayer("doubles".to_owned())]);
    }

    #[test]
    fn members_are_found_in_trees_of_several_nodes_and_behind_a_user_block() {
        for (bytes, groups, datasets) in [
            (file!("hdf5_many_members.h5"), "25", "0"),
            (file!("hdf5_user_block.h5"), "1", "1"),
            (PLAIN, "2", "1"),
            (LATEST, "2", "1"),
        ] {
            let found = look(read, bytes).expect("HDF5");
            assert!(found.details.contains(&("groups", groups.to_owned())), "{found:?}");
            assert!(found.details.contains(&("datasets", datasets.to_owned())), "{found:?}");
            assert_eq!(found.problems, [""; 0]);
        }
    }

    #[test]
    fn members_and_attributes_in_dense_storage_are_found() {
        let found = look(read, DENSE).expect("HDF5");
        assert_eq!((found.format, &found.problems[..]), (Some(Format::Hdf5KerasModel), &[][..]));
        assert_eq!(found.code, [CodeOnLoad::LambdaLayer("hidden".to_owned())]);
        assert!(found.details.contains(&("datasets", "12".to_owned())), "{found:?}");
    }

    #[test]
    fn damage_to_dense_storage_is_noticed() {
        let places = |signature: &[u8]| {
            let found = DENSE.windows(4).enumerate().filter(|(_, bytes)| *bytes == signature).map(|(place, _)| place);
            found.collect::<Vec<_>>()
        };
        for (signature, offset, value, expected) in [
            (b"FRHP", 4, 1, "no FRHP"),
            (b"FRHP", 7, 1, "compressed were not read"),
            (b"FRHP", 110, 3, "sizes that no heap has"),
            (b"BTHD", 5, 9, "where one has to be"),
            (b"BTHD", 10, 1, "can't be one of members"),
            (b"BTHD", 13, 1, "can't be one of members"),
            (b"BTHD", 24, 0xff, "more bytes, and has"),
            (b"BTLF", 0, 0, "no BTLF"),
        ] {
            let mut bytes = DENSE.to_vec();
            let places = places(signature);
            assert!(places.len() >= 2, "of members and of attributes");
            for place in places {
                bytes[place + offset] = value;
            }
            let found = problem(read, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
        for signature in [b"FRHP", b"BTHD", b"BTLF", b"FHIB", b"FHDB"] {
            for place in places(signature) {
                let mut bytes = DENSE.to_vec();
                for place in place..(place + 160).min(bytes.len()) {
                    let before = bytes[place];
                    for value in [0, 0x80, 0xff, before.wrapping_add(1)] {
                        bytes[place] = value;
                        look(read, &bytes);
                    }
                    bytes[place] = before;
                }
            }
        }
    }

    #[test]
    fn a_group_that_is_its_own_member_is_read_once() {
        let found = look(read, file!("hdf5_cycle.h5")).expect("HDF5");
        assert!(found.details.contains(&("groups", "2".to_owned())) && found.problems.is_empty(), "{found:?}");
    }

    #[test]
    fn what_leads_to_other_files_is_a_problem() {
        for (bytes, expected) in [
            (LINK, "`values` is a link into the file `../elsewhere.h5`"),
            (STORAGE, "`values` has its data in the file `/etc/hostname`"),
            (file!("hdf5_virtual.h5"), "`values` is put together from other datasets, maybe of other files"),
        ] {
            assert_eq!(problem(read, bytes), expected);
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_noticed() {
        for bytes in [LINK, STORAGE, LATEST] {
            is_never_whole_when_cut(read, bytes);
        }
        withstands_damage(read, LINK);
        withstands_damage(read, STORAGE);
        withstands_damage(read, &LATEST[..1024]);
    }

    #[test]
    fn other_bytes_are_something_else() {
        assert_eq!(look(read, b""), None);
        assert_eq!(look(read, &[0; 5000]), None);
        let displaced = [&[0; 256], PLAIN].concat();
        assert_eq!(look(read, &displaced), None);
    }

    #[test]
    fn what_contradicts_itself_is_a_problem() {
        let configuration = br#"{"class_name": "Sequential""#;
        let mut version = PLAIN.to_vec();
        version[8] = 9;
        let mut sizes = PLAIN.to_vec();
        sizes[13] = 3;
        let mut driver = PLAIN.to_vec();
        driver[48] = 0;
        let compiled = file!("keras_hdf5_compiled.h5");
        let twice = altered(compiled, b"training_config\0", b"model_config\0\0\0\0");
        // Where the root's tree, heap and members are, by what they begin with.
        let at = |signature: &[u8]| PLAIN.windows(4).position(|bytes| bytes == signature).expect("it is there");
        let with = |places: &[(usize, &[u8])]| {
            let mut bytes = PLAIN.to_vec();
            for (place, value) in places {
                bytes[*place..*place + value.len()].copy_from_slice(value);
            }
            bytes
        };
        let (root_tree, huge) = (at(b"TREE"), (1_u64 << 60).to_le_bytes());
        let cycle = with(&[(root_tree + 5, &[1]), (root_tree + 32, &(root_tree as u64).to_le_bytes())]);
        let tree = with(&[(root_tree + 4, &[1])]);
        let heap = with(&[(at(b"HEAP") + 8, &huge)]);
        let name = with(&[(at(b"SNOD") + 8, &huge)]);
        let header = with(&[(at(b"SNOD") + 16, &0_u64.to_le_bytes())]);
        let mut number = MODEL.to_vec();
        number[model_config_type(MODEL)] = 0x10;
        let mut value = MODEL.to_vec();
        // After the type of texts of any length (24 bytes) and the shape (8).
        value[model_config_type(MODEL) + 32 + 3] = 1;
        for (bytes, expected) in [
            (version, "a superblock of version 9"),
            (sizes, "addresses of 3 bytes"),
            (driver, "one of several files"),
            (PLAIN[..PLAIN.len() - 1].to_vec(), "and says that it ends at"),
            (altered(MODEL, configuration, br#"["class_name": "Sequential""#), "`model_config`: the configuration"),
            (twice, "the attribute `model_config` stands twice"),
            (number, "the attribute `model_config` is not a text"),
            (cycle, "the tree of a group comes back to"),
            (tree, "the tree of a group has something else"),
            (heap, "1152921504606846976 bytes of names"),
            (name, "a name at 1152921504606846976 of a heap"),
            (value, "a value of 1"),
            (header, "there is no header of an object"),
        ] {
            let found = problem(read, &bytes);
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }
}
