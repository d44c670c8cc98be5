//! One step of a request in a process.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt},
};

use super::{is_sampled, run_in, tracer};

/// A span within what runs here, when that is sampled; nothing at all otherwise. It ends when it is
/// dropped.
#[derive(Debug, Default)]
pub struct ChildSpan(Option<Context>);

impl ChildSpan {
    /// Begins it.
    #[must_use]
    pub fn begin(
        name: &'static str,
        kind: SpanKind,
        attributes: impl IntoIterator<Item = KeyValue>,
    ) -> Self {
        if !is_sampled() {
            return Self(None);
        }
        let span = SpanBuilder::from_name(name).with_kind(kind);
        Self::start(span.with_attributes(attributes), &Context::current())
    }

    /// Begins what is done for several requests together: a child of the first, and linked to all.
    pub(super) fn shared(
        name: &'static str,
        attributes: impl IntoIterator<Item = KeyValue>,
        requests: Vec<SpanContext>,
    ) -> Self {
        let Some(first) = requests.first() else {
            return Self(None);
        };
        let parent = Context::new().with_remote_span_context(first.clone());
        let links = requests.into_iter().map(Link::with_context).collect();
        let span = SpanBuilder::from_name(name).with_links(links);
        Self::start(span.with_attributes(attributes), &parent)
    }

    fn start(span: SpanBuilder, parent: &Context) -> Self {
        Self(tracer().map(|tracer| {
            let span = span.start_with_context(tracer, parent);
            parent.with_span(span)
        }))
    }

    /// Runs what it is about: spans that begin in it are its children.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        run_in(self.0.as_ref(), work).await
    }

    /// The same on the calling thread.
    pub fn run_here<T>(&self, work: impl FnOnce() -> T) -> T {
        let _attached = self.0.clone().map(Context::attach);
        work()
    }

    /// Says that it failed.
    pub fn fail(&self) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(""));
        }
    }

    /// What names it, when it is sampled.
    pub(super) fn context(&self) -> Option<SpanContext> {
        Some(self.0.as_ref()?.span().span_context().clone())
    }
}
