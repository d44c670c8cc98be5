//! Formats that many fields share, as the documentation describes them.

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{SchemaFormat, Type},
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
