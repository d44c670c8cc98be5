//! JSON as callers write it: serde's own reader is stricter in some ways, and laxer in others.

use serde::{
    Deserializer,
    de::{
        Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
};
use serde_json::{Error, Map, Value};

use super::fields::spelled;

/// A JSON value to be read into a type. A struct is an object alone, no list of its fields, and takes
/// each in every spelling; `null` is as good as absent; an enum is the name of one of its values.
pub struct JsonReader(pub Value);

/// The fields of an object, without those that are `null`.
fn fields(object: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    object.into_iter().filter(|(_, value)| !value.is_null())
}

fn named(
    fields: impl IntoIterator<Item = (String, Value)>,
) -> impl Iterator<Item = (String, JsonReader)> {
    fields
        .into_iter()
        .map(|(name, value)| (name, JsonReader(value)))
}

/// The same types as [`Value`] reads.
macro_rules! as_value {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                self.0.$method(visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for JsonReader {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(object) = self.0 else {
            let expected = format!("struct {name}");
            return Err(Error::invalid_type(unexpected(&self.0), &expected.as_str()));
        };
        let fields = spelled::<_, Error>(fields(object), known)?;
        visitor.visit_map(MapDeserializer::new(named(fields)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Object(object) = self.0 else {
            return self.0.deserialize_map(visitor);
        };
        visitor.visit_map(MapDeserializer::new(named(object)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Array(items) = self.0 else {
            return self.0.deserialize_seq(visitor);
        };
        let items = items.into_iter().map(JsonReader);
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::String(name) = self.0 else {
            return Err(Error::invalid_type(unexpected(&self.0), &"a string"));
        };
        visitor.visit_enum(name.into_deserializer())
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_unit(visitor)
    }

    as_value! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }
}

impl IntoDeserializer<'_, Error> for JsonReader {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => number
            .as_i64()
            .map_or(Unexpected::Other("number"), Unexpected::Signed),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}
