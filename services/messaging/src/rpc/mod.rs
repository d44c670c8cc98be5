//! The gRPC services, a file each; [`locate`], [`cursor`] and [`show`] are what they share.

mod channels;
mod cursor;
mod list_messages;
mod locate;
mod messages;
mod post;
mod post_webhook;
mod reactions;
mod show;
mod topics;
mod watch;
