//! Settings: what the help says, and what a start that cannot work says.

use std::{fs, process::Output};

use guildhall_testkit::{Platform, process_of};
use guildhall_tests::Community;
use serde_json::Value;

fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}

/// Fails the test unless the command failed in the operator's words, with `named` among them.
fn refused(what: &str, output: &Output, named: &str) {
    let text = text(output);
    assert!(!output.status.success(), "{what}: {text}");
    assert!(text.contains(named), "{what} does not name {named}: {text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
}

#[tokio::test]
async fn the_help_is_the_documentation() {
    let community = Community::start().await;
    let help = text(&community.platform.command(&["--help"]).await);
    for word in [
        "--http",
        "--grpc",
        "--data-dir",
        "--demo",
        "--database-url",
        "--nats-url",
        "--secret-key-file",
        "--drain-delay",
        "--tls-cert",
        "--tls-key",
        "--tls-ca",
        "--rate-limit",
        "--trusted-proxies",
        "--log",
        "GUILDHALL_HTTP",
        "GUILDHALL_GRPC",
        "GUILDHALL_DATA_DIR",
        "GUILDHALL_DEMO",
        "GUILDHALL_RATE_LIMIT",
        "bootstrap",
        "keys",
        "sendbird-token",
        "demo",
        "127.0.0.1:8080",
        "127.0.0.1:50051",
        ".guildhall",
    ] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
    assert!(text(&community.platform.command(&["--version"]).await).starts_with("guildhall "));
    let openapi = community.platform.command(&["openapi"]).await;
    let openapi: Value = serde_json::from_slice(&openapi.stdout).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_named() {
    let community = Community::start().await;
    let taken = community
        .platform
        .http()
        .trim_start_matches("http://")
        .to_owned();
    for (args, named) in [
        (&["--http", "nonsense"][..], "--http"),
        (&["--rate-limit", "fast"], "--rate-limit"),
        (&["--trusted-proxies", "10.0.0.0/99"], "--trusted-proxies"),
        (&["--log", "=="], "--log"),
        (&["--nats-replicas", "2"], "--nats-replicas"),
        (&["--nats-replicas", "0"], "--nats-replicas"),
        (&["--max-connections", "0"], "--max-connections"),
        (&["--public-url", "https://u:p@x.example"], "--public-url"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["no-such-command"], "no-such-command"),
        (&["bootstrap"], "--community"),
        (
            &["--http", taken.as_str(), "--grpc", "127.0.0.1:0"],
            taken.as_str(),
        ),
    ] {
        let output = community.platform.command(args).await;
        refused(&format!("{args:?}"), &output, named);
    }
}

#[tokio::test]
async fn who_listens_for_other_machines_says_under_which_address() {
    let platform = Platform::start().await;
    for http in ["0.0.0.0:0", "[::]:0"] {
        let args = ["--http", http, "--grpc", "127.0.0.1:0"];
        let data_dir = platform.data_dir().join("beyond");
        let output = platform.command_in(&data_dir, &args).await;
        refused(http, &output, "--public-url https://api.example.com");
        assert!(
            !data_dir.exists(),
            "it was refused before anything was made"
        );
        let mut args = vec!["--http", http, "--secret-key-file", "/no/such/secret"];
        args.extend(["--nats-url", "nats://127.0.0.1:1"]);
        for service in ["--identity-url", "--messaging-url", "--webhooks-url"] {
            args.extend([service, "http://127.0.0.1:1"]);
        }
        let gateway = process_of("guildhall-gateway", &args)
            .output()
            .await
            .unwrap();
        refused(http, &gateway, "--public-url https://api.example.com");
    }
}

const SERVE: [&str; 5] = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--demo"];

#[tokio::test]
async fn a_secret_that_is_not_the_one_stops_the_start() {
    let platform = Platform::start().await;
    let secret = platform.data_dir().join("secret.key");
    for (what, content) in [
        ("another secret", "00".repeat(32)),
        ("half a secret", "00".repeat(16)),
        ("no hexadecimal", "x".repeat(64)),
        ("nothing", String::new()),
    ] {
        fs::write(&secret, content).unwrap();
        refused(what, &platform.command(&SERVE).await, "secret.key");
        refused(
            what,
            &platform.command(&["keys", "rotate"]).await,
            "secret.key",
        );
    }
}

#[tokio::test]
async fn who_has_lost_the_secret_starts_with_another_once_the_keys_are_replaced() {
    let platform = Platform::start().await;
    let secret = platform.data_dir().join("secret.key");
    fs::write(&secret, "5e".repeat(32)).unwrap();
    refused("lost", &platform.command(&SERVE).await, "secret.key");
    let replace = ["keys", "rotate", "--secret-lost"];
    let replaced = platform.command(&replace).await;
    assert!(replaced.status.success(), "{replaced:?}");
    // It gets ready.
    platform.kill_and_restart().await;
}

#[tokio::test]
async fn a_secret_that_is_named_is_not_made() {
    let platform = Platform::start().await;
    let mistyped = platform.data_dir().join("sercet.key");
    let args = [
        "--secret-key-file",
        mistyped.to_str().unwrap(),
        "keys",
        "rotate",
    ];
    refused(
        "a mistyped file",
        &platform.command(&args).await,
        "sercet.key",
    );
    assert!(!mistyped.exists());
}

#[tokio::test]
async fn who_stops_reading_ends_a_command_quietly() {
    let mut command = process_of("guildhall", &["openapi"]);
    let mut process = command.spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
async fn a_token_that_is_not_there_is_called_a_token() {
    let platform = Platform::start().await;
    let new = [
        "bootstrap",
        "--community",
        "Club",
        "--owner-email",
        "a@club.example",
    ];
    assert!(platform.command(&new).await.status.success());
    let id = "0123456789abcdef01234567";
    let revoke = ["sendbird-token", "revoke", "--community", "club", id];
    refused(
        "an unknown token",
        &platform.command(&revoke).await,
        "Sendbird token",
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let platform = Platform::start().await;
    let file = platform.data_dir().join("a-file");
    fs::write(&file, "").unwrap();
    for directory in [file.to_str().unwrap(), "/proc/no/such", "/dev/null/data"] {
        let output = platform.command_in(directory.as_ref(), &SERVE).await;
        refused(directory, &output, directory);
    }
}

#[tokio::test]
async fn credentials_that_are_lost_are_not_made_up_anew() {
    let platform = Platform::start().await;
    // A copy of its data: the running platform keeps every other server off its own.
    let copy = tempfile::tempdir().unwrap();
    let data_dir = copy.path();
    for file in fs::read_dir(platform.data_dir()).unwrap() {
        let file = file.unwrap();
        // SQLite makes its shared memory anew from the log.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), data_dir.join(file.file_name())).unwrap();
        }
    }
    let path = data_dir.join("demo.json");
    let demo = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    refused(
        "without demo.json",
        &platform.command_in(data_dir, &SERVE).await,
        "demo.json",
    );
    fs::write(&path, &demo[..demo.len() / 2]).unwrap();
    refused(
        "with half of it",
        &platform.command_in(data_dir, &SERVE).await,
        "demo.json",
    );
    assert_eq!(
        fs::read(&path).unwrap(),
        demo[..demo.len() / 2],
        "left as it was"
    );
}

#[tokio::test]
async fn a_second_server_is_kept_off_the_data() {
    let platform = Platform::start().await;
    let second = platform
        .command(&["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"])
        .await;
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another guildhall serves"), "{said}");
}
