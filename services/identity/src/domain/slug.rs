//! A community's name in addresses.

use guildhall_data::CommunityId;
use guildhall_types::fold;

/// The longest slug, in characters.
const MAX_LEN: usize = 60;

/// The letters and digits of `name` as names are compared, with hyphens for everything else; the id
/// of the community when none are left.
pub(crate) fn slug(name: &str, id: CommunityId) -> String {
    let folded = fold::name(name);
    let words: Vec<&str> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug: String = words.join("-").chars().take(MAX_LEN).collect();
    match slug.trim_end_matches('-') {
        "" => id.to_string(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_case_words() {
        let id = CommunityId::generate();
        for (name, expected) in [
            ("Demo", "demo"),
            ("  Ada's Chess & Go  ", "ada-s-chess-go"),
            ("Zürich 2", "zürich-2"),
            ("Zu\u{308}rich", "zürich"),
            ("Ｃｈｅｓｓ", "chess"),
            ("囲碁", "囲碁"),
            ("!!!", &id.to_string()),
        ] {
            assert_eq!(slug(name, id), expected);
        }
        assert_eq!(slug(&"ab ".repeat(40), id).len(), 59);
    }
}
