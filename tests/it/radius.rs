//! RADIUS itself, with radclient as the NAS: authenticators, duplicates,
//! Status-Server, Proxy-State.

use crate::support::camera;
use crate::support::eapol::Eapol;
use crate::support::radclient::{radclient, radclient_with};
use crate::support::server::{Config, SECRET, Server, TOKEN};
use cordon::client::Port;
use cordon::inventory::mac::MacAddress;
use cordon::radius::attribute as attr;
use cordon::radius::authenticator::verify_reply;
use cordon::radius::packet::{Code, Packet};
use cordon::secret::Secret;
use std::net::UdpSocket;
use std::time::Duration;

const MAB: &str = "User-Name=02005e000010, User-Password=02005e000010, Service-Type=Call-Check, \
                   Calling-Station-Id=\"02-00-5E-00-00-10\", NAS-Port-Type=Ethernet";

fn with(attributes: &str) -> String {
    format!("{MAB}, {attributes}")
}

fn mode(name: &str) -> Config {
    Config { nas: format!("message_authenticator = \"{name}\""), ..Config::default() }
}

#[test]
fn status_server_is_answered_on_both_ports() {
    let server = Server::start(&Config::default());
    let out = radclient(server.auth, "status", "Message-Authenticator=0x00");
    assert!(out.contains("Received Access-Accept"), "{out}");
    let out = radclient(server.acct, "status", "Message-Authenticator=0x00");
    assert!(out.contains("Received Accounting-Response"), "{out}");
    let out = radclient_with(server.auth, "status", "Message-Authenticator=0x00", "wrong");
    assert!(out.contains("No reply"), "{out}");
}

