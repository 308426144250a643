//! What each kind of gear is told, seen by radclient: FreeRADIUS' own
//! dictionaries name the attributes, so that a wrong number shows.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it vendors` writes the expected replies and
//! `docs/vendors.md` anew; read the difference before it goes in.

use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::succeed;
use cordon::coa::exchange::Ask;
use cordon::enforcement::coa::{Change, LiveSession, Wish, order};
use cordon::enforcement::nas_profile::{Confirmed, NasProfile, NasProfiles, Term};
use cordon::enforcement::vlan::Vlan;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::dictionary::Dictionary;
use cordon::radius::packet::Packet;
use cordon::radius::value::digits;
use cordon::secret::Secret;
use cordon::time::Timestamp;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Each term with a profile that wants it, and the MAC address that gets it.
const WANTS: [(Term, &str, &str); 9] = [
    (Term::Vlan, "vlan", "vlan = 20"),
    (Term::VlanName, "vlan-name", "vlan = \"staff\""),
    (Term::TaggedVlan, "tagged-vlan", "vlan = 20\ntagged_vlans = [30, 31]"),
    (Term::Filter, "filter", "vlan = 20\nfilter_id = \"staff-only\""),
    (
        Term::Acl,
        "acl",
        "vlan = 20\nacl = [\"permit udp to 10.1.0.53 port 53\", \"permit tcp to 10.1.2.0/24 port 443\", \"deny ip to any\"]",
    ),
    (Term::Role, "role", "vlan = 20\nrole = \"staff\""),
    (Term::SecurityGroup, "security-group", "vlan = 20\nsecurity_group = 16"),
    (Term::Redirect, "redirect", "vlan = 20\nredirect = { url = \"https://help.corp.example/\", acl = \"to-help\" }"),
    (Term::Voice, "voice", "vlan = 20\nvoice = true"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mac(number: usize) -> String {
    format!("02-00-5E-00-01-{number:02X}")
}

fn can(nas: &NasProfile, term: Term) -> bool {
    nas.spellings.contains_key(&term) && nas.spellings.contains_key(&Term::Vlan)
}

/// A NAS of each kind at an address of its own, in the groups of what it can be
/// told; a rule and an identity for each profile.
fn config(kinds: &NasProfiles) -> Config {
    let (mut more, mut policy) = (String::new(), String::new());
    for (number, kind) in kinds.all().enumerate() {
        let groups: Vec<_> =
            WANTS.iter().filter(|(term, ..)| can(kind, *term)).map(|(_, name, _)| format!("{name:?}")).collect();
        writeln!(
            more,
            "[[nas]]\nname = {:?}\naddress = \"127.0.1.{}\"\nsecret = \"{SECRET}\"\nvendor = {:?}\ngroups = [{}]",
            kind.name,
            number + 1,
            kind.name,
            groups.join(", ")
        )
        .unwrap();
    }
    for (number, (_, name, wants)) in WANTS.iter().enumerate() {
        writeln!(more, "[[profile]]\nname = {name:?}\n{wants}").unwrap();
        writeln!(
            more,
            "[[identity]]\nname = {name:?}\nkind = \"device\"\ngroups = [{name:?}]\ncredentials = [{{ mac = {:?} }}]",
            mac(number)
        )
        .unwrap();
        writeln!(
            policy,
            "@id({name:?}) @order(\"{}\") @profile({name:?})\npermit (principal in Group::{name:?}, \
             action == Network::Action::\"connect\", resource in NasGroup::{name:?});",
            number + 1
        )
        .unwrap();
    }
    Config { more, policy, listen: "127.0.0.1", ..Config::default() }
}

/// The attributes of an Access-Accept, without those that change.
fn told(out: &str) -> String {
    let accept = out.split("Received Access-Accept").nth(1).unwrap_or_else(|| panic!("no Access-Accept:\n{out}"));
    let lines = accept.lines().skip(1).map(str::trim);
    let lines = lines
        .filter(|l| !l.is_empty() && !["Message-Authenticator", "Class", "User-Name"].iter().any(|n| l.starts_with(n)));
    lines.fold(String::new(), |all, line| all + "  " + line + "\n")
}

fn wish(change: Change) -> Wish {
    match change {
        Change::Reauthenticate => Wish::Reauthenticate,
        Change::BouncePort => Wish::BouncePort,
        Change::DisablePort => Wish::DisablePort,
        Change::Disconnect => Wish::Disconnect,
        Change::ChangeVlan => Wish::Vlan(Vlan::Id(30)),
        Change::ChangeRole => Wish::Role("quarantine".into()),
    }
}

/// A session of which all is known.
fn known() -> LiveSession {
    LiveSession {
        user_name: Some("anna-laptop".into()),
        calling_station: Some("02-00-5E-00-00-01".into()),
        acct_session_id: Some("0000002A".into()),
        nas_port: Some(7),
        nas_port_id: Some("1/0/7".into()),
        nas_address: Some([192, 0, 2, 7].into()),
        audit_session_id: Some("C00002070000000B5EED0001".into()),
    }
}

/// Each change to it in the words of this gear.
fn changes(kind: &NasProfile) -> String {
    let mut said = String::new();
    for change in Change::ALL {
        match order(&wish(change), &known(), kind, Dictionary::standard()) {
            Ok(order) => {
                writeln!(said, "{change}: {} to port {}", order.code, order.port).unwrap();
                let mut bytes = RequestBuilder::new(order.code, 1, [0; 16]);
                bytes.push_raw(&order.attributes);
                let bytes = bytes.finish(&Secret::new(SECRET)).unwrap();
                let described = Dictionary::standard().describe(&Packet::parse(&bytes).unwrap());
                // The first is Message-Authenticator.
                described.iter().skip(1).for_each(|(name, value)| writeln!(said, "  {name} = {value}").unwrap());
            }
            Err(_) => writeln!(said, "{change}: cannot be told").unwrap(),
        }
    }
    said
}

/// The octets of each change, as they go on the wire at a fixed time.
fn octets(kind: &NasProfile) -> Vec<(Change, u16, Vec<u8>)> {
    let at = Timestamp::from_unix_secs(1_767_225_600);
    let orders = Change::ALL.into_iter().filter_map(|change| {
        let order = order(&wish(change), &known(), kind, Dictionary::standard()).ok()?;
        let ask = Ask { code: order.code, attributes: order.attributes, secret: Secret::new(SECRET) };
        Some((change, order.port, ask.packet(1, at).unwrap()))
    });
    orders.collect()
}

#[test]
fn every_change_of_every_kind_of_gear_is_sent_in_these_octets() {
    let mut dump = String::new();
    let mut count = 0;
    for kind in NasProfiles::new(Dictionary::standard(), []).unwrap().all() {
        let mut said = format!("{}: {}\n", kind.name, kind.title);
        for (change, port, packet) in octets(kind) {
            writeln!(said, "{change} to port {port}").unwrap();
            for line in packet.chunks(32) {
                writeln!(said, "  {}", digits(line)).unwrap();
            }
            for (at, line) in packet.chunks(16).enumerate() {
                let octets: Vec<_> = line.iter().map(|octet| format!("{octet:02x}")).collect();
                writeln!(dump, "{:06x} {}", at * 16, octets.join(" ")).unwrap();
            }
            count += 1;
        }
        golden(&root().join(format!("tests/golden/coa/{}.txt", kind.name)), &said);
    }
    // Somebody else's reading of them: Wireshark's.
    let dir = tempfile::tempdir().unwrap();
    let (hex, capture) = (dir.path().join("hex"), dir.path().join("pcap"));
    std::fs::write(&hex, dump).unwrap();
    succeed(Command::new("text2pcap").args(["-q", "-u", "40000,3799"]).arg(&hex).arg(&capture));
    let fields =
        ["-T", "fields", "-e", "radius.code", "-e", "radius.Event_Timestamp", "-e", "radius.authenticator.valid"];
    let read = |more: &[&str]| {
        let mut command = Command::new("tshark");
        command.args(["-r", capture.to_str().unwrap(), "-d", "udp.port==3799,radius"]).args(more);
        let out = command.stderr(Stdio::null()).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let lines = read(&fields);
    assert_eq!(lines.lines().count(), count);
    for line in lines.lines() {
        let code = line.split('\t').next().unwrap();
        assert!(["40", "43"].contains(&code) && line.contains("2026"), "{line}");
    }
    let malformed = read(&["-Y", "_ws.malformed || radius.avp.length < 2"]);
    assert!(malformed.is_empty(), "{malformed}");
}

#[track_caller]
pub fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(expected == text, "{} does not say this any more:\n{text}", path.display());
}

#[test]
fn pil_4_every_kind_of_gear_is_told_in_its_own_words() {
    let kinds = NasProfiles::new(Dictionary::standard(), []).unwrap();
    let server = Server::start(&config(&kinds));
    for (number, kind) in kinds.all().enumerate() {
        let mut said = format!("{}: {}\n", kind.name, kind.title);
        for (who, (term, name, _)) in WANTS.iter().enumerate() {
            if !can(kind, *term) {
                writeln!(said, "{name}: cannot be told").unwrap();
                continue;
            }
            let mac = mac(who);
            let request = format!(
                "Packet-Src-IP-Address=127.0.1.{}, User-Name={mac:?}, User-Password={mac:?}, Service-Type=Call-Check, \
                 Calling-Station-Id={mac:?}, Message-Authenticator=0x00",
                number + 1
            );
            let out = radclient(server.auth, "auth", &request);
            writeln!(said, "{name}:\n{}", told(&out).trim_end()).unwrap();
        }
        said.push_str(&changes(kind));
        golden(&root().join(format!("tests/golden/nas/{}.txt", kind.name)), &said);
    }
}

#[test]
fn a_rule_that_grants_what_its_switch_cannot_be_told_is_refused() {
    let kinds = NasProfiles::new(Dictionary::standard(), []).unwrap();
    let mut config = config(&kinds);
    config.policy = config.policy.replace("resource in NasGroup::\"role\"", "resource");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cordon.toml"), config.text()).unwrap();
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    let out =
        crate::support::cordon().args(["check", "--config"]).arg(dir.path().join("cordon.toml")).output().unwrap();
    assert!(!out.status.success());
    let text = crate::support::text(&out);
    assert!(text.contains("the rule \"role\" can grant the profile \"role\" at ubiquiti"), "{text}");
    assert!(text.contains("cannot be told a role"), "{text}");
    assert!(!text.contains("at aruba-cx"), "{text}");
}

#[test]
fn gear_of_ones_own_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("acme.toml"),
        "title = \"Acme\"\nextends = \"standard\"\n[role]\nsend = [\"Cisco-AVPair = acme-role={role}\"]\nconfirmed = \"unconfirmed\"\n",
    )
    .unwrap();
    let policy = "@accept(\"network-only\") @id(\"all\") @order(\"1\") @profile(\"staff\")\n\
                  permit (principal, action == Network::Action::\"connect\", resource);";
    let config = Config {
        server: format!("reject_delay_ms = 0\nnas_profiles = {:?}", dir.path()),
        nas: "vendor = \"acme\"".into(),
        more: "[[profile]]\nname = \"staff\"\nrole = \"staff\"\n".into(),
        policy: policy.into(),
        ..Config::default()
    };
    let server = Server::start(&config);
    let request = "User-Name=02005e000010, User-Password=02005e000010, Service-Type=Call-Check, \
                   Calling-Station-Id=\"02-00-5E-00-00-10\", Message-Authenticator=0x00";
    let out = radclient(server.auth, "auth", request);
    assert!(out.contains("Cisco-AVPair = \"acme-role=staff\""), "{out}");
}

