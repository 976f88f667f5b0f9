//! Partition keys: taken from JSON records, and hashed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The most characters that Kinesis allows in a partition key.
pub(crate) const LONGEST_KEY: usize = 256;

/// The hash key of a partition key: its MD5, as in Kinesis.
pub(crate) fn hash(key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(key).into())
}

/// A JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

/// A text that is not a JSON pointer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PointerError {
    #[error("a JSON pointer starts with `/`; did you mean `{0}`?")]
    NoSlash(String),
    #[error("in a JSON pointer, `~` occurs only in `~0` (for `~`) and `~1` (for `/`)")]
    Tilde,
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tokens = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => return Err(PointerError::NoSlash(meant(text))),
            Some(tokens) => tokens.split('/').map(unescape).collect::<Result<_, _>>()?,
        };
        Ok(Self { text: text.to_owned(), tokens })
    }
}

/// The pointer that was probably meant by a path in the notation of jq or JSONPath, such as `a.b[0]` or `$.a`.
fn meant(text: &str) -> String {
    let names = text.strip_prefix('$').unwrap_or(text).split(['.', '[', ']', '\'', '"', '/']);
    let names = names.filter(|name| !name.is_empty());
    let pointer: String = names.map(|name| format!("/{}", name.replace('~', "~0"))).collect();
    if pointer.is_empty() { "/customer".to_owned() } else { pointer }
}

fn unescape(token: &str) -> Result<String, PointerError> {
    let mut parts = token.split('~');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (char, rest) = match part.as_bytes().first() {
            Some(b'0') => ('~', &part[1..]),
            Some(b'1') => ('/', &part[1..]),
            _ => return Err(PointerError::Tilde),
        };
        unescaped.push(char);
        unescaped.push_str(rest);
    }
    Ok(unescaped)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The partition key of a record that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The number of the record.
    Number,
    Text(String),
}

impl FromStr for Missing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.chars().count() {
            _ if text == "number" => Ok(Self::Number),
            1..=LONGEST_KEY => Ok(Self::Text(text.to_owned())),
            characters => Err(format!("a partition key has 1 to {LONGEST_KEY} characters, this one has {characters}")),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("the record's number"),
            Self::Text(text) => write!(f, "`{text}`"),
        }
    }
}

/// The reason why a record has no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("not JSON, so it has no key: {0}")]
    Json(serde_json::Error),
    #[error(
        "there is no value at the key `{0}`; `--key-missing number` or `--key-missing TEXT` gives such a record a key"
    )]
    Missing(Pointer),
    #[error(
        "the value at the key `{0}` is null; `--key-missing number` or `--key-missing TEXT` gives such a record a key"
    )]
    Null(Pointer),
    #[error("the value at the key `{pointer}` is {what}, not a string, number or boolean")]
    NoScalar { pointer: Pointer, what: &'static str },
}

impl Pointer {
    /// The key of a record: a string as it is, any other scalar as its JSON text. The whole record must be JSON.
    pub(crate) fn key<'a>(&self, record: &'a [u8]) -> Result<Cow<'a, str>, KeyError> {
        let mut deserializer = serde_json::Deserializer::from_slice(record);
        let found = Step(&self.tokens).deserialize(&mut deserializer).map_err(KeyError::Json)?;
        deserializer.end().map_err(KeyError::Json)?;
        let text = found.ok_or_else(|| KeyError::Missing(self.clone()))?.get();
        match text.as_bytes().first() {
            Some(b'"') if !text.contains('\\') => Ok(Cow::Borrowed(text.trim_matches('"'))),
            Some(b'"') => serde_json::from_str(text).map(Cow::Owned).map_err(KeyError::Json),
            Some(b'n') => Err(KeyError::Null(self.clone())),
            Some(b'{') => Err(KeyError::NoScalar { pointer: self.clone(), what: "an object" }),
            Some(b'[') => Err(KeyError::NoScalar { pointer: self.clone(), what: "an array" }),
            _ => Ok(Cow::Borrowed(text)),
        }
    }
}

/// Follows the tokens and skips everything else without building values.
struct Step<'t>(&'t [String]);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            serde::Deserialize::deserialize(deserializer).map(Some)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

