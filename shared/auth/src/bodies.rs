//! The memory for bodies of requests, over REST as over gRPC: who sends them, and their shares.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_runtime::{
    Result,
    body::{BodyBudget, BodyLimits},
};
use guildhall_types::CommunityId;
use http_body::Body;

use crate::{ClientAddress, CredentialDigest};

const MIB: usize = 1024 * 1024;
/// The memory for bodies of callers that were let in: their group is the community.
const KNOWN: BodyLimits = BodyLimits {
    total: 32 * MIB,
    group: 16 * MIB,
    sender: 8 * MIB,
};
/// The memory for bodies of all others: address by address.
const PUBLIC: BodyLimits = BodyLimits {
    total: 8 * MIB,
    group: MIB,
    sender: MIB,
};

/// Whose body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A service of this platform, for itself.
    Service,
    /// A caller of this community, by their credential.
    Known(CommunityId, CredentialDigest),
    /// Somebody without a credential.
    Public(Option<ClientAddress>),
}

/// The bodies that are being read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestBodies {
    known: Arc<BodyBudget>,
    public: Arc<BodyBudget>,
}

impl Default for RequestBodies {
    fn default() -> Self {
        Self {
            known: Arc::new(BodyBudget::new(KNOWN)),
            public: Arc::new(BodyBudget::new(PUBLIC)),
        }
    }
}

impl RequestBodies {
    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`BodyBudget::read`].
    pub async fn read<B: Body>(&self, body: B, limit: usize, sender: Sender) -> Result<Bytes> {
        match sender {
            Sender::Service => self.known.read(body, limit, (), ()).await,
            Sender::Known(community, digest) => {
                self.known.read(body, limit, community, digest).await
            }
            Sender::Public(address) => self.public.read(body, limit, address, address).await,
        }
    }
}
