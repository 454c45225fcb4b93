//! A shared store is a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ChangeStream, Store, StoreError, StoreTx, TxMode};
use crate::schema::TableSchema;

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn prepare(&self, tables: &[TableSchema]) -> Result<(), StoreError> {
        (**self).prepare(tables).await
    }

    async fn begin(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        (**self).begin(mode).await
    }

    async fn begin_for_app(&self, mode: TxMode) -> Result<Box<dyn StoreTx>, StoreError> {
        (**self).begin_for_app(mode).await
    }

    fn identity(&self) -> Option<String> {
        (**self).identity()
    }

    fn changes(&self) -> ChangeStream {
        (**self).changes()
    }
}
