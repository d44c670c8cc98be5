//! What processes cost: time on a core, and memory.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

/// A process of the system, or a family of them.
#[derive(Debug, Clone, Copy)]
pub enum Member {
    /// One process.
    Alone(u32),
    /// One process and all that it has started, those that have ended included.
    Family(u32),
}

/// The processes that take part in a case.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    members: Vec<(&'static str, Member)>,
}

impl Processes {
    /// Nobody but this process, which makes the load.
    #[must_use]
    pub fn new() -> Self {
        Self::default().with("generator", Member::Alone(std::process::id()))
    }

    /// The same ones and another.
    #[must_use]
    pub fn with(mut self, name: &'static str, member: Member) -> Self {
        self.members.push((name, member));
        self
    }

    /// Microseconds on a core up to now, by name; empty where the system does not tell.
    #[must_use]
    pub fn time(&self) -> BTreeMap<&'static str, f64> {
        let stats = all();
        let each = self.members.iter().map(|(name, member)| {
            let ticks = match *member {
                Member::Alone(pid) => stats.get(&pid).map_or(0, |stat| stat.own),
                Member::Family(pid) => family(&stats, pid),
            };
            (*name, micros(ticks))
        });
        if stats.is_empty() {
            return BTreeMap::new();
        }
        each.collect()
    }

    /// The most memory that each had in use at once, KiB; for a family the present sum of what
    /// its members have for themselves and their parts of what they share.
    #[must_use]
    pub fn memory(&self) -> BTreeMap<&'static str, u64> {
        let stats = all();
        let each = self.members.iter().filter_map(|(name, member)| {
            let kib = match *member {
                Member::Alone(pid) => line(&format!("/proc/{pid}/status"), "VmHWM:")?,
                Member::Family(pid) => relatives(&stats, pid)
                    .into_iter()
                    .filter_map(|pid| line(&format!("/proc/{pid}/smaps_rollup"), "Pss:"))
                    .sum(),
            };
            Some((*name, kib))
        });
        each.collect()
    }
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Ticks of its own.
    own: u64,
    /// Ticks of its children that have ended.
    ended: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name before may hold anything, spaces and brackets included.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }
}

/// All processes; none where there is no `/proc`.
fn all() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stat = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, Stat::parse(&text)?))
    };
    entries.filter_map(stat).collect()
}

fn family(stats: &HashMap<u32, Stat>, head: u32) -> u64 {
    let members = relatives(stats, head);
    let members = members.iter().filter_map(|pid| stats.get(pid));
    members.map(|stat| stat.own + stat.ended).sum()
}

fn relatives(stats: &HashMap<u32, Stat>, head: u32) -> Vec<u32> {
    let mut found = vec![head];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = stats.iter().filter(|(_, stat)| stat.parent == parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

fn micros(ticks: u64) -> f64 {
    ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64
}

/// The number behind a word at the beginning of a line.
pub(crate) fn line(file: &str, word: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_no_figures() {
        let text = "7 (a (b) c) S 3 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0 1 0";
        let expected = Stat {
            parent: 3,
            own: 33,
            ended: 77,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (half"), None);
    }

    #[test]
    fn a_family_is_counted_with_those_that_ended() {
        let stat = |parent, own, ended| Stat { parent, own, ended };
        let stats = HashMap::from([
            (10, stat(1, 1, 2)),
            (11, stat(10, 4, 8)),
            (12, stat(11, 16, 32)),
            (20, stat(1, 1000, 1000)),
        ]);
        assert_eq!(family(&stats, 10), 63);
    }

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let processes = Processes::new();
        assert!(processes.memory()["generator"] > 100);
        assert!(processes.time().contains_key("generator"));
    }
}
