//! Entities and queries, a file per aggregate; every query takes the community.

pub mod incoming;
pub mod quotas;
pub mod workflows;
