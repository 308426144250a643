//! Events as OCSF 1.8.0: what happens to identities as Entity Management (3004), all
//! else as API Activity (6003).

use super::event::{Entry, Event, Origin, Outcome, hex};
use super::merkle::Hash;
use serde_json::{Value, json};

/// The version of the schema.
const VERSION: &str = "1.8.0";
const ENTITY_MANAGEMENT: u32 = 3004;
const API_ACTIVITY: u32 = 6003;
/// "Other" of each class.
const OTHER: u32 = 99;
const INFORMATIONAL: u32 = 1;
const LOW: u32 = 2;

/// The event as one object. `hash` is that of its entry.
pub fn event(entry: &Entry, hash: &Hash) -> Value {
    let Entry { seq, prev, event } = entry;
    let Event { id, at, actor, role, source, action, object, before, after, reason, outcome } = event;
    let verb = action.rsplit_once('.').map_or(action.as_str(), |(_, verb)| verb);
    // The first four are the same in both classes.
    let activity = match verb {
        "create" => 1,
        "update" => 3,
        "remove" | "drop" => 4,
        _ => OTHER,
    };
    let class = if object.kind == "identity" { ENTITY_MANAGEMENT } else { API_ACTIVITY };
    let (status, status_id, severity) = match outcome {
        Outcome::Success => ("Success", 1, INFORMATIONAL),
        Outcome::Failure => ("Failure", 2, LOW),
    };
    let mut user = json!({ "name": actor });
    if let Some(role) = role {
        user["groups"] = json!([{ "name": role }]);
    }
    let from = match source {
        Origin::Cli => json!({ "name": "command line" }),
        Origin::Api { address } => json!({ "ip": address.ip(), "port": address.port() }),
        Origin::Server => json!({ "name": "cordon" }),
    };
    let mut out = json!({
        "activity_id": activity,
        "activity_name": action,
        "actor": { "user": user, "app_name": "cordon" },
        "category_uid": class / 1000,
        "class_uid": class,
        "message": format!("{actor}: {action} {} {}", object.kind, object.name),
        "metadata": {
            "version": VERSION,
            "product": { "name": "Cordon", "vendor_name": "Cordon", "version": env!("CARGO_PKG_VERSION") },
            "log_name": "audit",
            "uid": id,
            "sequence": seq,
        },
        "severity_id": severity,
        "src_endpoint": from,
        "status": status,
        "status_id": status_id,
        "time": at.as_micros() / 1000,
        "type_uid": class * 100 + activity,
        "unmapped": { "before": before, "after": after, "prev": hex::of(prev), "hash": hex::of(hash) },
    });
    if let Some(reason) = reason {
        out["status_detail"] = json!(reason);
    }
    if class == ENTITY_MANAGEMENT {
        out["entity"] = json!({ "name": object.name, "type": object.kind });
    } else {
        out["api"] = json!({ "operation": action, "service": { "name": "cordon" } });
        out["resources"] = json!([{ "name": object.name, "type": object.kind }]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::event::By;
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn each_class_has_what_it_requires() {
        let at = Timestamp::from_micros(1_764_000_000_123_456);
        let by = By::api("elena", "127.0.0.1:4711".parse().unwrap());
        for (action, kind, class, activity) in [
            ("identity.create", "identity", 3004, 1),
            ("identity.update", "identity", 3004, 3),
            ("nas.remove", "nas", 6003, 4),
            ("policy.rollback", "policy", 6003, 99),
        ] {
            let told = Event::new(&by, action, kind, "x", at).refused("no");
            let out = event(&Entry { seq: 3, prev: [0; 32], event: told }, &[1; 32]);
            assert_eq!(out["type_uid"], class * 100 + activity, "{out}");
            assert_eq!((&out["class_uid"], &out["category_uid"]), (&json!(class), &json!(class / 1000)));
            assert_eq!((&out["time"], &out["severity_id"]), (&json!(1_764_000_000_123_i64), &json!(2)));
            assert_eq!((&out["status_id"], &out["status_detail"]), (&json!(2), &json!("no")));
            assert_eq!(out["src_endpoint"]["ip"], "127.0.0.1");
            assert_eq!(out["metadata"]["version"], "1.8.0");
            let own = if class == 3004 { ["entity", "api"] } else { ["api", "entity"] };
            assert!(out[own[0]].is_object() && out[own[1]].is_null(), "{out}");
        }
    }
}
