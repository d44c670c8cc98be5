//! The one rewrite rule of the public paths (contract: identity, "DECISION: paths").
//!
//! Every path of the contract is served under `/v1`, `/apis/v1`, `/api/v1`, `/apis` and at the
//! root. Routes are registered at the root; this rule brings the others there, before routing.

use http::Uri;

/// Prefixes that mean nothing, the longest of those that begin alike first.
const STRIPPED: &[&str] = &["/apis/v1", "/api/v1", "/apis", "/v1"];

/// Roots of what is served at its own place alone.
const FIXED: &[&str] = &[
    "/v3",
    "/api/chat/projects",
    "/healthz",
    "/readyz",
    "/docs",
    "/.well-known",
];

/// Characters of an id, which is no secret.
const ID_LEN: usize = 24;

/// The path under which a request is routed.
pub fn routed(path: &str) -> &str {
    if is_below(path, "/docs") {
        // A browser resolves the page's own files against the slash.
        return path;
    }
    let mut rest = match path.strip_suffix('/') {
        None | Some("") => path,
        Some(bare) => bare,
    };
    if is_fixed(rest) {
        return rest;
    }
    while let Some(stripped) = STRIPPED
        .iter()
        .find_map(|prefix| rest_below(rest, prefix).filter(|rest| !rest.is_empty()))
    {
        rest = stripped;
    }
    // `/v1/healthz` is nothing: what is served at its own place has no prefixed twin.
    if is_fixed(rest) { path } else { rest }
}

/// The path as logs may show it: who knows the url of an incoming webhook may call it.
pub fn logged(path: &str) -> &str {
    const SECRET: &str = "/webhooks/incoming/";
    match routed(path).strip_prefix(SECRET) {
        Some(address) if address.len() > ID_LEN => "/webhooks/incoming/…",
        Some(_) | None => path,
    }
}

/// The path under which a route is documented.
pub fn documented(route: &str) -> String {
    if is_fixed(route) {
        route.to_owned()
    } else {
        format!("/v1{route}")
    }
}

/// The same request at the path under which it is routed.
pub fn rewrite(uri: &Uri) -> Option<Uri> {
    let path = routed(uri.path());
    if path == uri.path() {
        return None;
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path_and_query.parse().ok();
    Uri::from_parts(parts).ok()
}

fn is_fixed(path: &str) -> bool {
    FIXED.iter().any(|root| is_below(path, root))
}

/// Whether `path` is `root` or below it.
pub fn is_below(path: &str, root: &str) -> bool {
    rest_below(path, root).is_some()
}

/// What follows `root` in `path`: empty, or beginning with a slash.
fn rest_below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    path.strip_prefix(root)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_prefixes_lead_to_the_same_route() {
        for path in [
            "/messages/send",
            "/v1/messages/send",
            "/apis/v1/messages/send",
            "/api/v1/messages/send",
            "/apis/messages/send",
            "/api/v1/apis/v1/messages/send",
            "/v1/messages/send/",
        ] {
            assert_eq!(routed(path), "/messages/send", "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_a_prefix_stays() {
        assert_eq!(routed("/v10/messages"), "/v10/messages");
        assert_eq!(routed("/apiserver"), "/apiserver");
        assert_eq!(routed("/api/secureAuth"), "/api/secureAuth");
        assert_eq!(routed("/v1"), "/v1");
    }

    #[test]
    fn what_has_its_own_place_has_no_twin() {
        assert_eq!(routed("/v3/users/"), "/v3/users");
        assert_eq!(
            routed("/api/chat/projects/p/chats"),
            "/api/chat/projects/p/chats"
        );
        assert_eq!(routed("/v1/healthz"), "/v1/healthz");
        assert_eq!(routed("/apis/v1/v3/users"), "/apis/v1/v3/users");
        assert_eq!(routed("/docs/"), "/docs/");
    }

    #[test]
    fn the_url_of_a_webhook_is_not_logged() {
        let address = "q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3";
        for prefix in ["", "/v1", "/apis/v1"] {
            let path = format!("{prefix}/webhooks/incoming/{address}");
            assert_eq!(logged(&path), "/webhooks/incoming/…");
        }
        for shown in [
            "/v1/webhooks/incoming/f10000000000000000000001",
            "/v1/messages",
        ] {
            assert_eq!(logged(shown), shown);
        }
    }

    #[test]
    fn the_query_is_kept() {
        let uri: Uri = "/apis/v1/messages?count=2".parse().unwrap();
        assert_eq!(
            rewrite(&uri).unwrap().to_string(),
            "/messages?count=2".to_owned()
        );
        assert_eq!(rewrite(&"/messages".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn any_row_of_prefixes_is_stripped(
            prefixes in proptest::collection::vec(proptest::sample::select(STRIPPED), 0..5),
            tail in "(/[a-z]{5,9}){1,3}",
        ) {
            let path = format!("{}{tail}", prefixes.concat());
            prop_assert_eq!(routed(&path), tail);
        }

        #[test]
        fn routing_twice_is_routing_once(path in "(/(v1|apis|api|v3|docs|healthz|chat|x)){0,6}/?") {
            let once = routed(&path).to_owned();
            prop_assert_eq!(routed(&once), once.as_str());
            if let Ok(uri) = path.parse::<Uri>() {
                prop_assert!(rewrite(&uri).is_none_or(|uri| uri.path() == once));
            }
        }

        #[test]
        fn a_route_is_found_where_it_is_documented(route in "(/[a-z]{2,8}){1,4}") {
            let documented = documented(&route);
            prop_assert_eq!(routed(&documented), route);
        }
    }
}
