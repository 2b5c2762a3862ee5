//! What variables such as `CUDA_VISIBLE_DEVICES` leave of a list of devices.

/// Which devices a variable leaves, by their places in the list. `None` for a variable that is not set leaves all.
///
/// A word is a place in the list or the start of a device's name (`GPU-…`), as `is_named` tells. From the first word that
/// is neither on, nothing counts.
pub(super) fn visible(variable: Option<&str>, count: usize, is_named: impl Fn(usize, &str) -> bool) -> Vec<usize> {
    let Some(variable) = variable else { return (0..count).collect() };
    let mut left = Vec::new();
    for word in variable.split(',').map(str::trim) {
        let device = match word.parse::<usize>() {
            Ok(place) => Some(place).filter(|&place| place < count),
            Err(_) if word.is_empty() => None,
            Err(_) => (0..count).find(|&place| is_named(place, word)),
        };
        match device {
            // A device that is named twice is an error for CUDA, and it shows none.
            Some(device) if left.contains(&device) => return Vec::new(),
            Some(device) => left.push(device),
            None => break,
        }
    }
    left
}

/// Whether a variable says places in a list, rather than names.
#[cfg(any(target_os = "linux", windows))]
pub(super) fn has_places(variable: Option<&str>) -> bool {
    variable.is_some_and(|variable| variable.split(',').any(|word| word.trim().parse::<usize>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["GPU-aa11", "GPU-bb22", "GPU-bb33"];

    fn left(variable: &str) -> Vec<usize> {
        visible(Some(variable), NAMES.len(), |place, word| NAMES[place].starts_with(word))
    }

    #[test]
    fn a_variable_that_is_not_set_leaves_all() {
        assert_eq!(visible(None, 3, |_, _| false), [0, 1, 2]);
    }

    #[test]
    fn devices_are_named_by_place_or_by_the_start_of_their_names() {
        assert_eq!(left("2,0"), [2, 0]);
        assert_eq!(left(" 1 , GPU-aa"), [1, 0]);
        assert_eq!(left("GPU-bb33"), [2]);
    }

    #[test]
    fn nothing_counts_after_what_is_no_device() {
        assert_eq!(left("0,-1,1"), [0]);
        assert_eq!(left("0,3,1"), [0]);
        assert_eq!(left("GPU-cc,0"), Vec::<usize>::new());
        for none in ["", "-1", "none", "NoDevFiles", ",0", "99999999999999999999"] {
            assert_eq!(left(none), Vec::<usize>::new(), "{none}");
        }
    }

    #[test]
    fn a_device_that_is_named_twice_leaves_none() {
        assert_eq!(left("0,1,0"), Vec::<usize>::new());
    }

    #[cfg(any(target_os = "linux", windows))]
    #[test]
    fn places_are_told_from_names() {
        assert!(has_places(Some("GPU-aa, 1")));
        assert!(!has_places(Some("GPU-aa,-1,")) && !has_places(None));
    }
}
