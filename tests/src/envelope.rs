//! What a refusal looks like in each family of answers (contract: identity, "Errors"; sendbird,
//! "Errors"; mudbase, "Envelope and errors").

use guildhall_testkit::Answer;
use serde_json::{Value, json};

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `{"status":"error","message":…}`
    E1,
    /// `{"meta":{"status":"error","statusCode":…},"message":…}`
    E2,
    /// `{"meta":{"success":false,…},"body":null}`
    E3,
    /// `{"error":true,"code":…,"message":…}`
    Sendbird,
    /// `{"error":…,"code":"…","details":…}`
    Mudbase,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request must be corrected.
    Invalid,
    /// The credential is missing, unknown, revoked, expired or of another kind.
    Unauthenticated,
    /// The key lacks the permission.
    NoPermission,
    /// The record does not allow it to this caller.
    Forbidden,
    /// Unknown, or another community's.
    NotFound,
    /// Duplicate or conflicting state.
    Conflict,
    /// The body is over the limit.
    TooLarge,
    /// The media type is none that the route takes.
    WrongMediaType,
    /// Too many requests.
    RateLimited,
}

impl Refusal {
    fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::NoPermission | Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::WrongMediaType => 415,
            Self::RateLimited => 429,
        }
    }
}

impl Family {
    /// The one that the contract's column calls so.
    ///
    /// # Panics
    /// When no answer of these tests has that shape.
    #[must_use]
    pub fn named(envelope: &str) -> Self {
        match envelope {
            "E1" => Self::E1,
            "E2" => Self::E2,
            "E3" => Self::E3,
            "sendbird" => Self::Sendbird,
            "mudbase" => Self::Mudbase,
            // Without an envelope when all is well; what is refused has that of E1.
            "bare" => Self::E1,
            other => panic!("no family {other}"),
        }
    }

    /// The record in an answer.
    #[must_use]
    pub fn record(self, answer: &Value) -> &Value {
        match self {
            Self::E1 | Self::E2 | Self::Mudbase => &answer["data"],
            Self::E3 => &answer["body"],
            Self::Sendbird => answer,
        }
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(self, refusal: Refusal) -> u16 {
        match (self, refusal) {
            (Self::E1, Refusal::NoPermission) => 401,
            // Sendbird tells by its code; only these have a status of their own.
            (Self::Sendbird, Refusal::RateLimited) => 429,
            (Self::Sendbird, _) => 400,
            _ => refusal.status(),
        }
    }

    /// What is wrong with `answer` as this refusal, or nothing.
    ///
    /// # Errors
    /// The difference, with the whole answer.
    pub fn check(self, answer: &Answer, refusal: Refusal) -> Result<(), String> {
        let expected = self.status(refusal);
        let whole = || format!("{} {}", answer.status, answer.body);
        if answer.status != expected {
            return Err(format!("{self:?} {refusal:?} is a {expected}: {}", whole()));
        }
        // RFC 9110, section 15.5.2.
        if expected == 401 && answer.header("www-authenticate").is_none() {
            return Err(format!("a 401 without WWW-Authenticate: {}", whole()));
        }
        let json: Value = serde_json::from_str(&answer.body)
            .map_err(|error| format!("{error} in {}", whole()))?;
        let right = match self {
            Self::E1 => e1(&json, refusal),
            Self::E2 => e2(&json, expected),
            Self::E3 => e3(&json),
            Self::Sendbird => sendbird(&json, refusal),
            Self::Mudbase => mudbase(&json, refusal),
        };
        if right {
            Ok(())
        } else {
            Err(format!(
                "this is not {refusal:?} in the shape {self:?}: {}",
                whole()
            ))
        }
    }

    /// Fails the test when `answer` is not this refusal.
    #[track_caller]
    pub fn refuses(self, answer: &Answer, refusal: Refusal) {
        if let Err(difference) = self.check(answer, refusal) {
            panic!("{difference}");
        }
    }
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn only(json: &Value, allowed: &[&str]) -> bool {
    let keys = json.as_object().map(|object| object.keys());
    keys.is_some_and(|mut keys| keys.all(|key| allowed.contains(&key.as_str())))
}

fn e1(json: &Value, refusal: Refusal) -> bool {
    // The two texts that the public pages print.
    let documented = if refusal == Refusal::Unauthenticated {
        json["message"] == "Invalid token"
    } else if refusal == Refusal::NoPermission {
        json["message"] == "Insufficient permission"
    } else {
        text(&json["message"])
    };
    documented
        && json["status"] == "error"
        && only(json, &["status", "message", "errors", "code"])
        && violations(&json["errors"])
}

fn e2(json: &Value, status: u16) -> bool {
    json["meta"]["status"] == "error"
        && json["meta"]["statusCode"] == json!(status)
        && text(&json["message"])
        && only(json, &["meta", "message"])
        && violations(&json["meta"]["validation"])
}

fn e3(json: &Value) -> bool {
    json["meta"]["success"] == false
        && text(&json["meta"]["message"])
        && text(&json["meta"]["devMessage"])
        && json.get("body") == Some(&Value::Null)
        && only(json, &["meta", "body"])
}

fn violations(list: &Value) -> bool {
    list.is_null()
        || list.as_array().is_some_and(|list| {
            list.iter()
                .all(|item| text(&item["field"]) && text(&item["message"]))
        })
}

fn sendbird(json: &Value, refusal: Refusal) -> bool {
    let code = json["code"].as_i64().unwrap_or_default();
    let right = match refusal {
        Refusal::Unauthenticated => code == 400_401,
        Refusal::NotFound => [400_201, 400_301].contains(&code),
        Refusal::RateLimited => code == 500_910,
        Refusal::Invalid
        | Refusal::NoPermission
        | Refusal::Forbidden
        | Refusal::Conflict
        | Refusal::TooLarge
        | Refusal::WrongMediaType => (400_100..401_000).contains(&code),
    };
    right
        && json["error"] == true
        && text(&json["message"])
        && only(json, &["error", "code", "message"])
}

fn mudbase(json: &Value, refusal: Refusal) -> bool {
    let (code, error) = match refusal {
        Refusal::Invalid => ("VALIDATION_ERROR", Some("Validation failed")),
        Refusal::Unauthenticated => ("UNAUTHORIZED", Some("Authentication required")),
        Refusal::NoPermission | Refusal::Forbidden => ("FORBIDDEN", Some("Access denied")),
        Refusal::NotFound => ("NOT_FOUND", Some("Resource not found")),
        Refusal::Conflict => ("CONFLICT", None),
        Refusal::TooLarge => ("PAYLOAD_TOO_LARGE", None),
        Refusal::RateLimited => ("RATE_LIMITED", None),
        // The contract names no code for it.
        Refusal::WrongMediaType => return text(&json["error"]) && text(&json["code"]),
    };
    json["code"] == code
        && error.map_or_else(|| text(&json["error"]), |error| json["error"] == error)
        && only(json, &["error", "code", "details"])
}
