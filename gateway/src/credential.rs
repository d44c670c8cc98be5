//! The public credential headers, read into the one form in which credentials travel.

use guildhall_auth::{Credential, credential::Scheme};
use guildhall_runtime::Result;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

/// Headers that carry a system key.
const SYSTEM_KEY: [&str; 2] = ["x-api-key", "apikey"];
/// The header of the Sendbird facade.
const SENDBIRD_TOKEN: &str = "api-token";

/// Markers by which a known client chooses its host; they are no part of the key.
const MARKERS: &[&str] = &["local:", "pre-staging:", "staging:", "playground:"];

/// The scheme that a request announces first, whatever its credential is worth.
pub fn announced(headers: &HeaderMap) -> Option<Scheme> {
    let has = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    if has(AUTHORIZATION.as_str()) {
        Some(Scheme::Bearer)
    } else if SYSTEM_KEY.into_iter().any(has) {
        Some(Scheme::SystemKey)
    } else {
        has(SENDBIRD_TOKEN).then_some(Scheme::SendbirdToken)
    }
}

/// The credential of a request; none when it has none, or an empty one.
///
/// # Errors
/// CREDENTIAL_INVALID for an `Authorization` that is no bearer, CREDENTIALS_CONFLICT for two
/// different credentials. The same one twice is one.
pub fn read(headers: &HeaderMap) -> Result<Option<Credential>> {
    let bearers = headers.get_all(AUTHORIZATION).iter().map(bearer);
    let system_keys = SYSTEM_KEY
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .map(|value| plain(value, Scheme::SystemKey));
    let sendbird_tokens = headers
        .get_all(SENDBIRD_TOKEN)
        .iter()
        .map(|value| plain(value, Scheme::SendbirdToken));

    let mut found = None;
    for credential in bearers.chain(system_keys).chain(sendbird_tokens) {
        match (&found, credential?) {
            (_, None) => {}
            (None, first) => found = first,
            (Some(first), Some(other)) if *first == other => {}
            (Some(_), Some(_)) => return Err(Credential::conflict()),
        }
    }
    Ok(found)
}

fn bearer(value: &HeaderValue) -> Result<Option<Credential>> {
    let text = text(value)?;
    if text.is_empty() || text.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let secret = match text.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
        _ => return Err(Credential::invalid()),
    };
    let secret = MARKERS
        .iter()
        .find_map(|marker| secret.strip_prefix(marker))
        .unwrap_or(secret);
    Ok(Some(Credential::new(Scheme::Bearer, secret)))
}

fn plain(value: &HeaderValue, scheme: Scheme) -> Result<Option<Credential>> {
    let text = text(value)?;
    Ok((!text.is_empty()).then(|| Credential::new(scheme, text)))
}

fn text(value: &HeaderValue) -> Result<&str> {
    value
        .to_str()
        .map(str::trim)
        .map_err(|_| Credential::invalid())
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use http::HeaderName;

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
    fn two_different_ones_conflict_and_the_same_twice_does_not() {
        let conflict = |headers: &[(&'static str, &str)]| read_from(headers).unwrap_err().reason();
        assert_eq!(
            conflict(&[("Authorization", "Bearer a"), ("X-API-Key", "a")]),
            Reason::CredentialsConflict
        );
        assert_eq!(
            conflict(&[("X-API-Key", "a"), ("apiKey", "b")]),
            Reason::CredentialsConflict
        );
        assert_eq!(one(&[("X-API-Key", "a"), ("apiKey", "a")]).secret(), "a");
    }

    #[test]
    fn another_scheme_is_invalid() {
        let refused = read_from(&[("Authorization", "Basic YTpi")]).unwrap_err();
        assert_eq!(refused.reason(), Reason::CredentialInvalid);
    }
}
