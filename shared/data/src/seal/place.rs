//! Where a sealed value lies.

use crate::CommunityId;

/// Where a sealed value lies. It opens nowhere else: who can write into the database cannot have
/// one community's secret used, or shown, as that of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    community: Option<CommunityId>,
    column: &'static str,
    row: Vec<String>,
}

impl Place {
    /// A column (`table.column`) of a community's row; `row` is the rest of its primary key.
    pub fn of_community(
        community: CommunityId,
        column: &'static str,
        row: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            community: Some(community),
            column,
            row: row.into_iter().collect(),
        }
    }

    /// A column (`table.column`) of a row that belongs to the platform; `row` is its primary key.
    pub fn of_platform(column: &'static str, row: impl IntoIterator<Item = String>) -> Self {
        Self {
            community: None,
            column,
            row: row.into_iter().collect(),
        }
    }

    /// The place as associated data: every part after its length, so that no two places are the same.
    pub(super) fn encode(&self) -> Vec<u8> {
        let community = self.community.map(|community| community.to_string());
        let mut bytes = vec![u8::from(community.is_some())];
        let parts = community.iter().map(String::as_str);
        let parts = parts.chain([self.column]);
        for part in parts.chain(self.row.iter().map(String::as_str)) {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_places_are_encoded_alike() {
        let community: CommunityId = "c00000000000000000000001".parse().unwrap();
        let other: CommunityId = "c00000000000000000000002".parse().unwrap();
        let row = |parts: &[&str]| {
            let parts = parts.iter().map(|part| (*part).to_owned());
            parts.collect::<Vec<_>>()
        };
        let places = [
            Place::of_community(community, "a.b", row(&["1"])),
            Place::of_community(other, "a.b", row(&["1"])),
            Place::of_community(community, "a.c", row(&["1"])),
            Place::of_community(community, "a.b", row(&["2"])),
            Place::of_community(community, "a.b", row(&["1", ""])),
            Place::of_community(community, "a.b", row(&["", "1"])),
            Place::of_community(community, "a.b1", row(&[])),
            Place::of_platform("a.b", row(&["1"])),
            Place::of_platform("a.b", row(&["12", "3"])),
            Place::of_platform("a.b", row(&["1", "23"])),
            Place::of_platform("c00000000000000000000001", row(&["a.b", "1"])),
        ];
        let encoded: HashSet<_> = places.iter().map(Place::encode).collect();
        assert_eq!(encoded.len(), places.len());
    }
}
