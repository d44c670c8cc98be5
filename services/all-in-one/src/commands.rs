//! What an operator does; each command works beside a running platform, too.

use guildhall_auth::{PeerTokens, RpcTable};
use guildhall_catalog::{IDENTITY, MESSAGING};
use guildhall_data::{CommunityId, id};
use guildhall_events::consumer::parked::Parked;
use guildhall_identity::{Identity, NewCommunity};
use guildhall_runtime::{Error, Reason, Result, Shutdown};
use guildhall_server::process::connect;
use guildhall_signals::Signals;
use guildhall_webhooks::operator;
use serde_json::json;

use crate::{
    data,
    demo::{self, Addresses},
    output::{self, note, say},
    settings::{Bootstrap, Demo, Events, Keys, SendbirdToken, Sessions, Settings, Workflow},
};

/// Identity alone, which is all that a command needs.
async fn identity(settings: &Settings, signals: Signals) -> Result<Identity> {
    let (storage, secret) = data::storage_and_secret(settings)?;
    let storage = storage.on_demand();
    Identity::open(&storage, &secret, signals, &Shutdown::default()).await
}

/// Makes a community and prints its credentials, the only time that they are shown.
pub async fn bootstrap(settings: &Settings, new: &Bootstrap) -> Result<()> {
    let new = NewCommunity {
        name: new.community.clone(),
        owner_email: new.owner_email.clone(),
    };
    let identity = identity(settings, Signals::default()).await?;
    let made = identity.bootstrap(new).await?;
    let text = json!({
        "communityId": made.community_id.to_string(),
        "slug": made.slug,
        "owner": {
            "_id": made.owner.id,
            "id": made.owner.number,
            "username": made.owner.username,
            "email": made.owner.email,
            "password": *made.owner_password,
        },
        "systemApiKey": *made.system_key,
        "apiKey": *made.api_key,
        "userApiKey": *made.user_api_key,
        "sendbirdApiToken": *made.sendbird_token,
    });
    say!("{text:#}")?;
    note("These credentials are not shown again: keep them.");
    Ok(())
}

/// Rotates or revokes the keys that JWTs are signed with.
pub async fn keys(settings: &Settings, command: &Keys) -> Result<()> {
    match command {
        Keys::Rotate { secret_lost } => {
            let key_id = if *secret_lost {
                let (storage, secret) = data::storage_and_secret(settings)?;
                Identity::replace_lost_signing_keys(&storage.on_demand(), &secret).await?
            } else {
                let identity = identity(settings, Signals::default()).await?;
                identity.rotate_signing_key().await?
            };
            say!(
                "new JWTs are signed with {key_id}; those signed before stay valid until they expire"
            )
        }
        Keys::Revoke { key, now: _ } => {
            let revocation = Revocation::begin(settings)?;
            let identity = identity(settings, revocation.signals.clone()).await?;
            let current = identity.revoke_signing_keys(*key).await?;
            say!("new JWTs are signed with {current}")?;
            revocation.tell().await
        }
    }
}

/// Ends the JWTs of a user.
pub async fn sessions(settings: &Settings, command: &Sessions) -> Result<()> {
    match command {
        Sessions::Revoke { user, community } => {
            let revocation = Revocation::begin(settings)?;
            let identity = identity(settings, revocation.signals.clone()).await?;
            let community = match community {
                Some(community) => community_id(&identity, community).await?,
                None => only_community(&identity).await?,
            };
            let user = identity.revoke_sessions(community, user).await?;
            say!("all JWTs of {} ({}) end", user.username, user.id)?;
            revocation.tell().await
        }
    }
}

/// Makes or revokes a Sendbird token.
pub async fn sendbird_token(settings: &Settings, command: &SendbirdToken) -> Result<()> {
    match command {
        SendbirdToken::Create { community } => {
            let identity = identity(settings, Signals::default()).await?;
            let community = community_id(&identity, community).await?;
            let (id, token) = identity.create_sendbird_token(community).await?;
            say!("{:#}", json!({ "id": id.to_string(), "apiToken": *token }))?;
            note("The token is not shown again: keep it.");
            Ok(())
        }
        SendbirdToken::Revoke { community, id } => revoke(settings, community, id).await,
    }
}

async fn revoke(settings: &Settings, community: &str, id: &str) -> Result<()> {
    let revocation = Revocation::begin(settings)?;
    let identity = identity(settings, revocation.signals.clone()).await?;
    let community = community_id(&identity, community).await?;
    let id = id::parse("id", id)?;
    identity.revoke_sendbird_token(community, id).await?;
    revocation.tell().await
}

