//! Secrets of the fixtures' own making.

use std::{fs::File, io::Read, os::unix::fs::OpenOptionsExt, path::Path};

/// Random bytes as hex.
pub(crate) fn hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    let mut random = File::open("/dev/urandom").expect("/dev/urandom");
    random.read_exact(&mut bytes).expect("random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file that only we may read.
pub(crate) fn write(path: &Path, content: &str) {
    use std::io::Write;
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.expect("a new file");
    file.write_all(content.as_bytes()).expect("a written file");
}
