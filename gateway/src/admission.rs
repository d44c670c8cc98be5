//! What happens to a request between its route and its handler: the size of its headers and then,
//! in the order of the contract, rate limit, credential, permission, size and media type
//! (contract: identity, "Order of checks").

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, RawPathParams, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use guildhall_auth::{
    AccessRule, Credential, CredentialDigest, Guard, Quota,
    bodies::{RequestBodies, Sender},
};
use guildhall_runtime::{Error, Reason, metrics::Meter, trace::record_community};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CACHE_CONTROL, request::Parts,
};

use crate::{
    body,
    call::{Admitted, BUDGET, Call},
    challenge,
    client_address::{self, Cidr},
    credential,
    endpoint::Declaration,
    envelope::{Family, whole_seconds},
    failure::{Failure, Result},
    trace,
};

/// The most bytes that all headers of a request may have. Far above that, the listener answers
/// 431 by itself.
const MAX_HEADERS: usize = 16 * 1024;

/// What all endpoints check requests with.
#[derive(Debug, Clone)]
pub struct Checks {
    pub guard: Guard,
    pub trusted_proxies: Arc<[Cidr]>,
    pub bodies: RequestBodies,
}

/// What one endpoint checks requests with.
#[derive(Debug, Clone)]
pub struct Admission {
    pub checks: Checks,
    pub declaration: Arc<Declaration>,
    pub meter: Arc<Meter>,
}

/// Lets a request through to its handler, or refuses it; either answer leaves in the envelope of
/// the endpoint's family.
pub async fn admit(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    let mut measured = admission.meter.begin();
    trace::record_route(&request);
    let credential = admission.credential(&request);
    let scheme = credential::announced(request.headers());
    let family = admission.declaration.family(scheme);
    let counted = admission.count(&credential);
    let quota = admission.limit_headers(&counted);

    let mut response = match admission.check(credential, counted, family, request).await {
        Ok(request) => answer(next, request).await,
        Err(failure) => failure.into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = family.refuse(&failure, admission.declaration.names);
        if response.status() == StatusCode::UNAUTHORIZED {
            let (access, reason) = (&admission.declaration.access, failure.error.reason());
            challenge::write(access, reason, response.headers_mut());
        }
    }
    if let Some(quota) = quota {
        quota.write(family, response.headers_mut());
    }
    // Answers are for one caller; what others may keep says so itself.
    let caching = response.headers_mut().entry(CACHE_CONTROL);
    caching.or_insert(HeaderValue::from_static("no-store"));
    measured.answered(response.status().as_u16());
    response
}

/// Runs the handler within the time that its calls have, too: a service may not even say that it
/// was too slow.
async fn answer(next: Next, request: Request) -> Response {
    let running = tokio::time::timeout(BUDGET, next.run(request));
    running.await.unwrap_or_else(|_elapsed| {
        let message = "The deadline was exceeded, try again";
        Failure::from(Error::unavailable(Reason::DeadlineExceeded, message)).into_response()
    })
}

impl Admission {
    /// The request's credential; who needs none is not asked for any.
    fn credential(&self, request: &Request) -> Result<Option<Credential>, Error> {
        match self.declaration.access {
            AccessRule::Public => Ok(None),
            AccessRule::Internal | AccessRule::Credential { .. } => {
                credential::read(request.headers())
            }
        }
    }

    fn count(
        &self,
        credential: &Result<Option<Credential>, Error>,
    ) -> Result<Option<Quota>, Error> {
        match credential {
            Ok(credential) => self.checks.guard.count(credential.as_ref()),
            // Of two credentials neither is counted: the request goes nowhere.
            Err(_) => Ok(None),
        }
    }

    /// What the answer says of the rate limit.
    fn limit_headers(&self, counted: &Result<Option<Quota>, Error>) -> Option<LimitHeaders> {
        match counted {
            Ok(quota) => quota.map(|quota| LimitHeaders {
                quota,
                refused: None,
            }),
            Err(error) => self.checks.guard.rate_limit().map(|limit| {
                let wait = error.retry_delay().unwrap_or_default();
                LimitHeaders {
                    quota: Quota {
                        limit,
                        remaining: 0,
                        reset: wait,
                    },
                    refused: Some(wait),
                }
            }),
        }
    }

