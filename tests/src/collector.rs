//! A collector of traces: the other side of OTLP, in the test itself.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use guildhall_testkit::{cluster::Certificates, secret};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::span::Link,
};
use tokio::{net::TcpListener, sync::watch};
use tonic::{
    Request, Response, Status, async_trait,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

/// How long spans may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a process says when its traces go nowhere.
pub const DROPPED: &str = "the collector takes no traces";

/// A span as it was exported.
#[derive(Debug, Clone)]
pub struct Span {
    /// `service.name` of its process.
    pub service: String,
    /// Its trace.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// The id of its parent; empty for a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Its attributes as texts.
    pub attributes: HashMap<String, String>,
    /// The ids of the spans that it is linked to.
    pub links: Vec<String>,
    /// Whether it says that we failed.
    pub failed: bool,
    /// When it began and ended, in nanoseconds.
    pub time: (u64, u64),
}

impl Span {
    /// An attribute; empty when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The one of `spans` that it is a child of.
    #[must_use]
    pub fn parent_in<'a>(&self, spans: &'a [Self]) -> Option<&'a Self> {
        spans.iter().find(|span| span.id == self.parent)
    }
}

/// The one span of this name.
///
/// # Panics
/// When there is none, or more.
#[must_use]
pub fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    match named[..] {
        [span] => span,
        _ => panic!("{} spans {name:?} in {spans:#?}", named.len()),
    }
}

/// What a collector does with what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Keeps it.
    Takes,
    /// Never answers.
    Hangs,
}

/// A collector on a free port.
#[derive(Debug)]
pub struct Collector {
    url: String,
    spans: watch::Receiver<Vec<Span>>,
}

impl Collector {
    /// One that takes what it gets.
    pub async fn start() -> Self {
        Self::start_as(Manner::Takes).await
    }

    /// One of these manners.
    pub async fn start_as(manner: Manner) -> Self {
        Self::serve(Server::builder(), "http", manner).await
    }

    /// One that is spoken to over TLS.
    ///
    /// # Panics
    /// When the files cannot be read.
    pub async fn start_over_tls(certificates: &Certificates) -> Self {
        let read = |file| fs::read(file).expect("a PEM file");
        let identity = Identity::from_pem(read(&certificates.cert), read(&certificates.key));
        let tls = ServerTlsConfig::new().identity(identity);
        let server = Server::builder().tls_config(tls).expect("a certificate");
        Self::serve(server, "https", Manner::Takes).await
    }

    async fn serve(mut server: Server, scheme: &str, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (inbox, spans) = watch::channel(Vec::new());
        let inbox = TraceServiceServer::new(Inbox(Arc::new(inbox), manner));
        let server = server.add_service(inbox);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self {
            url: format!("{scheme}://{address}"),
            spans,
        }
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What makes a process export here, of every root the share that `sampler` says.
    #[must_use]
    pub fn variables(&self, sampler: &str) -> Vec<(&'static str, String)> {
        variables(&self.url, sampler)
    }

    /// All spans so far, once they are as `wanted`.
    ///
    /// # Panics
    /// When they are not in time, or one of them shows a secret.
    pub async fn spans_when(&self, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut spans = self.spans.clone();
        let found = spans.wait_for(|spans| wanted(spans));
        let found = tokio::time::timeout(TIMEOUT, found).await.is_ok();
        let spans = self.spans.borrow().clone();
        assert!(found, "what was waited for is not in {spans:#?}");
        spans
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.spans.borrow().clone()
    }
}

/// What makes a process export to `url`, soon.
#[must_use]
pub fn variables(url: &str, sampler: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.to_owned()),
        ("OTEL_TRACES_SAMPLER", sampler.to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ]
}

struct Inbox(Arc<watch::Sender<Vec<Span>>>, Manner);

#[async_trait]
impl TraceService for Inbox {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if self.1 == Manner::Hangs {
            std::future::pending::<()>().await;
        }
        let request = request.into_inner();
        // Whatever is exported, and not only what a test looks at.
        let whole = format!("{request:?}");
        secret::assert_none_in("the export of traces", whole.as_bytes());
        self.0.send_modify(|spans| spans.extend(read(request)));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for process in request.resource_spans {
        let resource = process.resource.unwrap_or_default();
        let service = texts(resource.attributes).remove("service.name");
        for scope in process.scope_spans {
            spans.extend(scope.spans.into_iter().map(|span| Span {
                service: service.clone().unwrap_or_default(),
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                attributes: texts(span.attributes),
                links: span.links.iter().map(linked).collect(),
                failed: span.status.is_some_and(|status| status.code == 2),
                time: (span.start_time_unix_nano, span.end_time_unix_nano),
            }));
        }
    }
    spans
}

fn linked(link: &Link) -> String {
    hex(&link.span_id)
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    let texts = attributes.into_iter().map(|attribute| {
        let value = match attribute.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        (attribute.key, value)
    });
    texts.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