/// A command that revokes something, and tells running processes.
struct Revocation {
    signals: Signals,
    shutdown: Shutdown,
    /// Whether running processes learn of it: on files their caches live for a second anyway.
    is_told: bool,
}

impl Revocation {
    fn begin(settings: &Settings) -> Result<Self> {
        let (shutdown, (_, secret)) = (Shutdown::default(), data::storage_and_secret(settings)?);
        Ok(Self {
            signals: data::signals(settings, &secret, &shutdown)?,
            shutdown,
            is_told: settings.database_url.is_none() || !settings.nats_url.is_empty(),
        })
    }

    /// Waits until the others know, and says how soon it holds.
    async fn tell(self) -> Result<()> {
        // Takes leave of the others, once they know.
        self.shutdown.start();
        if self.signals.delivered().await && self.is_told {
            say!("revoked: it ends within a second in a running platform")?;
        } else {
            say!("revoked: it ends within 30 seconds in running processes")?;
            note("They could not be told: give --nats-url, and see that NATS is there.");
        }
        Ok(())
    }
}

/// Shows the events that a service could not handle, or has them tried again.
pub async fn events(settings: &Settings, command: &Events) -> Result<()> {
    let (storage, _) = data::storage_and_secret(settings)?;
    match command {
        Events::Parked { limit } => {
            for event in operator::parked_events(&storage, *limit).await? {
                say!("{}", line_of(&event))?;
            }
        }
        Events::Replay { event } => {
            let count = operator::replay_events(&storage, *event).await?;
            say!("{count} parked events are tried again within a second or two")?;
        }
    }
    Ok(())
}

fn line_of(event: &Parked) -> String {
    let line = json!({
        "event": event.event.to_string(),
        "consumer": event.consumer,
        "communityID": event.community.to_string(),
        "key": event.key,
        "tries": event.tries,
        "error": event.error,
        "parkedAt": event.parked_at.to_iso(),
    });
    line.to_string()
}

/// Makes a workflow.
pub async fn workflow(settings: &Settings, command: &Workflow) -> Result<()> {
    match command {
        Workflow::Create { community, name } => {
            let identity = identity(settings, Signals::default()).await?;
            let community = community_id(&identity, community).await?;
            let (storage, _) = data::storage_and_secret(settings)?;
            let (id, key) = operator::create_workflow(&storage, community, name).await?;
            let path = format!("/v1/webhooks/workflows/{id}");
            let text = json!({ "id": id.to_string(), "path": path, "apiKey": *key });
            say!("{text:#}")?;
            note("The key is not shown again: keep it.");
            Ok(())
        }
    }
}

async fn community_id(identity: &Identity, id_or_slug: &str) -> Result<CommunityId> {
    let found = identity.find_community(id_or_slug).await?;
    let missing = || {
        Error::new(
            Reason::CommunityNotFound,
            format!("there is no community {id_or_slug:?}"),
        )
    };
    Ok(found.ok_or_else(missing)?.id)
}

async fn only_community(identity: &Identity) -> Result<CommunityId> {
    let found = identity.find_only_community().await?;
    let missing = || {
        let message = "name the user's community with --community: there is not exactly one";
        Error::new(Reason::CommunityNotFound, message)
    };
    Ok(found.ok_or_else(missing)?.id)
}

/// Makes the demo community in a running cluster.
pub async fn demo(settings: &Settings, demo: &Demo) -> Result<()> {
    if settings.database_url.is_none() {
        return Err(Error::bug(
            "demo needs the cluster's --database-url; in one process --demo does the same",
        ));
    }
    let (storage, secret) = data::storage_and_secret(settings)?;
    let (storage, shutdown) = (storage.on_demand(), Shutdown::default());
    let identity = Identity::open(&storage, &secret, Signals::default(), &shutdown).await?;
    // With a peer token: what an operator does counts against nobody's limit.
    let (tokens, rules) = (PeerTokens::new(&secret), RpcTable::load()?);
    let services = connect(&demo.services, &settings.serve, &rules, &tokens)?;
    let url_of = |service| demo.services.first(service).map(ToString::to_string);
    let addresses = Addresses {
        http: demo.http_url.to_string(),
        grpc: url_of(MESSAGING).unwrap_or_default(),
        identity_grpc: url_of(IDENTITY),
    };
    demo::prepare(&identity, &services, &settings.data_dir, &addresses).await
}

/// Prints the OpenAPI document, as it is committed.
pub fn openapi() -> Result<()> {
    output::text(&guildhall_gateway::openapi_json()?)
}
