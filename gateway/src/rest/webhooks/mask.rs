//! Which fields a change names.

use prost_types::FieldMask;

/// The fields that a change names, as it is read.
#[derive(Debug, Default)]
pub struct Mask(Vec<String>);

impl Mask {
    /// The value of a field, which is noted when it is there.
    pub fn note<T: Default>(&mut self, path: &str, value: Option<T>) -> T {
        if value.is_some() {
            self.0.push(path.to_owned());
        }
        value.unwrap_or_default()
    }
}

impl From<Mask> for FieldMask {
    fn from(mask: Mask) -> Self {
        Self { paths: mask.0 }
    }
}
