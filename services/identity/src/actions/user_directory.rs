//! The directory of users and communities that the other services look up.

use std::{collections::HashMap, hash::Hash};

use guildhall_data::{CommunityId, UserId, id};
use guildhall_proto::identity::v1::{
    GetCommunityRequest, GetCommunityResponse, ResolveUsersRequest, ResolveUsersResponse,
    ResolvedUser, User,
};
use guildhall_runtime::{Error, Result};
use guildhall_types::list;
use tonic::{Request, Response};

use crate::{
    Identity,
    domain::{bot, reference::Reference},
    present,
    store::{communities, users},
};

/// References in one request.
const MAX_REFERENCES: usize = 500;

/// The users that a batch of references found, by each kind of reference.
#[derive(Default)]
struct Found {
    ids: HashMap<UserId, users::Model>,
    numbers: HashMap<i64, users::Model>,
    emails: HashMap<String, users::Model>,
    usernames: HashMap<String, users::Model>,
    bot: Option<(UserId, User)>,
}

impl Found {
    /// The user whom a reference means by its shape.
    fn get(&self, reference: &Reference) -> Option<&users::Model> {
        match reference {
            Reference::Id(id) => self.ids.get(id),
            Reference::Number(number) => self.numbers.get(number),
            Reference::Email(email) => email.find(&self.emails),
            Reference::Username(username) => username.find(&self.usernames),
        }
    }
}

impl Identity {
    /// Finds the users that the references of a request mean, in their order and with one query per
    /// kind of reference, however many there are. The bot of the community is found by its id.
    ///
    /// # Errors
    /// VALUE_TOO_LONG, INVALID_VALUE for what cannot be a reference.
    pub(crate) async fn resolve_users(
        &self,
        request: Request<ResolveUsersRequest>,
    ) -> Result<Response<ResolveUsersResponse>> {
        let request = request.into_inner();
        let community = id::parse("community_id", &request.community_id)?;
        let references = request.references;
        list::at_most("references", &references, MAX_REFERENCES)?;
        let parsed: Vec<_> = references
            .iter()
            .map(|text| Reference::parse(text))
            .collect::<Result<_>>()?;
        let found = self
            .find_references(community, &references, &parsed)
            .await?;
        let resolved = references.into_iter().zip(parsed);
        let resolved = resolved.filter_map(|(reference, parsed)| {
            let user = match &found.bot {
                Some((id, bot)) if parsed == Reference::Id(*id) => bot.clone(),
                Some(_) | None => {
                    let as_username = || parsed.as_username(&reference).find(&found.usernames);
                    present::user(found.get(&parsed).or_else(as_username)?.clone())
                }
            };
            Some(ResolvedUser {
                reference,
                user: Some(user),
            })
        });
        Ok(Response::new(ResolveUsersResponse {
            users: resolved.collect(),
        }))
    }

    /// The user that a reference names.
    ///
    /// # Errors
    /// VALUE_TOO_LONG, INVALID_VALUE.
    pub(crate) async fn find_reference(
        &self,
        community: CommunityId,
        text: &str,
    ) -> Result<Option<users::Model>> {
        let (texts, parsed) = ([text.to_owned()], [Reference::parse(text)?]);
        let found = self.find_references(community, &texts, &parsed).await?;
        let [parsed] = parsed;
        let as_username = || parsed.as_username(text).find(&found.usernames);
        Ok(found.get(&parsed).or_else(as_username).cloned())
    }

    async fn find_references(
        &self,
        community: CommunityId,
        texts: &[String],
        parsed: &[Reference],
    ) -> Result<Found> {
        let (mut ids, mut numbers, mut emails) = (Vec::new(), Vec::new(), Vec::new());
        for reference in parsed {
            match reference {
                Reference::Id(id) => ids.push(*id),
                Reference::Number(number) => numbers.push(*number),
                Reference::Email(email) => emails.push(email.clone()),
                Reference::Username(_) => {}
            }
        }
        let reader = self.0.database.reader();
        let bot = self.find_bot(community, &ids).await?;
        let ids = users::list_by_ids(reader, community, ids).await?;
        let numbers = users::list_by_numbers(reader, community, numbers).await?;
        let emails = users::list_by_emails(reader, community, &emails).await?;
        let mut found = Found {
            ids: by(ids, |user| user.id),
            numbers: by(numbers, |user| user.number),
            emails: by(emails, |user| user.email_key.clone()),
            usernames: HashMap::new(),
            bot,
        };
        // Usernames, and every reference that found nobody by its shape.
        let usernames = texts.iter().zip(parsed);
        let usernames = usernames.filter(|(_, parsed)| found.get(parsed).is_none());
        let usernames = usernames.map(|(text, parsed)| parsed.as_username(text));
        let usernames: Vec<_> = usernames.collect();
        let usernames = users::list_by_usernames(reader, community, &usernames).await?;
        found.usernames = by(usernames, |user| user.username_key.clone());
        Ok(found)
    }

    /// The bot of the community, if its id is among `ids`.
    async fn find_bot(
        &self,
        community: CommunityId,
        ids: &[UserId],
    ) -> Result<Option<(UserId, User)>> {
        let id = bot::id_of(community)?;
        if !ids.contains(&id) {
            return Ok(None);
        }
        let community = communities::find(self.0.database.reader(), community).await?;
        let bot = community.map(|community| present::bot(&community));
        Ok(bot.transpose()?.map(|bot| (id, bot)))
    }

    /// The community with this id or slug, as the other services see it.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND.
    pub(crate) async fn get_community(
        &self,
        request: Request<GetCommunityRequest>,
    ) -> Result<Response<GetCommunityResponse>> {
        let reader = self.0.database.reader();
        let id_or_slug = &request.get_ref().community;
        let community = communities::find_by_id_or_slug(reader, id_or_slug).await?;
        let community = community.ok_or_else(communities::not_found)?;
        let owner = users::find(reader, community.id, community.owner_id).await?;
        let owner = owner.ok_or_else(|| Error::bug("a community without its owner"))?;
        Ok(Response::new(present::community(community, owner)?))
    }
}

fn by<K: Eq + Hash>(
    users: Vec<users::Model>,
    key: impl Fn(&users::Model) -> K,
) -> HashMap<K, users::Model> {
    users.into_iter().map(|user| (key(&user), user)).collect()
}
