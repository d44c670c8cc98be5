//! Logins, and the keys that tokens are checked with (contract: identity, "auth-login").

use axum::{Json, extract::State, response::IntoResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildhall_auth::{AccessRule, CredentialKind};
use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, LoginRequest, SigningKey, User, login_request::Account,
};
use guildhall_runtime::{Error, Reason};
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    call::{Call, Replayed},
    endpoint::{Endpoint, callers},
    envelope::{Family, system::System},
    extract::Input,
    failure::{Result, sent},
    upstream::Services,
};

pub fn endpoints() -> Vec<Endpoint> {
    let login_access = callers(&[CredentialKind::SystemKey], None);
    vec![
        Endpoint::new(
            "auth-login",
            "Log in user with password",
            Family::System,
            login_access,
            routes!(login),
        )
        .calls("/guildhall.identity.v1.AuthenticationService/Login")
        .refusing(&[
            Reason::LoginRefused,
            Reason::AccountUnavailable,
            Reason::LoginAttempts,
        ]),
        Endpoint::new(
            "gateway-jwks",
            "Keys that tokens are checked with",
            Family::Bare,
            AccessRule::Public,
            routes!(jwks),
        )
        .calls("/guildhall.identity.v1.AuthenticationService/ListSigningKeys")
        .unlisted(),
    ]
}

/// Who logs in.
#[derive(Debug, Deserialize, ToSchema)]
struct Login {
    /// Either this or `username`; this wins.
    email: Option<String>,
    username: Option<String>,
    password: String,
}

/// A login.
#[derive(Debug, Serialize, ToSchema)]
struct LoggedIn {
    /// A JWT (EdDSA), valid for 7 days in this community alone.
    token: String,
    user: LoggedInUser,
}

/// The user who logged in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoggedInUser {
    #[serde(rename = "_id")]
    object_id: String,
    /// The small numeric id, as text.
    id: String,
    username: String,
    display_name: String,
    email: String,
    /// Empty when none was set.
    avatar: String,
}

impl From<User> for LoggedInUser {
    fn from(user: User) -> Self {
        Self {
            object_id: user.id,
            id: user.number.to_string(),
            username: user.username,
            display_name: user.display_name,
            email: user.email,
            avatar: user.avatar,
        }
    }
}

/// Checks a password and issues a token. Unknown accounts and wrong passwords are told alike; 20
/// attempts per 15 minutes, account and address.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "Authentication",
    request_body(content = Login, example = json!({
        "email": "johndoe@example.com", "password": "correct horse battery staple"
    })),
    responses((status = 200, description = "Logged in", body = System<LoggedIn>, example = json!({
        "meta": { "success": true, "message": "Login successful", "devMessage": "Login successful" },
        "body": {
            "token": "eyJhbGciOiJFZERTQSJ9.eyJfaWQiOiJhMDAwIn0.c2lnbmF0dXJl",
            "user": {
                "_id": "a00000000000000000001102", "id": "1102", "username": "johndoe",
                "displayName": "John", "email": "johndoe@example.com", "avatar": ""
            }
        }
    })))
)]
async fn login(
    State(services): State<Services>,
    call: Call,
    Input(login): Input<Login>,
) -> Result<(Replayed, Json<System<LoggedIn>>)> {
    let account = match (login.email, login.username) {
        (Some(email), _) => Account::Email(email),
        (None, Some(username)) => Account::Username(username),
        (None, None) => return Err(Error::missing("email").into()),
    };
    let request = call.request(LoginRequest {
        account: Some(account),
        password: login.password,
    });
    let answer = services.authentication().login(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let body = LoggedIn {
        token: answer.token,
        user: sent(answer.user, "the user of a login")?.into(),
    };
    Ok((replayed, Json(System::new("Login successful", body))))
}

/// A set of public keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
struct Jwks {
    /// Tokens are signed with the first.
    keys: Vec<Jwk>,
}

/// A public Ed25519 key (RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
struct Jwk {
    #[schema(value_type = String)]
    kty: &'static str,
    #[schema(value_type = String)]
    crv: &'static str,
    #[schema(value_type = String)]
    alg: &'static str,
    #[serde(rename = "use")]
    #[schema(value_type = String)]
    usage: &'static str,
    kid: String,
    /// The raw key, base64url.
    x: String,
}

impl From<SigningKey> for Jwk {
    fn from(key: SigningKey) -> Self {
        Self {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            usage: "sig",
            kid: key.key_id,
            x: URL_SAFE_NO_PAD.encode(key.public_key),
        }
    }
}

/// The public keys that users' tokens are checked with, newest first. May be kept for 5 minutes;
/// ask again for an unknown `kid`.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Authentication",
    responses((status = 200, description = "The keys", body = Jwks, example = json!({
        "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": "c0ffee", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]
    })))
)]
async fn jwks(State(services): State<Services>, call: Call) -> Result<impl IntoResponse> {
    let request = call.request(ListSigningKeysRequest {});
    let answer = services.authentication().list_signing_keys(request).await?;
    let keys = answer.into_inner().keys;
    let keys = keys.into_iter().map(Jwk::from).collect();
    Ok((
        [(CACHE_CONTROL, "public, max-age=300")],
        Json(Jwks { keys }),
    ))
}
