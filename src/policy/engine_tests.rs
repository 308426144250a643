use super::*;
use crate::ids::IdentityId;
use crate::inventory::identity::Identity;
use crate::inventory::mac::MacAddress;
use crate::pki::certificate::CertificateFacts;
use crate::policy::facts::PostureFacts;
use crate::policy::facts::RiskFacts;
use crate::time::Timestamp;
use proptest::prelude::*;

const PROFILES: [&str; 6] = ["corp", "machines", "agents", "printers", "iot", "quarantine"];

fn identity(kind: IdentityKind, name: &str, groups: &[&str]) -> Principal {
    Principal::Identity(Arc::new(Identity {
        groups: groups.iter().map(|g| Arc::from(*g)).collect(),
        owner: Some("alice".into()),
        ..Identity::new(IdentityId::new(Timestamp::default()), kind, name)
    }))
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        subject: "CN=laptop-1".into(),
        common_name: Some("laptop-1".into()),
        issuer: "CN=Corp CA".into(),
        serial: "0a1b".into(),
        fingerprint: "aa".repeat(32),
        key_fingerprint: "bb".repeat(32),
        not_before: Timestamp::default(),
        not_after: Timestamp::from_unix_secs(30 * 86_400),
        san_dns: vec!["laptop-1.example".into()],
        san_email: Vec::new(),
        san_uri: Vec::new(),
        san_upn: Vec::new(),
        san_ip: Vec::new(),
        sid: None,
        key_type: "EC-P256".into(),
    }
}

fn facts(principal: Principal, method: AuthMethod) -> Facts {
    Facts {
        principal,
        method,
        certificate: (method == AuthMethod::EapTls).then(|| Arc::new(certificate())),
        certificate_ca: Some("corp".into()),
        mac: Some(MacAddress::new([2, 0, 0x5e, 0, 0, 1])),
        outer_identity: Some("anonymous".into()),
        nas_name: "sw1".into(),
        nas_groups: vec!["access".into()],
        site: Some("hq".into()),
        nas_address: std::net::IpAddr::from([192, 0, 2, 1]),
        nas_port_type: Some("ethernet".into()),
        nas_port_id: None,
        ssid: None,
        called_station: None,
        at: Timestamp::from_unix_secs(86_400),
        local_hour: 9,
        local_minute: 30,
        weekday: 1,
        tls_version: Some("1.3".into()),
        resumed: false,
        posture: PostureFacts::default(),
        risk: RiskFacts::default(),
        contained: None,
    }
}

fn compile(text: &str) -> Policy {
    Policy::compile(text, &PROFILES).unwrap_or_else(|e| panic!("{e:?}"))
}

fn permit(profile: &str) -> Outcome {
    Outcome::Permit { profile: profile.into() }
}

#[test]
fn int_4_an_empty_policy_denies() {
    let policy = compile("");
    let verdict = policy.evaluate(&facts(identity(IdentityKind::User, "alice", &["laptops"]), AuthMethod::EapTls));
    assert_eq!(verdict.outcome, Outcome::NoRule);
}

#[test]
fn one_rule_file_answers_for_a_laptop_a_machine_and_an_agent() {
    let policy = compile(DEFAULT_POLICY);
    let ask = |kind, group: &str, method| policy.evaluate(&facts(identity(kind, "x", &[group]), method)).outcome;
    use IdentityKind::{Agent, Device, Machine};
    assert_eq!(ask(Device, "laptops", AuthMethod::EapTls), permit("corp"));
    assert_eq!(ask(Machine, "machines", AuthMethod::EapTls), permit("machines"));
    assert_eq!(ask(Agent, "agents", AuthMethod::EapTls), permit("agents"));
    assert_eq!(ask(Device, "printers", AuthMethod::EapTls), permit("printers"));
    assert_eq!(ask(Device, "mab-allowed", AuthMethod::Mab), permit("iot"));
    assert_eq!(ask(Device, "laptops", AuthMethod::Mab), Outcome::NoRule);
    assert_eq!(ask(Device, "agents", AuthMethod::EapTls), Outcome::NoRule, "no agent");
    let stranger = |principal, method| policy.evaluate(&facts(principal, method)).outcome;
    assert_eq!(stranger(Principal::UnknownCertificate, AuthMethod::EapTls), Outcome::NoRule);
    assert_eq!(stranger(Principal::UnknownMac, AuthMethod::Mab), Outcome::NoRule);
}

