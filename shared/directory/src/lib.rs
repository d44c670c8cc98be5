//! What identity knows of users and communities, asked by the other services and cached.
//!
//! * [`directory`]: the client with its caches
//! * [`user`]: a user as identity answers

pub mod directory;
pub mod user;

pub use directory::Directory;
pub use user::User;
