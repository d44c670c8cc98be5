//! JWTs of members: signed by identity alone, verified by every process (contract: identity, "Credentials").

use std::time::Duration;

use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::{CommunityId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::Credential;

/// How long a token is valid (contract: exactly 7 days).
pub const LIFETIME: Duration = Duration::from_secs(604_800);

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub _id: String,
    /// The small numeric id of their user, as text.
    pub id: String,
    /// The one community in which the token is valid.
    #[serde(rename = "communityId")]
    pub community_id: String,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Valid until, in seconds since 1970.
    pub exp: i64,
    /// From when on tokens of the user were valid as it was issued, in milliseconds since 1970: a
    /// later moment ends it. Older versions issued tokens without it, which go by `iat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<i64>,
}

/// A token whose signature and time were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The community in which it is valid.
    pub community: CommunityId,
    /// The user.
    pub user: UserId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it is valid.
    pub expires_at: Timestamp,
    /// See [`Claims::session`].
    pub session: Option<Timestamp>,
}

impl Verified {
    /// Whether it still stands when tokens of its user are valid from `valid_after` on. `iat` counts
    /// whole seconds, and by another clock.
    pub(crate) fn outlives(&self, valid_after: Timestamp) -> bool {
        self.session.unwrap_or(self.issued_at) >= valid_after
    }
}

/// Signs a token with an Ed25519 key in PKCS#8.
///
/// # Errors
/// INTERNAL when the key is not one.
pub fn sign(claims: &Claims, key_id: &str, pkcs8: &[u8]) -> Result<String> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key_id.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(pkcs8)).map_err(Error::internal)
}

/// The key id in a token's header, unchecked.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Checks a token against the raw public key that its key id names.
///
/// # Errors
/// CREDENTIAL_INVALID, whatever is wrong.
pub fn verify(token: &str, public_key: &[u8]) -> Result<Verified> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = 0;
    validation.set_required_spec_claims(&["exp"]);
    let key = DecodingKey::from_ed_der(public_key);
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| Credential::invalid())?
        .claims;
    Ok(Verified {
        community: claims
            .community_id
            .parse()
            .map_err(|_| Credential::invalid())?,
        user: claims._id.parse().map_err(|_| Credential::invalid())?,
        issued_at: Timestamp::from_millis(claims.iat.saturating_mul(1000)),
        expires_at: Timestamp::from_millis(claims.exp.saturating_mul(1000)),
        session: claims.session.map(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{Ed25519KeyPair, KeyPair},
    };

    use super::*;

    fn key() -> (Vec<u8>, Vec<u8>) {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        (pkcs8.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
    }

    fn claims(exp: i64) -> Claims {
        Claims {
            _id: UserId::generate().to_string(),
            id: "7".into(),
            community_id: CommunityId::generate().to_string(),
            iat: exp - 604_800,
            exp,
            session: None,
        }
    }

    #[test]
    fn only_the_signer_and_only_in_time() {
        let (private, public) = key();
        let now = Timestamp::now().as_secs();
        let good = claims(now + 60);
        let token = sign(&good, "k1", &private).unwrap();
        assert_eq!(key_id(&token).as_deref(), Some("k1"));
        assert_eq!(verify(&token, &public).unwrap().user.to_string(), good._id);
        assert!(verify(&token, &key().1).is_err());
        assert!(verify(&sign(&claims(now - 1), "k1", &private).unwrap(), &public).is_err());
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert!(verify(&unsigned, &public).is_err());
    }

    #[test]
    fn a_token_ends_with_its_session_whatever_the_clocks_say() {
        let (private, public) = key();
        let now = Timestamp::now();
        let token = |session| {
            let claims = Claims {
                session,
                iat: now.as_secs(),
                ..claims(now.as_secs() + 60)
            };
            verify(&sign(&claims, "k1", &private).unwrap(), &public).unwrap()
        };
        let at = |offset: i64| Timestamp::from_millis(now.as_millis() + offset);
        let issued_after = token(Some(now.as_millis()));
        assert!(issued_after.outlives(at(0)), "in the second of its issue");
        assert!(!issued_after.outlives(at(1)));
        assert!(!token(Some(0)).outlives(at(-60_000)), "by a slow clock");
        let older_version = token(None);
        assert!(older_version.outlives(at(-1000)) && !older_version.outlives(at(1)));
    }
}
