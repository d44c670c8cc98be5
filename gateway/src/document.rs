//! What the documentation says of an endpoint beyond its row.
//!
//! Examples are values of the types that the code takes and answers, turned into JSON when the document is made.

use guildhall_runtime::{Error, Reason, Result};
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{Content, ContentBuilder, ObjectBuilder, Ref, RefOr, Schema, path::Parameter},
};

/// Parameters in the path and the headers.
pub type Parameters = fn() -> Vec<Parameter>;

/// The schemas of a document's components, by name.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// What the documentation says of an endpoint.
pub struct Documentation {
    /// What it does, for its callers.
    pub about: &'static str,
    /// The RPC that it is made of, or the first of them.
    pub rpc: Option<&'static str>,
    /// What it refuses beyond what every endpoint does.
    pub reasons: &'static [Reason],
    /// Parameters that do not follow from their name in the path or from the query's type.
    pub parameters: Parameters,
    /// The parameters of its query.
    pub query: Parameters,
    /// The body of its requests.
    pub body: Option<Media>,
    /// The body of its success.
    pub success: Media,
    /// Other answers that are no errors: status, name, body.
    pub answers: Vec<(u16, &'static str, Media)>,
}

impl Documentation {
    /// The documentation of what takes and answers this.
    pub fn new(query: Parameters, body: Option<Media>, success: Media) -> Self {
        Self {
            about: "",
            rpc: None,
            reasons: &[],
            parameters: Vec::new,
            query,
            body,
            success,
            answers: Vec::new(),
        }
    }

    /// All schemas that its bodies refer to.
    pub fn schemas(&self) -> Schemas {
        let mut schemas = Vec::new();
        let answers = self.answers.iter().map(|(_, _, media)| media);
        for media in self.body.iter().chain([&self.success]).chain(answers) {
            (media.describe)(&mut schemas);
        }
        schemas
    }
}

/// A JSON body: its type, and an example of it.
pub struct Media {
    describe: fn(&mut Schemas) -> RefOr<Schema>,
    example: Box<dyn Fn() -> serde_json::Result<Value>>,
    /// Whether an absent field is as good as `null`.
    drops_nulls: bool,
}

impl Media {
    /// The body of an answer.
    pub fn of_answer<T: Body + 'static>(example: fn() -> T) -> Self {
        Self {
            describe: T::describe,
            example: Box::new(move || serde_json::to_value(example())),
            drops_nulls: false,
        }
    }

    /// The body of a request, whose absent fields its example leaves out.
    pub fn of_request<T: Body + 'static>(example: fn() -> T) -> Self {
        Self {
            drops_nulls: true,
            ..Self::of_answer(example)
        }
    }

    /// The example.
    pub fn example(&self) -> Result<Value> {
        let mut example = (self.example)().map_err(Error::internal)?;
        if self.drops_nulls {
            drop_nulls(&mut example);
        }
        Ok(example)
    }

    /// The body as the document describes it, without an example.
    pub fn content(&self) -> Content {
        let schema = (self.describe)(&mut Vec::new());
        ContentBuilder::new().schema(Some(schema)).build()
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A body that the document can describe: a type with a schema, or an envelope around one.
pub trait Body: Serialize {
    /// The name of its component.
    fn component() -> String;

    /// A reference to its component, which joins `schemas` with all that it refers to itself.
    fn describe(schemas: &mut Schemas) -> RefOr<Schema>;
}

impl<T: ToSchema + Serialize> Body for T {
    /// The schema's own name; that of a list is made of its parts.
    fn component() -> String {
        let full = std::any::type_name::<T>();
        if !full.contains('<') {
            return T::name().into_owned();
        }
        let parts = full.split(['<', '>']).filter(|part| !part.is_empty());
        let names = parts.map(|path| path.rsplit("::").next().unwrap_or(path));
        names.collect::<Vec<_>>().join("_")
    }

    fn describe(schemas: &mut Schemas) -> RefOr<Schema> {
        let name = Self::component();
        T::schemas(schemas);
        match name.as_str() {
            // Any JSON needs no name.
            "Value" => T::schema(),
            _ => named(schemas, name, T::schema()),
        }
    }
}

/// A reference to `schema`, which joins the others under its name.
pub fn named(schemas: &mut Schemas, name: String, schema: RefOr<Schema>) -> RefOr<Schema> {
    schemas.push((name.clone(), schema));
    Ref::from_schema_name(name).into()
}

/// An object that always has these fields.
pub fn object<const N: usize>(fields: [(&str, RefOr<Schema>); N]) -> RefOr<Schema> {
    let object = fields
        .into_iter()
        .fold(ObjectBuilder::new(), |object, (name, schema)| {
            object.property(name, schema).required(name)
        });
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_its_schemas_name_and_that_of_a_list_is_made_of_its_parts() {
        assert_eq!(<String as Body>::component(), "String");
        assert_eq!(<Vec<String> as Body>::component(), "Vec_String");
        let mut schemas = Vec::new();
        let reference = <Vec<String> as Body>::describe(&mut schemas);
        let reference = serde_json::to_value(reference).unwrap();
        assert_eq!(reference["$ref"], "#/components/schemas/Vec_String");
        assert_eq!(schemas[0].0, "Vec_String");
    }

    #[test]
    fn what_is_absent_is_left_out_of_a_request() {
        let media = Media::of_request(|| serde_json::json!({ "a": null, "b": [{ "c": null }] }));
        assert_eq!(media.example().unwrap(), serde_json::json!({ "b": [{}] }));
        let media = Media::of_answer(|| serde_json::json!({ "a": null }));
        assert_eq!(media.example().unwrap(), serde_json::json!({ "a": null }));
    }
}
