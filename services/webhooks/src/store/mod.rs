//! Entities and queries, a file per aggregate; every query takes the community.

pub mod deliveries;
pub mod incoming;
pub mod outgoing;
#[cfg(test)]
mod plan;
pub mod seals;
pub mod workflows;
