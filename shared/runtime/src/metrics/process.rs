//! What the operating system and tokio know of this process, read when metrics are read.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use tokio::runtime::Handle;

/// Metrics under the names that Prometheus clients of all languages use.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        #[cfg(target_os = "linux")]
        if let Ok(usage) = linux::Usage::read() {
            usage.encode(&mut encoder)?;
        }
        if let Ok(runtime) = Handle::try_current() {
            tokio(&runtime, &mut encoder)?;
        }
        Ok(())
    }
}

fn tokio(runtime: &Handle, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let metrics = runtime.metrics();
    let workers = metrics.num_workers();
    let busy = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker).as_secs_f64());
    gauge(
        encoder,
        "guildhall_tokio_workers",
        "Threads that run tasks",
        workers as f64,
    )?;
    gauge(
        encoder,
        "guildhall_tokio_alive_tasks",
        "Tasks that have not ended",
        metrics.num_alive_tasks() as f64,
    )?;
    gauge(
        encoder,
        "guildhall_tokio_global_queue_depth",
        "Tasks that wait for any thread",
        metrics.global_queue_depth() as f64,
    )?;
    counter(
        encoder,
        "guildhall_tokio_busy_seconds",
        "Time that threads have spent running tasks, all together",
        busy.sum(),
    )
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    show(encoder, name, help, &ConstGauge::new(value))
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    show(encoder, name, help, &ConstCounter::new(value))
}

fn show(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    let encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(encoder)
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::{ProcResult, WithCurrentSystemInfo, process};

    use super::{DescriptorEncoder, counter, fmt, gauge};

    pub(super) struct Usage {
        cpu: f64,
        resident: f64,
        virtual_memory: f64,
        threads: f64,
        open_fds: f64,
        max_fds: f64,
        started: f64,
    }

    impl Usage {
        pub(super) fn read() -> ProcResult<Self> {
            let myself = process::Process::myself()?;
            let stat = myself.stat()?;
            let ticks = procfs::ticks_per_second() as f64;
            let max_fds = match myself.limits()?.max_open_files.soft_limit {
                process::LimitValue::Unlimited => f64::INFINITY,
                process::LimitValue::Value(files) => files as f64,
            };
            Ok(Self {
                cpu: (stat.utime + stat.stime) as f64 / ticks,
                resident: stat.rss_bytes().get() as f64,
                virtual_memory: stat.vsize as f64,
                threads: stat.num_threads as f64,
                open_fds: myself.fd_count()? as f64,
                max_fds,
                started: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
            })
        }

        pub(super) fn encode(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
            counter(
                encoder,
                "process_cpu_seconds",
                "Time on a processor",
                self.cpu,
            )?;
            for (name, help, value) in [
                (
                    "process_resident_memory_bytes",
                    "Memory that is in RAM",
                    self.resident,
                ),
                (
                    "process_virtual_memory_bytes",
                    "Memory that is mapped",
                    self.virtual_memory,
                ),
                ("process_threads", "Threads of the system", self.threads),
                (
                    "process_open_fds",
                    "Files and sockets that are open",
                    self.open_fds,
                ),
                ("process_max_fds", "How many may be open", self.max_fds),
                (
                    "process_start_time_seconds",
                    "When it began, in seconds since 1970",
                    self.started,
                ),
            ] {
                gauge(encoder, name, help, value)?;
            }
            Ok(())
        }
    }
}
