//! That a process which shows a secret fails its test.

use std::panic::{self, AssertUnwindSafe};

use futures::FutureExt;
use tokio::process::Command;

use super::{Kind, hex, learn};
use crate::{
    folder::Folder,
    process::{Output, Process, Run},
    service::output,
};

/// A process that runs `script`, where `$SECRET` is the secret, and is ready when it says so.
async fn process(folder: &Folder, script: &str, secret: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("SECRET", secret);
    let run = Run {
        name: "the chatterbox".into(),
        command,
        speaks_on: Output::Stdout,
        ready: "ready",
        log: folder.join("log"),
        end: "KILL",
    };
    Process::start(run).await.expect("it gets ready")
}

fn new_secret() -> String {
    let secret = hex::<16>();
    learn(Kind::Password, &secret);
    secret
}

/// What the test fails with when the process has ended.
async fn failure(says: &str, secret: &str) -> Option<String> {
    let folder = Folder::new();
    let script = format!("echo ready; echo fine >&2; {says}");
    let process = process(&folder, &script, secret).await;
    let ended = AssertUnwindSafe(process.wait()).catch_unwind().await;
    let failure = ended.err()?;
    let text = failure.downcast_ref::<String>().expect("a text");
    assert!(!text.contains(secret), "it is not told again: {text}");
    Some(text.clone())
}

#[tokio::test]
async fn who_logs_a_secret_fails_the_test() {
    let secret = new_secret();
    let failure = failure("echo \"connecting with pw=$SECRET now\" >&2", &secret).await;
    let failure = failure.expect("a failure");
    let place = "line 3, column 20: a password in: connecting with pw=<a password> now";
    assert!(failure.contains(place), "{failure}");
    assert!(failure.contains("the chatterbox"), "{failure}");
}

#[tokio::test]
async fn who_says_it_after_the_greeting_or_in_another_form_fails_it_too() {
    let secret = new_secret();
    for says in [
        "echo \"pw=$SECRET\"",
        "printf 'Basic %s\\n' \"$(printf 'user:%s' \"$SECRET\" | base64 -w 0)\" >&2",
        "printf '%s' \"$SECRET\" | tr a-f A-F >&2",
    ] {
        assert!(failure(says, &secret).await.is_some(), "{says}");
    }
}

#[tokio::test]
async fn who_keeps_it_does_not() {
    let secret = new_secret();
    for says in ["echo harmless >&2", "echo \"${SECRET%????????}\" >&2"] {
        assert_eq!(failure(says, &secret).await, None, "{says}");
    }
}

#[tokio::test]
async fn who_is_dropped_fails_it_too_and_aborts_nothing() {
    let secret = new_secret();
    let folder = Folder::new();
    let script = "echo \"pw=$SECRET\" >&2; echo ready; exec sleep 60";
    let leaking = async || process(&folder, script, &secret).await;
    let process = leaking().await;
    let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(process)));
    assert!(dropped.is_err());
    let process = leaking().await;
    let failed = panic::catch_unwind(AssertUnwindSafe(|| {
        let _process = process;
        panic!("the test's own failure");
    }));
    let failure = failed.expect_err("a failure");
    assert_eq!(failure.downcast_ref(), Some(&"the test's own failure"));
}

#[tokio::test]
async fn a_command_that_logs_it_fails_it_and_one_that_answers_it_does_not() {
    let secret = new_secret();
    for (script, fails) in [("echo $SECRET >&2", true), ("echo $SECRET", false)] {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("SECRET", &secret);
        let ended = AssertUnwindSafe(output(command)).catch_unwind().await;
        assert_eq!(ended.is_err(), fails, "{script}");
    }
}

#[tokio::test]
async fn no_process_is_told_a_secret_in_its_arguments() {
    let secret = new_secret();
    let folder = Folder::new();
    let script = format!("echo ready; : {secret}");
    let started = process(&folder, &script, "");
    assert!(AssertUnwindSafe(started).catch_unwind().await.is_err());
}
