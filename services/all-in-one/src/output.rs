//! What commands print. Whoever reads it may stop before the end (`guildhall openapi | head`): that is
//! no failure, and no panic.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write},
};

use guildhall_runtime::{Error, Result};

/// Prints a line to the standard output.
///
/// # Errors
/// When it cannot be written for another reason than that nobody reads it.
macro_rules! say {
    ($($part:tt)*) => { $crate::output::line(format_args!($($part)*)) };
}
pub(crate) use say;

/// See [`say`].
pub fn line(text: Arguments<'_>) -> Result<()> {
    text_to(&mut io::stdout().lock(), format_args!("{text}\n"))
}

/// Prints a text that ends with its line.
///
/// # Errors
/// As [`say`].
pub fn text(text: &str) -> Result<()> {
    text_to(&mut io::stdout().lock(), format_args!("{text}"))
}

/// Tells the operator something beside what a command prints.
pub fn note(text: &str) {
    // There is nowhere else to say that this failed.
    let _ = writeln!(io::stderr(), "{text}");
}

fn text_to(to: &mut impl Write, text: Arguments<'_>) -> Result<()> {
    match to.write_fmt(text).and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::internal(error)),
        Err(_) | Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn who_stops_reading_is_no_failure_and_a_full_disk_is() {
        let print = |kind| text_to(&mut Failing(kind), format_args!("a\n"));
        assert!(print(ErrorKind::BrokenPipe).is_ok());
        assert!(print(ErrorKind::StorageFull).is_err());
    }
}
