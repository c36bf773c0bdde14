//! `mint`

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::{Failure, print, secret_file, tell};
use crate::issuer::links::Links;
use crate::issuer::{Answer, H5Live, expires};
use crate::token::{self, Claims, Host, Minted, Orga, Scope, StreamName, Tag, UnixSeconds};

#[derive(Args)]
#[command(
    next_line_help = true,
    after_help = "\
Example, for a stream whose secret is in demo.secret:
  openssl rand -hex 16 > demo.secret; chmod 600 demo.secret
  h5live-server mint --stream ABCDE-demo --secret-file demo.secret --expires 1h --tag 'viewer 1'

It prints `token: …` and `page: …`, a player page that plays the stream as long as the token is good. The
page's default address is where h5liveauthsink listens by default; a server's is given by --page:
  h5live-server mint --stream ABCDE-demo --secret-file demo.secret --page http://127.0.0.1:8180/

Nothing is asked of a server: whoever verifies needs the same secret, by POST /secure/stream or by the
element's secret-file. A token without any of --expires, --ip, --referer and --tag is good for everyone
and until the secret is replaced."
)]
pub(super) struct Mint {
    /// The stream that the token is for, <organisation>-<stream>
    #[arg(long, value_name = "NAME", value_parser = |text: &str| StreamName::parse(text))]
    #[arg(required_unless_present = "orga", conflicts_with = "orga")]
    stream: Option<StreamName>,
    /// Instead of --stream: a token for all streams of an organisation, with its own secret
    #[arg(long, value_name = "HASH", value_parser = |text: &str| Orga::parse(text))]
    orga: Option<Orga>,
    /// The file with the secret: 16 to 256 bytes, one line end behind them is left out
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// When it ends: 90s, 1h or 7days from now, a Unix time in SECONDS, or 2030-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// The only client address that may play
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// The only domain whose pages may play, e.g. www.example.com
    #[arg(long, value_name = "DOMAIN", value_parser = |text: &str| Host::bare(text))]
    referer: Option<Host>,
    /// A text of your choice, which travels beside the token and cannot be changed
    #[arg(long, value_name = "TEXT", value_parser = |text: &str| Tag::parse(text))]
    tag: Option<Tag>,
    /// The player page to link to; the WebSocket is expected at its address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8181/", value_parser = page)]
    page: Url,
    /// Which of the server's origins plays: its url, or an alias of it
    #[arg(long, value_name = "URL")]
    rtmp_url: Option<String>,
    /// Print the answer of POST /secure/token instead of the two lines
    #[arg(long)]
    json: bool,
}

pub(super) fn mint(wish: &Mint, now: UnixSeconds) -> Result<(), Failure> {
    let scope = match (&wish.stream, &wish.orga) {
        (Some(stream), _) => Scope::Stream(stream.clone()),
        (None, Some(orga)) => Scope::Orga(orga.clone()),
        (None, None) => return Err(Failure("give --stream or --orga".into())),
    };
    let claims = Claims {
        scope,
        expires: wish
            .expires
            .as_deref()
            .map(|when| expires_at(when, now))
            .transpose()?,
        ip: wish.ip,
        referer: wish.referer.clone(),
        tag: wish.tag.clone(),
    };
    let minted = token::mint(&secret_file::read(&wish.secret_file)?.key(), &claims);
    if wish.json {
        let answer = Answer::Token {
            h5live: H5Live {
                security: minted.into(),
            },
        };
        return print(&serde_json::to_string(&answer)?);
    }
    print(&format!("token: {}", minted.token))?;
    print(&format!("page: {}", page_url(wish, &minted)?))?;
    if wish.stream.is_none() {
        tell(
            "Add &h5live.rtmp.streamname= and a stream of the organisation to the page's address.",
        );
    }
    Ok(())
}

/// A while from now, Unix seconds, or RFC 3339.
fn expires_at(when: &str, now: UnixSeconds) -> Result<UnixSeconds, Failure> {
    let seconds = if let Ok(seconds) = expires::digits(when) {
        seconds
    } else if let Ok(while_from_now) = humantime::parse_duration(when) {
        now.0.saturating_add(while_from_now.as_secs())
    } else if let Ok(time) = humantime::parse_rfc3339(when) {
        time.duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    } else {
        return Err(Failure(format!(
            "--expires {when:?} is no time; write 1h, a Unix time in seconds, or 2030-01-31T12:00:00Z"
        )));
    };
    expires::check(seconds, now).map_err(|error| Failure(format!("--expires: {error}")))
}

fn page_url(wish: &Mint, minted: &Minted) -> Result<String, Failure> {
    let links = Links {
        page: &wish.page,
        rtmp_url: wish.rtmp_url.as_deref().unwrap_or_default(),
        stream: wish.stream.as_ref(),
        minted,
    };
    Ok(links.page()?)
}

fn page(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}; write e.g. http://127.0.0.1:8181/"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a page's address begins with http:// or https://".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out '?' and '#': the parameters are put there".into());
    }
    Ok(url)
}
