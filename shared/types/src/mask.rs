//! Which fields of a resource a request means (AIP-134).
//!
//! A resource is created with the mask of [all](FieldMask::all) its fields and updated with the
//! mask of the request; both read the fields with [`read`](FieldMask::read) into a change of
//! `Option`s, and [`set`] each on the record.

use guildhall_runtime::{Error, Result};

/// The fields that are meant, by the names of their proto, dotted inside a message:
/// `encryption.key`.
#[derive(Debug, Clone)]
pub struct FieldMask(Vec<&'static str>);

impl FieldMask {
    /// All of `fields`.
    #[must_use]
    pub fn all(fields: &[&'static str]) -> Self {
        Self(fields.to_vec())
    }

    /// Those of `fields` that a request names; a message stands for all that is in it.
    ///
    /// # Errors
    /// INVALID_VALUE for a field that does not exist.
    pub fn parse(mask: Option<prost_types::FieldMask>, fields: &[&'static str]) -> Result<Self> {
        let mut named = Vec::new();
        for path in mask.unwrap_or_default().paths {
            let before = named.len();
            named.extend(fields.iter().filter(|field| is_within(field, &path)));
            if named.len() == before {
                let description = "update_mask names a field that does not exist";
                return Err(Error::invalid("update_mask", description));
            }
        }
        Ok(Self(named))
    }

    /// Whether a field is meant.
    #[must_use]
    pub fn contains(&self, field: &str) -> bool {
        self.0.contains(&field)
    }

    /// What `read` makes of a field, if it is meant.
    ///
    /// # Errors
    /// As `read` says.
    pub fn read<T>(&self, field: &str, read: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        self.contains(field).then(read).transpose()
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

    const FIELDS: [&str; 4] = ["name", "encryption.mode", "encryption.key", "enc"];

    fn parse(paths: &[&str]) -> Result<Vec<&'static str>> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        FieldMask::parse(Some(prost_types::FieldMask { paths }), &FIELDS).map(|mask| mask.0)
    }

    #[test]
    fn a_mask_means_the_fields_it_names_and_those_within() {
        assert_eq!(parse(&["name"]).unwrap(), ["name"]);
        assert_eq!(
            parse(&["encryption", "enc"]).unwrap(),
            ["encryption.mode", "encryption.key", "enc"]
        );
        assert_eq!(FieldMask::parse(None, &FIELDS).unwrap().0, [""; 0]);
        for unknown in ["", "id", "encrypt", "encryption.iv", "name.first"] {
            let refused = parse(&["name", unknown]).unwrap_err();
            assert_eq!(refused.violations()[0].field, "update_mask", "{unknown:?}");
        }
    }

    #[test]
    fn only_what_is_meant_is_read_and_set() {
        let mask = FieldMask::all(&["name"]);
        let name = mask.read("name", || Ok("new".to_owned())).unwrap();
        let key = mask.read::<String>("key", || Err(Error::missing("key")));
        let mut record = ("old".to_owned(), "old".to_owned());
        set(&mut record.0, name);
        set(&mut record.1, key.unwrap());
        assert_eq!(record, ("new".into(), "old".into()));
    }
}
