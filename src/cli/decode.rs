//! `cordon decode`: what RADIUS packets say, from hex or from a capture.

use crate::config::files::dictionary;
use crate::eap::packet::{EapPacket, EapType};
use crate::eap::tls::fragment::TlsData;
use crate::radius::authenticator::{verify_reply, verify_request};
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::{Code, Packet};
use crate::radius::value::unhex;
use crate::secret::Secret;
use clap::Args;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The capture is read in pieces of this many octets; one block must fit.
const READ_BUFFER: usize = 1 << 20;
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
/// When the input cannot be read, or holds no RADIUS packet.
pub fn run(args: &DecodeArgs) -> Result<(), String> {
    let mut out = String::new();
    let mut decoder = Decoder {
        dictionary: dictionary(args.dictionaries.as_deref()).map_err(|e| format!("--dictionaries: {e}"))?,
        secret: args.secret.as_ref().map(|s| Secret::new(s.as_bytes())),
        requests: HashMap::new(),
    };
    match &args.pcap {
        Some(file) => {
            let (mut seen, ports) = (0_u64, [&PORTS[..], &args.port].concat());
            datagrams(file, |datagram| {
                if ports.contains(&datagram.source.port()) || ports.contains(&datagram.destination.port()) {
                    seen += 1;
                    out.push_str(&format!("#{} {} -> {}\n", datagram.number, datagram.source, datagram.destination));
                    out.push_str(&decoder.show(&datagram.payload, Some((datagram.source, datagram.destination))));
                }
            })?;
            if seen == 0 {
                return Err(format!(
                    "{}: no UDP packet to or from the ports {ports:?}; name others with --port",
                    file.display()
                ));
            }
        }
        None => {
            let text = match &args.hex {
                Some(hex) => hex.clone(),
                None => {
                    std::io::read_to_string(std::io::stdin().take(READ_BUFFER as u64)).map_err(|e| e.to_string())?
                }
            };
            let digits: String =
                text.trim().trim_start_matches("0x").chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
            let octets = unhex(&digits).ok_or("that is not hex: give pairs of the digits 0-9 and a-f")?;
            Packet::parse(&octets).map_err(|e| format!("not a RADIUS packet: {e}"))?;
            out = decoder.show(&octets, None);
        }
    }
    // A pager that was closed is no error.
    let _ = std::io::stdout().write_all(out.as_bytes());
    Ok(())
}

/// One direction of an exchange, and its identifier.
type Key = (SocketAddr, SocketAddr, u8);

struct Decoder {
    dictionary: Dictionary,
    secret: Option<Secret>,
    /// Requests seen, for the replies to be checked with.
    requests: HashMap<Key, Vec<u8>>,
}

impl Decoder {
    fn show(&mut self, octets: &[u8], path: Option<(SocketAddr, SocketAddr)>) -> String {
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
        if let Some(verdict) = self.check(&packet, path) {
            out.push_str(&format!("  authenticator: {verdict}\n"));
        }
        out
    }

    fn check(&mut self, packet: &Packet<'_>, path: Option<(SocketAddr, SocketAddr)>) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let verdict = |result: Result<(), String>| result.err().unwrap_or_else(|| "good".into());
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
            return Some(verdict(verify_request(*packet, secret, false).map(|_| ()).map_err(|e| e.to_string())));
        }
        let (from, to) = path?;
        let Some(request) = self.requests.get(&(to, from, packet.identifier())) else {
            return Some("cannot be checked: the request is not in the capture".into());
        };
        let request = Packet::parse(request).ok()?;
        Some(verdict(verify_reply(packet.bytes(), &request, secret).map(|_| ()).map_err(|e| e.to_string())))
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

/// A UDP datagram of a capture.
struct Datagram {
    /// Its place in the capture, from 1.
    number: u64,
    source: SocketAddr,
    destination: SocketAddr,
    payload: Vec<u8>,
}

/// Calls `each` for every whole UDP datagram of the capture.
fn datagrams(file: &PathBuf, mut each: impl FnMut(Datagram)) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let input = File::open(file).map_err(|e| failed(&e))?;
    let mut reader =
        create_reader(READ_BUFFER, input).map_err(|_| failed(&"is neither pcap nor pcapng; save it as one of them"))?;
    let (mut number, mut link) = (0, Linktype::ETHERNET);
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                let frame = match &block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        link = header.network;
                        None
                    }
                    PcapBlockOwned::Legacy(block) => Some(block.data),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        link = interface.linktype;
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => Some(block.packet_data()),
                    PcapBlockOwned::NG(Block::SimplePacket(block)) => Some(block.packet_data()),
                    PcapBlockOwned::NG(_) => None,
                };
                if let Some(frame) = frame {
                    number += 1;
                    if let Some((source, destination, payload)) = udp(frame, link) {
                        each(Datagram { number, source, destination, payload });
                    }
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|_| failed(&"is cut off"))?;
                if reader.reader_exhausted() {
                    return Ok(());
                }
            }
            Err(e) => return Err(failed(&format!("{e:?} after packet {number}"))),
        }
    }
}

fn udp(frame: &[u8], link: Linktype) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
    let sliced = match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(frame),
        Linktype::LINUX_SLL => SlicedPacket::from_linux_sll(frame),
        _ => SlicedPacket::from_ip(frame),
    }
    .ok()?;
    let (from, to): (IpAddr, IpAddr) = match sliced.net.as_ref()? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return None,
    };
    let Some(TransportSlice::Udp(udp)) = sliced.transport else { return None };
    Some(((from, udp.source_port()).into(), (to, udp.destination_port()).into(), udp.payload().to_vec()))
}
