//! What the README and the greeting show works when pasted.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use guildhall_testkit::{Options, Platform};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

/// Runs lines as a user's shell would, but where this platform listens and keeps its data.
async fn paste(platform: &Platform, lines: &str) -> Output {
    let data_dir = platform.data_dir();
    let lines = lines
        .replace("http://127.0.0.1:8080", platform.http())
        .replace(".guildhall/", &format!("{}/", data_dir.display()));
    Command::new("sh")
        .args(["-e", "-c", &lines])
        .output()
        .await
        .unwrap()
}

/// The JSON documents that the pasted lines printed.
fn answers(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stream = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    stream.map(|answer| answer.unwrap()).collect()
}

const README: &str = include_str!("../../../README.md");
const FIRST_WEBHOOK: &str = include_str!("../../../docs/first-webhook.md");

/// The code blocks of a page in a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    let inside = |block: &str| block.split("```").next().unwrap_or_default().to_owned();
    blocks.map(inside).collect()
}

#[test]
fn the_readme_is_one_page() {
    assert!(README.lines().count() <= 130);
}

#[tokio::test]
async fn the_readmes_calls_work() {
    let example = &blocks(README, "sh")[0];
    let platform = Platform::start().await;
    let answers = answers(&paste(&platform, example).await);
    let [channels, sent, listed] = answers.as_slice() else {
        panic!("{answers:?}")
    };
    assert!(
        channels["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["topic"] == "General")
    );
    assert_eq!(sent["message"], "Message send successfully");
    assert_eq!(listed["data"]["messages"][0]["message"], "Hello from curl");
}

#[tokio::test]
async fn the_first_webhook_of_the_docs_works() {
    let options = Options {
        private_receivers: true,
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let port = guildhall_testkit::free_port().port().to_string();
    let here = |text: &str| text.replace("9000", &port);
    let [make, send, list, incoming] = &blocks(FIRST_WEBHOOK, "sh")[..] else {
        panic!("four blocks of calls")
    };
    let made = paste(&platform, &here(make)).await;
    let printed = String::from_utf8(made.stdout).unwrap();
    let (id, secret) = printed.trim_end().split_once(' ').unwrap();
    assert!(secret.starts_with("whsec_"), "{printed}");
    let packages = guildhall_testkit::python_packages(&["standardwebhooks==1.1.0"]).await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("receiver.py");
    std::fs::write(&script, here(&blocks(FIRST_WEBHOOK, "python")[0])).unwrap();
    let mut receiver = Command::new("python3")
        .arg(script)
        .env("PYTHONPATH", packages)
        .env("SECRET", secret)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();

    // All is pasted into one terminal, which still knows what earlier lines have set.
    let (key, general) = (make.lines().next().unwrap(), send.lines().next().unwrap());
    let terminal = |lines: &str| format!("{key}\n{general}\nID={id}\n{lines}");
    answers(&paste(&platform, &terminal(send)).await);
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    // The first attempt may come before the receiver listens; the next comes five seconds later.
    let line = timeout(Duration::from_secs(60), lines.next_line()).await;
    let line = line.unwrap().unwrap().unwrap();
    assert_eq!(line, "message_posted johndoe Hello, receiver");
    let listed = answers(&paste(&platform, &terminal(list)).await).remove(0);
    assert_eq!(listed["data"][0]["event"], "message_posted");

    let posted = answers(&paste(&platform, &terminal(incoming)).await).remove(0);
    assert_eq!(posted["message"], "Message send successfully");
}

#[tokio::test]
async fn the_three_lines_of_the_greeting_work() {
    let platform = Platform::start().await;
    let lines: Vec<_> = platform
        .greeting()
        .iter()
        .filter(|line| line.trim().starts_with("curl "))
        .cloned()
        .collect();
    assert_eq!(lines.len(), 3, "{:?}", platform.greeting());
    let answers = answers(&paste(&platform, &lines.join("\n")).await);
    let messages: Vec<_> = answers
        .iter()
        .map(|answer| answer["message"].clone())
        .collect();
    assert_eq!(
        messages,
        [
            "Message send successfully",
            "Message reply successfully",
            "Message reacted successfully"
        ]
    );
}

#[tokio::test]
async fn every_command_and_flag_of_the_readme_exists() {
    let platform = Platform::start().await;
    let help = platform.command(&["--help"]).await;
    let help = String::from_utf8(help.stdout).unwrap();
    for shown in [
        "--data-dir",
        "--http",
        "--grpc",
        "--rate-limit",
        "GUILDHALL_RATE_LIMIT",
        "--database-url",
        "bootstrap",
    ] {
        assert!(help.contains(shown), "{shown} is not in --help");
    }
    let help = platform.command(&["bootstrap", "--help"]).await;
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("--owner-email")
    );
}

#[tokio::test]
async fn every_flag_of_the_operators_guide_exists() {
    let guide = include_str!("../../../docs/operations.md");
    let mut help = String::new();
    for binary in [
        "guildhall",
        "guildhall-gateway",
        "guildhall-identity",
        "guildhall-messaging",
        "guildhall-webhooks",
        "guildhall-cluster",
    ] {
        help += &guildhall_testkit::help(binary, &[]).await;
    }
    for command in [
        &["bootstrap"][..],
        &["keys", "rotate"],
        &["keys", "revoke"],
        &["sessions", "revoke"],
        &["sendbird-token", "create"],
        &["workflow", "create"],
    ] {
        help += &guildhall_testkit::help("guildhall", command).await;
    }
    let words = guide.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let mut flags = words.filter(|word| word.starts_with("--") && !word.ends_with('-'));
    let missing = flags.find(|flag| !help.contains(flag));
    assert_eq!(missing, None);
    assert!(help.contains("GUILDHALL_DATABASE_URL") && help.contains("GUILDHALL_NATS_URL"));
}
