//! Types that every crate speaks of: they carry rules and do no I/O.
//!
//! * [`id`]: the typed ids
//! * [`idempotency`]: who repeats which request
//! * [`text`], [`list`]: what the texts and lists of a request may be
//! * [`json`](mod@json): JSON bodies as callers write them
//! * [`fold`]: when two texts are one name
//! * [`proto_enum`](mod@proto_enum): stored enums, and what stands for them in the protos
//! * [`mask`]: which fields a request means
//!
//! With the feature `database`, ids are values of SeaORM.

#[cfg(feature = "database")]
mod database;
pub mod fold;
pub mod id;
pub mod idempotency;
pub mod json;
pub mod list;
pub mod mask;
pub mod proto_enum;
pub mod text;

pub use id::{
    ChannelId, CommunityId, DeliveryId, EventId, KeyId, MailId, MessageId, PersonId, TopicId,
    UserId, WebhookId, WorkflowId,
};
pub use idempotency::IdempotencyKey;
pub use mask::{FieldMask, Fields};
pub use proto_enum::ProtoEnum;
