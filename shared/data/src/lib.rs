//! How a service keeps its data.
//!
//! * [`storage`]: where the databases are; [`database`]: connect, migrate, read and write
//! * [`tenancy`]: no row is read, changed or removed without its community
//! * [`page`]: keyset pages and opaque page tokens
//! * [`quota`]: how many of a thing a community may have
//! * [`unnest`]: many rows in one statement of PostgreSQL
//! * [`group_commit`]: writes that arrive together go to disk together
//! * [`idempotency`]: the same key answers the same
//! * [`seal`]: secrets at rest
//! * [`sweep`]: bounded tables; [`statistics`]: what the planner knows of those that grow
//! * `metrics`: what all this counts of itself

pub mod database;
pub mod group_commit;
pub mod idempotency;
mod metrics;
pub mod page;
pub mod quota;
pub mod seal;
pub mod statistics;
pub mod storage;
pub mod sweep;
pub mod tenancy;
pub mod unnest;

pub use database::{Backend, Database, Transaction, failed, file::FileTransaction};
pub use group_commit::GroupCommit;
// Ids are `guildhall-types`; whoever has a database has them from here, as values of it.
pub use guildhall_types::{
    ChannelId, CommunityId, DeliveryId, EventId, IdempotencyKey, KeyId, MailId, MessageId,
    PersonId, TopicId, UserId, WebhookId, WorkflowId, id,
};
pub use idempotency::{Claim, Idempotency, Ticket};
pub use page::{Page, PageRequest};
pub use quota::{Limited, Quota};
pub use storage::{PostgresServer, Storage};
pub use tenancy::{Resource, Tenant};
