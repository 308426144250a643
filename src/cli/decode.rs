//! `cordon decode`: what RADIUS packets say, from hex or from a capture.

use super::capture::datagrams;
use crate::config::files::dictionary;
use crate::eap::packet::{EapPacket, EapType};
use crate::eap::tls::fragment::TlsData;
use crate::radius::authenticator::{verify_reply, verify_request};
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::{Code, Packet};
use crate::radius::value::unhex;
use crate::secret::Secret;
use clap::Args;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Hex that is read, in octets: a packet of 4,096 octets, spaced as anybody likes.
const MAX_HEX: u64 = 1 << 20;
/// Packets that the error names which fail a check; the others are counted.
const NAMED: usize = 10;
/// Ports that RADIUS is looked for on, besides those given: authentication and
/// accounting, their former numbers, and dynamic authorization.
const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];

/// Arguments of `cordon decode`.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// The packet in hex; without it, hex is read from standard input
    pub hex: Option<String>,
    /// A capture (pcap or pcapng) in place of hex
    #[arg(long, conflicts_with = "hex")]
    pub pcap: Option<PathBuf>,
    /// Also take this UDP port for RADIUS; may be repeated
    #[arg(long)]
    pub port: Vec<u16>,
    /// Check authenticators with this secret
    #[arg(long, env = "CORDON_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// A directory with dictionaries of your own, NAME.dict each
    #[arg(long)]
    pub dictionaries: Option<PathBuf>,
}

/// Shows the packets.
///
/// # Errors
/// When the input cannot be read, holds no RADIUS packet, or a packet does not
/// fit the secret. What was read is shown all the same.
pub fn run(args: &DecodeArgs) -> Result<(), String> {
    let mut decoder = Decoder {
        dictionary: dictionary(args.dictionaries.as_deref()).map_err(|e| format!("--dictionaries: {e}"))?,
        secret: args.secret.as_ref().map(|s| Secret::new(s.as_bytes())),
        requests: HashMap::new(),
        failures: 0,
        failed: Vec::new(),
    };
    let mut out = String::new();
    let read = match &args.pcap {
        Some(file) => decoder.capture(file, &args.port, &mut out),
        None => decoder.hex(args.hex.as_deref(), &mut out),
    };
    // A pager that was closed is no error.
    let _ = std::io::stdout().write_all(out.as_bytes());
    read?;
    let (all, named) = (decoder.failures, decoder.failed);
    if all == 0 {
        return Ok(());
    }
    let more = if all > named.len() { format!("\n... and {} more", all - named.len()) } else { String::new() };
    Err(format!(
        "packets that do not fit the secret: {all}\n{}{more}\n  -> compare the secret with that of the NAS and the server, \
         stray spaces too; if others fit it, these were altered on the way",
        named.join("\n")
    ))
}

/// One direction of an exchange, and its identifier.
type Key = (SocketAddr, SocketAddr, u8);

struct Decoder {
    dictionary: Dictionary,
    secret: Option<Secret>,
    /// Requests seen, for the replies to be checked with.
    requests: HashMap<Key, Vec<u8>>,
    /// Packets that failed a check.
    failures: usize,
    /// The first [`NAMED`] of them, and which check it was.
    failed: Vec<String>,
}

/// What the authenticators of a packet say.
enum Check {
    Good,
    Bad(String),
    /// Nothing, and why.
    Untold(&'static str),
}

impl Decoder {
    fn capture(&mut self, file: &Path, ports: &[u16], out: &mut String) -> Result<(), String> {
        let (mut seen, ports) = (0_u64, [&PORTS[..], ports].concat());
        datagrams(file, |datagram| {
            if !ports.contains(&datagram.source.port()) && !ports.contains(&datagram.destination.port()) {
                return;
            }
            seen += 1;
            let name = format!("#{}", datagram.number);
            let at = datagram.at.map(|at| format!(" {at}")).unwrap_or_default();
            out.push_str(&format!("{name}{at} {} -> {}\n", datagram.source, datagram.destination));
            if datagram.missing > 0 {
                let (kept, missing) = (datagram.payload.len(), datagram.missing);
                out.push_str(&format!(
                    "  cut off: {missing} of {} octets were not captured; `tcpdump -s 0` captures all\n",
                    kept + missing
                ));
            } else {
                out.push_str(&self.show(&name, &datagram.payload, Some((datagram.source, datagram.destination))));
            }
        })?;
        if seen == 0 {
            return Err(format!(
                "{}: no UDP packet to or from the ports {ports:?}; name others with --port",
                file.display()
            ));
        }
        Ok(())
    }

