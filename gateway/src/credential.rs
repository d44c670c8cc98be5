//! The public credential headers, read into the one form in which credentials travel.

use guildhall_auth::{
    Credential,
    credential::{Scheme, once},
};
use guildhall_runtime::Result;
use http::{HeaderMap, header::AUTHORIZATION};

/// Headers that are nothing but a credential; a system key has two.
const PLAIN: &[(&str, Scheme)] = &[
    ("x-api-key", Scheme::SystemKey),
    ("apikey", Scheme::SystemKey),
    ("api-token", Scheme::SendbirdToken),
];

/// Markers by which a known client chooses its host; they are no part of the key.
const MARKERS: &[&str] = &["local:", "pre-staging:", "staging:", "playground:"];

/// The scheme that a request announces first, whatever its credential is worth.
pub fn announced(headers: &HeaderMap) -> Option<Scheme> {
    let has = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    if has(AUTHORIZATION.as_str()) {
        return Some(Scheme::Bearer);
    }
    let mut plain = PLAIN.iter();
    plain.find(|(name, _)| has(name)).map(|(_, scheme)| *scheme)
}

/// The credential of a request; none when it has none, or an empty one.
///
/// # Errors
/// CREDENTIAL_INVALID for an `Authorization` that is no bearer, CREDENTIALS_CONFLICT for two
/// different credentials, and for a header that is there twice. The same key under both names of its
/// header is one.
pub fn read(headers: &HeaderMap) -> Result<Option<Credential>> {
    let mut found = bearer(once(headers, AUTHORIZATION.as_str())?)?;
    for (name, scheme) in PLAIN {
        let other = Credential::of(*scheme, once(headers, name)?)?;
        match (&found, other) {
            (_, None) => {}
            (None, first) => found = first,
            (Some(first), Some(other)) if *first == other => {}
            (Some(_), Some(_)) => return Err(Credential::conflict()),
        }
    }
    Ok(found)
}

fn bearer(text: &str) -> Result<Option<Credential>> {
    let Some(credential) = Credential::announced(text, &[Scheme::Bearer])? else {
        return Ok(None);
    };
    let mut markers = MARKERS.iter();
    match markers.find_map(|marker| credential.secret().strip_prefix(marker)) {
        Some(secret) => Credential::of(Scheme::Bearer, secret),
        None => Ok(Some(credential)),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn read_from(headers: &[(&'static str, &str)]) -> Result<Option<Credential>> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            )
        });
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value): (HeaderName, HeaderValue)| {
            map.append(name, value);
        });
        read(&map)
    }

    fn one(headers: &[(&'static str, &str)]) -> Credential {
        read_from(headers).unwrap().unwrap()
    }

    #[test]
    fn each_header_announces_its_kind() {
        assert_eq!(
            one(&[("Authorization", "bearer k")]),
            Credential::new(Scheme::Bearer, "k")
        );
        let system_key = Credential::new(Scheme::SystemKey, "k");
        assert_eq!(one(&[("X-API-Key", "k")]), system_key);
        assert_eq!(one(&[("apiKey", "k")]), system_key);
        assert_eq!(
            one(&[("Api-Token", "k")]),
            Credential::new(Scheme::SendbirdToken, "k")
        );
    }

    #[test]
    fn an_empty_header_is_a_missing_one() {
        for empty in ["", "Bearer", "Bearer "] {
            assert_eq!(read_from(&[("Authorization", empty)]).unwrap(), None);
        }
        let key = one(&[("Authorization", ""), ("X-API-Key", "k")]);
        assert_eq!(key.scheme(), Scheme::SystemKey);
    }

    #[test]
    fn markers_of_a_known_client_are_dropped() {
        for marked in ["local:k", "pre-staging:k", "staging:k", "playground:k"] {
            let value = format!("Bearer {marked}");
            assert_eq!(one(&[("Authorization", &value)]).secret(), "k");
        }
    }

    #[test]
    fn two_different_ones_conflict_and_the_same_under_two_names_does_not() {
        let conflict = |headers: &[(&'static str, &str)]| read_from(headers).unwrap_err().reason();
        assert_eq!(
            conflict(&[("Authorization", "Bearer a"), ("X-API-Key", "a")]),
            Reason::CredentialsConflict
        );
        assert_eq!(
            conflict(&[("X-API-Key", "a"), ("apiKey", "b")]),
            Reason::CredentialsConflict
        );
        assert_eq!(
            conflict(&[("X-API-Key", "a"), ("X-API-Key", "a")]),
            Reason::CredentialsConflict,
            "a header that is there twice"
        );
        assert_eq!(one(&[("X-API-Key", "a"), ("apiKey", "a")]).secret(), "a");
    }

    #[test]
    fn another_scheme_is_invalid() {
        let refused = read_from(&[("Authorization", "Basic YTpi")]).unwrap_err();
        assert_eq!(refused.reason(), Reason::CredentialInvalid);
    }
}
