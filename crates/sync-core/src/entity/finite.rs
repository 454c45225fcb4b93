//! Looks for floats that JSON cannot hold: `serde_json` would write them as null, which is another
//! value.

use std::fmt;

use serde::ser::{self, Serialize};

/// What is wrong with the first float that is not a number, or infinite.
pub(super) fn complaint<T: Serialize>(value: &T) -> Option<String> {
    value.serialize(Check).err().and_then(|found| found.0)
}

/// Where such a float was found; `None` = the value's own serialisation failed.
#[derive(Debug)]
struct NotFinite(Option<String>);

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("it does not serialise"))
    }
}

impl std::error::Error for NotFinite {}

impl ser::Error for NotFinite {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self(None)
    }
}

impl NotFinite {
    /// The same, with the field that it was found in.
    fn within(self, field: &'static str) -> Self {
        Self(self.0.map(|told| format!("`{field}`: {told}")))
    }
}

#[derive(Clone, Copy)]
struct Check;

fn float(value: f64) -> Result<(), NotFinite> {
    if value.is_finite() {
        Ok(())
    } else {
        let message = "JSON has no NaN and no infinity: use an `Option` for what has no value";
        Err(NotFinite(Some(message.to_owned())))
    }
}

macro_rules! harmless {
    ($($method:ident($ty:ty);)*) => {
        $(fn $method(self, _value: $ty) -> Result<(), NotFinite> {
            Ok(())
        })*
    };
}

impl ser::Serializer for Check {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    harmless! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotFinite> {
        float(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotFinite> {
        float(value)
    }

    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
    ) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident;)*) => {
        $(impl ser::$trait for Check {
            type Ok = ();
            type Error = NotFinite;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

impl ser::SerializeMap for Check {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _key: &T) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

macro_rules! fields {
    ($($trait:ident;)*) => {
        $(impl ser::$trait for Check {
            type Ok = ();
            type Error = NotFinite;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NotFinite> {
                value.serialize(*self).map_err(|error| error.within(name))
            }

            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        })*
    };
}

fields! {
    SerializeStruct;
    SerializeStructVariant;
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[derive(serde::Serialize)]
    struct Place {
        name: &'static str,
        height: Option<f64>,
        path: Vec<(f32, f32)>,
    }

    fn complaint_about(height: Option<f64>, x: f32) -> Option<String> {
        let path = vec![(0.0, 1.0), (x, 2.0)];
        let name = "NaN";
        complaint(&Place { name, height, path })
    }

    #[test]
    fn a_float_that_json_cannot_hold_is_found_wherever_it_is_and_named() {
        assert_eq!(complaint_about(Some(1.5), -0.0), None);
        assert_eq!(complaint_about(None, f32::MAX), None);
        let height = complaint_about(Some(f64::NAN), 0.0).unwrap();
        let path = complaint_about(None, f32::NEG_INFINITY).unwrap();
        assert!(height.starts_with("`height`: JSON has no NaN"), "{height}");
        assert!(path.starts_with("`path`: JSON has no NaN"), "{path}");
    }
}
