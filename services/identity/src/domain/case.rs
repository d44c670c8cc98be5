//! Upper and lower case of what names a user.

/// The form in which texts that differ only in case are the same.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}
