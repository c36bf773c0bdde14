//! What a publisher says besides picture and sound. Pure.

use serde_json::Value;

use super::amf;

/// Longer data is not read.
const LONGEST_SCRIPT: usize = 64 * 1024;

/// Longer names are nobody's.
const LONGEST_HANDLER: usize = 64;

/// What a script tag says.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Whom it calls; `onMetaData`, most of the time.
    pub handler: String,
    /// JSON: the value, or a list where there are several.
    pub message: String,
    /// Where it describes the tracks: whether a picture is among them.
    pub picture: Option<bool>,
}

impl Script {
    /// Reads a script tag's data. `None`: it can't be read.
    pub fn read(data: &[u8]) -> Option<Self> {
        if data.len() > LONGEST_SCRIPT {
            return None;
        }
        let mut values = amf::values(data).ok()?.into_iter().peekable();
        // What a publisher says to its server; some servers pass it on as it is.
        values.next_if_eq(&Value::from("@setDataFrame"));
        let Some(Value::String(handler)) = values.next() else {
            return None;
        };
        let mut values: Vec<Value> = values.collect();
        let value = match values.len() {
            1 => values.remove(0),
            _ => Value::Array(values),
        };
        (handler.len() <= LONGEST_HANDLER).then(|| Self {
            picture: has_picture(&value).filter(|_| handler == "onMetaData"),
            message: value.to_string(),
            handler,
        })
    }
}

/// Publishers write a codec's number or its name; some servers add 0 for what there is not. What names
/// no track at all, a title that changes for one, says nothing about them.
fn has_picture(metadata: &Value) -> Option<bool> {
    let said = |key| match metadata.get(key)? {
        Value::Number(number) => Some(number.as_f64() > Some(0.0)),
        Value::String(name) => Some(!name.is_empty()),
        _ => Some(false),
    };
    let (codec, width) = (said("videocodecid"), said("width"));
    let known = codec.or(width).or(said("audiocodecid"));
    known.map(|_| codec == Some(true) || width == Some(true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn call(handler: &str) -> Vec<u8> {
        [&[2], &name(handler)[..]].concat()
    }

    fn name(name: &str) -> Vec<u8> {
        let mut out = (name.len() as u16).to_be_bytes().to_vec();
        out.extend(name.bytes());
        out
    }

    #[test]
    fn a_call_is_read_with_its_value() {
        let data = [call("onText"), b"\x03\0\x01a\x01\x01\0\0\x09".to_vec()].concat();
        let expected = Script {
            handler: "onText".to_owned(),
            message: r#"{"a":true}"#.to_owned(),
            picture: None,
        };
        assert_eq!(Script::read(&data), Some(expected));
    }

    #[test]
    fn a_publishers_own_call_is_unwrapped_and_several_values_are_a_list() {
        let data = [call("@setDataFrame"), call("onText"), b"\x05\x05".to_vec()].concat();
        let script = Script::read(&data).unwrap();
        assert_eq!(
            (&script.handler[..], &script.message[..]),
            ("onText", "[null,null]")
        );
    }

    #[test]
    fn what_can_not_be_read_is_left_out() {
        for data in [
            &b"\x02\0\xff"[..],
            b"\x05",
            b"",
            &call(&"x".repeat(LONGEST_HANDLER + 1)),
            &[call("onText"), vec![5; LONGEST_SCRIPT]].concat(),
        ] {
            assert_eq!(Script::read(data), None);
        }
    }

    #[test]
    fn metadata_tells_of_a_picture() {
        let number = |key: &str, value: f64| [&name(key), &[0][..], &value.to_be_bytes()].concat();
        let text = |key: &str, value: &str| [name(key), call(value)].concat();
        for (handler, member, expected) in [
            ("onMetaData", number("width", 320.0), Some(true)),
            ("onMetaData", number("videocodecid", 7.0), Some(true)),
            ("onMetaData", text("videocodecid", "avc1"), Some(true)),
            ("onMetaData", number("width", 0.0), Some(false)),
            ("onMetaData", number("videocodecid", 0.0), Some(false)),
            ("onMetaData", text("videocodecid", ""), Some(false)),
            ("onMetaData", number("audiocodecid", 10.0), Some(false)),
            ("onMetaData", text("title", "part two"), None),
            ("onCuePoint", number("width", 320.0), None),
        ] {
            let data = [call(handler), vec![3], member, vec![0, 0, 9]].concat();
            let script = Script::read(&data).unwrap();
            assert_eq!(script.picture, expected, "{handler} {}", script.message);
        }
        let without = [call("onMetaData"), vec![5]].concat();
        assert_eq!(Script::read(&without).unwrap().picture, None);
    }
}
