//! Which fields of a resource a request means (AIP-134).
//!
//! A resource is created with the mask of [all](FieldMask::all) its fields and updated with the
//! mask of the [request](FieldMask::of). Both [read](FieldMask::read) the same [`Fields`] into a
//! change of `Option`s, and [`set`] each on the record. What is read are the fields that there are: a
//! mask that names another one is refused.

use guildhall_runtime::{Error, Result};

/// Which fields are meant: all, or those that a request names.
#[derive(Debug, Clone)]
pub struct FieldMask(Option<Vec<String>>);

impl FieldMask {
    /// All fields.
    #[must_use]
    pub fn all() -> Self {
        Self(None)
    }

    /// Those that a request names, as its proto does, dotted inside a message: `encryption.key`. A
    /// message stands for all that is in it.
    #[must_use]
    pub fn of(mask: Option<prost_types::FieldMask>) -> Self {
        Self(Some(mask.unwrap_or_default().paths))
    }

    /// The same for a request that may leave its mask out: then the fields that hold something are
    /// meant (AIP-134). A mask that names nothing means nothing.
    #[must_use]
    pub fn of_or(
        mask: Option<prost_types::FieldMask>,
        populated: impl FnOnce() -> Vec<&'static str>,
    ) -> Self {
        let populated = || populated().into_iter().map(str::to_owned).collect();
        Self(Some(mask.map_or_else(populated, |mask| mask.paths)))
    }

    /// What `read` makes of the fields.
    ///
    /// # Errors
    /// As `read` says; INVALID_VALUE when the mask names a field that was not read, because there is
    /// none.
    pub fn read<T>(self, read: impl FnOnce(&mut Fields) -> Result<T>) -> Result<T> {
        let unread = |path| (path, false);
        let paths = self.0.map(|paths| paths.into_iter().map(unread).collect());
        let mut fields = Fields(paths);
        let change = read(&mut fields)?;
        if fields.0.iter().flatten().any(|(_, is_known)| !is_known) {
            let description = "update_mask names a field that does not exist";
            return Err(Error::invalid("update_mask", description));
        }
        Ok(change)
    }
}

/// The fields of a resource while they are read: the paths of the mask, and whether any field was
/// found there. None when all are meant.
#[derive(Debug)]
pub struct Fields(Option<Vec<(String, bool)>>);

impl Fields {
    /// What `read` makes of a field, if it is meant. It is told the name, for its errors.
    ///
    /// # Errors
    /// As `read` says.
    pub fn read<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&'static str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.names(field).then(|| read(field)).transpose()
    }

    /// The value of a field that needs no check, if it is meant.
    pub fn value<T>(&mut self, field: &'static str, value: T) -> Option<T> {
        self.names(field).then_some(value)
    }

    /// Whether the mask names a field; what does is known from then on.
    fn names(&mut self, field: &'static str) -> bool {
        let Some(paths) = &mut self.0 else {
            return true;
        };
        let mut is_named = false;
        for (path, is_known) in paths {
            if is_within(field, path) {
                (*is_known, is_named) = (true, true);
            }
        }
        is_named
    }
}

/// Whether `path` names `field` or a message around it.
fn is_within(field: &str, path: &str) -> bool {
    let rest = field.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Sets a field of a record that a change names.
pub fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(paths: &[&str]) -> Result<Vec<&'static str>> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        FieldMask::of(Some(prost_types::FieldMask { paths })).read(meant)
    }

    /// The fields that are meant, of those that there are.
    fn meant(fields: &mut Fields) -> Result<Vec<&'static str>> {
        let there = ["name", "encryption.mode", "encryption.key", "enc"];
        let read = |field| fields.read(field, Ok).transpose();
        there.into_iter().filter_map(read).collect()
    }

    #[test]
    fn a_mask_means_the_fields_it_names_and_those_within() {
        assert_eq!(parse(&["name", "name"]).unwrap(), ["name"]);
        assert_eq!(
            parse(&["encryption", "enc"]).unwrap(),
            ["encryption.mode", "encryption.key", "enc"]
        );
        assert_eq!(FieldMask::of(None).read(meant).unwrap(), [""; 0]);
        assert_eq!(FieldMask::all().read(meant).unwrap().len(), 4);
        for unknown in ["", "id", "encrypt", "encryption.iv", "name.first"] {
            let refused = parse(&["name", unknown]).unwrap_err();
            assert_eq!(refused.violations()[0].field, "update_mask", "{unknown:?}");
        }
    }

    #[test]
    fn without_a_mask_what_holds_something_is_meant() {
        let populated = || vec!["name"];
        let meant = |mask| FieldMask::of_or(mask, populated).read(meant).unwrap();
        assert_eq!(meant(None), ["name"]);
        let paths = vec!["enc".to_owned()];
        assert_eq!(meant(Some(prost_types::FieldMask { paths })), ["enc"]);
        assert_eq!(meant(Some(prost_types::FieldMask::default())), [""; 0]);
    }

    #[test]
    fn only_what_is_meant_is_read_and_set() {
        let paths = vec!["name".to_owned()];
        let mask = FieldMask::of(Some(prost_types::FieldMask { paths }));
        let read = mask.read(|fields| {
            let name = fields.read("name", |_| Ok("new".to_owned()))?;
            let key = fields.read::<String>("key", |field| Err(Error::missing(field)))?;
            Ok((name, key))
        });
        let (name, key) = read.unwrap();
        let mut record = ("old".to_owned(), "old".to_owned());
        set(&mut record.0, name);
        set(&mut record.1, key);
        assert_eq!(record, ("new".into(), "old".into()));
    }
}