    async fn check(
        &self,
        credential: Result<Option<Credential>, Error>,
        counted: Result<Option<Quota>, Error>,
        family: Family,
        request: Request,
    ) -> Result<Request> {
        check_size(request.headers())?;
        counted?;
        let credential = credential?;
        let access = &self.declaration.access;
        let caller = self.checks.guard.admit(credential.as_ref(), access).await?;
        if let Some(caller) = &caller {
            record_community(caller.community);
        }

        let (mut parts, body) = request.into_parts();
        refuse_repeated(&parts.headers)?;
        refuse_empty(&mut parts).await?;
        let address = client_address::of(&parts, &self.checks.trusted_proxies);
        let body = if matches!(parts.method, Method::GET | Method::HEAD) {
            Body::empty()
        } else {
            let sender = match (&caller, &credential) {
                (Some(caller), Some(credential)) => {
                    Sender::Known(caller.community, CredentialDigest(credential.digest()))
                }
                (None, _) | (_, None) => Sender::Public(address.map(Into::into)),
            };
            let bodies = &self.checks.bodies;
            Body::from(body::read(&parts.method, &parts.headers, body, sender, bodies).await?)
        };
        let admitted = Admitted {
            credential,
            caller,
            address,
            family,
        };
        let call = Call::new(&parts, admitted)?;
        parts.extensions.insert(call);
        Ok(Request::from_parts(parts, body))
    }
}

fn check_size(headers: &HeaderMap) -> Result<()> {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    if sizes.sum::<usize>() > MAX_HEADERS {
        let message = "Request headers are too large";
        return Err(Error::new(Reason::InvalidValue, message).into());
    }
    Ok(())
}

/// Headers that are there once: who reads the first and who reads the last must not read different
/// requests. Rows that are open to all read keys from them, too.
const ONCE: &[&str] = &[
    "Host",
    "Content-Type",
    "Content-Encoding",
    "Idempotency-Key",
    "Authorization",
    "X-API-Key",
    "apiKey",
    "webhook-id",
    "x-encrypted",
    "x-session-token",
    "x-request-id",
];

fn refuse_repeated(headers: &HeaderMap) -> Result<()> {
    let mut names = ONCE.iter();
    match names.find(|name| headers.get_all(**name).iter().nth(1).is_some()) {
        Some(name) => Err(Error::invalid(*name, format!("{name} is given twice")).into()),
        None => Ok(()),
    }
}

/// An empty parameter names nothing, and must not be taken for one that was left out.
async fn refuse_empty(parts: &mut Parts) -> Result<()> {
    // What does not decode is refused where it is read.
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        return Ok(());
    };
    match parameters.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Error::missing(name).into()),
        None => Ok(()),
    }
}

/// What the `X-RateLimit-*` headers say.
#[derive(Debug, Clone, Copy)]
struct LimitHeaders {
    quota: Quota,
    refused: Option<Duration>,
}

impl LimitHeaders {
    fn write(self, family: Family, headers: &mut HeaderMap) {
        const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
        const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
        const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
        const RETRY_AFTER: HeaderName = HeaderName::from_static("x-ratelimit-retryafter");

        let limit = HeaderValue::from(self.quota.limit);
        headers.insert(REMAINING, HeaderValue::from(self.quota.remaining));
        headers.insert(RESET, HeaderValue::from(whole_seconds(self.quota.reset)));
        match family {
            Family::Sendbird => {
                let with_window = HeaderValue::from_str(&format!("{};w=1", self.quota.limit));
                headers.insert(LIMIT, with_window.unwrap_or(limit));
                if let Some(wait) = self.refused {
                    let seconds = whole_seconds(wait).max(1);
                    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
            }
            Family::Integration
            | Family::Application
            | Family::System
            | Family::Mudbase
            | Family::Bare => {
                headers.insert(LIMIT, limit);
            }
        }
    }
}
