//! What the files become.

use super::*;
use crate::config::{Config, VlanId, VlanPool, VlanValue};
use crate::policy::engine::Policy;
use proptest::prelude::*;

const CLIENTS: &str = "client sw {\n ipaddr = 192.0.2.1\n secret = \"a-secret-of-some-length\"\n}\n";

/// The sections, read as the configuration reads them, and the policy compiled.
fn read(imported: &Imported) -> (Config, Policy) {
    let text = format!("[tls]\ncertificate = \"a\"\nkey = \"b\"\n{}", imported.document);
    let config = Config::parse(&Source { file: "imported.toml".into(), text }).unwrap();
    let profiles: Vec<&str> = config.profile.iter().map(|p| p.name.get_ref().as_str()).collect();
    let policy = Policy::compile(&imported.policy, &profiles).unwrap_or_else(|e| panic!("{e:?}\n{}", imported.policy));
    (config, policy)
}

fn vlan(id: &str) -> String {
    format!("\tTunnel-Type:1 = VLAN, Tunnel-Medium-Type:1 = IEEE-802,\n\tTunnel-Private-Group-Id:1 = \"{id}\"")
}

/// The group of each identity, by name, and which rules there are.
fn groups(imported: &Imported) -> (Vec<(String, String)>, usize) {
    let (config, policy) = read(imported);
    let groups = config.identity.iter().map(|i| (i.name.get_ref().clone(), i.groups.join(","))).collect();
    (groups, policy.len())
}

#[test]
fn mac_addresses_become_identities_that_share_profiles() {
    let (v20, v30) = (vlan("20"), vlan("cameras"));
    let imported = convert(
        CLIENTS,
        &format!(
            "02005e000001 Cleartext-Password := \"02005e000001\"\n{v20}\n\
             02-00-5E-00-00-02 Auth-Type := Accept\n{v20},\n\tReply-Message = \"hello %{{User-Name}}\"\n\
             0200.5e00.0003 Auth-Type := Accept\n{v30},\n\tSession-Timeout = 0x0e10, Termination-Action = RADIUS-Request, \
             Filter-Id = \"std\", Idle-Timeout := 60, Service-Type = Framed-User, Cisco-AVPair += \"a=b\"\n\
             DEFAULT Calling-Station-Id == \"02:00:5e:00:00:04\", Auth-Type := Accept\n{v20}\n\
             printer Calling-Station-Id == \"02:00:5e:00:00:05\", Auth-Type := Accept\n{v20}\n\
             02005e000006 Auth-Type := Reject\n"
        ),
    );
    let (groups, rules) = groups(&imported);
    let expected = [
        ("02-00-5E-00-00-01", "vlan-20"),
        ("02-00-5E-00-00-02", "vlan-20"),
        ("02-00-5E-00-00-03", "vlan-cameras-filter-std"),
        ("02-00-5E-00-00-04", "vlan-20"),
        ("printer", "vlan-20"),
        ("02-00-5E-00-00-06", "rejected"),
    ];
    assert_eq!(groups, expected.map(|(name, group)| (name.to_owned(), group.to_owned())), "{}", imported.report);
    assert_eq!((rules, imported.held), (3, 0), "{}", imported.policy);
    let (config, _) = read(&imported);
    let [plain, cameras] = config.profile.as_slice() else { panic!("{}", imported.document) };
    assert!(matches!(plain.vlan.as_ref().unwrap().get_ref(), VlanValue::Everywhere(VlanPool::One(VlanId::Id(20)))));
    assert!(
        matches!(cameras.vlan.as_ref().unwrap().get_ref(), VlanValue::Everywhere(VlanPool::One(VlanId::Name(name))) if name == "cameras")
    );
    assert_eq!((cameras.session_timeout_secs, cameras.idle_timeout_secs), (Some(3600), Some(60)));
    let attributes: Vec<_> = cameras.attributes.iter().map(|a| a.get_ref().as_str()).collect();
    assert_eq!(attributes, ["Service-Type = Framed", "Cisco-AVPair = a=b"]);
    // A message that is lost lets nobody in.
    assert_eq!(imported.report.findings().len(), 1, "{}", imported.report);
}

