//! Hosts whose osquery was enrolled.

use super::db::{Row, Sql};
use super::{Store, StoreError, audit};
use crate::audit::event::{By, Event};
use crate::ids::{IdentityId, NodeId};
use crate::posture::osquery::{Node, Platform};
use crate::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Nodes that were enrolled by the secret; beyond it, those that were silent for longest are forgotten.
pub const MAX_NODES: u32 = 50_000;
/// The same of the nodes that were enrolled by the certificate of one identity: a host has one, and a few while it is
/// renamed.
pub const MAX_NODES_OF_ONE: u32 = 16;
/// How exact the time is at which a node was heard of last: each message would be a write otherwise.
const SEEN_STEP: Duration = Duration::from_secs(60);
/// What the audit log calls one.
const KIND: &str = "osquery_node";

/// What stands for nobody.
fn identity_of(node: &Node) -> Vec<u8> {
    node.identity.map_or_else(Vec::new, |id| id.as_bytes().to_vec())
}

impl Store {
    /// Enrolls a node by the digest of its new key. One that is enrolled already, by the same means, has only the
    /// new key from now on.
    ///
    /// # Errors
    /// When the database does not.
    pub async fn enroll_node(&self, node: &Node, digest: &[u8; 32], by: &By) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "INSERT INTO osquery_node (id, host_identifier, identity_id, key_digest, hardware_serial, hostname, \
                   platform, os_version, osquery_version, enrolled_us, seen_us) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                   ON CONFLICT (host_identifier, identity_id) DO UPDATE SET key_digest = excluded.key_digest, \
                   hardware_serial = excluded.hardware_serial, hostname = excluded.hostname, \
                   platform = excluded.platform, os_version = excluded.os_version, \
                   osquery_version = excluded.osquery_version, enrolled_us = excluded.enrolled_us, \
                   seen_us = excluded.seen_us";
        let sql = Sql::new(sql).bind(node.id.as_bytes()).bind(&node.host_identifier).bind(identity_of(node));
        let sql = sql.bind(digest).bind(&node.hardware_serial).bind(&node.hostname).bind(node.platform.name());
        let sql = sql.bind(&node.os_version).bind(&node.osquery_version).bind(node.enrolled).bind(node.seen);
        tx.execute(sql).await?;
        let sql = "DELETE FROM osquery_node WHERE id IN (SELECT id FROM osquery_node WHERE identity_id = ? \
                   ORDER BY seen_us DESC LIMIT ? OFFSET ?)";
        let most = i64::from(if node.identity.is_some() { MAX_NODES_OF_ONE } else { MAX_NODES });
        // It is above the bound by one or two each time.
        tx.execute(Sql::new(sql).bind(identity_of(node)).bind(most).bind(most)).await?;
        let after = json!({
            "host_identifier": node.host_identifier, "hardware_serial": node.hardware_serial,
            "identity": node.identity, "platform": node.platform,
        });
        let event = Event::new(by, "osquery.enroll", KIND, &node.host_identifier, node.enrolled);
        audit::append(&mut tx, vec![event.states(Value::Null, after)]).await?;
        tx.commit().await
    }

    /// The node whose key has this digest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn node_by_digest(&self, digest: &[u8; 32]) -> Result<Option<Node>, StoreError> {
        let sql = Sql::new("SELECT * FROM osquery_node WHERE key_digest = ?").bind(digest);
        self.db.fetch_one(sql).await?.as_ref().map(node_of_row).transpose()
    }

    /// One node.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn node(&self, id: NodeId) -> Result<Option<Node>, StoreError> {
        let sql = Sql::new("SELECT * FROM osquery_node WHERE id = ?").bind(id.as_bytes());
        self.db.fetch_one(sql).await?.as_ref().map(node_of_row).transpose()
    }

    /// Nodes by their ids, after this one; at most so many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn nodes(&self, after: Option<NodeId>, most: u32) -> Result<Vec<Node>, StoreError> {
        let sql = Sql::new("SELECT * FROM osquery_node WHERE 1 = 1");
        let sql = sql.narrow("id >", after.as_ref().map(|id| id.as_bytes().as_slice()));
        let rows = self.db.fetch(sql.then(" ORDER BY id LIMIT ?").bind(most)).await?;
        rows.iter().map(node_of_row).collect()
    }

    /// Notes that a node was heard of, unless that was noted a minute ago.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn node_seen(&self, node: &Node, now: Timestamp) -> Result<(), StoreError> {
        if now.since(node.seen) < SEEN_STEP {
            return Ok(());
        }
        let sql = Sql::new("UPDATE osquery_node SET seen_us = ? WHERE id = ?").bind(now).bind(node.id.as_bytes());
        self.db.execute(sql).await.map(drop)
    }

    /// Forgets a node: its key opens nothing any more, and it has to enroll again.
    ///
    /// # Errors
    /// When the database does not; then it stays.
    pub async fn forget_node(&self, node: &Node, by: &By, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = Sql::new("DELETE FROM osquery_node WHERE id = ?").bind(node.id.as_bytes());
        if tx.execute(sql).await? == 1 {
            let before = json!({ "host_identifier": node.host_identifier, "hardware_serial": node.hardware_serial });
            let event = Event::new(by, "osquery.forget", KIND, &node.host_identifier, now);
            audit::append(&mut tx, vec![event.states(before, Value::Null)]).await?;
        }
        tx.commit().await
    }
}