    fn hex(&mut self, hex: Option<&str>, out: &mut String) -> Result<(), String> {
        let text = match hex {
            Some(hex) => hex.to_owned(),
            None => std::io::read_to_string(std::io::stdin().take(MAX_HEX)).map_err(|e| e.to_string())?,
        };
        let digits: String =
            text.trim().trim_start_matches("0x").chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        let octets = unhex(&digits).ok_or("that is not hex: give pairs of the digits 0-9 and a-f")?;
        Packet::parse(&octets).map_err(|e| format!("not a RADIUS packet: {e}"))?;
        *out = self.show("the packet", &octets, None);
        Ok(())
    }

    /// The packet in words. `name` is what it is called if it fails a check.
    fn show(&mut self, name: &str, octets: &[u8], path: Option<(SocketAddr, SocketAddr)>) -> String {
        let packet = match Packet::parse(octets) {
            Ok(packet) => packet,
            Err(e) => return format!("  not a RADIUS packet: {e}\n"),
        };
        let mut out = format!("{} id {}, {} octets\n", packet.code(), packet.identifier(), packet.bytes().len());
        for (name, value) in self.dictionary.describe(&packet) {
            if name != "EAP-Message" {
                out.push_str(&format!("  {name} = {value}\n"));
            }
        }
        if let Some(eap) = packet.eap_message() {
            out.push_str(&format!("  EAP-Message: {}\n", describe_eap(&eap)));
        }
        match self.check(&packet, path) {
            None => {}
            Some(Check::Good) => out.push_str("  authenticator: good\n"),
            Some(Check::Untold(why)) => out.push_str(&format!("  authenticator: cannot be checked: {why}\n")),
            Some(Check::Bad(check)) => {
                out.push_str(&format!("  authenticator: {check}\n"));
                self.failures += 1;
                if self.failed.len() < NAMED {
                    self.failed.push(format!("{name}: {check}"));
                }
            }
        }
        out
    }

    fn check(&mut self, packet: &Packet<'_>, path: Option<(SocketAddr, SocketAddr)>) -> Option<Check> {
        let secret = self.secret.as_ref()?;
        if matches!(
            packet.code(),
            Code::AccessRequest
                | Code::AccountingRequest
                | Code::StatusServer
                | Code::DisconnectRequest
                | Code::CoaRequest
        ) {
            if let Some((from, to)) = path {
                self.requests.insert((from, to, packet.identifier()), packet.bytes().to_vec());
            }
            return Some(match verify_request(*packet, secret, false) {
                Ok(request) if packet.code() == Code::AccessRequest && !request.has_message_authenticator() => {
                    Check::Untold("an Access-Request without Message-Authenticator proves no secret")
                }
                Ok(_) => Check::Good,
                Err(e) => Check::Bad(e.to_string()),
            });
        }
        let Some((from, to)) = path else {
            return Some(Check::Untold(
                "that of a reply is computed from its request too; give a capture of both with --pcap",
            ));
        };
        let Some(request) = self.requests.get(&(to, from, packet.identifier())) else {
            return Some(Check::Untold("the request is not in the capture"));
        };
        let request = Packet::parse(request).ok()?;
        Some(match verify_reply(packet.bytes(), &request, secret) {
            Ok(_) => Check::Good,
            Err(e) => Check::Bad(e.to_string()),
        })
    }
}

fn describe_eap(octets: &[u8]) -> String {
    let packet = match EapPacket::parse(octets) {
        Ok(packet) => packet,
        Err(e) => return format!("broken: {e}"),
    };
    let mut out = format!("{:?} id {}, {} octets", packet.code, packet.identifier, octets.len());
    if let Some(kind) = packet.kind {
        out.push_str(&format!(", {kind}"));
        match kind {
            EapType::IDENTITY | EapType::NOTIFICATION => {
                out.push_str(&format!(" {:?}", String::from_utf8_lossy(packet.data)));
            }
            EapType::TLS => match TlsData::parse(packet.data) {
                Ok(tls) if packet.data.is_empty() || tls.data.is_empty() => out.push_str(", no TLS data"),
                Ok(tls) => {
                    let more = if tls.more { ", more to come" } else { "" };
                    out.push_str(&format!(", {} octets of TLS{more}", tls.data.len()));
                }
                Err(e) => out.push_str(&format!(", broken: {e}")),
            },
            _ => {}
        }
    }
    out
}
