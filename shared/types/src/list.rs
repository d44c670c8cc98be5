//! What the lists of a request may be.

use std::{collections::HashSet, hash::Hash, str::FromStr};

use guildhall_runtime::{Error, Reason, Result};

use crate::id::{self, MalformedId};

/// The ids in a list, in their order, each once.
///
/// # Errors
/// VALUE_TOO_LONG when there are more than `max`, MALFORMED_ID.
pub fn ids<T>(field: &'static str, texts: &[String], max: usize) -> Result<Vec<T>>
where
    T: FromStr<Err = MalformedId> + Copy + Eq + Hash,
{
    at_most(field, texts, max)?;
    let ids = texts.iter().map(|text| id::parse(field, text));
    let ids = ids.collect::<Result<Vec<T>>>()?;
    let mut seen = HashSet::with_capacity(ids.len());
    Ok(ids.into_iter().filter(|id| seen.insert(*id)).collect())
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
        assert_eq!(refused(&texts, 2), (Reason::ValueTooLong, field.clone()));
        assert_eq!(refused(&["x".into()], 2), (Reason::MalformedId, field));
    }
}