#[test]
fn attributes_of_ones_own_are_files_too_and_are_watched() {
    let dir = tempfile::tempdir().unwrap();
    let gear = dir.path().join("gear");
    std::fs::create_dir(&gear).unwrap();
    let write = |name: &str, text: &str| std::fs::write(gear.join(name), text).unwrap();
    write("acme.dict", "VENDOR Acme 64512\nATTRIBUTE Acme-Zone 1 text\n");
    write(
        "acme.toml",
        "title = \"Acme\"\nextends = \"standard\"\n[role]\nsend = [\"Acme-Zone = {role}\"]\nconfirmed = \"unconfirmed\"\n",
    );
    let policy = "@accept(\"network-only\") @id(\"all\") @order(\"1\") @profile(\"staff\")\n\
                  permit (principal, action == Network::Action::\"connect\", resource);";
    let config = Config {
        server: format!("reject_delay_ms = 0\nnas_profiles = {gear:?}\ndictionaries = {gear:?}"),
        nas: "vendor = \"acme\"".into(),
        more: "[[profile]]\nname = \"staff\"\nrole = \"lobby\"\nattributes = [\"Acme-Mode = Quiet\"]\n".into(),
        policy: policy.into(),
        ..Config::default()
    };
    // Acme-Mode is not there yet.
    std::fs::write(dir.path().join("cordon.toml"), config.text()).unwrap();
    std::fs::write(dir.path().join("policy.cedar"), &config.policy).unwrap();
    let check = || {
        let config = dir.path().join("cordon.toml");
        crate::support::text(&crate::support::cordon().args(["check", "--config"]).arg(config).output().unwrap())
    };
    assert!(check().contains("no attribute is called \"Acme-Mode\""), "{}", check());
    write("acme-2.dict", "VENDOR Acme 64512\nATTRIBUTE Acme-Mode 2 enum\nVALUE Acme-Mode Quiet 1\n");
    let server = Server::start(&config);
    let asked = || {
        crate::support::cordon()
            .args(["auth", "--mab", "--secret", SECRET, "--server", &server.auth.to_string(), "--dictionaries"])
            .arg(&gear)
            .output()
            .unwrap()
    };
    let out = crate::support::text(&asked());
    assert!(out.contains("Acme-Zone = lobby") && out.contains("Acme-Mode = Quiet"), "{out}");
    let reply = server.decision("02-00-5E-00-00-01")["reply"].to_string();
    assert!(reply.contains("Acme-Zone"), "{reply}");
    // A change is in force at once; a clash is told with its place, and changes nothing.
    write("acme-2.dict", "VENDOR Acme 64512\nATTRIBUTE Acme-Mode 3 enum\nVALUE Acme-Mode Quiet 9\n");
    crate::support::wait_for("the new number", std::time::Duration::from_secs(10), || {
        let request = "User-Name=02005e000010, User-Password=02005e000010, Service-Type=Call-Check, \
                       Calling-Station-Id=\"02-00-5E-00-00-10\", Message-Authenticator=0x00";
        radclient(server.auth, "auth", request).contains("Attr-26.64512.3 = 0x00000009").then_some(())
    });
    write("more.dict", "\nVENDOR Acme 64512\nATTRIBUTE Acme-Other 1 text\n");
    let clash = "more.dict:3: Acme-Other cannot be 1, which is Acme-Zone already, in";
    assert!(check().contains(clash), "{}", check());
    crate::support::wait_for("the message", std::time::Duration::from_secs(10), || {
        server.log().contains(clash).then_some(())
    });
}

