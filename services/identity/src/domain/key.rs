//! The keys by which names are found, and among which they are unique.

use std::collections::HashMap;

use guildhall_types::fold;

/// The keys under which a name may be stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    folded: String,
    /// In versions that knew upper and lower case alone: of rows whose new key another row has, and of
    /// those that older replicas write during an upgrade.
    former: String,
}

impl Key {
    /// The key of a username or slug.
    pub(crate) fn of_name(name: &str) -> Self {
        Self {
            folded: fold::name(name),
            former: name.to_lowercase(),
        }
    }

    /// The key of an e-mail address.
    pub(crate) fn of_address(address: &str) -> Self {
        Self {
            folded: fold::address(address),
            former: address.to_lowercase(),
        }
    }

    /// The one to store.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// Those to look for, one that is exactly meant first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let former = (self.former != self.folded).then_some(&*self.former);
        former.into_iter().chain([&*self.folded])
    }

    /// What is meant among what was found by [`all`](Self::all).
    pub(crate) fn find<'a, T>(&self, found: &'a HashMap<String, T>) -> Option<&'a T> {
        self.all().find_map(|key| found.get(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_as_before_is_found_as_it_is_typed_alone() {
        let found = HashMap::from([("ada".to_owned(), 1), ("ad\u{200b}a".to_owned(), 2)]);
        for (name, expected) in [
            ("ADA", Some(&1)),
            ("Ad\u{200b}a", Some(&2)),
            ("a\u{200b}da", Some(&1)),
            ("adam", None),
        ] {
            assert_eq!(Key::of_name(name).find(&found), expected, "{name:?}");
        }
        assert_eq!(Key::of_name("Ada").all().collect::<Vec<_>>(), ["ada"]);
    }
}
