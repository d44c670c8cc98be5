//! What runs on both shapes: one process with SQLite, and a cluster.

mod channels;
mod clients;
mod grpc_channels;
mod large_pages;
mod listing;
mod logins;
mod moments;
mod mudbase;
mod newcomer;
mod races;
mod revocations;
mod sendbird;
mod streams;
mod webhooks_callers;
mod webhooks_encrypted;
mod webhooks_incoming;
mod webhooks_managed;
mod webhooks_outgoing;
mod workflows;
