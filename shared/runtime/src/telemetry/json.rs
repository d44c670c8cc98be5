//! Log lines as JSON, an object each.
//!
//! A line has the fields of its event and of all spans around it, at the top level, so that a
//! request's lines are found by its `request_id` wherever they were written. Spans of traces are
//! left out: their fields are for the collector.

use std::fmt;

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::{Event, Subscriber, field::Field, field::Visit, span::Record};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::trace::TARGET;

/// The fields that come first in a line, in this order; the others follow by name.
const FIRST: [&str; 4] = ["message", "request_id", "community", "trace_id"];

/// Formats fields as the members of an object without its braces, so that fields recorded later are
/// appended, and nothing is parsed before a line is written.
#[derive(Debug)]
pub(super) struct Members;

impl<'writer> FormatFields<'writer> for Members {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = MembersOf {
            writer,
            before: "",
            result: Ok(()),
        };
        fields.record(&mut members);
        members.result
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let before = if current.fields.is_empty() { "" } else { "," };
        let mut members = MembersOf {
            writer: current.as_writer(),
            before,
            result: Ok(()),
        };
        fields.record(&mut members);
        members.result
    }
}

struct MembersOf<'writer> {
    writer: Writer<'writer>,
    before: &'static str,
    result: fmt::Result,
}

impl MembersOf<'_> {
    fn add(&mut self, field: &Field, value: impl serde::Serialize) {
        let Ok(value) = serde_json::to_string(&value) else {
            return;
        };
        if self.result.is_ok() {
            // Names are Rust identifiers: they need no escapes.
            let (before, name) = (self.before, field.name().trim_start_matches("r#"));
            self.result = write!(self.writer, "{before}\"{name}\":{value}");
            self.before = ",";
        }
    }
}

impl Visit for MembersOf<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// Formats an event as a line.
#[derive(Debug)]
pub(super) struct Lines;

impl<S> FormatEvent<S, Members> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Members>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
            .filter(|span| span.metadata().target() != TARGET)
        {
            if let Some(members) = span.extensions().get::<FormattedFields<Members>>() {
                read(&members.fields, &mut fields);
            }
        }
        let mut members = String::new();
        context.format_fields(Writer::new(&mut members), event)?;
        read(&members, &mut fields);
        let line = line(event, fields).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// Adds members to `fields`; of the same name, the one nearer to the event wins.
fn read(members: &str, fields: &mut Map<String, Value>) {
    if let Ok(more) = serde_json::from_str::<Map<_, _>>(&format!("{{{members}}}")) {
        fields.extend(more);
    }
}

fn line(event: &Event<'_>, mut fields: Map<String, Value>) -> serde_json::Result<String> {
    let mut timestamp = String::new();
    // A clock that cannot be read must not lose the line.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    let mut line = Vec::new();
    let mut writer = serde_json::Serializer::new(&mut line);
    let mut object = writer.serialize_map(None)?;
    object.serialize_entry("timestamp", &timestamp)?;
    object.serialize_entry("level", event.metadata().level().as_str())?;
    for name in FIRST {
        if let Some(value) = fields.remove(name) {
            object.serialize_entry(name, &value)?;
        }
    }
    for (name, value) in &fields {
        object.serialize_entry(name, value)?;
    }
    object.serialize_entry("target", event.metadata().target())?;
    object.end()?;
    Ok(String::from_utf8(line).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::{error_span, field::Empty, info, subscriber::with_default};
    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_fields_of_all_spans_around_it_but_those_of_traces() {
        let written = Written::default();
        let writer = written.clone();
        let log = fmt()
            .fmt_fields(Members)
            .event_format(Lines)
            .with_writer(move || writer.clone())
            .finish();
        with_default(log, || {
            let request = error_span!("request", request_id = "a\"b", community = Empty);
            let _request = request.enter();
            let inner = error_span!("inner", step = 1);
            let _inner = inner.enter();
            let traced = error_span!(target: TARGET, "step", db.system.name = "sqlite");
            let _traced = traced.enter();
            request.record("community", "chess");
            info!(step = 2, known = true, "what \n happened");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let begin = r#""level":"INFO","message":"what \n happened","request_id":"a\"b","community":"chess","#;
        assert!(text.contains(begin), "{text}");
        let line: Map<_, _> = serde_json::from_str(&text).unwrap();
        assert_eq!(line["step"], 2, "the nearer one wins");
        assert!(!text.contains("sqlite"), "{text}");
        assert_eq!(line["known"], true);
    }
}
