//! Finds users by what others call them.

use std::collections::HashMap;

use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{GetCommunityResponse, ResolvedUser, User};
use guildhall_runtime::{Error, Result};

use crate::{
    Identity,
    domain::reference::Reference,
    store::{communities, users},
};

/// What a batch of references found, by each kind of name.
#[derive(Default)]
struct Found {
    ids: HashMap<UserId, users::Model>,
    numbers: HashMap<i64, users::Model>,
    emails: HashMap<String, users::Model>,
    usernames: HashMap<String, users::Model>,
}

impl Found {
    /// Who the first reading means.
    fn read(&self, reference: &Reference) -> Option<&users::Model> {
        match reference {
            Reference::Id(id) => self.ids.get(id),
            Reference::Number(number) => self.numbers.get(number),
            Reference::Email(email) => self.emails.get(email),
            Reference::Username(username) => self.usernames.get(username),
        }
    }
}

impl Identity {
    /// Finds the users that `references` mean, in their order and with a query per kind of
    /// reference, however many there are.
    ///
    /// # Errors
    /// VALUE_TOO_LONG, INVALID_VALUE for what cannot be a reference.
    pub(crate) async fn resolve_users(
        &self,
        community: CommunityId,
        references: Vec<String>,
    ) -> Result<Vec<ResolvedUser>> {
        let readings: Vec<_> = references
            .iter()
            .map(|text| Reference::parse(text))
            .collect::<Result<_>>()?;
        let mut found = self.first_readings(community, &readings).await?;
        // What is a username, and what found nobody and is tried as one last.
        let asked = references.iter().zip(&readings);
        let usernames = asked.filter(|(_, reading)| found.read(reading).is_none());
        let usernames = usernames
            .map(|(text, reading)| reading.as_username(text))
            .collect();
        let reader = self.0.database.reader();
        let users = users::with_usernames(reader, community, usernames).await?;
        found.usernames = by(users, |user| user.username_key.clone());

        let asked = references.into_iter().zip(readings);
        let answer = asked.filter_map(|(reference, reading)| {
            let last = || found.usernames.get(&reading.as_username(&reference));
            let user = found.read(&reading).or_else(last)?.clone();
            Some(ResolvedUser {
                reference,
                user: Some(user.into()),
            })
        });
        Ok(answer.collect())
    }

    async fn first_readings(
        &self,
        community: CommunityId,
        readings: &[Reference],
    ) -> Result<Found> {
        let (mut ids, mut numbers, mut emails) = (Vec::new(), Vec::new(), Vec::new());
        for reading in readings {
            match reading {
                Reference::Id(id) => ids.push(*id),
                Reference::Number(number) => numbers.push(*number),
                Reference::Email(email) => emails.push(email.clone()),
                Reference::Username(_) => {}
            }
        }
        let reader = self.0.database.reader();
        let emails = users::with_emails(reader, community, emails).await?;
        Ok(Found {
            ids: by(users::with_ids(reader, community, ids).await?, |user| {
                user.id
            }),
            numbers: by(
                users::with_numbers(reader, community, numbers).await?,
                |user| user.number,
            ),
            emails: by(emails, |user| user.email_key.clone()),
            usernames: HashMap::new(),
        })
    }

    /// What the other services need to know of a community.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND.
    pub(crate) async fn community(&self, id_or_slug: &str) -> Result<GetCommunityResponse> {
        let reader = self.0.database.reader();
        let community = communities::find_by_name(reader, id_or_slug).await?;
        let community = community.ok_or_else(communities::not_found)?;
        let owner = users::find(reader, community.id, community.owner_id).await?;
        let owner = owner.ok_or_else(|| Error::bug("a community without its owner"))?;
        Ok(GetCommunityResponse {
            id: community.id.to_string(),
            name: community.name,
            slug: community.slug,
            owner: Some(User::from(owner)),
        })
    }
}

fn by<K: Eq + std::hash::Hash>(
    users: Vec<users::Model>,
    key: impl Fn(&users::Model) -> K,
) -> HashMap<K, users::Model> {
    users.into_iter().map(|user| (key(&user), user)).collect()
}