/// The end of `docs/vendors.md`.
const OWN_FILE: &str = r#"
## A file of your own

    title = "Acme switches"
    extends = "standard"             # all that is not said here
    without = ["vlan_name"]          # ... but for this

    [role]
    send = ["Acme-Role = {role}"]
    confirmed = "unconfirmed"        # or standard, vendor guide, other software, dictionary

    [coa]
    port = 3799
    without = ["disconnect"]

    [coa.session]
    send = ["Acct-Session-Id = {acct_session_id}"]
    send_if_known = ["NAS-Port-Id = {nas_port_id}"]
    confirmed = "vendor guide"

    [coa.bounce_port]
    request = "coa"                  # or disconnect
    send = ["Acme-Command = bounce"]
    confirmed = "vendor guide"

    [setup]
    confirmed = "unconfirmed"
    text = '''
    radius-server {server} key {secret} auth {auth_port} acct {acct_port} coa {coa_port}
    '''

`[setup]` is what somebody enters on the gear, so that it asks here; `GET /api/v1/nas/{name}/snippet` and the console show it with the
server's address and ports, and `<secret>` where the secret goes. Those of the packaged profiles are written from general knowledge of
each kind of gear and were not tried on it (`unconfirmed`): compare them with the guide of your release.

| section | placeholders |
|---|---|
| `vlan`, `vlan_name`, `voice` | `{vlan}` |
| `tagged_vlan` | `{vlan}`, `{egress}` (the number of RFC 4675) |
| `filter` | `{filter}` |
| `acl` with `dialect` (`ip-filter`, `cisco`, `juniper`) | `{number}` and `{rule}`, once for each, or `{rules}` |
| `acl` with `download` | `{list}` in `send`; `{number}` and `{rule}` in `download` |
| `role` | `{role}` |
| `security_group` | `{tag}`, `{tag_hex}` |
| `redirect` | `{url}`, `{acl}` |
| `coa.session`, and all of `coa` | `{user_name}`, `{calling_station}`, `{acct_session_id}`, `{nas_port}`, `{nas_port_id}`, `{nas_address}`, `{audit_session_id}` |
| `coa.reauthenticate`, `coa.bounce_port`, `coa.disable_port`, `coa.disconnect` | none besides |
| `coa.change_vlan`, `coa.change_role` | `{vlan}`, `{role}` |
"#;

