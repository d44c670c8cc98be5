//! What a process shows to its operator.
//!
//! * [`rpc`]: every RPC is counted by its code
//! * [`port`]: where Prometheus reads the figures

pub mod port;
pub mod rpc;
