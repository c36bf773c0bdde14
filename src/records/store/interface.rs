//! What a store answers, each within its time.

use std::sync::atomic::Ordering;

use tokio::sync::broadcast;

use super::{Store, number};
use crate::records::tables::{OperatorRow, Tables, Writing};
use crate::records::{
    ApiKeyHash, Change, Created, Future, NewAccount, Operator, OperatorName, Records, RecordsError,
    Registered, unreadable,
};
use crate::token::{Key, Kid, Orga, Scope, Selection, UnixSeconds};

impl<T: Tables> Records for Store<T> {
    fn create_account<'a>(
        &'a self,
        account: &'a NewAccount,
    ) -> Future<'a, Result<Created, RecordsError>> {
        Box::pin(self.within(self.create(account)))
    }

    fn orga_of<'a>(
        &'a self,
        api_key: &'a ApiKeyHash,
    ) -> Future<'a, Result<Option<Orga>, RecordsError>> {
        Box::pin(self.within(async {
            let orga = self.tables.orga_of(api_key.as_bytes()).await?;
            orga.map(|orga| Orga::parse(&orga).map_err(|_| unreadable("an organisation")))
                .transpose()
        }))
    }

    fn register<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a Key,
        now: UnixSeconds,
    ) -> Future<'a, Result<Registered, RecordsError>> {
        Box::pin(self.within(self.replace(scope, key, now)))
    }

    fn revoke<'a>(
        &'a self,
        scope: &'a Scope,
        now: UnixSeconds,
    ) -> Future<'a, Result<bool, RecordsError>> {
        Box::pin(self.within(self.take_away(scope, now)))
    }

    fn end_sessions<'a>(
        &'a self,
        selection: &'a Selection,
    ) -> Future<'a, Result<(), RecordsError>> {
        let change = Change::Sessions(selection.clone());
        Box::pin(async move { self.within(self.tables.tell(&change)).await })
    }

    fn scopes_of<'a>(
        &'a self,
        orga: &'a Orga,
        kid: Kid,
    ) -> Future<'a, Result<Vec<Scope>, RecordsError>> {
        Box::pin(self.within(self.with_kid(orga, kid)))
    }

    fn current_key<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        Box::pin(self.within(self.read(scope)))
    }

    fn key<'a>(
        &'a self,
        scope: &'a Scope,
        kid: Kid,
    ) -> Future<'a, Result<Option<Key>, RecordsError>> {
        Box::pin(async move {
            let current = self.within(self.read(scope)).await?;
            Ok(current.filter(|key| key.kid() == kid))
        })
    }

    fn put_operator<'a>(
        &'a self,
        operator: &'a Operator,
    ) -> Future<'a, Result<bool, RecordsError>> {
        Box::pin(self.within(async {
            let row = OperatorRow {
                name: operator.name.as_str().to_owned(),
                password: operator.password.clone(),
                created: number(operator.created.0)?,
            };
            let mut writing = self.tables.write_alone().await?;
            let existed = writing.put_operator(&row).await?;
            writing.commit().await?;
            Ok(existed)
        }))
    }

    fn remove_operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<bool, RecordsError>> {
        Box::pin(self.within(async {
            let mut writing = self.tables.write_alone().await?;
            let existed = writing.remove_operator(name.as_str()).await?;
            writing.commit().await?;
            Ok(existed)
        }))
    }

    fn operator<'a>(
        &'a self,
        name: &'a OperatorName,
    ) -> Future<'a, Result<Option<Operator>, RecordsError>> {
        Box::pin(self.within(async {
            let row = self.tables.operator(name.as_str()).await?;
            row.map(operator_of).transpose()
        }))
    }

    fn operators(&self) -> Future<'_, Result<Vec<Operator>, RecordsError>> {
        Box::pin(self.within(async {
            let rows = self.tables.operators().await?;
            rows.into_iter().map(operator_of).collect()
        }))
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.news.changes.subscribe()
    }

    fn hears_others(&self) -> bool {
        self.news.complete.load(Ordering::Acquire)
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(self.close())
    }
}

fn operator_of(row: OperatorRow) -> Result<Operator, RecordsError> {
    Ok(Operator {
        name: OperatorName::parse(&row.name).map_err(|_| unreadable("an operator's name"))?,
        password: row.password,
        created: UnixSeconds(u64::try_from(row.created).map_err(|_| unreadable("a time"))?),
    })
}