/// Visits a value that a token leads into: only an object or an array can contain the target.
impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((token, rest)) = self.0.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(token))? {
            if is_it {
                found = map.next_value_seed(Step(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some((token, rest)) = self.0.split_first() else { return Ok(None) };
        let canonical = token == "0" || !token.starts_with(['0', '+']);
        let index = token.parse::<usize>().ok().filter(|_| canonical);
        let mut found = None;
        for at in 0.. {
            if Some(at) == index {
                let Some(value) = seq.next_element_seed(Step(rest))? else { break };
                found = value;
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Compares a member's name without copying it.
struct Is<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pointer: &str, record: &str) -> Result<String, String> {
        let pointer: Pointer = pointer.parse().unwrap();
        pointer.key(record.as_bytes()).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn a_string_is_taken_as_it_is_and_a_scalar_as_its_text() {
        for (record, expected) in [
            (r#"{"a":"x"}"#, "x"),
            (r#"{"a":""}"#, ""),
            (r#" { "b" : [ 1 ] , "a" : "é\n\"\u00e9" } "#, "é\n\"é"),
            (r#"{"a":7}"#, "7"),
            (r#"{"a":-1.50e3 }"#, "-1.50e3"),
            (r#"{"a":123456789012345678901234567890}"#, "123456789012345678901234567890"),
            (r#"{"a":true}"#, "true"),
            (r#"{"a":1,"a":2}"#, "2"),
        ] {
            assert_eq!(key("/a", record).as_deref(), Ok(expected), "{record}");
        }
    }

    #[test]
    fn a_pointer_leads_into_objects_and_arrays() {
        assert_eq!(key("/a/1/b", r#"{"a":[{"b":0},{"b":"x"}]}"#).unwrap(), "x");
        assert_eq!(key("/a~1b/~0", r#"{"a/b":{"~":"x"}}"#).unwrap(), "x");
        assert_eq!(key("/", r#"{"":"x"}"#).unwrap(), "x");
        assert_eq!(key("/1", r#"{"1":"x"}"#).unwrap(), "x");
        assert_eq!(key("", r#""x""#).unwrap(), "x");
    }

    #[test]
    fn a_missing_value_is_an_error() {
        for record in ["{}", "[]", "1", r#""a""#, "null", r#"{"a":{}}"#, r#"{"a":[1]}"#, r#"{"a":-1.5}"#] {
            let error = key("/a/b", record).unwrap_err();
            assert!(
                error.starts_with("there is no value at the key `/a/b`; `--key-missing number` or"),
                "{record}: {error}"
            );
        }
        for index in ["2", "01", "+1", "-", "x"] {
            assert!(key(&format!("/{index}"), "[1,2]").is_err(), "{index}");
        }
    }

    #[test]
    fn null_is_a_missing_value() {
        assert!(
            key("/a", r#"{"a":null}"#).unwrap_err().starts_with("the value at the key `/a` is null; `--key-missing")
        );
        assert_eq!(key("/a", r#"{"a":"null"}"#).unwrap(), "null");
    }

    #[test]
    fn a_key_for_records_without_one_is_checked() {
        assert_eq!("number".parse(), Ok(Missing::Number));
        assert_eq!("é".repeat(256).parse(), Ok(Missing::Text("é".repeat(256))));
        for text in ["".to_owned(), "x".repeat(257)] {
            assert!(text.parse::<Missing>().is_err());
        }
    }

    #[test]
    fn a_non_scalar_or_invalid_json_is_an_error() {
        assert!(key("/a", r#"{"a":{}}"#).unwrap_err().contains("is an object"));
        assert!(key("/a", r#"{"a":[]}"#).unwrap_err().contains("is an array"));
        for record in ["", "x", r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1} x"#] {
            assert!(key("/a", record).unwrap_err().starts_with("not JSON"), "{record}");
        }
    }

    #[test]
    fn pointers_are_checked_when_they_are_given() {
        for (text, meant) in [
            ("customer", "/customer"),
            ("a/b", "/a/b"),
            ("a.b", "/a/b"),
            (".a.b", "/a/b"),
            ("$.a[0].b", "/a/0/b"),
            ("$['a']", "/a"),
            ("a~b", "/a~0b"),
            ("$", "/customer"),
        ] {
            assert_eq!(text.parse::<Pointer>(), Err(PointerError::NoSlash(meant.to_owned())), "{text}");
            assert!(meant.parse::<Pointer>().is_ok());
        }
        for text in ["/~", "/~2", "/a~"] {
            assert_eq!(text.parse::<Pointer>(), Err(PointerError::Tilde));
        }
    }
}
