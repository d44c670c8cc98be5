//! Logins, and the keys that tokens are checked with (contract: identity, "auth-login").

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, LoginRequest, SigningKey, User, login_request::Account,
};
use guildhall_runtime::{Error, Reason};
use http::{HeaderName, Method, StatusCode, header::CACHE_CONTROL};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    call::{Call, Replayed},
    contract::{Access, Envelope, Row},
    endpoint::Endpoint,
    envelope::{Family, system::System},
    extract::Input,
    failure::{Result, sent},
    sample,
    schema::ObjectId,
    upstream::Authentication,
};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::taking("auth-login", login, Login::example, || {
            logged_in(
                "eyJhbGciOiJFZERTQSJ9.eyJfaWQiOiJhMDAwIn0.c2lnbmF0dXJl".into(),
                sample::user(),
            )
        })
        .about(
            "Checks a password and issues a token. Unknown accounts and wrong passwords are told \
             alike; 20 attempts per 15 minutes, account and address.",
        )
        .calls("/guildhall.identity.v1.AuthenticationService/Login")
        .refusing(&[
            Reason::LoginRefused,
            Reason::AccountUnavailable,
            Reason::LoginAttempts,
        ]),
        Endpoint::new("gateway-jwks", jwks, || {
            key_set(vec![sample::signing_key()])
        })
        .beside_the_list(jwks_row())
        .about(
            "The public keys that users' tokens are checked with, newest first. May be kept for 5 \
                 minutes; ask again for an unknown `kid`.",
        )
        .calls("/guildhall.identity.v1.AuthenticationService/ListSigningKeys"),
    ]
}

/// The contract speaks of these keys where it describes tokens (identity, "Credentials").
fn jwks_row() -> Row {
    Row {
        id: "gateway-jwks",
        area: "Authentication",
        title: "Keys that tokens are checked with",
        method: Method::GET,
        path: "/.well-known/jwks.json",
        aliases: Vec::new(),
        access: Access::default(),
        envelope: Envelope::Json(Family::Bare),
        success: StatusCode::OK,
    }
}

/// An e-mail address or a username.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    pattern = r"^[\t-\r ]*[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,318}[^\s\x00-\x1f\x7f-\x9f])?[\t-\r ]*$"
)]
struct AccountName(String);

/// Who logs in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Login {
    /// Either this or `username`; this wins.
    #[schema(value_type = Option<AccountName>)]
    email: Option<String>,
    #[schema(value_type = Option<AccountName>)]
    username: Option<String>,
    /// At most 1,024 bytes.
    #[schema(min_length = 1, max_length = 1_024, pattern = r"^[^\x00]*$")]
    password: String,
}

impl Login {
    fn example() -> Self {
        Self {
            email: Some("ann@example.com".into()),
            username: None,
            password: "correct horse battery staple".into(),
        }
    }
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
    #[schema(value_type = ObjectId)]
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

async fn login(
    State(mut authentication): State<Authentication>,
    call: Call,
    Input(login): Input<Login>,
) -> Result<(Replayed, Json<System<LoggedIn>>)> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let account = match (given(login.email), given(login.username)) {
        (Some(email), _) => Account::Email(email),
        (None, Some(username)) => Account::Username(username),
        (None, None) => {
            let message = "email or username is required";
            return Err(Error::violation(Reason::MissingField, "email", message).into());
        }
    };
    let request = call.request(LoginRequest {
        account: Some(account),
        password: login.password,
    });
    let answer = authentication.login(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let user = sent(answer.user, "the user of a login")?;
    Ok((replayed, Json(logged_in(answer.token, user))))
}

fn logged_in(token: String, user: User) -> System<LoggedIn> {
    let body = LoggedIn {
        token,
        user: user.into(),
    };
    System::new("Login successful", body)
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

async fn jwks(
    State(mut authentication): State<Authentication>,
    call: Call,
) -> Result<([(HeaderName, &'static str); 1], Json<Jwks>)> {
    let request = call.request(ListSigningKeysRequest {});
    let answer = authentication.list_signing_keys(request).await?;
    let keys = key_set(answer.into_inner().keys);
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(keys)))
}

fn key_set(keys: Vec<SigningKey>) -> Jwks {
    Jwks {
        keys: keys.into_iter().map(Jwk::from).collect(),
    }
}
