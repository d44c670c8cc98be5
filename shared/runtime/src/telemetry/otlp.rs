//! Export over OTLP, configured by the standard variables of OpenTelemetry.

use std::{
    env,
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{SpanExporter as Otlp, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use tonic::transport::{Certificate, ClientTlsConfig};

use super::BoxError;

/// The variables with the collector's address; the first that is set counts.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// The variables with the path of the certificate authorities that sign the collector's certificate.
const AUTHORITIES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];

/// How long the stop of a process waits for the collector.
const FLUSH: Duration = Duration::from_secs(3);

/// Links of a span at most, unless a variable says otherwise: a commit stores as many requests.
const MAX_LINKS: u32 = 512;

/// The log says at most this often that the collector takes nothing.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The provider of spans, when the variables ask for traces. The SDK itself reads the variables of
/// the sampler, of limits and of the queue.
pub(super) fn provider() -> Result<Option<SdkTracerProvider>, BoxError> {
    if !is_wanted()? {
        return Ok(None);
    }
    let exporter = Exporter {
        collector: collector()?,
        warned_at: Mutex::new(None),
    };
    let mut provider = SdkTracerProvider::builder();
    if variable("OTEL_SPAN_LINK_COUNT_LIMIT").is_none() {
        provider = provider.with_max_links_per_span(MAX_LINKS);
    }
    let provider = provider
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .with_resource(resource())
        .build();
    Ok(Some(provider))
}

/// The client of the collector. An endpoint without a scheme means TLS.
fn collector() -> Result<Otlp, BoxError> {
    let client = Otlp::builder().with_tonic();
    let client = if endpoint().is_some_and(|it| !it.starts_with("http://")) {
        client.with_tls_config(tls()?)
    } else {
        client
    };
    // Without the error itself: it contains the endpoint, which may contain a password.
    client.build().map_err(|_| {
        let [first, second] = ENDPOINTS;
        let wrong = "no address of the form https://HOST:PORT, or no authority to trust";
        format!("{first} or {second}: {wrong}").into()
    })
}

/// Trusts the authorities that a variable names, otherwise those of the system, which are not read
/// before: an image may have none.
fn tls() -> Result<ClientTlsConfig, BoxError> {
    let authority = AUTHORITIES
        .into_iter()
        .find_map(|name| Some((name, variable(name)?)));
    let Some((name, path)) = authority else {
        return Ok(ClientTlsConfig::new().with_enabled_roots());
    };
    let pem = std::fs::read(&path).map_err(|error| format!("{name}={path}: {error}"))?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// The collector's address.
fn endpoint() -> Option<String> {
    ENDPOINTS.into_iter().find_map(variable)
}

/// Whether traces are exported: when an endpoint is set, or the exporter.
fn is_wanted() -> Result<bool, BoxError> {
    if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(false);
    }
    let wanted = match variable("OTEL_TRACES_EXPORTER").as_deref() {
        None => endpoint().is_some(),
        Some("otlp") => true,
        Some("none") => false,
        Some(other) => {
            return Err(format!("OTEL_TRACES_EXPORTER={other}: `otlp` or `none`").into());
        }
    };
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    match protocol.as_deref() {
        Some(other) if wanted && other != "grpc" => {
            Err(format!("OTLP over {other} is not spoken here: `grpc`").into())
        }
        Some(_) | None => Ok(wanted),
    }
}

/// Whether the sampler leaves the decision to a request's caller, as the default one does.
pub(super) fn parent_decides() -> bool {
    variable("OTEL_TRACES_SAMPLER").is_none_or(|name| name.starts_with("parentbased_"))
}

/// A variable; empty means unset, as OpenTelemetry demands.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// The description of this process; its name is the binary's unless a variable says otherwise.
fn resource() -> Resource {
    let given = Resource::builder().build();
    let name = opentelemetry::Key::from_static_str("service.name");
    let unknown = |name: &Value| name.as_str().starts_with("unknown_service");
    if given.get(&name).is_some_and(|name| !unknown(&name)) {
        return given;
    }
    let binary = env::current_exe().ok();
    let binary = binary
        .as_deref()
        .and_then(|path| path.file_stem()?.to_str());
    let binary = binary.unwrap_or("guildhall").to_owned();
    Resource::builder()
        .with_attribute(KeyValue::new(name, binary))
        .build()
}

/// Exports the last spans. On a thread of its own, because the SDK blocks; and with a time limit of
/// our own, because the SDK does not always keep its own.
pub(super) async fn flush(provider: SdkTracerProvider) {
    let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
    match tokio::time::timeout(FLUSH, flush).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => tracing::warn!("the last traces were not exported"),
    }
}

/// An exporter whose collector may be away: traces are dropped then, and the log says so at most once
/// in [`WARN_EVERY`].
#[derive(Debug)]
struct Exporter {
    collector: Otlp,
    warned_at: Mutex<Option<Instant>>,
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.collector.export(batch).await;
        if let Err(error) = &exported {
            let mut warned_at = self.warned_at.lock();
            if warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                *warned_at = Some(Instant::now());
                tracing::warn!(%error, spans, "the collector takes no traces: they are dropped");
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.collector.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.collector.set_resource(resource);
    }
}