#[test]
fn nothing_is_granted_that_was_not_granted() {
    let v20 = vlan("20");
    for (users, part) in [
        (
            format!("02005e000001 Auth-Type := Accept\n{v20}, Acme-Filter = \"x\"\n"),
            "users:3: Acme-Filter = x: this attribute is not known",
        ),
        (
            format!("02005e000001 Cleartext-Password := \"hush\"\n{v20}\n"),
            "users:1: 02-00-5E-00-00-01 has a password that is not",
        ),
        (format!("02005e000001 NT-Password := \"0x00\"\n{v20}\n"), "has a password that is not"),
        (format!("02005e000001 Auth-Type := LDAP\n{v20}\n"), "Auth-Type other than Accept"),
        (format!("02005e000001 Auth-Type := Accept, Simultaneous-Use := 1\n{v20}\n"), "users:1: Simultaneous-Use := 1"),
        (
            format!(
                "02005e000001 NAS-IP-Address == 192.0.2.9, Auth-Type := Reject\n02005e000001 Auth-Type := Accept\n{v20}\n"
            ),
            "users:1: 02005e000001 only where NAS-IP-Address == 192.0.2.9",
        ),
        (
            format!("DEFAULT User-Name =~ \"^02\", Auth-Type := Reject\n02005e000001 Auth-Type := Accept\n{v20}\n"),
            "users:1: DEFAULT only where User-Name =~ ^02",
        ),
        (format!("02005e000001 Auth-Type := Accept\n{v20}, Filter-Id -= \"x\"\n"), "an operator that removes"),
        (format!("02005e000001 Auth-Type := Accept\n{v20}, Filter-Id = `cat x`\n"), "made at each login"),
        (format!("02005e000001 Auth-Type := Accept\n{v20}, Filter-Id\n"), "what begins with \"Filter-Id\""),
        (
            format!("02005e000001 Auth-Type := Accept\n{v20}, Tunnel-Private-Group-Id:2 = 30\n"),
            "tunnel attributes that are not one VLAN",
        ),
        (
            format!("02005e000001 Auth-Type := Accept\n{v20}, Tunnel-Preference:1 = 3\n"),
            "tags are sent for VLANs alone",
        ),
        (format!("$INCLUDE more\n02005e000001 Auth-Type := Accept\n{v20}\n"), "users:1: $INCLUDE more"),
        (format!("DEFAULT Auth-Type := Accept\n{v20}\n"), "users:1: DEFAULT accepts whom no entry names"),
    ] {
        let imported = convert(CLIENTS, &users);
        let report = imported.report.to_string();
        assert!(report.contains(part), "no {part:?} in\n{report}");
        let (_, rules) = groups(&imported);
        assert_eq!((rules, imported.held), (0, 1), "{users}\n{}", imported.policy);
        assert!(!report.contains("hush"), "{report}");
    }
}

#[test]
fn what_is_held_back_is_a_rule_once_its_slashes_are_gone() {
    let imported = convert(
        CLIENTS,
        &format!("02005e000001 Auth-Type := LDAP\n{}\nDEFAULT Auth-Type := Accept\n{}\n", vlan("20"), vlan("20")),
    );
    let active = imported.policy.lines().skip(2).map(|l| l.trim_start_matches("// ")).collect::<Vec<_>>().join("\n");
    let (_, policy) = read(&Imported { policy: active, ..imported });
    assert_eq!(policy.len(), 2);
}

#[test]
fn the_first_match_ends_the_search_unless_it_falls_through() {
    let imported = convert(
        CLIENTS,
        &format!(
            "DEFAULT\n\tIdle-Timeout = 60, Fall-Through = Yes\n\
             02005e000001\n\tIdle-Timeout = 90, Session-Timeout = 10, Fall-Through = Yes\n\
             02005e000001 Auth-Type := Accept\n\tSession-Timeout := 20, Filter-Id = one, Fall-Through = Yes\n\
             02005e000002 Auth-Type := Accept\n\tIdle-Timeout := 30\n\
             DEFAULT\n{}\n02005e000002 Auth-Type := Reject\n02005e000003 Auth-Type := Accept\n",
            vlan("20")
        ),
    );
    let (config, _) = read(&imported);
    let profiles: Vec<_> = config
        .profile
        .iter()
        .map(|p| (p.name.get_ref().as_str(), p.idle_timeout_secs, p.session_timeout_secs, p.filter_id.as_deref()))
        .collect();
    assert_eq!(
        profiles,
        [
            ("vlan-20-filter-one", Some(60), Some(20), Some("one")),
            ("network", Some(30), None, None),
            // It has an Auth-Type only behind the entry that ends the search.
            ("vlan-20-review", Some(60), None, None)
        ],
        "{}",
        imported.document
    );
}

#[test]
fn a_vlan_by_mac_address_is_no_right_to_log_in_by_it() {
    let v20 = vlan("20");
    for users in [
        format!("DEFAULT Calling-Station-Id == \"02-00-5E-00-00-01\"\n{v20}\n"),
        format!("02005e000001 Service-Type == Call-Check\n{v20}\n"),
        format!("DEFAULT\n{v20}, Fall-Through = Yes\n02005e000001\n"),
    ] {
        let held = convert(CLIENTS, &users);
        assert_eq!((groups(&held).1, held.held), (0, 1), "{users}\n{}", held.policy);
        let report = held.report.to_string();
        assert!(
            report.contains("neither a password nor an Auth-Type") && report.contains("--authorized-macs"),
            "{report}"
        );
        let listed = convert_with(CLIENTS, &users, true);
        assert_eq!((groups(&listed).1, listed.held), (1, 0), "{users}\n{}", listed.policy);
    }
}

