//! Hostile and broken input against the running server; and what it sends, as
//! independent dissectors see it.

use crate::support::eapol::Eapol;
use crate::support::radclient::radclient;
use crate::support::server::{Config, SECRET, Server};
use crate::support::{Background, camera, cordon, succeed, system, wait_for};
use cordon::client::AccountingEvent;
use cordon::radius::attribute as attr;
use cordon::radius::builder::RequestBuilder;
use cordon::radius::packet::Code;
use cordon::secret::Secret;
use cordon::session::accounting::AccountingStatus;
use cordon::time::Timestamp;
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

/// A request with this EAP packet, well authenticated.
fn eap(identifier: u8, eap: &[u8], state: Option<&[u8]>) -> Vec<u8> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let mut request = RequestBuilder::new(Code::AccessRequest, identifier, random);
    request.push_text(attr::USER_NAME, "x").unwrap();
    if let Some(state) = state {
        request.push(attr::STATE, state).unwrap();
    }
    request.push_eap(eap).unwrap();
    request.finish(&Secret::new(SECRET)).unwrap()
}

/// Every truncation of a packet, and every octet of it changed.
fn mutations(packet: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let truncated = (0..packet.len()).map(|length| packet[..length].to_vec());
    let changed = (0..packet.len()).flat_map(|at| {
        [0x00, 0x01, 0x7f, 0xff].map(|value| {
            let mut other = packet.to_vec();
            other[at] = value;
            other
        })
    });
    truncated.chain(changed)
}

/// Sends without overrunning the socket's buffer, and reads whatever is said.
fn pour(to: SocketAddr, packets: impl Iterator<Item = Vec<u8>>) -> usize {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut count = 0;
    for packet in packets {
        let _ = socket.send(&packet);
        count += 1;
        if count % 64 == 0 {
            std::thread::sleep(Duration::from_millis(5));
            while socket.recv(&mut [0; 4096]).is_ok() {}
        }
    }
    count
}

