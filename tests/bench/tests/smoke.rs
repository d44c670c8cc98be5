//! The bench runs and reports, in rounds too short to say anything.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture that fails must fail its test"
)]

use std::{fs, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

/// Runs cases for a moment; the report.
async fn bench(cases: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bench").join("report.json");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_guildhall-bench"));
    bench.args(["--seconds", "1", "--rounds", "1", "--messages", "1000"]);
    bench.arg("--out").arg(&out);
    bench.args(cases.iter().flat_map(|case| ["--case", case]));
    let output = bench.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let table = String::from_utf8_lossy(&output.stdout);
    for case in cases {
        assert!(table.contains(case), "{case} is not in the table:\n{table}");
    }
    serde_json::from_slice(&fs::read(&out).unwrap()).unwrap()
}

fn assert_form(report: &Value, names: &[&str]) {
    assert!(report["machine"]["cores"].is_u64(), "{report}");
    let cases = report["cases"].as_array().unwrap();
    let shown: Vec<_> = cases
        .iter()
        .map(|case| case["name"].as_str().unwrap())
        .collect();
    assert_eq!(shown, names);
    for case in cases {
        assert!(case["unit"].is_string());
        for figure in ["ours", "floor", "ratio", "p50", "p99"] {
            let value = case[figure].as_f64();
            assert!(value.is_some_and(|value| value > 0.0), "{figure} of {case}");
        }
        assert_eq!(case["rounds"], 1, "{case}");
        assert_eq!(case["invalid"], Value::Array(Vec::new()), "{case}");
    }
}

#[tokio::test]
async fn sends_and_lists_are_measured_against_pgbench() {
    let names = ["send-rest-64", "list-50"];
    let report = bench(&names).await;
    assert_form(&report, &names);
    assert!(report["machine"]["postgres"].is_string());
    let cpu = &report["cases"][0]["cpu_micros_per_call"];
    for process in [
        "gateway",
        "messaging",
        "identity",
        "postgres",
        "nats",
        "generator",
    ] {
        assert!(cpu[process].is_number(), "{process} in {cpu}");
    }
}

#[tokio::test]
async fn the_parts_that_are_processes_of_the_bench_come_and_go() {
    let names = ["auth-layer"];
    assert_form(&bench(&names).await, &names);
}
