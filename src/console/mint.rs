//! `POST mint`: a token by the stored key of any stream or organisation, and how it is played.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answers::{json as answer, problem};
use super::logins::Login;
use super::{Console, qr};
use crate::http::body::Body;
use crate::issuer::expires;
use crate::issuer::links::Links;
use crate::records::RecordsError;
use crate::token::{Claims, Host, Minted, Scope, StreamName, Tag, UnixSeconds, mint};

/// The form, its fields as they were typed; empty ones are not bound.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// A stream, or an organisation.
    scope: String,
    /// With an organisation: the stream of it that the links play.
    #[serde(default)]
    stream: String,
    /// A length of time.
    #[serde(default)]
    expires: String,
    #[serde(default)]
    ip: String,
    #[serde(default)]
    referer: String,
    #[serde(default)]
    tag: String,
    /// `h5live.rtmp.url`
    #[serde(default)]
    origin: String,
}

/// What the page shows.
#[derive(Serialize)]
struct Shown {
    page: String,
    curl: String,
    snippet: String,
    /// An SVG as a `data:` URL; missing where the link is too long for a code.
    qr: Option<String>,
    /// Unix seconds; empty where not bound.
    expires: String,
}

/// A field and what is wrong with it.
type Wrong = (Option<&'static str>, String);

impl Console {
    pub(super) async fn mint(&self, login: &Login, body: &[u8]) -> Response<Body> {
        match self.minted(login, body).await {
            Ok(shown) => answer(StatusCode::OK, &shown),
            Err((field, message)) => problem(field, message),
        }
    }

    async fn minted(&self, login: &Login, body: &[u8]) -> Result<Shown, Wrong> {
        let wish: Wish = serde_json::from_slice(body).map_err(|_| {
            (
                None,
                "The form can't be read; load the page again.".to_owned(),
            )
        })?;
        let (claims, stream) = wish.read((self.settings.clock)())?;
        let key = self.records.current_key(&claims.scope).await;
        let key = key
            .map_err(|error: RecordsError| (None, error.to_string()))?
            .ok_or_else(|| {
                let message = "no secret is registered for it; register one by POST /secure/stream";
                (Some("scope"), message.to_owned())
            })?;
        let minted = mint(&key, &claims);
        tracing::info!(
            operator = %login.operator.name,
            scope = claims.scope.as_str(),
            options = %minted.options,
            "a token is minted by the console"
        );
        let links = Links {
            page: &self.settings.page,
            rtmp_url: &wish.origin,
            stream: stream.as_ref(),
            minted: &minted,
        };
        shown(&links, &claims).map_err(|error| (None, error.to_string()))
    }
}

impl Wish {
    fn read(&self, now: UnixSeconds) -> Result<(Claims, Option<StreamName>), Wrong> {
        fn wrong<E: ToString>(field: &'static str) -> impl Fn(E) -> Wrong {
            move |error| (Some(field), error.to_string())
        }
        let given = |text: &'_ str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let scope = Scope::parse(self.scope.trim()).ok_or_else(|| {
            let message = "write a stream, such as ABCDE-demo, or an organisation, such as ABCDE";
            (Some("scope"), message.to_owned())
        })?;
        let named = given(&self.stream)
            .map(|name| StreamName::parse(&name).map_err(wrong("stream")))
            .transpose()?;
        let stream = match &scope {
            Scope::Stream(stream) => Some(stream.clone()),
            Scope::Orga(orga) => match named {
                Some(stream) if stream.orga() != *orga => {
                    let message = "this stream is not one of the organisation's";
                    return Err((Some("stream"), message.to_owned()));
                }
                named => named,
            },
        };
        let expires = given(&self.expires).map(|text| {
            let length = humantime::parse_duration(&text).map_err(|_| {
                let message = "write a length of time, such as 90s, 1h or 7days";
                (Some("expires"), message.to_owned())
            })?;
            let at = now.0.saturating_add(length.as_secs());
            expires::check(at, now).map_err(wrong("expires"))
        });
        let ip = given(&self.ip).map(|text| {
            let message = "write an address, such as 192.0.2.7 or 2001:db8::7";
            text.parse::<IpAddr>()
                .map_err(|_| (Some("ip"), message.to_owned()))
        });
        let referer = given(&self.referer).map(|text| Host::bare(&text).map_err(wrong("referer")));
        // Spaces may belong to a tag.
        let tag = (!self.tag.is_empty()).then(|| Tag::parse(&self.tag).map_err(wrong("tag")));
        let claims = Claims {
            scope,
            expires: expires.transpose()?,
            ip: ip.transpose()?,
            referer: referer.transpose()?,
            tag: tag.transpose()?,
        };
        Ok((claims, stream))
    }
}

fn shown(links: &Links<'_>, claims: &Claims) -> Result<Shown, crate::issuer::links::LinksError> {
    let page = links.page()?;
    let qr =
        qr::svg(&page).map(|svg| format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)));
    Ok(Shown {
        curl: curl(links, claims),
        snippet: snippet(links)?,
        qr,
        expires: links.minted.expires.clone(),
        page,
    })
}

/// How a backend mints the same by the API.
fn curl(links: &Links<'_>, claims: &Claims) -> String {
    let Minted { expires, tag, .. } = links.minted;
    let scope = match &claims.scope {
        Scope::Stream(_) => "streamname",
        Scope::Orga(_) => "orga",
    };
    let ip = claims.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let referer = claims.referer.as_ref().map(Host::to_string);
    let fields = [
        (scope, claims.scope.as_str()),
        ("expires", expires),
        ("ip", &ip),
        ("referer", referer.as_deref().unwrap_or_default()),
        ("tag", tag),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let body: Vec<String> = fields
        .map(|(name, value)| format!("\"{name}\": {}", json!(value)))
        .collect();
    // As a shell's word: a single quote ends it, is escaped, and begins it anew.
    let body = format!("{{{}}}", body.join(", ")).replace('\'', "'\\''");
    let mut api = links.page.clone();
    api.set_path("/secure/token");
    format!(
        "curl -X POST {api} -H 'Content-Type: application/json' \\\n  -H 'X-BINTU-APIKEY: [your API key]' \\\n  -d '{body}'"
    )
}

/// The player's configuration, as nanoplayer takes it.
fn snippet(links: &Links<'_>) -> Result<String, crate::issuer::links::LinksError> {
    let minted = links.minted;
    let quoted = |text: &str| json!(text).to_string();
    let stream = links
        .stream
        .map_or("[a stream of the organisation]", StreamName::as_str);
    // By hand, so that its keys stand in the seed's order.
    Ok(format!(
        "const config = {{\n  source: {{\n    h5live: {{\n      server: {{\n        websocket: {},\n        hls: {}\n      }},\n      rtmp: {{\n        url: {},\n        streamname: {}\n      }},\n      security: {{\n        expires: {},\n        tag: {},\n        token: {},\n        options: {}\n      }}\n    }}\n  }}\n}};\n",
        quoted(links.websocket()?.as_str()),
        quoted(links.playlist()?.as_str()),
        quoted(links.rtmp_url),
        quoted(stream),
        quoted(&minted.expires),
        quoted(&minted.tag),
        quoted(&minted.token),
        minted.options,
    ))
}