fn node_of_row(row: &Row) -> Result<Node, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let identity = match row.blob("identity_id")? {
        [] => None,
        _ => Some(IdentityId::from_bytes(row.id("osquery_node", "identity_id")?)),
    };
    Ok(Node {
        id: NodeId::from_bytes(row.id("osquery_node", "id")?),
        host_identifier: text("host_identifier")?,
        identity,
        hardware_serial: text("hardware_serial")?,
        hostname: text("hostname")?,
        platform: Platform::named(row.text("platform")?),
        os_version: text("os_version")?,
        osquery_version: text("osquery_version")?,
        enrolled: row.time("enrolled_us")?,
        seen: row.time("seen_us")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_does_not_take_the_place_of_a_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let at = Timestamp::from_unix_secs(1_790_000_000);
        let node = |identity| Node {
            id: NodeId::new(at),
            host_identifier: "host-1".into(),
            identity,
            hardware_serial: "S1".into(),
            hostname: "host-1".into(),
            platform: Platform::Linux,
            os_version: String::new(),
            osquery_version: String::new(),
            enrolled: at,
            seen: at,
        };
        let certified = node(Some(IdentityId::of_name("laptop")));
        for (node, digest) in [(&certified, [1; 32]), (&node(None), [2; 32]), (&node(None), [3; 32])] {
            store.enroll_node(node, &digest, &By::server()).await.unwrap();
        }
        assert_eq!(store.node_by_digest(&[1; 32]).await.unwrap(), Some(certified));
        assert_eq!(store.node_by_digest(&[2; 32]).await.unwrap(), None, "it was enrolled again");
        let other = store.node_by_digest(&[3; 32]).await.unwrap().unwrap();
        assert_eq!((other.identity, store.nodes(None, 10).await.unwrap().len()), (None, 2));
        store.forget_node(&other, &By::server(), at).await.unwrap();
        assert_eq!(store.nodes(None, 10).await.unwrap().len(), 1);
        // One certificate does not fill the table.
        for number in 0..2 * MAX_NODES_OF_ONE as u8 {
            let mut node = node(Some(IdentityId::of_name("laptop")));
            (node.id, node.host_identifier) = (NodeId::new(at), format!("name-{number}"));
            store.enroll_node(&node, &[100 + number; 32], &By::server()).await.unwrap();
        }
        assert_eq!(store.nodes(None, 100).await.unwrap().len(), MAX_NODES_OF_ONE as usize);
    }
}
