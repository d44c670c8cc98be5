//! What the lists of a request may be.

use std::{collections::HashSet, hash::Hash, str::FromStr};

use guildhall_runtime::{Error, Reason, Result};

use crate::id::{self, MalformedId};

/// The ids in a list, in their order, each once.
///
/// # Errors
/// VALUE_TOO_LONG when there are more than `max`, MALFORMED_ID with the index.
pub fn ids<T>(field: &'static str, texts: &[String], max: usize) -> Result<Vec<T>>
where
    T: FromStr<Err = MalformedId> + Clone + Eq + Hash,
{
    each(field, texts, max, |text| id::parse(field, text))
}

/// What `parse` makes of the entries of a list, in their order, each once.
///
/// # Errors
/// VALUE_TOO_LONG when there are more than `max`; as `parse` says of `field`, with the index.
pub fn each<T: Clone + Eq + Hash>(
    field: &'static str,
    texts: &[String],
    max: usize,
    parse: impl Fn(&str) -> Result<T>,
) -> Result<Vec<T>> {
    at_most(field, texts, max)?;
    let entries = texts.iter().enumerate();
    let entries = entries.map(|(index, text)| parse(text).map_err(|error| at(field, index, error)));
    let entries = entries.collect::<Result<Vec<T>>>()?;
    let mut seen = HashSet::with_capacity(entries.len());
    Ok(entries
        .into_iter()
        .filter(|entry| seen.insert(entry.clone()))
        .collect())
}

/// An error about a list as one about an entry of it.
fn at(field: &str, index: usize, error: Error) -> Error {
    let Some(violation) = error.violations().first() else {
        return error;
    };
    let entry = format!("{field}[{index}]");
    let description = match violation.description.strip_prefix(field) {
        Some(rest) => format!("{entry}{rest}"),
        None => violation.description.clone(),
    };
    Error::violation(error.reason(), entry, description)
}

/// Refuses more than `max` entries.
///
/// # Errors
/// VALUE_TOO_LONG.
pub fn at_most<T>(field: &'static str, list: &[T], max: usize) -> Result<()> {
    if list.len() > max {
        let description = format!("{field} must have at most {max} entries");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelId;

    #[test]
    fn ids_keep_their_order_and_come_once() {
        let (one, other) = (ChannelId::generate(), ChannelId::generate());
        let texts = [other, one, other].map(|id| id.to_string());
        let read: Vec<ChannelId> = ids("channel_ids", &texts, 3).unwrap();
        assert_eq!(read, [other, one]);
        let refused = |texts: &[String], max| {
            let refused = ids::<ChannelId>("channel_ids", texts, max).unwrap_err();
            (refused.reason(), refused.violations()[0].field.clone())
        };
        let field = "channel_ids".to_owned();
        assert_eq!(refused(&texts, 2), (Reason::ValueTooLong, field));
        let second = [texts[0].clone(), "x".into()];
        let field = "channel_ids[1]".to_owned();
        assert_eq!(refused(&second, 2), (Reason::MalformedId, field));
    }
}
