//! What a figure was measured on.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::Instant,
};

use serde::Serialize;

use crate::{Result, comparison::median, process};

/// Flushes that are timed.
const FLUSHES: usize = 200;

/// The machine, without its name.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// Its cores that we may use.
    pub cores: usize,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// The kernel's version.
    pub kernel: String,
    /// The kind of file system that all databases lie on.
    pub file_system: String,
    /// The median time to write a page behind the end of a file and flush it there, in
    /// microseconds: no commit alone can be faster.
    pub flush_micros: f64,
    /// What PostgreSQL says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
}

impl Machine {
    /// Looks at the machine.
    ///
    /// # Errors
    /// When the temporary folder cannot be written, or forgets what is flushed.
    pub fn look() -> Result<Self> {
        let file_system = file_system(&std::env::temp_dir()).unwrap_or_default();
        if file_system == "tmpfs" {
            return Err(
                "the temporary folder is kept in memory, where a flush costs nothing: name \
                        one on a disk with TMPDIR"
                    .into(),
            );
        }
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        let memory = process::line("/proc/meminfo", "MemTotal:");
        Ok(Self {
            cpu: model
                .map_or(std::env::consts::ARCH, |(_, model)| model)
                .to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: memory.unwrap_or_default() / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system,
            flush_micros: flush()?,
            postgres: None,
        })
    }
}

/// The kind of the file system that a folder lies on, where the system tells.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    kind(&fs::read_to_string("/proc/self/mounts").ok()?, &folder)
}

/// Of all mounts above the folder, the deepest; of several at one place, the last.
fn kind(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    let above = mounts.filter(|(place, _)| folder.starts_with(place));
    let deepest = above.max_by_key(|(place, _)| place.components().count());
    deepest.map(|(_, kind)| kind.to_owned())
}

fn flush() -> Result<f64> {
    let mut file: File = tempfile::tempfile()?;
    let page = [7; 8192];
    let mut times = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let begin = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_deepest_mount_above_it() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n";
        let kind = |folder| kind(mounts, Path::new(folder));
        assert_eq!(kind("/var/tmp").as_deref(), Some("ext4"));
        assert_eq!(kind("/tmp/y").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/tmp/x/z").as_deref(), Some("xfs"));
        assert_eq!(kind("/tmpx").as_deref(), Some("ext4"));
    }
}
