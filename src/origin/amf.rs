//! AMF0 (Adobe, 2007) as it stands in script data, made into JSON. Pure.
//!
//! ```text
//! number 0   f64                      string 2   len16 UTF-8
//! boolean 1  u8                       object 3   (len16 key, value)* 0 0 9
//! null 5, undefined 6                 ecma array 8  count32 (len16 key, value)* 0 0 9
//! strict array 10  count32 value*     date 11    f64 milliseconds, i16
//! long string 12, xml 15  len32 UTF-8 typed object 16  len16 name, as object
//! ```
//!
//! Our own because what is read here comes from any publisher, and the crates read a nesting as deep
//! and reserve an array as long as the bytes ask for. Here depth is bounded, nothing is reserved by
//! a length, and the count of an ecma array, which encoders get wrong, is only a hint, as the
//! specification has it (2.10).

use serde_json::{Map, Number, Value};

/// Deeper than any metadata, and far from what a thread's stack holds.
const DEEPEST: usize = 16;

/// Why bytes are no AMF0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// They end within a value.
    #[error("the script data is cut off")]
    CutOff,
    /// References, movie clips, AVM+ and what is not assigned.
    #[error("the script data holds a value of type {0}, which can't be told in JSON")]
    Type(u8),
    /// See [`DEEPEST`].
    #[error("the script data is nested more than 16 deep")]
    Deep,
}

/// Reads values until the bytes are used up.
pub fn values(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader(bytes);
    let mut values = Vec::new();
    while !reader.0.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        if depth > DEEPEST {
            return Err(AmfError::Deep);
        }
        Ok(match self.byte()? {
            0 => number(f64::from_be_bytes(self.array()?)),
            1 => Value::Bool(self.byte()? != 0),
            2 => self.short_text()?.into(),
            3 => self.members(depth, None)?,
            5 | 6 => Value::Null,
            8 => {
                let count = u32::from_be_bytes(self.array()?);
                self.members(depth, Some(count))?
            }
            10 => {
                let mut values = Vec::new();
                for _ in 0..u32::from_be_bytes(self.array()?) {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            11 => {
                let milliseconds = f64::from_be_bytes(self.array()?);
                let _zone: [u8; 2] = self.array()?;
                number(milliseconds)
            }
            12 | 15 => {
                let length = u32::from_be_bytes(self.array()?) as usize;
                self.text(length)?.into()
            }
            16 => {
                self.short_text()?;
                self.members(depth, None)?
            }
            other => return Err(AmfError::Type(other)),
        })
    }

    /// Keys and values up to the end mark, or to the end of the bytes where the count is reached.
    fn members(&mut self, depth: usize, count: Option<u32>) -> Result<Value, AmfError> {
        let mut members = Map::new();
        let mut read = 0;
        loop {
            if self.0.is_empty() && count == Some(read) {
                break;
            }
            let key = self.short_text()?;
            if key.is_empty() && self.0.first() == Some(&9) {
                self.byte()?;
                break;
            }
            members.insert(key, self.value(depth + 1)?);
            read = read.saturating_add(1);
        }
        Ok(Value::Object(members))
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = u16::from_be_bytes(self.array()?);
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let (text, rest) = self.0.split_at_checked(length).ok_or(AmfError::CutOff)?;
        self.0 = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn byte(&mut self) -> Result<u8, AmfError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(AmfError::CutOff)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Whole numbers as such; what JSON has no number for as null.
fn number(value: f64) -> Value {
    /// Up to here every whole number has its own f64.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= WHOLE {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut out = (text.len() as u16).to_be_bytes().to_vec();
        out.extend(text.bytes());
        out
    }

    fn float(value: f64) -> Vec<u8> {
        [&[0], value.to_be_bytes().as_slice()].concat()
    }

    /// An ecma array as ffmpeg writes onMetaData, with a count of our choice.
    fn metadata(count: u32) -> Vec<u8> {
        let mut out = vec![2];
        out.extend(text("onMetaData"));
        out.push(8);
        out.extend(count.to_be_bytes());
        out.extend(text("width"));
        out.extend(float(1280.0));
        out.extend(text("framerate"));
        out.extend(float(29.97));
        out.extend(text("stereo"));
        out.extend([1, 1]);
        out.extend(text("encoder"));
        out.push(2);
        out.extend(text("Lavf"));
        out.extend([0, 0, 9]);
        out
    }

    #[test]
    fn metadata_is_read_whatever_its_count_says() {
        let expected =
            json!({"width": 1280, "framerate": 29.97, "stereo": true, "encoder": "Lavf"});
        for count in [0, 1, 4, u32::MAX] {
            let values = values(&metadata(count)).unwrap();
            assert_eq!(values, [json!("onMetaData"), expected.clone()], "{count}");
        }
    }

    #[test]
    fn every_cut_is_an_error_and_no_panic() {
        let whole = metadata(5);
        let first_value = 13;
        for end in 1..whole.len() {
            let read = values(&whole[..end]);
            match end == first_value {
                true => assert_eq!(read.unwrap(), [json!("onMetaData")]),
                false => assert_eq!(read.unwrap_err(), AmfError::CutOff, "{end}"),
            }
        }
    }

    #[test]
    fn an_array_that_claims_four_billion_values_takes_no_memory() {
        let claim = [10, 0xff, 0xff, 0xff, 0xff, 5];
        assert_eq!(values(&claim).unwrap_err(), AmfError::CutOff);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| [[10, 0, 0, 0, 1].repeat(levels), vec![5]].concat();
        assert!(values(&nested(DEEPEST)).is_ok());
        assert_eq!(values(&nested(DEEPEST + 1)).unwrap_err(), AmfError::Deep);
        assert_eq!(values(&nested(10_000)).unwrap_err(), AmfError::Deep);
    }

    #[test]
    fn what_json_does_not_know_is_null_or_refused() {
        assert_eq!(values(&float(f64::NAN)).unwrap(), [Value::Null]);
        assert_eq!(values(&float(f64::INFINITY)).unwrap(), [Value::Null]);
        assert_eq!(values(&[6]).unwrap(), [Value::Null]);
        for other in [4, 7, 9, 13, 14, 17, 255] {
            assert_eq!(values(&[other]).unwrap_err(), AmfError::Type(other));
        }
        assert_eq!(values(&[2, 0, 1, 0xff]).unwrap(), [json!("\u{fffd}")]);
    }

    #[test]
    fn each_type_is_told_in_json() {
        let mut bytes = vec![3];
        bytes.extend(text("a"));
        bytes.extend([10, 0, 0, 0, 2, 1, 0, 5]);
        bytes.extend([0, 0, 9]);
        bytes.push(11);
        bytes.extend(1.5f64.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend([12, 0, 0, 0, 2, b'h', b'i']);
        bytes.push(16);
        bytes.extend(text("Type"));
        bytes.extend([0, 0, 9]);
        assert_eq!(
            values(&bytes).unwrap(),
            [
                json!({"a": [false, null]}),
                json!(1.5),
                json!("hi"),
                json!({})
            ]
        );
    }
}
