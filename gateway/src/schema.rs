//! Formats that many fields share, as the documentation describes them.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{AnyOfBuilder, KnownFormat, SchemaFormat, Type},
    },
};

/// An id: 24 hexadecimal characters.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-fA-F]{24}$")]
pub struct ObjectId(String);

/// A moment: ISO-8601 in UTC with milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(String);

/// A name: 1 to 100 characters, not only white space; no control characters but white space around it,
/// which is taken away.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    pattern = r"^[\t-\r ]*[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,98}[^\s\x00-\x1f\x7f-\x9f])?[\t-\r ]*$"
)]
pub struct Name(String);

/// A text: 1 to 10,000 characters, not only white space; no NUL.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 10_000,
    pattern = r"^[^\x00]*[^\s\x00][^\x00]*$"
)]
pub struct MessageText(String);

/// An emoji: a shortcode such as `:sparkling_heart:`, or the character; 1 to 64 characters.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 64,
    pattern = r"^[\t-\r :]*[^\s:\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,62}[^\s:\x00-\x1f\x7f-\x9f])?[\t-\r :]*$"
)]
pub struct Emoji(String);

/// An emoji, or the key of a reaction; 1 to 192 characters.
#[derive(Serialize, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    pattern = r"^[\t-\r :]*[^\s:\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]{0,190}[^\s:\x00-\x1f\x7f-\x9f])?[\t-\r :]*$"
)]
pub struct ReactionKey(String);

/// A user: username, e-mail address, id or number.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, max_length = 320, pattern = r"^[^\x00]*$")]
pub struct UserReference(String);

/// An id, or an ISO-8601 time or date.
pub struct IdOrTime;

impl PartialSchema for IdOrTime {
    fn schema() -> RefOr<Schema> {
        let times = [KnownFormat::DateTime, KnownFormat::Date].map(|format| {
            let time = ObjectBuilder::new().schema_type(Type::String);
            RefOr::from(time.format(Some(SchemaFormat::KnownFormat(format))))
        });
        let forms = std::iter::once(ObjectId::schema()).chain(times);
        forms.fold(AnyOfBuilder::new(), AnyOfBuilder::item).into()
    }
}

impl ToSchema for IdOrTime {}

/// Any text.
pub fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A text of a form, as a regular expression says it.
pub fn pattern(expression: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema.pattern(Some(expression)).into()
}

/// One of some words.
pub fn one_of(words: &[&str]) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema.enum_values(Some(words.iter().copied())).into()
}

/// An integer of at least 1.
pub fn positive_integer() -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1));
    schema
        .format(Some(SchemaFormat::Custom("int64".to_owned())))
        .into()
}

/// A parameter of the path.
pub fn in_path(name: &str, about: &str, schema: RefOr<Schema>) -> Parameter {
    parameter(name, about, schema, ParameterIn::Path, Required::True)
}

/// The id in a path.
pub fn id_in_path(name: &str) -> Parameter {
    in_path(name, "24 hexadecimal characters", ObjectId::schema())
}

/// An optional header.
pub fn header(name: &str, about: &str, schema: RefOr<Schema>) -> Parameter {
    parameter(name, about, schema, ParameterIn::Header, Required::False)
}

fn parameter(
    name: &str,
    about: &str,
    schema: RefOr<Schema>,
    place: ParameterIn,
    required: Required,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}
