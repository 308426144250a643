//! What tables become, and what is said of those that cannot.

use super::*;
use crate::config::{Config, Source};
use proptest::prelude::*;

fn config(document: &str) -> Config {
    let text = format!("[tls]\ncertificate = \"a\"\nkey = \"b\"\n{document}");
    Config::parse(&Source { file: "imported.toml".into(), text }).unwrap()
}

fn faults(result: Result<Imported, Faults>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn identities_come_from_a_table() {
    let text = "\u{feff}Name,kind,groups,owner,purpose,status,expires,mac,san_dns,issuer,serial,Room\n\
                camera-1,device,cameras;ground floor,anna@corp.example,\"doors, outside\",active,2027-01-31T00:00:00Z,\
                0200.5e00.0001; 02005e000002,,,,\n\
                \n\
                laptop,device,,,,,,,Laptop.corp.example,\"CN=CA;O=Corp\",0A,B 12\n";
    let imported = identities(Path::new("i.csv"), text.as_bytes(), &Steward::default()).unwrap();
    assert_eq!((imported.rows, imported.attributes.as_slice()), (2, ["Room".to_owned()].as_slice()));
    assert!(imported.document.contains("attributes = { Room = \"B 12\" }"), "{}", imported.document);
    let without = imported.document.replace("attributes = { Room = \"B 12\" }\n", "");
    let config = config(&without);
    let [camera, laptop] = config.identity.as_slice() else { panic!("{without}") };
    assert_eq!(camera.groups, ["cameras", "ground floor"]);
    assert_eq!(camera.purpose.as_deref(), Some("doors, outside"));
    let macs: Vec<_> = camera.credentials.iter().filter_map(|c| c.get_ref().mac.as_deref()).collect();
    assert_eq!(macs, ["02-00-5E-00-00-01", "02-00-5E-00-00-02"]);
    assert_eq!(laptop.credentials.len(), 2);
    assert_eq!(laptop.credentials[1].get_ref().issuer.as_deref(), Some("CN=CA;O=Corp"));
}

#[test]
fn nas_come_from_a_table() {
    let text = "name,address,vendor,secret,site,groups,message_authenticator\n\
                sw-1,192.0.2.1;2001:db8::1,cisco-ios,\"a \"\"secret\"\"\",hq,access;floor-1,required\n";
    let imported = nas(Path::new("n.csv"), text.as_bytes()).unwrap();
    let config = config(&imported.document);
    let [nas] = config.nas.as_slice() else { panic!("{}", imported.document) };
    assert_eq!(nas.address.as_ref().unwrap().get_ref().iter().collect::<Vec<_>>(), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(nas.secret.as_ref().unwrap().get_ref(), "a \"secret\"");
    assert_eq!((nas.site.as_deref(), nas.groups.len()), (Some("hq"), 2));
}

#[test]
fn every_mistake_is_named_with_line_and_column() {
    let text = b"name,kind,status,expires,mac,issuer,serial\n\
                 a,robot,gone,tomorrow,xyz,CN=CA,\n\
                 ,device,,,,,\n\
                 b,device,,,02005e000001,,\n\
                 b,device,,,02-00-5E-00-00-01,,\n\
                 c,device\n\
                 d\xff,device,,,,,\n";
    let text = faults(identities(Path::new("i.csv"), &text[..], &Steward::default()));
    for part in [
        "i.csv:2: column kind: \"robot\" is not one of user, device",
        "i.csv:2: column status: \"gone\"",
        "i.csv:2: column expires",
        "i.csv:2: column mac: \"xyz\" is no MAC address",
        "i.csv:2: column serial: issuer and serial go together",
        "i.csv:3: column name: this is empty",
        "i.csv:5: column name: line 4 has the same",
        "i.csv:5: column mac: line 4 has the same",
        "i.csv:6: 2 cells, but there are 7 columns",
        "i.csv:7: column name: this is not UTF-8",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let text = faults(nas(
        Path::new("n.csv"),
        "name,address,secret,message_authenticator\na,192.0.2.1/24,x,always\nb,192.0.2.1;192.0.2.1,,\n".as_bytes(),
    ));
    for part in [
        "n.csv:2: column address: 192.0.2.1/24 has bits set beyond",
        "n.csv:2: column message_authenticator",
        "n.csv:3: column address: line 3 has the same",
        "n.csv:3: column secret: this is empty",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_header_that_is_none_is_told_apart() {
    for (text, part) in [
        ("", "the table is empty"),
        ("name;kind\nx;device\n", "separated by semicolons"),
        ("name,mac\n", "there is no column kind"),
        ("name,kind,Name\n", "two columns are called name"),
        ("name,kind,\n", "a column has no name"),
    ] {
        let text = faults(identities(Path::new("i.csv"), text.as_bytes(), &Steward::default()));
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(faults(nas(Path::new("n.csv"), "name,address,secret,colour\n".as_bytes())).contains("colour"));
}

#[test]
fn faults_have_a_bound() {
    let text = "name,kind\n".to_owned() + &"x,robot\n".repeat(MAX_FAULTS);
    let faults = identities(Path::new("i.csv"), text.as_bytes(), &Steward::default()).unwrap_err();
    assert_eq!((faults.named.len(), faults.more), (MAX_FAULTS, MAX_FAULTS - 1));
}

/// Time squared would show: a hundred thousand rows take seconds in a debug
/// build, and would take hours.
#[test]
fn many_rows_take_no_time_squared() {
    let mut text = "name,kind,groups,mac,room\n".to_owned();
    for n in 0..100_000_u32 {
        text += &format!("camera-{n},device,cameras,0200{n:08x},{n}\n");
    }
    let imported = identities(Path::new("i.csv"), text.as_bytes(), &Steward::default()).unwrap();
    assert_eq!(imported.rows, 100_000);
    assert_eq!(imported.document.matches("[[identity]]").count(), 100_000);
}

proptest! {
    #[test]
    fn any_text_is_safe(text in "(name|kind|mac|address|secret|[,;\"\n\r a-z0-9]|\\PC){0,80}") {
        let with_header = format!("name,kind,address,secret\n{text}");
        for text in [&text, &with_header] {
            let _ = identities(Path::new("i.csv"), text.as_bytes(), &Steward::default());
            let _ = nas(Path::new("n.csv"), text.as_bytes());
        }
    }
}

#[test]
fn what_has_no_owner_gets_one() {
    let text = "name,kind,owner,purpose,mac\ncam,device,,,02005e000001\npc,device,bob,desk,02005e000002\nBOB,user,,,\n";
    let steward = |owner: &str| Steward { owner: Some(owner.into()), purpose: Some("as before".into()) };
    let read = |steward: &Steward| identities(Path::new("i.csv"), text.as_bytes(), steward).unwrap();
    assert_eq!(read(&Steward::default()).unowned, 1);
    let imported = read(&steward("anna"));
    let [cam, pc, bob, anna] = &config(&imported.document).identity[..] else { panic!("{}", imported.document) };
    let of = |i: &crate::config::IdentitySection| (i.owner.clone(), i.purpose.clone());
    assert_eq!(of(cam), (Some("anna".into()), Some("as before".into())));
    assert_eq!(of(pc), (Some("bob".into()), Some("desk".into())));
    assert_eq!((of(bob), imported.unowned), ((None, None), 0));
    assert_eq!((anna.name.get_ref().as_str(), anna.kind.get_ref().as_str()), ("anna", "user"));
    let imported = read(&steward("bob"));
    assert_eq!(config(&imported.document).identity.len(), 3, "he is there already: {}", imported.document);
}
