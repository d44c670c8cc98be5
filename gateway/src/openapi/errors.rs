//! Answers to requests that fail: one component for each status of a family, with the very bodies that
//! the envelope makes.

use std::collections::BTreeMap;

use guildhall_runtime::{Error, Reason};
use http::StatusCode;
use utoipa::openapi::{
    Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, example::ExampleBuilder,
};

use crate::{
    document::Body,
    envelope::{
        Family, FieldNames, application::ApplicationError, integration::IntegrationError,
        mudbase::MudbaseError, sendbird::SendbirdError, system::SystemError,
    },
    failure::Failure,
};

const NO_NAMES: FieldNames = &[];

/// The errors of all operations so far.
#[derive(Default)]
pub struct Errors(BTreeMap<(Form, u16), Vec<Reason>>);

/// A form of errors; several families may share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Integration,
    Application,
    System,
    Sendbird,
    Mudbase,
}

impl Form {
    fn of(family: Family) -> Self {
        match family {
            Family::Integration | Family::Bare => Self::Integration,
            Family::Application => Self::Application,
            Family::System => Self::System,
            Family::Sendbird => Self::Sendbird,
            Family::Mudbase => Self::Mudbase,
        }
    }

    fn family(self) -> Family {
        match self {
            Self::Integration => Family::Integration,
            Self::Application => Family::Application,
            Self::System => Family::System,
            Self::Sendbird => Family::Sendbird,
            Self::Mudbase => Family::Mudbase,
        }
    }

    fn schema(self) -> String {
        match self {
            Self::Integration => IntegrationError::component(),
            Self::Application => ApplicationError::component(),
            Self::System => SystemError::component(),
            Self::Sendbird => SendbirdError::component(),
            Self::Mudbase => MudbaseError::component(),
        }
    }
}

impl Errors {
    /// The errors of an operation by status, as references; `own` are what this operation in
    /// particular refuses.
    pub fn of_operation(
        &mut self,
        family: Family,
        common: &[Reason],
        own: &[Reason],
    ) -> BTreeMap<String, RefOr<Response>> {
        let mut references: BTreeMap<String, Ref> = BTreeMap::new();
        let form = Form::of(family);
        for reason in common.iter().chain(own) {
            let status = family.status(reason.kind()).as_u16();
            let known = self.0.entry((form, status)).or_default();
            if !known.contains(reason) {
                known.push(*reason);
            }
            let reference = references
                .entry(status.to_string())
                .or_insert_with(|| Ref::from_response_name(name(form, status)));
            if own.contains(reason) && !reference.description.contains(&sentence(*reason)) {
                let so_far = std::mem::take(&mut reference.description);
                reference.description = format!("{so_far} {}.", sentence(*reason))
                    .trim_start()
                    .to_owned();
            }
        }
        references
            .into_iter()
            .map(|(status, reference)| (status, RefOr::Ref(reference)))
            .collect()
    }

    /// Adds what the references lead to.
    pub fn add_to(self, components: &mut Components) {
        let mut schemas = Vec::new();
        IntegrationError::describe(&mut schemas);
        ApplicationError::describe(&mut schemas);
        SystemError::describe(&mut schemas);
        SendbirdError::describe(&mut schemas);
        MudbaseError::describe(&mut schemas);
        components.schemas.extend(schemas);
        for ((form, status), mut reasons) in self.0 {
            reasons.sort_by_key(|reason| reason.as_str());
            components
                .responses
                .insert(name(form, status), response(form, status, &reasons).into());
        }
    }
}

fn name(form: Form, status: u16) -> String {
    format!("{form:?}{status}")
}

fn response(form: Form, status: u16, reasons: &[Reason]) -> Response {
    let examples = reasons.iter().map(|reason| {
        let body = form
            .family()
            .body(&Failure::from(sample(*reason)), NO_NAMES);
        (
            reason.as_str(),
            ExampleBuilder::new().value(Some(body)).build(),
        )
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(form.schema())))
        .examples_from_iter(examples);
    let status = StatusCode::from_u16(status).ok();
    let words = status.and_then(|status| status.canonical_reason());
    ResponseBuilder::new()
        .description(words.unwrap_or("Error"))
        .content("application/json", content.build())
        .build()
}

/// An error as the platform words it.
fn sample(reason: Reason) -> Error {
    const WORDED: &[(Reason, &str)] = &[
        (Reason::CredentialInvalid, "Invalid token"),
        (Reason::PermissionMissing, "Insufficient permission"),
        (Reason::RoleMissing, "Insufficient permission"),
        (Reason::Unreachable, "The service is unavailable, try again"),
        (Reason::Internal, "Internal server error"),
        (
            Reason::RateLimited,
            "Rate limit exceeded: 100 requests per second",
        ),
    ];
    if reason == Reason::MissingField {
        return Error::missing("name");
    }
    if reason == Reason::InvalidValue {
        return Error::invalid("limit", "limit must be 1 to 100");
    }
    match WORDED.iter().find(|(known, _)| *known == reason) {
        Some((_, text)) => Error::new(reason, *text),
        None => Error::new(reason, sentence(reason)),
    }
}

/// `CHANNEL_NOT_FOUND` as `Channel not found`.
fn sentence(reason: Reason) -> String {
    let words = reason.as_str().replace('_', " ").to_lowercase();
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => words,
    }
}
