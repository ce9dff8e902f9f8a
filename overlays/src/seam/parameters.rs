//! Named, documented parameters from which help, parser and reports derive.

use core::fmt;

use super::time::Span;

/// One parameter of an overlay, as lists and reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as in `--set overlay.name=value`.
    pub name: &'static str,
    /// Its present value.
    pub value: String,
    /// What it means.
    pub help: &'static str,
    /// What values it takes.
    pub domain: String,
}

/// Why a parameter could not be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// There is none of this name.
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The value is not one it takes.
    Value {
        /// The parameter.
        name: &'static str,
        /// The value given.
        value: String,
        /// What values it takes.
        domain: String,
    },
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                write!(f, "there is no parameter `{name}`; there are: {}", known.join(", "))
            }
            Self::Value { name, value, domain } => {
                write!(f, "`{value}` is not a value of {name}, which takes {domain}")
            }
        }
    }
}

impl std::error::Error for ParameterError {}

/// The configuration of an overlay: what `parameters!` implements.
pub trait Parameters: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// Sets the parameter called `name`.
    ///
    /// # Errors
    /// When there is none of that name, or the value is not one it takes.
    fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError>;

    /// All parameters with their present values.
    fn list(&self) -> Vec<Parameter>;
}

/// A type that a parameter can have.
pub trait ParameterValue: Sized {
    /// Reads a value.
    fn parse(text: &str) -> Option<Self>;
    /// Writes a value so that `parse` reads it back.
    fn show(&self) -> String;
    /// What values there are, in words.
    fn domain() -> String;
}

/// A range of values, in words that follow the kind of the values.
pub fn show_range<T: ParameterValue>(range: &core::ops::RangeInclusive<T>) -> String {
    format!(" from {} to {}", range.start().show(), range.end().show())
}

macro_rules! number {
    ($($type:ty: $words:literal),*) => {$(
        impl ParameterValue for $type {
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
            fn show(&self) -> String {
                self.to_string()
            }
            fn domain() -> String {
                $words.into()
            }
        }
    )*};
}

number!(u8: "whole numbers", u16: "whole numbers", u32: "whole numbers", u64: "whole numbers",
    usize: "whole numbers");

impl ParameterValue for f64 {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|x: &Self| x.is_finite())
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn domain() -> String {
        "numbers".into()
    }
}

impl ParameterValue for bool {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "on" | "true" | "yes" => Some(true),
            "off" | "false" | "no" => Some(false),
            _ => None,
        }
    }
    fn show(&self) -> String {
        if *self { "on" } else { "off" }.into()
    }
    fn domain() -> String {
        "on or off".into()
    }
}

impl ParameterValue for Span {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
    /// The short form where it is exact; what is shown must read back.
    fn show(&self) -> String {
        let short = self.to_string();
        if Self::parse(&short) == Ok(*self) { short } else { format!("{}us", self.as_us()) }
    }
    fn domain() -> String {
        "lengths of time such as 20ms or 30s".into()
    }
}

/// Declares an enum whose values have names on the command line.
///
/// ```
/// overlays::choice! {
///     /// How to search.
///     pub enum Method {
///         /// Ask everyone.
///         Flood = "flood",
///         /// Ask one after the other.
///         Walk = "walk",
///     }
/// }
/// use overlays::ParameterValue;
/// assert_eq!(Method::parse("walk"), Some(Method::Walk));
/// ```
#[macro_export]
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $crate::ParameterValue for $name {
            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
            fn show(&self) -> String {
                match self { $(Self::$variant => $text),+ }.into()
            }
            fn domain() -> String {
                [$($text),+].join(", ")
            }
        }
    };
}

/// Declares an overlay's configuration: each field with its documentation,
/// type, default and, after `in`, its range.
///
/// ```
/// overlays::parameters! {
///     /// An example's parameters.
///     pub struct Config {
///         /// How many hops a query travels.
///         pub ttl: u8 = 7, in 1..=16;
///         /// Whether to answer.
///         pub answers: bool = true;
///     }
/// }
/// use overlays::Parameters;
/// let mut config = Config::default();
/// config.set("ttl", "3").unwrap();
/// assert_eq!(config.ttl, 3);
/// assert!(config.set("ttl", "99").is_err());
/// assert!(config.set("tll", "3").is_err());
/// ```
#[macro_export]
macro_rules! parameters {
    ($(#[$meta:meta])* pub struct $name:ident {
        $(#[doc = $help:literal] $(#[doc = $more:literal])*
          pub $field:ident : $type:ty = $default:expr $(, in $range:expr)?;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $(#[doc = $help] $(#[doc = $more])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::Parameters for $name {
            fn set(&mut self, name: &str, value: &str) -> Result<(), $crate::ParameterError> {
                $(if name == stringify!($field) {
                    let parsed = <$type as $crate::ParameterValue>::parse(value)
                        $(.filter(|v| ($range).contains(v)))?;
                    return match parsed {
                        Some(v) => { self.$field = v; Ok(()) }
                        None => Err($crate::ParameterError::Value {
                            name: stringify!($field),
                            value: value.into(),
                            domain: <$type as $crate::ParameterValue>::domain()
                                $(+ &$crate::show_range::<$type>(&$range))?,
                        }),
                    };
                })*
                Err($crate::ParameterError::Unknown {
                    name: name.into(),
                    known: vec![$(stringify!($field)),*],
                })
            }

            fn list(&self) -> Vec<$crate::Parameter> {
                vec![$($crate::Parameter {
                    name: stringify!($field),
                    value: $crate::ParameterValue::show(&self.$field),
                    help: concat!($help, $($more,)*).trim_ascii(),
                    domain: <$type as $crate::ParameterValue>::domain()
                        $(+ &$crate::show_range::<$type>(&$range))?,
                }),*]
            }
        }
    };
}
