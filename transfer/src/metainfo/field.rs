//! Fields of metainfo by name, so that every error says which one it means.

use super::error::{MetainfoError, MetainfoFault};
use crate::bencode::{Dict, Kind, List, Value};

/// A value and the name it goes by.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: String,
    pub(super) value: Value<'a>,
}

/// A dictionary and the name it goes by.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    pub(super) name: String,
    pub(super) dict: Dict<'a>,
}

impl<'a> Fields<'a> {
    /// The name of the field under `key`.
    pub(super) fn name_of(&self, key: &str) -> String {
        match self.name.is_empty() {
            true => key.to_string(),
            false => format!("{}.{key}", self.name),
        }
    }

    /// The field under `key`, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        self.dict.get(key).map(|value| Field { name: self.name_of(key), value })
    }

    /// The field under `key`.
    pub(super) fn need(&self, key: &str) -> Result<Field<'a>, MetainfoError> {
        self.get(key).ok_or_else(|| self.error(key, MetainfoFault::Missing))
    }

    /// An error about the field under `key`.
    pub(super) fn error(&self, key: &str, fault: MetainfoFault) -> MetainfoError {
        let at = self.dict.get(key).map(Value::span);
        let offset = at.unwrap_or_else(|| self.dict.span()).start;
        MetainfoError { field: self.name_of(key), offset, fault }
    }
}

impl<'a> Field<'a> {
    pub(super) fn error(&self, fault: MetainfoFault) -> MetainfoError {
        MetainfoError { field: self.name.clone(), offset: self.value.span().start, fault }
    }

    /// The number, within these bounds.
    pub(super) fn int(&self, min: i64, max: i64) -> Result<i64, MetainfoError> {
        let Kind::Int(value) = self.value.kind() else {
            return Err(self.error(MetainfoFault::Not("a number")));
        };
        match (min..=max).contains(&value) {
            true => Ok(value),
            false => Err(self.error(MetainfoFault::OutOfRange { value, min, max })),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8], MetainfoError> {
        self.value.as_bytes().ok_or_else(|| self.error(MetainfoFault::Not("a string")))
    }

    /// Text that a program goes by, so it must be UTF-8.
    pub(super) fn text(&self) -> Result<&'a str, MetainfoError> {
        let bytes = self.bytes()?;
        core::str::from_utf8(bytes).map_err(|_| self.error(MetainfoFault::Not("UTF-8")))
    }

    /// Text for people alone: what is not UTF-8 is replaced.
    pub(super) fn prose(&self) -> Result<String, MetainfoError> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    pub(super) fn list(&self) -> Result<List<'a>, MetainfoError> {
        self.value.as_list().ok_or_else(|| self.error(MetainfoFault::Not("a list")))
    }

    pub(super) fn dict(self) -> Result<Fields<'a>, MetainfoError> {
        match self.value.as_dict() {
            Some(dict) => Ok(Fields { name: self.name, dict }),
            None => Err(self.error(MetainfoFault::Not("a dictionary"))),
        }
    }

    /// The entries of the list, each by its name, but no more than `limit`.
    pub(super) fn entries(&self, limit: usize) -> Result<Vec<Self>, MetainfoError> {
        let mut entries = Vec::new();
        for (i, value) in self.list()?.iter().enumerate() {
            if i == limit {
                return Err(self.error(MetainfoFault::TooMany { limit }));
            }
            entries.push(Self { name: format!("{}[{i}]", self.name), value });
        }
        Ok(entries)
    }
}
