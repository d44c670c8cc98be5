//! The table `idempotency_keys`, which each service that writes has.

use sea_orm::entity::prelude::*;

use crate::{CommunityId, Tenant};

/// A first answer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The caller's community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The caller's credential.
    #[sea_orm(primary_key, auto_increment = false)]
    pub credential: String,
    /// The full method name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rpc: String,
    /// The caller's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the request, keyed when the answer is sealed; empty when any request with
    /// the key is the same.
    pub request_hash: Vec<u8>,
    /// The encoded answer, sealed when it holds a secret.
    pub answer: Vec<u8>,
    /// Until when the key is remembered, in milliseconds.
    pub expires_at: i64,
}

/// None: rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}
