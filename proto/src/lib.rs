//! The protobufs of Guildhall, compiled, and their descriptor set.
//!
//! `guildhall/<area>/v1/*.proto` are the product; this crate only makes them Rust.
//! A field number is never reused, and `make lint` refuses a breaking change.

// Generated code documents its items from the protos' own comments; tonic's servers have none.
#![allow(missing_docs)]
// Generated enum conversions and Status results are not ours to shape.
#![allow(clippy::all, clippy::wildcard_enum_match_arm)]

/// Who may call an RPC: the `access` and `idempotency` method options.
pub mod access {
    pub mod v1 {
        tonic::include_proto!("guildhall.access.v1");
    }
}

/// Communities, users, credentials and logins.
pub mod identity {
    pub mod v1 {
        tonic::include_proto!("guildhall.identity.v1");
    }
}

/// Channels, messages and reactions.
pub mod messaging {
    pub mod v1 {
        tonic::include_proto!("guildhall.messaging.v1");
    }
}

/// Webhooks, out and in, and workflows.
pub mod webhooks {
    pub mod v1 {
        tonic::include_proto!("guildhall.webhooks.v1");
    }
}

/// Domain events.
pub mod events {
    pub mod v1 {
        tonic::include_proto!("guildhall.events.v1");
    }
}

/// The encoded `FileDescriptorSet` of all of the above, with our method options in it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
