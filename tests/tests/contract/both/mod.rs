//! What runs on both shapes: one process with SQLite, and a cluster.

mod access;
mod bad_input;
mod encodings;
mod every_row;
mod grpc;
mod grpc_bytes;
mod grpc_input;
mod grpc_nul;
mod idempotency;
mod isolation;
mod limits;
mod permissions;
mod random_input;
mod routes;
mod seeds;
mod sendbird_errors;
mod spellings;
