//! The fields of an object, however callers spell their names: a struct names a field once, and every
//! spelling of it is read.

use guildhall_types::json::fold;
use serde::de::Error;

/// `given` under the names that a struct has for them; `known` are these names. What it does not know
/// stays as it is.
///
/// # Errors
/// For a field that is given twice with different values, in one spelling or in two.
pub fn spelled<V: PartialEq, E: Error>(
    given: impl Iterator<Item = (String, V)>,
    known: &'static [&'static str],
) -> Result<Vec<(String, V)>, E> {
    let mut fields: Vec<(String, V)> = Vec::new();
    for (name, value) in given {
        let folded = fold(&name);
        let known = known.iter().find(|known| fold(known) == folded);
        let name = known.map_or(name, |known| (*known).to_owned());
        match fields.iter().find(|(other, _)| *other == name) {
            None => fields.push((name, value)),
            Some((_, same)) if *same == value => {}
            Some(_) => {
                return Err(E::custom(format!("{TWICE}`{name}`")));
            }
        }
    }
    Ok(fields)
}

/// How the complaint about a field that is given twice begins.
pub const TWICE: &str = "different values of ";

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["channelId", "sorted_metaarray"];

    fn read(given: &[(&str, i32)]) -> Result<Vec<(String, i32)>, serde::de::value::Error> {
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value));
        spelled(given, KNOWN)
    }

    #[test]
    fn every_spelling_is_the_same_field() {
        for name in ["channelId", "channel_id", "channelID", "ChannelId"] {
            assert_eq!(read(&[(name, 1)]).unwrap(), [("channelId".to_owned(), 1)]);
        }
        let unknown = read(&[("channel", 1), ("sortedMetaArray", 2)]).unwrap();
        let names: Vec<_> = unknown.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["channel", "sorted_metaarray"]);
    }

    #[test]
    fn two_spellings_agree_or_are_refused() {
        let same = read(&[("channelId", 1), ("channel_id", 1)]).unwrap();
        assert_eq!(same.len(), 1);
        assert!(read(&[("channelId", 1), ("channel_id", 2)]).is_err());
    }
}
