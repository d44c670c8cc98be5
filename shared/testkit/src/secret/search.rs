//! Looks for the secrets.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    thread,
};

use aho_corasick::{AhoCorasick, MatchKind};
use tokio::process::Command;

use super::{Kind, forms, known};

/// How many places a failure names.
const PLACES: usize = 10;

/// How much of a line it shows.
const SHOWN: usize = 400;

/// Fails the test when `log`, which `name` wrote, shows a secret that this test knows.
///
/// While the test fails already, it only says so: a second panic would abort.
///
/// # Panics
/// With the places and what kind of secret is there; the secret itself is masked.
pub fn assert_none_in(name: &str, log: impl Read) {
    let places = Search::for_all_known().places(log);
    if places.is_empty() {
        return;
    }
    let report = format!("{name} shows a secret:\n{places}");
    if thread::panicking() {
        eprintln!("{report}");
    } else {
        panic!("{report}");
    }
}

/// Fails the test when it is about to tell `command` a secret in its arguments: everybody on the
/// machine reads them.
///
/// # Panics
/// With the argument's place; the secret itself is masked.
pub(crate) fn assert_none_given(name: &str, command: &Command) {
    let args: Vec<_> = command
        .as_std()
        .get_args()
        .map(|arg| arg.to_string_lossy())
        .collect();
    assert_none_in(
        &format!("the command line of {name}"),
        args.join("\n").as_bytes(),
    );
}

struct Search {
    forms: AhoCorasick,
    kinds: Vec<Kind>,
}

impl Search {
    fn for_all_known() -> Self {
        let all = known::all().into_iter();
        let all = all.flat_map(|(text, kind)| {
            forms::of(&text, kind)
                .into_iter()
                .map(move |form| (form, kind))
        });
        let (texts, kinds): (Vec<_>, Vec<_>) = all.unzip();
        let forms = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(texts);
        Self {
            forms: forms.expect("fewer secrets than there are numbers"),
            kinds,
        }
    }

    /// A line for each of the first places where a secret stands.
    fn places(&self, log: impl Read) -> String {
        let mut places = String::new();
        let lines = BufReader::new(log)
            .split(b'\n')
            .map_while(Result::ok)
            .zip(1..);
        let found = lines.filter_map(|(line, number)| {
            let first = self.forms.find(&line)?;
            Some((
                number,
                first.start() + 1,
                self.kinds[first.pattern()],
                self.masked(&line),
            ))
        });
        for (number, column, kind, line) in found.take(PLACES) {
            let _ = writeln!(places, "line {number}, column {column}: {kind} in: {line}");
        }
        places
    }

    fn masked(&self, line: &[u8]) -> String {
        let mut masked = Vec::new();
        self.forms
            .replace_all_with_bytes(line, &mut masked, |found, _, masked| {
                masked.extend(format!("<{}>", self.kinds[found.pattern()]).bytes());
                true
            });
        String::from_utf8_lossy(&masked)
            .chars()
            .take(SHOWN)
            .collect()
    }
}
