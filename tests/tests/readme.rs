//! What the README and the greeting show works when pasted.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails must fail its test"
)]

use std::process::Output;

use guildhall_testkit::Platform;
use serde_json::Value;
use tokio::process::Command;

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

#[tokio::test]
async fn the_readmes_calls_work() {
    let readme = include_str!("../../README.md");
    let example = readme
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
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
    let guide = include_str!("../../docs/operations.md");
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
