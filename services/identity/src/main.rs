//! The identity service as a process of its own.

use std::process::ExitCode;

use guildhall_identity::Identity;

/// The system's allocator took a fifth of the time of a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    guildhall_service::run::<Identity>().await
}