#[test]
fn a_wrong_secret_is_met_with_silence_and_shown() {
    let server = Server::start(&Config::default());
    let out = radclient_with(server.auth, "auth", &with("Message-Authenticator=0x00"), "wrong-secret");
    assert!(out.contains("No reply"), "{out}");
    assert_eq!(server.discarded("wrong_secret"), 1);
    let lines = server.log().lines().filter(|l| l.contains("WARN") && l.contains("wrong_secret")).count();
    assert_eq!(lines, 1, "{}", server.log());
    let out = radclient_with(server.acct, "acct", "Acct-Status-Type=Start, Acct-Session-Id=1", "wrong-secret");
    assert!(out.contains("No reply"), "{out}");
    let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
    assert!(metrics.contains(r#"cordon_radius_discarded_total{nas="test",reason="wrong_secret"} 2"#), "{metrics}");
    let lines = server.log().lines().filter(|l| l.contains("WARN") && l.contains("wrong_secret")).count();
    assert_eq!(lines, 1, "a flood must not fill the log");
}

#[test]
fn message_authenticator_can_be_required() {
    let server = Server::start(&mode("required"));
    let out = radclient(server.auth, "auth", MAB);
    assert!(out.contains("No reply"), "{out}");
    assert_eq!(server.discarded("missing_message_authenticator"), 1);
    let out = radclient(server.auth, "auth", &with("Message-Authenticator=0x00"));
    assert!(out.contains("Received Access-Accept"), "{out}");
}

#[test]
fn message_authenticator_is_demanded_once_it_was_seen() {
    let server = Server::start(&mode("learned"));
    let out = radclient(server.auth, "auth", MAB);
    assert!(out.contains("Received Access-Accept"), "{out}");
    let out = radclient(server.auth, "auth", &with("Message-Authenticator=0x00"));
    assert!(out.contains("Received Access-Accept"), "{out}");
    let out = radclient(server.auth, "auth", MAB);
    assert!(out.contains("No reply"), "{out}");
}

#[test]
fn proxy_state_without_message_authenticator_is_not_trusted() {
    // What CVE-2024-3596 needs: an attacker's Proxy-State in a request that
    // carries no Message-Authenticator.
    let server = Server::start(&mode("learned"));
    let out = radclient(server.auth, "auth", &with("Proxy-State=0x0102"));
    assert!(out.contains("No reply"), "{out}");
    assert_eq!(server.discarded("missing_message_authenticator"), 1);
}

#[test]
fn message_authenticator_can_be_left_out_where_that_is_configured() {
    let server = Server::start(&mode("off"));
    for attributes in [MAB.to_owned(), with("Message-Authenticator=0x00"), MAB.to_owned()] {
        let out = radclient(server.auth, "auth", &attributes);
        assert!(out.contains("Received Access-Accept"), "{out}");
    }
    // EAP must carry it in any case (RFC 3579, section 3.2).
    let out = radclient(server.auth, "auth", "User-Name=x, EAP-Message=0x0201000601780a");
    assert!(out.contains("No reply"), "{out}");
}

#[test]
fn proxy_state_comes_back_in_order() {
    let server = Server::start(&Config::default());
    let out = radclient(
        server.auth,
        "auth",
        &with("Proxy-State=0x0102, Proxy-State=0xffee, Proxy-State=0x33, Message-Authenticator=0x00"),
    );
    let received = out.split("Received Access-Accept").nth(1).unwrap_or_else(|| panic!("{out}"));
    let states: Vec<&str> = received.lines().filter_map(|l| l.trim().strip_prefix("Proxy-State = ")).collect();
    assert_eq!(states, ["0x0102", "0xffee", "0x33"], "{out}");
}

/// Sends the octets and gives the reply, if there is one within two seconds.
fn send(socket: &UdpSocket, request: &[u8]) -> Option<Vec<u8>> {
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket.send(request).unwrap();
    let mut buffer = [0; 4096];
    socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
}

#[test]
fn the_same_packet_twice_gets_the_same_octets() {
    let server = Server::start(&Config::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.auth).unwrap();
    let request = camera().mab(7).unwrap();
    let first = send(&socket, &request).unwrap();
    for _ in 0..3 {
        assert_eq!(send(&socket, &request).as_ref(), Some(&first));
    }
    let page = server.get("/api/v1/decisions");
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "decided once");
    let (_, metrics) = server.get_raw("/metrics", Some(TOKEN));
    assert!(metrics.contains("cordon_radius_duplicates_total 3"), "{metrics}");
    // The same identifier with other contents is another request.
    assert_ne!(send(&socket, &camera().mab(7).unwrap()), Some(first));
}

#[test]
fn message_authenticator_is_first_in_every_reply() {
    let server = Server::start(&mode("off"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.auth).unwrap();
    let stranger = Port { mac: MacAddress::parse("02-00-5E-00-00-FF").unwrap(), ..camera() };
    for (port, code) in [(camera(), Code::AccessAccept), (stranger, Code::AccessReject)] {
        let request = port.mab(1).unwrap();
        let reply = send(&socket, &request).unwrap();
        let parsed = Packet::parse(&request).unwrap();
        let verified = verify_reply(&reply, &parsed, &Secret::new(SECRET)).unwrap();
        assert_eq!(verified.packet().code(), code);
        assert!(verified.message_authenticator_first());
        let class = verified.packet().find(attr::CLASS);
        assert_eq!(class.is_some_and(|c| c.starts_with(b"cordon:")), code == Code::AccessAccept);
    }
}

#[test]
fn a_packet_from_nowhere_is_counted() {
    let config = Config::default();
    let server = Server::start(&config);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.acct).unwrap();
    socket.send(&camera().mab(1).unwrap()).unwrap();
    crate::support::wait_for("the count", Duration::from_secs(5), || {
        (server.discarded("unexpected_code") == 1).then_some(())
    });
}

#[test]
fn the_longest_prefix_names_the_nas() {
    let more = format!(
        "{}\n[[nas]]\nname = \"exact\"\naddress = \"127.0.0.9\"\nsecret = \"another-secret-entirely\"\n",
        Config::default().more
    );
    let server = Server::start(&Config { more, ..Config::default() });
    let socket = UdpSocket::bind("127.0.0.9:0").unwrap();
    socket.connect(server.auth).unwrap();
    let exact = Port { secret: Secret::new("another-secret-entirely"), ..camera() };
    assert!(send(&socket, &exact.mab(1).unwrap()).is_some());
    assert_eq!(server.decision("02-00-5E-00-00-10")["nas"]["name"], "exact");
}

#[test]
fn framed_mtu_bounds_what_the_supplicant_gets() {
    let server = Server::start(&Config { tls: "fragment_size = 1400".into(), ..Config::default() });
    let longest = |mtu: &str| {
        let login = Eapol { args: vec!["-N".into(), format!("12:d:{mtu}")], ..Eapol::new("p256") }.run(&server);
        login.assert_accepted(1);
        let lengths = login.text.lines().filter_map(|line| {
            let packet = line.split("decapsulated EAP packet (").nth(1)?;
            packet.split("len=").nth(1)?.split(')').next()?.parse::<u32>().ok()
        });
        lengths.max().unwrap_or_else(|| panic!("no EAP packet in:\n{}", login.text))
    };
    let (small, large) = (longest("400"), longest("1400"));
    assert!((300..=396).contains(&small), "{small} octets for a Framed-MTU of 400");
    assert!(large > 396, "{large} octets for a Framed-MTU of 1400");
}

#[test]
fn the_api_wants_its_token() {
    let server = Server::start(&Config::default());
    for path in ["/api/v1/decisions", "/api/v1/sessions", "/api/v1/discards", "/metrics"] {
        for token in [None, Some("wrong"), Some("")] {
            let (status, body) = server.get_raw(path, token);
            assert_eq!(status, 401, "{path}: {body}");
            assert!(body.contains("\"code\":\"unauthorized\""), "{body}");
        }
        assert_eq!(server.get_raw(path, Some(TOKEN)).0, 200, "{path}");
    }
    assert_eq!(server.get_raw("/healthz", None).0, 200);
    assert_eq!(server.get_raw("/readyz", None).0, 200);
    for (path, code) in [
        ("/api/v1/decisions?limit=0", "invalid_parameter"),
        ("/api/v1/decisions?colour=red", "invalid_query"),
        ("/api/v1/decisions?mac=xyz", "invalid_parameter"),
        ("/api/v1/decisions?cursor=xyz", "invalid_parameter"),
        ("/api/v1/sessions?state=asleep", "invalid_parameter"),
    ] {
        let (status, body) = server.get_raw(path, Some(TOKEN));
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.contains(code), "{path}: {body}");
    }
    assert_eq!(server.get_raw("/api/v1/decisions/none", Some(TOKEN)).0, 404);
    assert_eq!(server.get_raw("/api/v1/nothing", Some(TOKEN)).0, 404);
}

#[test]
fn pages_follow_one_another() {
    let server = Server::start(&Config::default());
    for n in 0..7 {
        radclient(server.auth, "auth", &MAB.replace("02-00-5E-00-00-10", &format!("02-00-5E-00-01-{n:02X}")));
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/decisions?limit=3{cursor}"));
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|d| d["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first, each once: {ids:?}");
    let one = server.get(&format!("/api/v1/decisions/{}", ids[3]));
    assert_eq!(one["id"], ids[3].as_str());
}
