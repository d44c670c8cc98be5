//! What a handler asks of its request, and how it marks an answer that is repeated.

use std::sync::Arc;

use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::IdempotencyKey;

use crate::{Caller, caller::IDEMPOTENCY_KEY, rule::RpcRule};

/// The gRPC metadata of an answer that is the first one again.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// The longest Idempotency-Key.
const MAX_KEY_LEN: usize = 255;

/// What handlers ask of a request.
pub trait CallerExt {
    /// The caller.
    ///
    /// # Errors
    /// CREDENTIAL_MISSING when the RPC lets in callers without credential.
    fn caller(&self) -> Result<Arc<Caller>>;

    /// The Idempotency-Key of the call, scoped to its credential.
    ///
    /// # Errors
    /// INVALID_VALUE when it is empty, too long or not printable.
    fn idempotency_key(&self) -> Result<Option<IdempotencyKey>>;

    /// The Idempotency-Key of the call as it was sent, for a call without a credential.
    ///
    /// # Errors
    /// INVALID_VALUE when it is empty, too long or not printable.
    fn idempotency_key_as_sent(&self) -> Result<Option<&str>>;

    /// What the called method declares, and its path.
    ///
    /// # Errors
    /// INTERNAL when the call has not come through the [`AccessLayer`](crate::AccessLayer).
    fn rule(&self) -> Result<Arc<RpcRule>>;
}

impl<T> CallerExt for tonic::Request<T> {
    fn caller(&self) -> Result<Arc<Caller>> {
        self.extensions()
            .get::<Arc<Caller>>()
            .cloned()
            .ok_or_else(|| Error::new(Reason::CredentialMissing, "Invalid token"))
    }

    fn idempotency_key(&self) -> Result<Option<IdempotencyKey>> {
        let key = self.idempotency_key_as_sent()?;
        key.map(|key| Ok(self.caller()?.idempotency_key(key.to_owned())))
            .transpose()
    }

    fn idempotency_key_as_sent(&self) -> Result<Option<&str>> {
        let mut values = self.metadata().get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            let description = "Idempotency-Key is given twice";
            return Err(Error::invalid("Idempotency-Key", description));
        }
        let key = value
            .to_str()
            .ok()
            .filter(|key| !key.is_empty() && key.len() <= MAX_KEY_LEN);
        let key = key.ok_or_else(|| {
            Error::invalid(
                "Idempotency-Key",
                format!("Idempotency-Key must be 1 to {MAX_KEY_LEN} printable characters"),
            )
        })?;
        Ok(Some(key))
    }

    fn rule(&self) -> Result<Arc<RpcRule>> {
        let rule = self.extensions().get::<Arc<RpcRule>>().cloned();
        rule.ok_or_else(|| Error::bug("the call has not come through the access layer"))
    }
}

/// An answer, marked when it is the first one again.
pub fn answer<T>(message: T, replayed: bool) -> tonic::Response<T> {
    let mut response = tonic::Response::new(message);
    if replayed {
        let yes = tonic::metadata::MetadataValue::from_static("true");
        response.metadata_mut().insert(IDEMPOTENT_REPLAYED, yes);
    }
    response
}