#[test]
fn the_form_of_a_file_of_ones_own_is_what_the_page_says() {
    let block: Vec<_> = OWN_FILE.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let dictionary =
        Dictionary::with([("acme", "VENDOR Acme 64512\nATTRIBUTE Acme-Role 1 text\nATTRIBUTE Acme-Command 2 text")]);
    let dictionary = dictionary.unwrap();
    let kinds = NasProfiles::new(&dictionary, [("acme", block.join("\n").as_str())]).unwrap();
    let acme = kinds.get("acme").unwrap();
    assert!(acme.spellings.contains_key(&Term::Role) && !acme.spellings.contains_key(&Term::VlanName));
    let forms = &acme.coa.as_ref().unwrap().forms;
    assert!(forms.contains_key(&Change::BouncePort) && !forms.contains_key(&Change::Disconnect));
}

#[test]
fn the_table_of_vendors_is_true() {
    let mut text = String::from(
        "# Vendors\n\nWhat each kind of gear can be told, by the name to put in `vendor` of a `[[nas]]`. The files are in\n\
         `nas-profiles/`; `tests/golden/nas/` shows each reply. A file of your own in the directory that `[server] nas_profiles`\n\
         names adds a kind, or takes the place of a packaged one: copy the nearest and change it.\n\n\
         What stands behind each: **S** an RFC, **V** the vendor's guide, **O** other software that is used with this gear\n\
         sends it, **D** the attribute is in the vendor's list but its use was not seen, **?** general knowledge. None of it was\n\
         tried on hardware here: try what is not **S** or **V** before you rely on it.\n\n\
         Access rules go with the login's reply, which has room for some fifty of them. `cisco-ios-dacl` is for switches that\n\
         download them: the reply names a list (`#ACSACL#-IP-staff-1a2b3c4d`, the profile and a digest of its rules), and the\n\
         switch asks for it by an Access-Request with that User-Name, `aaa:event=acl-download`, Message-Authenticator and no\n\
         password. A list of more than 3,500 octets takes several rounds of Access-Challenge and State (**?**). One whose rules\n\
         changed stays for sessions that were told its name, until the server restarts or 256 others have changed.\n\
         `show ip access-lists` on the switch shows what has arrived.\n\n\
         | vendor | gear | VLAN | by name | tagged | filter | ACL | role | SGT | redirect | voice |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for kind in NasProfiles::new(Dictionary::standard(), []).unwrap().all() {
        write!(text, "| `{}` | {} |", kind.name, kind.title).unwrap();
        for term in Term::ALL {
            let mark = kind.spellings.get(&term).map_or("-", |spelling| mark(spelling.confirmed));
            write!(text, " {mark} |").unwrap();
        }
        text.push('\n');
    }
    text.push_str(
        "\n## Changes to a session\n\nWhat each kind can be told while a session lasts (RFC 5176), by `[coa]` of its file: \
         where requests go, by what\nthe session is found, and the changes. `tests/golden/coa/` has the octets.\n\n\
         | vendor | port | session | reauthenticate | bounce port | disable port | disconnect | VLAN | role |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for kind in NasProfiles::new(Dictionary::standard(), []).unwrap().all() {
        let coa = kind.coa.as_ref().unwrap();
        let keys: Vec<_> = coa.session.send.iter().map(|line| key(line)).collect();
        let keys = format!("{} {}", mark(coa.session.confirmed), keys.join(", "));
        write!(text, "| `{}` | {} | {keys} |", kind.name, coa.port).unwrap();
        for change in Change::ALL {
            match coa.forms.get(&change) {
                Some(form) => match form.port {
                    Some(port) => write!(text, " {} ({port}) |", mark(form.confirmed)).unwrap(),
                    None => write!(text, " {} |", mark(form.confirmed)).unwrap(),
                },
                None => text.push_str(" - |"),
            }
        }
        text.push('\n');
    }
    text.push_str(OWN_FILE);
    golden(&PathBuf::from(root()).join("docs/vendors.md"), &text);
}

fn mark(confirmed: Confirmed) -> &'static str {
    match confirmed {
        Confirmed::Standard => "S",
        Confirmed::VendorGuide => "V",
        Confirmed::OtherSoftware => "O",
        Confirmed::Dictionary => "D",
        Confirmed::Unconfirmed => "?",
    }
}

/// What a line of `[coa.session]` goes by: the attribute, or what a pair is called.
fn key(line: &str) -> &str {
    let (name, value) = line.split_once(" = ").unwrap();
    value.split_once('=').map_or(name, |(pair, _)| pair)
}
