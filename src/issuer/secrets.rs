//! Secrets: registered, replaced and withdrawn, and the sessions that end with them.

use super::request::{self, Registration};
use super::{Answer, ApiError, Issuer};
use crate::records::Registered;
use crate::token::{Orga, Scope, Selection, UnixSeconds, Withdrawal};

impl Issuer {
    pub(super) async fn register(
        &self,
        orga: &Orga,
        registration: Registration,
        now: UnixSeconds,
    ) -> Result<Answer, ApiError> {
        let Registration { scope, secret } = registration;
        request::own(&scope.orga(), orga, request::field_of(&scope))?;
        let name = scope.as_str();
        match self.records.register(&scope, &secret.key(), now).await? {
            Registered::Unchanged(_) => {}
            Registered::First(revision) => {
                tracing::info!(scope = name, revision, "a secret is registered");
            }
            Registered::Replaced(revision) => {
                let sessions = self.live.withdraw(&Withdrawal::Record {
                    scope: scope.clone(),
                    before: revision,
                });
                tracing::info!(scope = name, revision, sessions, "a secret is replaced");
            }
        }
        Ok(answer(scope))
    }

    pub(super) async fn delete(
        &self,
        orga: &Orga,
        scope: Scope,
        now: UnixSeconds,
    ) -> Result<Answer, ApiError> {
        let field = request::field_of(&scope);
        request::own(&scope.orga(), orga, field)?;
        match self.withdraw(&scope, now).await? {
            Some(_) => Ok(answer(scope)),
            None => Err(ApiError::NotRegistered { field }),
        }
    }

    pub(super) async fn revoke(
        &self,
        orga: &Orga,
        body: &[u8],
        now: UnixSeconds,
    ) -> Result<Answer, ApiError> {
        let selection = request::selection(body, orga)?;
        let (mut sessions, mut secrets) = (0, 0);
        for scope in self.scopes_behind(&selection).await? {
            // One by one, so that none that is withdrawn has sessions left if the records fail then.
            if let Some(ended) = self.withdraw(&scope, now).await? {
                sessions += ended;
                secrets += 1;
            }
        }
        sessions += (self.live).withdraw(&Withdrawal::Sessions(selection.clone()));
        // Last, so that what is ours has ended also where the others can't be told.
        self.records.end_sessions(&selection).await?;
        tracing::info!(%orga, sessions, secrets, "sessions are revoked");
        Ok(Answer::Revoked { sessions, secrets })
    }

    /// Whose secrets a selection is about: none where it is narrower than what secrets open.
    async fn scopes_behind(&self, selection: &Selection) -> Result<Vec<Scope>, ApiError> {
        let Selection {
            orga,
            stream,
            whole_orga,
            kid,
            tag: None,
            ip: None,
        } = selection
        else {
            return Ok(Vec::new());
        };
        Ok(match (stream, whole_orga, kid) {
            (Some(stream), false, None) => vec![Scope::Stream(stream.clone())],
            (None, true, None) => vec![Scope::Orga(orga.clone())],
            (None, false, Some(kid)) => self.records.scopes_of(orga, *kid).await?,
            _ => Vec::new(),
        })
    }

    /// Takes a secret away for good and ends what it opened; returns how many sessions, `None` where
    /// there was no secret.
    async fn withdraw(&self, scope: &Scope, now: UnixSeconds) -> Result<Option<usize>, ApiError> {
        if !self.records.revoke(scope, now).await? {
            return Ok(None);
        }
        let sessions = self.live.withdraw(&Withdrawal::Record {
            scope: scope.clone(),
            before: u64::MAX,
        });
        tracing::info!(scope = scope.as_str(), sessions, "a secret is withdrawn");
        Ok(Some(sessions))
    }
}

fn answer(scope: Scope) -> Answer {
    match scope {
        Scope::Stream(name) => Answer::Stream {
            streamname: name.as_str().to_owned(),
        },
        Scope::Orga(orga) => Answer::Orga {
            orga: orga.as_str().to_owned(),
        },
    }
}
