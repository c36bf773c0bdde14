//! The login: a form's name and password in, a cookie out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{Response, StatusCode};
use url::form_urlencoded;

use super::answers::to_console;
use super::logins::COOKIE_NAME;
use super::{Console, pages, password};
use crate::http::body::Body;
use crate::issuer::Subject;
use crate::records::{Operator, OperatorName};

/// How long a login waits for others' passwords to be hashed.
const HASH_PATIENCE: Duration = Duration::from_secs(10);

const WRONG: &str = "The name or the password is not right.";
const BUSY: &str = "Too many logins at once. Try again in a moment.";
const AWAY: &str = "The records do not answer. Try again in a moment.";

impl Console {
    pub(super) async fn log_in(&self, client: IpAddr, form: &[u8]) -> Response<Body> {
        let field = |name: &str| {
            let mut values = form_urlencoded::parse(form).filter(|(key, _)| key == name);
            let value = values.next().map(|(_, value)| value.into_owned());
            value
                .filter(|_| values.next().is_none())
                .unwrap_or_default()
        };
        let (name, password) = (field("name"), field("password"));
        let hashes = tokio::time::timeout(HASH_PATIENCE, self.hashes.acquire()).await;
        let Ok(Ok(_hashing)) = hashes else {
            return pages::login(StatusCode::SERVICE_UNAVAILABLE, BUSY);
        };
        // Only now, so that many at once count one after the other.
        if let Some(wait) = self.wait(client) {
            return wait;
        }
        let operator = match OperatorName::parse(&name) {
            Ok(name) => self.records.operator(&name).await,
            Err(_) => Ok(None),
        };
        let Ok(operator) = operator else {
            return pages::login(StatusCode::SERVICE_UNAVAILABLE, AWAY);
        };
        match (is_right(password, operator.as_ref()).await, operator) {
            (true, Some(operator)) => self.logged_in(operator, client),
            _ => {
                self.failures()
                    .count(Subject::address(client), (self.settings.clock)());
                // Not the name: somebody may have typed the password there.
                tracing::warn!(%client, "a login to the console is refused");
                pages::login(StatusCode::UNAUTHORIZED, WRONG)
            }
        }
    }

    fn wait(&self, client: IpAddr) -> Option<Response<Body>> {
        let subject = Subject::address(client);
        let seconds = self.failures().wait(&subject, (self.settings.clock)())?;
        let message = format!("Too many wrong passwords. Try again in {seconds} s.");
        let mut response = pages::login(StatusCode::TOO_MANY_REQUESTS, &message);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        Some(response)
    }

    fn logged_in(&self, operator: Operator, client: IpAddr) -> Response<Body> {
        let name = operator.name.clone();
        let cookie = self.logins.begin(operator, Instant::now());
        let Some(cookie) = cookie.and_then(|cookie| self.cookie(&cookie, None)) else {
            return pages::login(StatusCode::SERVICE_UNAVAILABLE, BUSY);
        };
        tracing::info!(operator = %name, %client, "logged in to the console");
        let mut response = to_console();
        response.headers_mut().insert(SET_COOKIE, cookie);
        response
    }

    /// A cookie for the console only. Without an age it ends with the browser.
    pub(super) fn cookie(&self, value: &str, age: Option<u64>) -> Option<HeaderValue> {
        let secure = match self.settings.secure {
            true => "; Secure",
            false => "",
        };
        let age = age.map_or_else(String::new, |age| format!("; Max-Age={age}"));
        let text = format!(
            "{COOKIE_NAME}={value}; Path=/console/; HttpOnly; SameSite=Strict{secure}{age}"
        );
        HeaderValue::try_from(text).ok()
    }
}

/// An unknown operator's password is hashed as a known one's is.
async fn is_right(password: String, operator: Option<&Operator>) -> bool {
    if password.len() > password::LONGEST {
        return false;
    }
    let hash = operator.map(|operator| operator.password.clone());
    let compared =
        tokio::task::spawn_blocking(move || password::is_right(&password, hash.as_deref()));
    compared.await.unwrap_or(false)
}
