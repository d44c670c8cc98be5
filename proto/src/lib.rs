//! The protobufs of Guildhall, compiled, and their descriptor set.
//!
//! `guildhall/<area>/v1/*.proto` are the product; this crate only makes them Rust.
//! A field number is never reused, and `make lint` refuses a breaking change.

// Generated code documents its items from the protos' own comments; tonic's servers have none.
#![allow(missing_docs)]
// Generated enum conversions and Status results are not ours to shape.
#![allow(clippy::all, clippy::wildcard_enum_match_arm)]

include!(concat!(env!("OUT_DIR"), "/guildhall.rs"));

/// A module for each folder of `guildhall/`, with a module for each version in it.
pub use guildhall::*;

/// The encoded `FileDescriptorSet` of all of the above, with our method options in it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