#[test]
fn malformed_packets_are_survived() {
    let server = Server::start(&Config::default());
    let at = Timestamp::from_unix_secs(1_795_000_000);
    let event = AccountingEvent { status: AccountingStatus::Start, session_id: "1", at, session_time: 0, octets: 0 };
    let identity = [2, 0, 0, 6, 1, b'x'];
    let mut sent = 0;
    for packet in [camera().mab(1).unwrap(), eap(2, &identity, None), eap(3, &identity, Some(&[7; 16]))] {
        sent += pour(server.auth, mutations(&packet));
    }
    sent += pour(server.acct, mutations(&camera().accounting(1, &event).unwrap()));
    // EAP packets that are broken inside a sound RADIUS packet.
    let response = [2, 1, 0, 20, 13, 0xc0, 0, 0, 0, 200, 22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let eaps = [&identity[..], &response, &[2, 1, 0, 6, 3, 25], &[2, 1, 0, 5, 254], &[]];
    let broken = eaps.iter().flat_map(|e| mutations(e)).enumerate().map(|(i, e)| eap(i as u8, &e, Some(&[7; 16])));
    sent += pour(server.auth, broken);
    assert!(sent > 1_500, "{sent}");

    Eapol::new("p256").run(&server).assert_accepted(1);
    assert_eq!(server.get_raw("/readyz", None).0, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    for reason in ["malformed", "wrong_secret", "invalid_eap"] {
        assert!(server.discarded(reason) > 50, "{reason}: {}", server.get("/api/v1/discards"));
    }
}

#[test]
fn broken_flights_end_a_login_and_nothing_else() {
    let server = Server::start(&Config::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.auth).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let flights: [&[u8]; 8] = [
        &[0x00],
        &[0x80],
        &[0x80, 0xff, 0xff, 0xff, 0xff, 1],
        &[0xc0, 0, 1, 0, 0, 22],
        &[0x00, 22, 3, 1, 0, 1, 1],
        &[0x00, 21, 3, 3, 0, 2, 2, 40],
        &[0x20],
        &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for (number, flight) in flights.into_iter().enumerate() {
        let number = number as u8 * 2;
        let mut buffer = [0; 4096];
        socket.send(&eap(number, &[2, 0, 0, 6, 1, b'x'], None)).unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        let challenge = cordon::radius::packet::Packet::parse(&buffer[..length]).unwrap();
        let state = challenge.find(attr::STATE).unwrap().to_vec();
        let identifier = challenge.eap_message().unwrap()[1];
        let length = (5 + flight.len()) as u8;
        let packet = [&[2, identifier, 0, length, 13], flight].concat();
        socket.send(&eap(number + 1, &packet, Some(&state))).unwrap();
        // A reject, an alert, or an acknowledgement of a first fragment.
        socket.recv(&mut buffer).unwrap_or_else(|e| panic!("{flight:02x?}: {e}"));
    }
    Eapol::new("p256").run(&server).assert_accepted(1);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn dissectors_find_no_fault_in_what_is_sent() {
    let server = Server::start(&Config::default());
    let capture = server.path("capture.pcapng");
    let ports = [server.auth.port(), server.acct.port()];
    let filter = format!("udp port {} or udp port {}", ports[0], ports[1]);
    let file = capture.to_str().unwrap();
    let log = std::fs::File::create(server.path("tshark.log")).unwrap();
    let mut tshark = system("tshark", Duration::from_secs(60));
    tshark.args(["-q", "-i", "lo", "-f", &filter, "-w", file]).stdin(Stdio::null()).stderr(log);
    let mut tshark = Background::start(&mut tshark);
    // It captures when its file has grown by something we sent.
    let empty = || std::fs::metadata(&capture).map_or(0, |m| m.len());
    let mut header = 0;
    wait_for("tshark", Duration::from_secs(30), || {
        if header == 0 {
            std::thread::sleep(Duration::from_millis(500));
            header = empty();
        }
        radclient(server.auth, "status", "Message-Authenticator=0x00");
        (header > 0 && empty() > header).then_some(())
    });

    for tls in ["1.2", "1.3"] {
        Eapol { tls, again: 1, args: vec!["-e".into()], ..Eapol::new("rsa2048") }.run(&server).assert_accepted(2);
        Eapol { tls, ..Eapol::new("expired") }.run(&server).assert_refused();
    }
    let mab = "User-Name=02005e000010, User-Password=02005e000010, Service-Type=Call-Check, \
               Calling-Station-Id=\"02-00-5E-00-00-10\", NAS-Port-Type=Ethernet, Message-Authenticator=0x00";
    assert!(radclient(server.auth, "auth", mab).contains("Access-Accept"));
    let start = "Acct-Status-Type=Start, Acct-Session-Id=\"a1\", Calling-Station-Id=\"02-00-5E-00-00-10\"";
    assert!(radclient(server.acct, "acct", start).contains("Accounting-Response"));
    std::thread::sleep(Duration::from_millis(1500));
    tshark.signal("INT");
    wait_for("tshark's end", Duration::from_secs(20), || tshark.0.try_wait().unwrap());

    let decode: Vec<String> = ports.iter().flat_map(|p| ["-d".into(), format!("udp.port=={p},radius")]).collect();
    let secret = format!("radius.shared_secret:{SECRET}");
    let validate = "radius.validate_authenticator:TRUE";
    let dissect = |filter: &str| {
        let mut tshark = system("tshark", Duration::from_secs(60));
        tshark.args(["-r", file, "-o", &secret, "-o", validate, "-Y", filter]).args(&decode);
        let output = tshark.output().unwrap();
        assert!(output.status.success(), "{}", crate::support::text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let replies = dissect("radius.code == 2 || radius.code == 3 || radius.code == 5 || radius.code == 11");
    assert!(replies.lines().count() > 30, "{replies}");
    let source = format!("(udp.srcport == {} || udp.srcport == {})", ports[0], ports[1]);
    let faults = dissect(&format!(
        "{source} && (_ws.malformed || _ws.expert.severity == \"Error\" || _ws.expert.severity == \"Warning\")"
    ));
    assert_eq!(faults, "");

    // Our own decoder agrees, reply by reply.
    let ports: Vec<String> = ports.iter().flat_map(|p| ["--port".into(), p.to_string()]).collect();
    let decoded = succeed(cordon().args(["decode", "--pcap", file, "--secret", SECRET]).args(&ports));
    let verdicts: Vec<&str> = decoded.lines().filter(|l| l.contains("authenticator: ")).collect();
    assert!(verdicts.len() > 60, "{decoded}");
    assert!(verdicts.iter().all(|v| v.trim() == "authenticator: good"), "{decoded}");
    assert!(decoded.contains("Tunnel-Private-Group-Id = 20"), "{decoded}");
}
