//! A service as a process of its own.
//!
//! * [`settings`]: the flags that all processes share
//! * [`process`]: what a process is made of, from its start to its last answer
//! * [`metrics`]: what it shows to its operator
//! * [`stack`]: what stands in front of every RPC

pub mod metrics;
pub mod process;
pub mod settings;
pub mod stack;

pub use process::{Door, Part, Process, finish};
pub use settings::{DatabaseSettings, ProcessSettings, ServeSettings};
pub use stack::stack;

/// Of every process: requests are many small allocations, made in one thread and freed in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
