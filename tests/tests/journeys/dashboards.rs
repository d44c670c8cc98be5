//! The dashboard and the alert rules ask only for what a running cluster shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Shape, grpc::signed};
use guildhall_tests::{
    Community, Credential, OPERATIONS,
    exposition::{Exposition, shows, with_metrics_of},
};
use promql_parser::{
    label::MatchOp,
    parser::{self, Expr, LabelModifier, VectorMatchCardinality, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../docs/dashboards/guildhall.json");
const ALERTS: &str = include_str!("../../../docs/dashboards/alerts.yaml");
const GUIDE: &str = include_str!("../../../docs/operations.md");

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["instance", "job"];

/// A query, and the text in which its labels are named.
struct Query {
    expr: String,
    text: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn dashboard() -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let variables = list(&dashboard["templating"]["list"]);
    assert!(variables.iter().any(|it| it["type"] == "datasource"));
    let panels = list(&dashboard["panels"]);
    let panels = panels.iter().filter(|panel| panel["type"] != "row");
    let targets = panels.flat_map(|panel| {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(!text(&panel["description"]).is_empty(), "{panel}");
        list(&panel["targets"])
    });
    let queries = targets.map(|target| Query {
        expr: text(&target["expr"]),
        text: text(&target["legendFormat"]),
    });
    queries.collect()
}

fn rules() -> Vec<Value> {
    let alerts: Value = serde_saphyr::from_str(ALERTS).expect("YAML");
    let rules = list(&alerts["groups"]).iter();
    rules
        .flat_map(|group| list(&group["rules"]).to_vec())
        .collect()
}

fn alerts() -> Vec<Query> {
    let queries = rules().into_iter().map(|rule| Query {
        expr: text(&rule["expr"]),
        text: text(&rule["annotations"]["summary"]),
    });
    queries.collect()
}

/// The values of each label of each metric.
struct Known(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Known {
    fn of(shown: &Exposition) -> Self {
        let mut known: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for sample in &shown.samples {
            let labels = known.entry(sample.name.clone()).or_default();
            for (key, value) in &sample.labels {
                labels.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        Self(known)
    }

    /// What is wrong with a query.
    fn problems(&self, query: &Query) -> Vec<String> {
        let expr = query.expr.replace("$__rate_interval", "5m");
        let parsed = match parser::parse(&expr.replace("$instance", ".*")) {
            Ok(parsed) => parsed,
            Err(error) => return vec![format!("{error}: {expr}")],
        };
        let mut reader = Reader::default();
        let Ok(_) = walk_expr(&mut reader, &parsed);
        let mut problems: Vec<_> = reader
            .selectors
            .iter()
            .flat_map(|selector| self.unknown_in(selector))
            .collect();
        let metrics = reader.selectors.iter().filter_map(|it| self.metric(it));
        let labels: BTreeSet<_> = metrics
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
            .collect();
        for label in reader
            .labels
            .iter()
            .map(String::as_str)
            .chain(named_in(&query.text))
        {
            if !labels.contains(label) && !ADDED.contains(&label) {
                problems.push(format!("no label {label} in {expr}"));
            }
        }
        problems
    }

    fn metric(&self, selector: &VectorSelector) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        self.0.get(selector.name.as_ref()?)
    }

    fn unknown_in(&self, selector: &VectorSelector) -> Vec<String> {
        let Some(labels) = self.metric(selector) else {
            return vec![format!("no metric {:?}", selector.name)];
        };
        let matchers = &selector.matchers.matchers;
        let ours = matchers.iter().filter(|it| !ADDED.contains(&&*it.name));
        let unknown = ours.filter(|it| match labels.get(&it.name) {
            None => true,
            Some(values) => it.op == MatchOp::Equal && !values.contains(&it.value),
        });
        unknown
            .map(|matcher| format!("no {matcher} in {:?}", selector.name))
            .collect()
    }
}

/// What a query names.
#[derive(Default)]
struct Reader {
    selectors: Vec<VectorSelector>,
    labels: Vec<String>,
}

impl Reader {
    fn keep(&mut self, modifier: Option<&LabelModifier>) {
        let labels = modifier.map(LabelModifier::labels);
        self.labels
            .extend(labels.into_iter().flat_map(|it| it.labels.clone()));
    }
}

impl ExprVisitor for Reader {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.vs.clone()),
            Expr::Aggregate(aggregate) => self.keep(aggregate.modifier.as_ref()),
            Expr::Binary(binary) => {
                if let Some(modifier) = &binary.modifier {
                    self.keep(modifier.matching.as_ref());
                    if let VectorMatchCardinality::ManyToOne(labels)
                    | VectorMatchCardinality::OneToMany(labels) = &modifier.card
                    {
                        self.labels.extend(labels.labels.clone());
                    }
                }
            }
            Expr::Unary(_)
            | Expr::Paren(_)
            | Expr::Subquery(_)
            | Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::Call(_)
            | Expr::Extension(_) => {}
        }
        Ok(true)
    }
}

/// `{{label}}` of a legend, and `{{ $labels.label }}` of an alert.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    let named = text.split("{{").skip(1);
    let named = named.filter_map(|rest| rest.split("}}").next());
    let named = named.map(|name| name.trim());
    named
        .filter(|name| !name.starts_with("$value"))
        .map(|name| name.trim_start_matches("$labels."))
}

