//! Whether what comes to a host unasked is turned away: netfilter's rules, as `nft` and `iptables` list them.
//!
//! A firewall is on when packets to the host that no rule accepts are dropped or rejected: by the policy of a chain
//! at the input hook, or by a rule without a condition there, or in a chain to which such a rule leads. A rule that bars
//! one address is none.

use super::{Host, output};
use serde_json::Value;
use std::collections::BTreeSet;

/// What of a rule is no condition.
const UNCONDITIONAL: [&str; 6] = ["counter", "log", "drop", "reject", "jump", "goto"];

/// For which of the two protocols the door is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Closed {
    v4: bool,
    v6: bool,
}

impl Closed {
    fn or(self, other: Closed) -> Closed {
        Closed { v4: self.v4 || other.v4, v6: self.v6 || other.v6 }
    }
}

/// Whether the firewall is on; nothing if no program can tell.
pub(super) fn is_on(host: &Host) -> Option<bool> {
    let nft = output("nft", &["-j", "list", "ruleset"]).and_then(|json| of_nft(&json));
    // Where there is nft, only the older kernel interface is not in its list.
    let suffix = if nft.is_some() { "-legacy" } else { "" };
    let chain =
        |program: &str| output(&format!("{program}{suffix}"), &["-S", "INPUT"]).map(|rules| of_iptables(&rules));
    let tables = match (chain("iptables"), chain("ip6tables")) {
        (None, None) => None,
        (v4, v6) => Some(Closed { v4: v4 == Some(true), v6: v6 == Some(true) }),
    };
    let closed = match (nft, tables) {
        (Some(nft), Some(tables)) => nft.or(tables),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return None,
    };
    Some(closed.v4 && (closed.v6 || !speaks_v6(host)))
}

/// Whether an interface but the loopback has an address of IPv6.
fn speaks_v6(host: &Host) -> bool {
    let addresses = host.text("proc/net/if_inet6").unwrap_or_default();
    addresses.lines().any(|line| line.split_whitespace().last().is_some_and(|interface| interface != "lo"))
}

/// What `nft -j list ruleset` says (libnftables-json(5)).
fn of_nft(json: &str) -> Option<Closed> {
    let ruleset: Value = serde_json::from_str(json).ok()?;
    let items = ruleset["nftables"].as_array()?;
    let mut closed = Closed { v4: false, v6: false };
    for chain in items.iter().filter_map(|item| item.get("chain")) {
        if chain["hook"] == "input" && chain["type"] == "filter" && closes(items, chain) {
            let family = chain["family"].as_str().unwrap_or_default();
            closed.v4 |= matches!(family, "ip" | "inet");
            closed.v6 |= matches!(family, "ip6" | "inet");
        }
    }
    Some(closed)
}

/// Whether nothing gets to the end of this base chain but by a rule that accepts it.
fn closes(items: &[Value], base: &Value) -> bool {
    if base["policy"] == "drop" {
        return true;
    }
    let mut seen = BTreeSet::new();
    let mut next = vec![base["name"].as_str().unwrap_or_default()];
    while let Some(name) = next.pop() {
        if !seen.insert(name) {
            continue;
        }
        let of_chain =
            |rule: &&Value| rule["family"] == base["family"] && rule["table"] == base["table"] && rule["chain"] == name;
        for rule in items.iter().filter_map(|item| item.get("rule")).filter(of_chain) {
            let parts: Vec<_> = rule["expr"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
            let all = parts.iter().flat_map(|part| part.keys());
            if !all.clone().all(|key| UNCONDITIONAL.contains(&key.as_str())) {
                continue;
            }
            if all.clone().any(|key| key == "drop" || key == "reject") {
                return true;
            }
            let target = |verdict: &str| parts.iter().find_map(|part| part.get(verdict)?["target"].as_str());
            next.extend(target("jump").or_else(|| target("goto")));
        }
    }
    false
}

/// What `iptables -S INPUT` says.
fn of_iptables(rules: &str) -> bool {
    rules.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        matches!(words.as_slice(), ["-P", "INPUT", "DROP"] | ["-A", "INPUT", "-j", "DROP" | "REJECT", ..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chain(family: &str, name: &str, hook: Option<&str>, policy: &str) -> Value {
        let mut chain = json!({ "family": family, "table": "filter", "name": name, "handle": 1 });
        if let Some(hook) = hook {
            chain["type"] = json!("filter");
            chain["hook"] = json!(hook);
            chain["policy"] = json!(policy);
        }
        json!({ "chain": chain })
    }

    fn rule(family: &str, chain: &str, expr: Value) -> Value {
        json!({ "rule": { "family": family, "table": "filter", "chain": chain, "handle": 2, "expr": expr } })
    }

    #[test]
    fn a_door_is_closed_by_a_policy_or_by_a_last_rule() {
        let one = json!({ "match": { "op": "==", "left": { "payload": { "protocol": "ip", "field": "saddr" } }, "right": "192.0.2.1" } });
        let closed = |v4, v6| Some(Closed { v4, v6 });
        for (what, items, expected) in [
            ("nothing", vec![], closed(false, false)),
            ("a policy", vec![chain("inet", "in", Some("input"), "drop")], closed(true, true)),
            ("of one protocol", vec![chain("ip", "INPUT", Some("input"), "drop")], closed(true, false)),
            ("what is forwarded", vec![chain("inet", "fwd", Some("forward"), "drop")], closed(false, false)),
            ("an open chain", vec![chain("inet", "in", Some("input"), "accept")], closed(false, false)),
            (
                "one address that is barred",
                vec![chain("inet", "in", Some("input"), "accept"), rule("inet", "in", json!([one, { "drop": null }]))],
                closed(false, false),
            ),
            (
                "a last rule",
                vec![
                    chain("inet", "in", Some("input"), "accept"),
                    rule(
                        "inet",
                        "in",
                        json!([{ "counter": { "packets": 1, "bytes": 1 } }, { "reject": { "type": "icmpx" } }]),
                    ),
                ],
                closed(true, true),
            ),
            (
                "a last rule elsewhere, and a loop",
                vec![
                    chain("ip6", "in", Some("input"), "accept"),
                    chain("ip6", "more", None, ""),
                    rule("ip6", "in", json!([{ "jump": { "target": "more" } }])),
                    rule("ip6", "more", json!([{ "jump": { "target": "in" } }])),
                    rule("ip6", "more", json!([{ "drop": null }])),
                ],
                closed(false, true),
            ),
        ] {
            assert_eq!(of_nft(&json!({ "nftables": items }).to_string()), expected, "{what}");
        }
        assert_eq!(of_nft("nft: command not found"), None);
    }

    #[test]
    fn the_same_of_iptables() {
        assert!(of_iptables("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n"));
        assert!(of_iptables("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n"));
        assert!(!of_iptables("-P INPUT ACCEPT\n-A INPUT -s 192.0.2.1/32 -j DROP\n"));
    }
}
