//! The types of bodies. Pure.

use serde_json::{Value, json};

use super::refusals::{api_codes, door_codes};
use crate::issuer::expires::LONGEST_SECONDS;

const ADDRESS: &str = "One IPv4 or IPv6 address, without port, prefix or zone.";

pub(super) fn all() -> Value {
    json!({
        "StreamName": {
            "type": "string",
            "description": "An organisation's hash, then `-` and a name of letters, digits and `_`, once or more.",
            "pattern": "^[A-Za-z0-9]{1,32}(-[A-Za-z0-9_]{1,64})+$",
            "maxLength": 255,
            "examples": ["ABCDE-demo"],
        },
        "Orga": {
            "type": "string",
            "description": "An organisation's hash: what stands before the first `-` of its streams' names.",
            "pattern": "^[A-Za-z0-9]{1,32}$",
            "examples": ["ABCDE"],
        },
        "Secret": {
            "type": "string",
            "description": "16 to 256 bytes, chosen at random: whoever has it can make tokens. \
                `openssl rand -hex 16` makes a good one.",
            "minLength": 16,
            "maxLength": 256,
            "format": "password",
            "examples": ["0f5e0a0c7b6d4f7c8f2d1b3a59687e4d"],
        },
        "Kid": {
            "type": "string",
            "description": "The id of the secret that a token was made with, as the server's log shows it.",
            "pattern": "^[0-9a-f]{8}$",
            "examples": ["1a2b3c4d"],
        },
        "Expires": {
            "description": format!(
                "When the token ends, in Unix SECONDS (not milliseconds), as a string or a number of digits alone: not in the past, \
                 and at most {} days ahead. Empty or left out: it does not end.",
                LONGEST_SECONDS / (24 * 60 * 60)
            ),
            "anyOf": [
                {"type": "string", "pattern": "^(|[1-9][0-9]{0,18})$"},
                {"type": "integer", "minimum": 1, "format": "int64"},
            ],
            "examples": ["1591747200", 1_591_747_200],
        },
        "Address": {
            "description": format!("{ADDRESS} The token is good from there only. Empty or left out: from everywhere."),
            "anyOf": [
                {"type": "string", "format": "ipv4"},
                {"type": "string", "format": "ipv6"},
                {"const": ""},
            ],
            "examples": ["192.0.2.7", "2001:db8::7"],
        },
        "Referer": {
            "type": "string",
            "description": "The domain of the page that the player is on, without protocol, port or path. A domain \
                in another script is written in punycode (`xn--…`). The token is good on that very domain only. Empty \
                or left out: on every page, and without one.",
            "pattern": "^(|([A-Za-z0-9-]{1,63}\\.){0,3}[A-Za-z][A-Za-z0-9-]{0,60})$",
            "examples": ["demo.example.com"],
        },
        "Tag": {
            "type": "string",
            "description": "A text of your choice, up to 255 bytes, without control characters: a viewer's number, for \
                one. It is bound to the token, and `POST /secure/revoke` finds sessions by it.",
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
            "maxLength": crate::token::LONGEST_TAG,
            "examples": ["viewer 1"],
        },
        "StreamRegistration": {
            "type": "object",
            "properties": {"streamname": reference("StreamName"), "secret": reference("Secret")},
            "required": ["streamname", "secret"],
            "additionalProperties": false,
        },
        "OrgaRegistration": {
            "type": "object",
            "properties": {"orga": reference("Orga"), "secret": reference("Secret")},
            "required": ["orga", "secret"],
            "additionalProperties": false,
        },
        "TokenForStream": wish("StreamName", "streamname", "A token that opens one stream."),
        "TokenForOrga": wish("Orga", "orga", "A token that opens every stream of the organisation."),
        "Revocation": {
            "type": "object",
            "description": "What is to end. All that is given must match, and one of them must be given. Empty \
                texts are refused here.",
            "properties": {
                "streamname": {
                    "description": "Sessions that play this stream, by whatever token. Alone, it also withdraws the \
                        stream's secret.",
                    "$ref": "#/components/schemas/StreamName",
                },
                "orga": {
                    "description": "Sessions whose token opens the whole organisation. Alone, it also withdraws the \
                        organisation's secret.",
                    "$ref": "#/components/schemas/Orga",
                },
                "kid": {
                    "description": "Sessions whose token was made with this secret. Alone, it also withdraws that \
                        secret wherever the organisation has registered it.",
                    "$ref": "#/components/schemas/Kid",
                },
                "tag": {
                    "description": "Sessions whose token has this tag.",
                    "type": "string",
                    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
                    "maxLength": crate::token::LONGEST_TAG,
                },
                "ip": {
                    "description": format!("Sessions from there, bound to it or not. {ADDRESS}"),
                    "anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}],
                },
            },
            "minProperties": 1,
            "additionalProperties": false,
        },
        "StreamAnswer": answer("streamname", "StreamName", "The stream that it was done for."),
        "OrgaAnswer": answer("orga", "Orga", "The organisation that it was done for."),
        "RevocationAnswer": {
            "type": "object",
            "properties": {
                "sessions": {
                    "type": "integer", "minimum": 0,
                    "description": "Sessions that were ended at this server. Those at others with the same records end too, and are not counted.",
                },
                "secrets": {"type": "integer", "minimum": 0, "description": "Secrets that were withdrawn."},
            },
            "required": ["sessions", "secrets"],
            "additionalProperties": false,
        },
        "TokenAnswer": {
            "type": "object",
            "description": "A part of an H5Live player's configuration, to be merged into it as it is.",
            "properties": {"h5live": {
                "type": "object",
                "properties": {"security": reference("Security")},
                "required": ["security"],
                "additionalProperties": false,
            }},
            "required": ["h5live"],
            "additionalProperties": false,
        },
        "Security": {
            "type": "object",
            "description": "The four values that a player passes on to a door, as query parameters of these names.",
            "properties": {
                "expires": {"type": "string", "pattern": "^[0-9]*$", "description": "Unix seconds; empty where not bound."},
                "tag": {"type": "string", "description": "Empty where not bound."},
                "token": reference("Token"),
                "options": {
                    "type": "integer", "minimum": 0, "maximum": 31,
                    "description": "What the token is bound to, as a sum: 1 expires, 2 ip, 4 referer, 8 tag, 16 \
                        organisation instead of stream.",
                },
            },
            "required": ["expires", "tag", "token", "options"],
            "additionalProperties": false,
        },
        "Token": {
            "type": "string",
            "description": "The token: 50 characters of base64url.",
            "pattern": "^[A-Za-z0-9_-]{50}$",
        },
        "ApiError": {
            "type": "object",
            "properties": {"error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "For programs; does not change.", "enum": api_codes()},
                    "message": {"type": "string", "description": "For people: what is wrong, and what to do."},
                    "field": {
                        "type": ["string", "null"],
                        "description": "The field of the body that is to blame, `null` where none is.",
                    },
                },
                "required": ["code", "message", "field"],
                "additionalProperties": false,
            }},
            "required": ["error"],
            "additionalProperties": false,
        },
        "DoorError": {
            "type": "object",
            "properties": {"error": {
                "type": "object",
                "properties": {
                    "code": {
                        "type": "integer",
                        "description": "The code that a WebSocket is closed with: 4400 the request is malformed, or \
                            names an origin that this server does not play from; 4900 tokens can't be verified now; \
                            4901 the token does not fit, was withdrawn, or a newer session took its place; 4903 it has expired, or a parameter is missing; \
                            4503 try again later.",
                        "enum": door_codes(),
                    },
                    "message": {"type": "string", "description": "For people. It does not say which part of a token is wrong."},
                },
                "required": ["code", "message"],
                "additionalProperties": false,
            }},
            "required": ["error"],
            "additionalProperties": false,
        },
    })
}

pub(super) fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn wish(schema: &str, scope: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "title": schema,
        "description": description,
        "properties": {
            scope: reference(schema),
            "expires": reference("Expires"),
            "ip": reference("Address"),
            "referer": reference("Referer"),
            "tag": reference("Tag"),
        },
        "required": [scope],
        "additionalProperties": false,
    })
}

fn answer(name: &str, schema: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": {name: reference(schema)},
        "required": [name],
        "additionalProperties": false,
    })
}
