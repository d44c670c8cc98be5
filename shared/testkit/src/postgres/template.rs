//! A new server's data, made once per version of PostgreSQL and then copied.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::installation::Installation;
use crate::{folder::Folder, program, secret};

/// The role of the services: it may make databases, and is no superuser.
pub(crate) const ROLE: &str = "guildhall";

/// The role that may do everything, with the same password.
pub(crate) const SUPERUSER: &str = "postgres";

/// Copies a new server's data to `to`; the password of its roles.
pub(crate) fn copy(installation: &Installation, to: &Path) -> String {
    let template = cached(installation);
    let copied = installation.copy_own(&template.join("data"), to);
    copied.expect("a copy of the template");
    fs::read_to_string(template.join("password")).expect("its password")
}

/// Made beside and renamed, since two tests may do it at once.
fn cached(installation: &Installation) -> PathBuf {
    let known = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let version: String = installation.version().chars().map(known).collect();
    let architecture = std::env::consts::ARCH;
    let template = program::cache().join(format!("template-{version}-{architecture}"));
    if !template.is_dir() {
        let beside = tempfile::tempdir_in(program::cache()).expect("a folder in the cache");
        let new = beside.path().join("template");
        fs::create_dir(&new).expect("a new folder");
        make(installation, &new);
        let moved = fs::rename(&new, &template);
        assert!(moved.is_ok() || template.is_dir(), "{moved:?}");
    }
    template
}

fn make(installation: &Installation, template: &Path) {
    let folder = Folder::open_to_all();
    let (data, file) = (folder.join("data"), folder.join("password"));
    fs::create_dir(&data).expect("a new folder");
    let password = secret::hex::<16>();
    secret::write(&file, &password);
    for path in [&data, &file] {
        installation.own(path).expect("the account's file");
    }
    let mut initdb = installation.command("initdb", &folder);
    initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&file);
    initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
    // A copy of it is what a server runs on, with all its flushes.
    initdb.args(["--no-sync", "--username", SUPERUSER]);
    done(initdb, "");

    let mut single = installation.command("postgres", &folder);
    single
        .args(["--single", "-c", "exit_on_error=on", "-D"])
        .arg(&data);
    single.args(["-c", "password_encryption=scram-sha-256", SUPERUSER]);
    let role = format!("CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'\n");
    done(single, &role);

    let copied = installation.copy_own(&data, &template.join("data"));
    copied.expect("a copy of the new data");
    secret::write(&template.join("password"), &password);
}

fn done(mut command: Command, input: &str) {
    command.stdin(Stdio::piped());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("its input");
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}
