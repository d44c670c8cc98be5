//! Entities and queries, a file per aggregate. Every query takes the community.

pub mod channels;
pub mod listing;
pub mod members;
pub mod messages;
#[cfg(test)]
mod plan;
pub mod reactions;
pub mod seek;
pub mod sequences;
pub mod topics;