#[test]
fn a_forbid_wins_and_may_quarantine() {
    let policy = compile(DEFAULT_POLICY);
    let principal = identity(IdentityKind::Device, "x", &["laptops", "quarantined"]);
    let verdict = policy.evaluate(&facts(principal, AuthMethod::EapTls));
    assert_eq!((verdict.outcome, verdict.policies), (permit("quarantine"), vec!["quarantined".to_owned()]));
    let plain =
        format!("{DEFAULT_POLICY}\n@id(\"no\") forbid (principal in Group::\"quarantined\", action, resource);");
    let principal = identity(IdentityKind::Device, "x", &["laptops", "quarantined"]);
    let verdict = compile(&plain).evaluate(&facts(principal, AuthMethod::EapTls));
    assert_eq!((verdict.outcome, verdict.policies), (Outcome::Deny, vec!["no".to_owned()]));
}

#[test]
fn the_lowest_order_names_the_profile() {
    let policy = compile(
        r#"@id("b") @order("20") @profile("corp") permit (principal, action, resource);
           @id("a") @order("9") @profile("iot") permit (principal, action, resource in Site::"hq");
           @id("c") @order("1") @profile("agents") permit (principal, action, resource in NasGroup::"other");"#,
    );
    let verdict = policy.evaluate(&facts(Principal::UnknownMac, AuthMethod::Mab));
    assert_eq!(verdict.outcome, permit("iot"));
    assert_eq!((verdict.policies, verdict.matched), (vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn a_rule_that_errs_denies() {
    // Validation cannot foresee an overflow; Cedar alone would skip the forbid.
    let policy = compile(
        r#"@id("all") @order("1") @profile("corp") permit (principal, action, resource);
           @id("bad") forbid (principal, action, resource) when { context.time.unix * 9223372036854775807 > 0 };"#,
    );
    let verdict = policy.evaluate(&facts(Principal::UnknownMac, AuthMethod::Mab));
    assert_eq!(verdict.outcome, Outcome::Error);
    assert!(verdict.errors[0].contains("bad"), "{:?}", verdict.errors);
}

#[test]
fn mistakes_are_named_with_line_and_remedy() {
    let rule = "@id(\"a\") @order(\"1\") @profile(\"corp\") permit (principal, action, resource)";
    let cases = [
        ("\npermit (principal, action, resource", 2, "unexpected", ""),
        ("\n\npermit (principal, action, resource);", 3, "no @id", "put @id"),
        ("@id(\"a\") @order(\"1\") permit (principal, action, resource);", 1, "names no profile", "@profile"),
        ("@id(\"a\") @profile(\"corp\") permit (principal, action, resource);", 1, "no @order", "@order"),
        ("@id(\"a\") @order(\"x\") @profile(\"corp\") permit (principal, action, resource);", 1, "no number", "10"),
        ("@id(\"a\") @order(\"1\") @profile(\"lan\") permit (principal, action, resource);", 1, "\"lan\"", "printers"),
        ("@id(\"a\") @colour(\"1\") forbid (principal, action, resource);", 1, "@colour", "@order"),
        (&format!("{rule};\n{rule};"), 2, "two rules", "its own"),
        (&format!("{rule}\nwhen {{ context.vlan == 3 }};"), 2, "vlan", ""),
        (&format!("{rule}\nwhen {{ context.mac == \"x\" }};"), 2, "mac", "has"),
        (&format!("{rule}\nwhen {{ context.method == 3 }};"), 2, "", ""),
        ("@id(\"a\") forbid (principal == Robot::\"x\", action, resource);", 1, "Robot", ""),
    ];
    for (text, line, message, remedy) in cases {
        let errors = Policy::compile(text, &PROFILES).expect_err(text);
        let found = errors.iter().any(|e| {
            e.line == line && e.message.contains(message) && e.remedy.contains(remedy) && !e.remedy.is_empty()
        });
        assert!(found, "{text}\n{errors:#?}");
    }
}

fn any_rule(n: usize) -> impl Strategy<Value = String> {
    let principal = prop_oneof![
        Just("principal".to_owned()),
        Just("principal is Device".to_owned()),
        Just("principal is Certificate".to_owned()),
        (0..4u8).prop_map(|g| format!("principal in Group::\"g{g}\"")),
        (0..4u8).prop_map(|g| format!("principal is Agent in Group::\"g{g}\"")),
        (0..3u8).prop_map(|d| format!("principal == Device::\"d{d}\"")),
        (0..3u8).prop_map(|d| format!("principal in Device::\"d{d}\"")),
    ];
    let condition = prop_oneof![
        Just(String::new()),
        Just("when { context.method == \"mab\" }".to_owned()),
        Just("when { principal in Group::\"g1\" }".to_owned()),
        (0..24i64).prop_map(|h| format!("when {{ context.time.hour < {h} }}")),
        Just("unless { resource in Site::\"hq\" }".to_owned()),
        Just("when { context.time.unix * 9223372036854775807 > 0 }".to_owned()),
    ];
    (principal, condition, any::<bool>(), 0..5u8, any::<bool>()).prop_map(move |(p, c, allow, order, profile)| {
        let effect = if allow { "permit" } else { "forbid" };
        let grant = if allow || profile { format!("@order(\"{order}\") @profile(\"corp\")") } else { String::new() };
        format!("@id(\"r{n}\") {grant} {effect} ({p}, action, resource) {c};\n")
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let kinds = prop::sample::select(IdentityKind::ALL);
    let principal = prop_oneof![
        Just(Principal::UnknownCertificate),
        Just(Principal::UnknownMac),
        (kinds, 0..3u8, prop::collection::vec(0..4u8, 0..3)).prop_map(|(kind, d, groups)| {
            let groups: Vec<String> = groups.iter().map(|g| format!("g{g}")).collect();
            identity(kind, &format!("d{d}"), &groups.iter().map(String::as_str).collect::<Vec<_>>())
        }),
    ];
    (principal, any::<bool>(), 0..24i64, 0..3i64).prop_map(|(principal, mab, hour, unix)| {
        let method = if mab { AuthMethod::Mab } else { AuthMethod::EapTls };
        Facts { local_hour: hour, at: Timestamp::from_unix_secs(unix), ..facts(principal, method) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn the_index_changes_nothing(
        rules in (1..12usize).prop_flat_map(|n| (0..n).map(any_rule).collect::<Vec<_>>()),
        all in prop::collection::vec(any_facts(), 1..8),
    ) {
        let policy = compile(&rules.concat());
        for facts in &all {
            let (indexed, plain) = (policy.evaluate(facts), policy.evaluate_plainly(facts));
            if plain.outcome == Outcome::Error || indexed.outcome == Outcome::Error {
                // Which rules err may differ only by those that cannot apply.
                prop_assert_eq!(&indexed.outcome, &plain.outcome);
            } else {
                prop_assert_eq!(indexed, plain);
            }
        }
    }
}

#[test]
fn the_example_in_the_readme_is_sound() {
    let readme = include_str!("../../policies/README.md");
    let block = readme.lines().skip_while(|line| !line.starts_with("    @id"));
    let example: String =
        block.take_while(|line| line.starts_with("    ")).fold(String::new(), |text, line| text + line + "\n");
    Policy::compile(&example, &["corp"]).unwrap();
}

#[test]
fn messages_name_a_rule_by_its_id_or_its_line() {
    let text = "@id(\"first\") forbid (principal, action, resource) when { context.colour == 1 };\n\
                forbid (principal, action, resource) when { context.time.hour == \"late\" };\n\
                @id(\"third\") @order(\"1\") @profile(\"corp\")\npermit (principal, action == Network::Action::\"fly\", resource);\n";
    let errors = Policy::compile(text, &PROFILES).unwrap_err();
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let all = all.join("\n");
    for part in ["for the rule \"first\"", "for the rule of line 2", "for the rule \"third\""] {
        assert!(all.contains(part), "no {part:?} in:\n{all}");
    }
    assert!(!all.contains("policy0") && !all.contains("policy1") && !all.contains("policy2"), "{all}");
}
