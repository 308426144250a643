//! Captures (pcap and pcapng): the UDP datagrams in them.

use crate::time::Timestamp;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, InterfaceDescriptionBlock, Linktype, PcapBlockOwned, PcapError, create_reader};
use std::fmt::Display;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The capture is read in pieces of this many octets; one block must fit.
const READ_BUFFER: usize = 1 << 20;
/// Interfaces of one capture that are kept apart; packets of further ones are
/// passed over. Real captures have a handful.
const MAX_INTERFACES: usize = 4096;
/// `tcpdump -i any`, as it writes today.
const LINUX_SLL2: Linktype = Linktype(276);

/// A UDP datagram of a capture.
pub(super) struct Datagram {
    /// Its packet's place in the capture, from 1.
    pub number: u64,
    /// When it was captured, if the capture says so.
    pub at: Option<Timestamp>,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub payload: Vec<u8>,
    /// Octets of the payload that were not captured.
    pub missing: usize,
}

/// What a pcapng capture says of an interface.
#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds that are added to each time.
    offset: i64,
}

/// Calls `each` for every UDP datagram of the capture.
///
/// # Errors
/// When it cannot be read, and where it is cut off or damaged; what came before
/// has been given to `each` then.
pub(super) fn datagrams(file: &Path, mut each: impl FnMut(Datagram)) -> Result<(), String> {
    let failed = |e: &dyn Display| format!("{}: {e}", file.display());
    let input = File::open(file).map_err(|e| failed(&e))?;
    let mut reader = create_reader(READ_BUFFER, input).map_err(|e| match e {
        PcapError::Incomplete(_) | PcapError::Eof | PcapError::UnexpectedEof => {
            failed(&"is cut off within its header: it holds no packet\n  -> capture anew")
        }
        _ => failed(&"is neither pcap nor pcapng\n  -> save it as one of them"),
    })?;
    let (mut number, mut interfaces, mut nanoseconds) = (0, Vec::new(), false);
    loop {
        let place = format!("after packet {number}, at octet {}", reader.consumed());
        match reader.next() {
            Ok((offset, block)) => {
                if let PcapBlockOwned::LegacyHeader(header) = &block {
                    nanoseconds = header.is_nanosecond_precision();
                    interfaces.push(Interface { link: header.network, resolution: 1_000_000, offset: 0 });
                }
                if let PcapBlockOwned::NG(Block::SectionHeader(_)) = &block {
                    interfaces.clear();
                }
                if let PcapBlockOwned::NG(Block::InterfaceDescription(described)) = &block
                    && interfaces.len() < MAX_INTERFACES
                {
                    interfaces.push(interface(described));
                }
                if let Some((interface, at, frame)) = frame(&block, &interfaces, nanoseconds) {
                    number += 1;
                    if let Some(link) = interface.map(|i| i.link)
                        && let Some((source, destination, payload, missing)) = udp(frame, link)
                    {
                        each(Datagram { number, at, source, destination, payload: payload.to_vec(), missing });
                    }
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|_| failed(&"cannot be read"))?,
            Err(PcapError::UnexpectedEof) => {
                return Err(failed(&format!(
                    "is cut off {place}\n  -> stop the capture before it is copied, or copy it again"
                )));
            }
            Err(_) => return Err(failed(&format!("is damaged {place}\n  -> copy it again, or capture anew"))),
        }
    }
}

fn interface(described: &InterfaceDescriptionBlock<'_>) -> Interface {
    Interface {
        link: described.linktype,
        // Microseconds, unless it says otherwise.
        resolution: described.ts_resolution().filter(|r| *r > 0).unwrap_or(1_000_000),
        offset: described.ts_offset(),
    }
}

/// The frame in a block, when it was captured, and on which interface.
fn frame<'a>(
    block: &'a PcapBlockOwned<'_>,
    interfaces: &[Interface],
    nanoseconds: bool,
) -> Option<(Option<Interface>, Option<Timestamp>, &'a [u8])> {
    let of = |number: u32| interfaces.get(number as usize).copied();
    match block {
        PcapBlockOwned::Legacy(block) => {
            let micros = if nanoseconds { block.ts_usec / 1000 } else { block.ts_usec };
            let at = Timestamp::from_micros(i64::from(block.ts_sec) * 1_000_000 + i64::from(micros));
            Some((of(0), Some(at), block.data))
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
            let interface = of(block.if_id);
            let ticks = (u128::from(block.ts_high) << 32) | u128::from(block.ts_low);
            let at = interface.and_then(|i| {
                let micros = i64::try_from(ticks * 1_000_000 / u128::from(i.resolution)).ok()?;
                Some(Timestamp::from_micros(micros.saturating_add(i.offset.saturating_mul(1_000_000))))
            });
            Some((interface, at, block.packet_data()))
        }
        PcapBlockOwned::NG(Block::SimplePacket(block)) => Some((of(0), None, block.packet_data())),
        _ => None,
    }
}

/// The UDP datagram in a frame, and how much of it is missing.
fn udp(frame: &[u8], link: Linktype) -> Option<(SocketAddr, SocketAddr, &[u8], usize)> {
    let typed = |at: usize, header: usize| {
        let kind: [u8; 2] = frame.get(at..at + 2)?.try_into().ok()?;
        Some(LaxSlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(kind)), frame.get(header..)?))
    };
    let sliced = match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok()?,
        Linktype::LINUX_SLL => typed(14, 16)?,
        LINUX_SLL2 => typed(0, 20)?,
        // The family of the address, then the packet.
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(frame.get(4..)?).ok()?,
        _ => LaxSlicedPacket::from_ip(frame).ok()?,
    };
    let (from, to): (IpAddr, IpAddr) = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Udp(udp)) = sliced.transport else { return None };
    let missing = usize::from(udp.length()).saturating_sub(udp.slice().len());
    Some(((from, udp.source_port()).into(), (to, udp.destination_port()).into(), udp.payload(), missing))
}