#[test]
fn what_a_default_may_catch_first_is_held_back() {
    let v20 = vlan("20");
    for (default, held) in [
        ("DEFAULT Huntgroup-Name == lab\n\tFilter-Id = \"guests\"\n", true),
        ("DEFAULT NAS-Port == 7\n", true),
        ("DEFAULT NAS-Port == 7\n\tSession-Timeout = 60, Fall-Through = Yes\n", true),
        ("DEFAULT NAS-Port == 7, Auth-Type := LDAP\n\tFall-Through = Yes\n", true),
        ("DEFAULT NAS-Port == 7, Simultaneous-Use := 1\n\tFall-Through = Yes\n", true),
        ("DEFAULT Hint == \"printers\"\n", true),
        ("DEFAULT Framed-Protocol != PPP\n", true),
        ("DEFAULT NAS-Port == 7\n\tFall-Through = Yes\n", false),
        ("DEFAULT Framed-Protocol == PPP\n\tFramed-Protocol = PPP\n", false),
        ("DEFAULT Hint == \"CSLIP\", NAS-Port == 7\n\tFramed-Protocol = SLIP\n", false),
    ] {
        let before = "02005e000001 Auth-Type := Accept\n\tSession-Timeout = 9\n";
        let imported = convert(CLIENTS, &format!("{before}{default}02005e000002 Auth-Type := Accept\n{v20}\n"));
        let expected = if held { "vlan-20-review" } else { "vlan-20" };
        let (groups, rules) = groups(&imported);
        let groups: Vec<&str> = groups.iter().map(|(_, group)| group.as_str()).collect();
        assert_eq!(groups, ["network", expected], "{default}");
        assert_eq!((rules, imported.held), (2 - usize::from(held), usize::from(held)), "{default}");
        let report = imported.report.to_string();
        assert_eq!(report.contains("that it may catch first"), held, "{report}");
    }
}

#[test]
fn passwords_names_and_conditions_are_reported() {
    let imported = convert(
        CLIENTS,
        "bob Cleartext-Password := \"hush\"\n\tReply-Message := \"Hello\"\nlameuser Auth-Type := Reject\n\
         DEFAULT Framed-Protocol == PPP\n\tFramed-Protocol = PPP\nDEFAULT Calling-Station-Id =~ \"^0200\"\n\
         02005e000001\n\tFilter-Id = x\n",
    );
    let report = imported.report.to_string();
    for part in [
        "users:1: \"bob\" logs in by name and password",
        "users:3: \"lameuser\" is refused by name",
        "users:4: DEFAULT only where Framed-Protocol == PPP",
        "users:6: DEFAULT only where Calling-Station-Id =~ ^0200",
        "context.mac like",
        "users:7: a MAC address with neither",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
    assert!(!report.contains("hush") && !imported.document.contains("hush"));
    assert_eq!(imported.identities, 1);
}

#[test]
fn a_filter_stays_what_freeradius_sent() {
    let users = "02005e000001 Auth-Type := Accept\n\tFilter-Id = \"std.in\"\n";
    assert!(convert(CLIENTS, users).document.contains("filter_id = \"std.in\""));
    // Cisco's profile would put another .in behind it.
    let cisco = CLIENTS.replace(" secret =", " nas_type = cisco\n secret =");
    assert!(convert(&cisco, users).document.contains("attributes = [\"Filter-Id = std.in\"]"));
}

#[test]
fn odd_values_reach_the_wire_as_they_were() {
    let imported = convert(
        CLIENTS,
        "02005e000001 Auth-Type := Accept\n\tReply-Message = \" 0x41\", Reply-Message += \"0x41\", Reply-Message += \"a\\nb\"\n",
    );
    let (config, _) = read(&imported);
    let lines: Vec<_> = config.profile[0].attributes.iter().map(|a| a.get_ref().as_str()).collect();
    assert_eq!(lines, ["Reply-Message = 0x2030783431", "Reply-Message = 0x30783431", "Reply-Message = 0x610a62"]);
}

#[test]
fn a_large_file_takes_no_time_squared() {
    let mut users = String::new();
    for n in 0..50_000_u32 {
        let _ = writeln!(users, "0200{n:08x} Auth-Type := Accept\n\tFilter-Id = \"same\"");
        let _ = writeln!(users, "x Calling-Station-Id == 0201{n:08x}, Auth-Type := Accept");
    }
    let imported = convert(CLIENTS, &users);
    assert_eq!((imported.identities, imported.profiles), (100_000, 2));
    assert!(imported.document.contains("name = \"x-50000\""));
}

proptest! {
    #[test]
    fn any_text_is_safe(text in "([ \t\n:=\"'\\\\#$,;%{a-z0-9-]|DEFAULT|\n\t|02005e0000[0-9]{2}|Auth-Type|Accept|Tunnel-Type|:1|:=|VLAN|Filter-Id|Fall-Through|\\PC){0,150}") {
        let imported = convert(&text, &text);
        read(&imported);
    }
}