/// Something of every kind: each route, a stream, a refusal, a path that nobody has.
async fn traffic(community: &Community) {
    let parameters = community.parameters();
    for operation in OPERATIONS.iter() {
        let credential = community.credential(operation.kinds[0]);
        operation
            .make(&community.rest, &parameters, &credential)
            .await;
    }
    let stranger = community.by(Credential::Bearer("0".repeat(64)));
    stranger.get("/v1/channels").await.expect(401);
    community.rest.get("/v1/nowhere").send().await;
    let request = WatchMessagesRequest {
        channel: parameters.channel,
        after_seq: None,
    };
    let request = signed(request, &format!("Bearer {}", community.demo.api_key));
    let mut messages = MessageServiceClient::new(community.services.clone());
    let stream = messages.watch_messages(request).await.unwrap();
    let open = |shown: &Exposition| shown.sum("guildhall_streams_open", &[]) > 0.0;
    shows(&community.platform, "the stream", open).await;
    drop(stream);
}

#[tokio::test]
async fn every_query_asks_for_what_a_cluster_shows() {
    let community = with_metrics_of(Shape::Cluster, 0).await;
    traffic(&community).await;
    let known = Known::of(&Exposition::of(&community.platform).await);
    let mut queries = dashboard();
    queries.extend(alerts());
    assert!(queries.len() > 40, "{}", queries.len());
    let problems: Vec<_> = queries.iter().flat_map(|it| known.problems(it)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    let mut shown = Exposition::default();
    shown.add("guildhall_x_total{kind=\"a\"} 1\n# EOF\n");
    let known = Known::of(&shown);
    let problems = |expr: &str, text: &str| {
        let query = Query {
            expr: expr.to_owned(),
            text: text.to_owned(),
        };
        known.problems(&query).len()
    };
    let good = "sum by (kind) (rate(guildhall_x_total{instance=~\"$instance\"}[$__rate_interval]))";
    assert_eq!(problems(good, "{{kind}} {{ $labels.instance }}"), 0);
    for (wrong, text) in [
        ("guildhall_y_total", ""),
        ("rate(guildhall_x[5m])", ""),
        ("guildhall_x_total{kynd=\"a\"}", ""),
        ("guildhall_x_total{kind=\"b\"}", ""),
        ("sum by (kynd) (guildhall_x_total)", ""),
        ("guildhall_x_total * on (kynd) guildhall_x_total", ""),
        ("guildhall_x_total", "{{kynd}}"),
        ("rate(guildhall_x_total[5m]", ""),
    ] {
        assert_eq!(problems(wrong, text), 1, "{wrong} {text}");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let headings: BTreeSet<_> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let rules = rules();
    let names: BTreeSet<_> = rules.iter().map(|rule| text(&rule["alert"])).collect();
    assert_eq!(names.len(), rules.len(), "each has a name of its own");
    for rule in &rules {
        let severity = text(&rule["labels"]["severity"]);
        assert!(["page", "ticket"].contains(&&*severity), "{rule}");
        assert!(!text(&rule["annotations"]["summary"]).is_empty(), "{rule}");
        let runbook = text(&rule["annotations"]["runbook_url"]);
        let section = runbook.strip_prefix("docs/operations.md#");
        assert!(headings.contains(section.expect("a section")), "{runbook}");
    }
}
