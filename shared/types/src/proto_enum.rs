//! Enums that are stored, and what stands for them in the protos.

use guildhall_runtime::{Error, Result};

/// An enum of a service, and the enum of the protos that stands for it.
/// [`proto_enum!`](crate::proto_enum) declares it.
pub trait ProtoEnum: Copy + 'static {
    /// The enum of the protos. Its 0 is `UNSPECIFIED`.
    type Proto: TryFrom<i32>;

    /// Every value.
    const ALL: &'static [Self];

    /// The value that a proto means; none when it is unspecified.
    fn from_proto(proto: Self::Proto) -> Option<Self>;

    /// The value in answers.
    fn to_proto(self) -> Self::Proto;

    /// Its name in the proto.
    fn proto_name(self) -> &'static str;

    /// Reads a field of a request; none when it is unspecified.
    ///
    /// # Errors
    /// INVALID_VALUE for a number that stands for nothing.
    fn read(field: &str, number: i32) -> Result<Option<Self>> {
        let known = Self::Proto::try_from(number).map_err(|_| {
            let names: Vec<_> = Self::ALL.iter().map(|value| value.proto_name()).collect();
            let names = names.join(", ");
            Error::invalid(field, format!("{field} must be one of {names}"))
        });
        Ok(Self::from_proto(known?))
    }

    /// Reads a field that a request must have.
    ///
    /// # Errors
    /// MISSING_FIELD when it is unspecified, and as [`read`](Self::read) says.
    fn require(field: &str, number: i32) -> Result<Self> {
        Self::read(field, number)?.ok_or_else(|| Error::missing(field))
    }
}

/// Declares which enum of the protos stands for an enum. The values have the same names:
///
/// ```ignore
/// proto_enum!(ChannelKind as ChannelType { Open, Announcement, Dm, Forum });
/// ```
#[macro_export]
macro_rules! proto_enum {
    ($own:ident as $proto:ident { $($value:ident),+ $(,)? }) => {
        impl $crate::ProtoEnum for $own {
            type Proto = $proto;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn from_proto(proto: $proto) -> Option<Self> {
                match proto {
                    $proto::Unspecified => None,
                    $($proto::$value => Some(Self::$value),)+
                }
            }

            fn to_proto(self) -> $proto {
                match self {
                    $(Self::$value => $proto::$value,)+
                }
            }

            fn proto_name(self) -> &'static str {
                self.to_proto().as_str_name()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Color {
        Red,
        Blue,
    }

    /// As prost makes it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum ColorProto {
        Unspecified,
        Red,
        Blue,
    }

    impl TryFrom<i32> for ColorProto {
        type Error = ();

        fn try_from(number: i32) -> Result<Self, ()> {
            match number {
                0 => Ok(Self::Unspecified),
                1 => Ok(Self::Red),
                2 => Ok(Self::Blue),
                _ => Err(()),
            }
        }
    }

    impl ColorProto {
        fn as_str_name(self) -> &'static str {
            match self {
                Self::Unspecified => "COLOR_UNSPECIFIED",
                Self::Red => "COLOR_RED",
                Self::Blue => "COLOR_BLUE",
            }
        }
    }

    proto_enum!(Color as ColorProto { Red, Blue });

    #[test]
    fn every_value_reads_back_and_an_unknown_number_is_refused_by_the_name_of_its_field() {
        for color in Color::ALL {
            let number = color.to_proto() as i32;
            assert_eq!(Color::require("color", number).unwrap(), *color);
        }
        assert_eq!(Color::read("color", 0).unwrap(), None);
        let missing = Color::require("color", 0).unwrap_err();
        assert_eq!(missing.violations()[0].field, "color");
        let unknown = Color::read("color", 3).unwrap_err();
        let violation = &unknown.violations()[0];
        assert_eq!(violation.field, "color");
        assert_eq!(
            violation.description,
            "color must be one of COLOR_RED, COLOR_BLUE"
        );
    }
}
