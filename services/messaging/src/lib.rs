//! Channels, messages, replies and reactions
