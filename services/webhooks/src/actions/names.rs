//! What callers from outside name a call with, so that its repeats are known.

use guildhall_auth::{CallerExt, credential::digest_of};
use guildhall_data::{EventId, IdempotencyKey};
use guildhall_runtime::{Error, Result};
use tonic::Request;
use zeroize::Zeroizing;

use crate::store::workflows;

/// The longest `dedup_id`, in characters.
const MAX_DEDUP_ID: usize = 255;

/// The names of a call, hashed: each of them keeps it from being repeated.
#[derive(Debug, PartialEq, Eq)]
pub struct CallNames {
    /// Its `dedup_id`.
    pub dedup_id: Option<String>,
    /// Its Idempotency-Key, if that says something else.
    pub idempotency_key: Option<String>,
}

impl CallNames {
    /// Reads the names of a call.
    ///
    /// # Errors
    /// INVALID_VALUE for one that is too long or not printable.
    pub fn of<T>(request: &Request<T>, dedup_id: &str) -> Result<Self> {
        let key = request.idempotency_key_as_sent()?;
        let is_printable = dedup_id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_printable || dedup_id.len() > MAX_DEDUP_ID {
            let description =
                format!("dedup_id must be at most {MAX_DEDUP_ID} printable characters");
            return Err(Error::invalid("dedup_id", description));
        }
        let dedup_id = Some(dedup_id).filter(|id| !id.is_empty());
        // Both are known under one roof: an older release took either for the other.
        let key = key.filter(|key| Some(*key) != dedup_id);
        Ok(Self {
            dedup_id: dedup_id.map(hashed),
            idempotency_key: key.map(hashed),
        })
    }
}

impl CallNames {
    /// `dedup_id` and `idempotency_key` of a call to messaging. A call without a name gets one of its
    /// own, so that our repeats of it are one.
    pub fn for_messaging(self) -> (String, String) {
        let named = |name: String| format!("call:{name}");
        match (self.dedup_id, self.idempotency_key) {
            (None, None) => (format!("once:{}", EventId::generate()), String::new()),
            (id, key) => (
                id.map(named).unwrap_or_default(),
                key.map(named).unwrap_or_default(),
            ),
        }
    }

    /// The keys of a call of this workflow, under its own name.
    pub fn for_workflow(self, workflow: &workflows::Model) -> Vec<IdempotencyKey> {
        let names = [
            ("dedup_id", self.dedup_id),
            ("Idempotency-Key", self.idempotency_key),
        ];
        let key = |(name, key): (&'static str, Option<String>)| {
            key.map(|key| IdempotencyKey {
                name,
                community: workflow.community_id,
                credential: workflow.id.to_string(),
                key,
                seal_secret: Zeroizing::default(),
            })
        };
        names.into_iter().filter_map(key).collect()
    }
}

fn hashed(name: &str) -> String {
    hex::encode(digest_of(name))
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;
    use tonic::metadata::MetadataValue;

    use super::*;

    fn names(dedup_id: &str, key: Option<&'static str>) -> Result<CallNames> {
        let mut request = Request::new(());
        if let Some(key) = key {
            let key = MetadataValue::from_static(key);
            request.metadata_mut().insert("idempotency-key", key);
        }
        CallNames::of(&request, dedup_id)
    }

    #[test]
    fn both_names_count_and_one_that_is_said_twice_counts_once() {
        let both = names("a", Some("b")).unwrap();
        assert_eq!(both.dedup_id, Some(hashed("a")));
        assert_eq!(both.idempotency_key, Some(hashed("b")));
        assert_eq!(names("a", Some("a")).unwrap(), names("a", None).unwrap());
        assert_eq!(names("", None).unwrap().dedup_id, None);
    }

    #[test]
    fn a_name_is_printable_and_has_255_characters_at_most() {
        assert!(names(&"x".repeat(255), None).is_ok());
        for wrong in [&"x".repeat(256), "a\tb", "é"] {
            let refused = names(wrong, None).unwrap_err();
            assert_eq!(refused.reason(), Reason::InvalidValue);
            assert_eq!(refused.violations()[0].field, "dedup_id");
        }
        let refused = names("", Some("")).unwrap_err();
        assert_eq!(refused.violations()[0].field, "Idempotency-Key");
    }
}
