//! What an operator does; each command works beside a running platform, too.

use guildhall_data::CommunityId;
use guildhall_events::Signals;
use guildhall_identity::{Identity, NewCommunity};
use guildhall_runtime::{Error, Reason, Result, Shutdown};
use serde_json::json;

use crate::{
    platform,
    settings::{Bootstrap, Keys, SendbirdToken, Settings},
};

async fn identity(settings: &Settings) -> Result<Identity> {
    let (signals, shutdown) = (Signals::default(), Shutdown::default());
    let (identity, _) = platform::open_identity(&settings.data_dir, signals, &shutdown).await?;
    Ok(identity)
}

/// Makes a community and prints its credentials, the only time that they are shown.
pub async fn bootstrap(settings: &Settings, new: &Bootstrap) -> Result<()> {
    let new = NewCommunity {
        name: new.community.clone(),
        owner_email: new.owner_email.clone(),
    };
    let made = identity(settings).await?.bootstrap(new).await?;
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
    println!("{text:#}");
    eprintln!("These credentials are not shown again: keep them.");
    Ok(())
}

/// Rotates the keys that JWTs are signed with.
pub async fn keys(settings: &Settings, command: &Keys) -> Result<()> {
    match command {
        Keys::Rotate => {
            let key_id = identity(settings).await?.rotate_signing_key().await?;
            println!(
                "new JWTs are signed with {key_id}; those signed before stay valid until they expire"
            );
            Ok(())
        }
    }
}

/// Makes or revokes a Sendbird token.
pub async fn sendbird_token(settings: &Settings, command: &SendbirdToken) -> Result<()> {
    let identity = identity(settings).await?;
    match command {
        SendbirdToken::Create { community } => {
            let community = community_id(&identity, community).await?;
            let (id, token) = identity.create_sendbird_token(community).await?;
            println!("{:#}", json!({ "id": id.to_string(), "apiToken": *token }));
            eprintln!("The token is not shown again: keep it.");
        }
        SendbirdToken::Revoke { community, id } => {
            let community = community_id(&identity, community).await?;
            identity
                .revoke_sendbird_token(community, id.parse()?)
                .await?;
            println!("revoked: it ends within a second in a running platform");
        }
    }
    Ok(())
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

/// Prints the OpenAPI document, as it is committed.
pub fn openapi() -> Result<()> {
    print!("{}", guildhall_gateway::openapi_json()?);
    Ok(())
}
