//! A day of a campus by a seed: what its endpoints did, and what its NASes sent of it.

use super::gear::{CONTROLLERS, Nas, Random, SWITCHES};
use cordon::radius::attribute as attr;
use std::collections::BTreeMap;

/// The day begins on a Sunday at noon (UTC), so that the tables of a new week begin
/// in the middle of it.
pub const DAY_BEGIN: i64 = 1_772_971_200;
/// Its length in seconds.
pub const DAY: i64 = 24 * 3600;
/// Access points of each controller.
const ACCESS_POINTS: u32 = 20;
/// An endpoint in so many is registered, and logs in.
const REGISTERED_IN: u64 = 14;

/// One switch or access point.
type Device = (usize, u32);

/// A session as it truly was.
#[derive(Clone, Debug)]
pub struct Truth {
    pub nas: usize,
    device: Device,
    pub endpoint: u32,
    pub session_id: String,
    /// In seconds since 1970.
    pub begin: i64,
    end: i64,
    ending: Ending,
    port: Option<String>,
    /// The login that let it in, wherever that was.
    login: Option<usize>,
    logs_in: bool,
    multi: Option<String>,
    /// Octets a second in either direction.
    rates: [u64; 2],
    /// When the counters are set back.
    reset: Option<i64>,
    /// The last that its NAS delivered of it tells everything, and none before is
    /// missing without which a counter that ran over could not be followed.
    pub complete: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Stop,
    /// Its NAS went down.
    Cut,
    /// It goes on when the day ends.
    GoesOn,
}

impl Truth {
    /// Octets in and out, and packets in and out, until a time.
    pub fn at(&self, time: i64) -> [u64; 4] {
        let secs = (time - self.begin).max(0) as u64;
        let [i, o] = self.rates.map(|rate| rate * secs);
        [i, o, i / 700, o / 900]
    }

    /// All of it.
    pub fn total(&self) -> [u64; 4] {
        self.at(self.end)
    }

    fn shown(&self, time: i64) -> [u64; 4] {
        let all = self.at(time);
        match self.reset {
            Some(reset) if time >= reset => {
                let before = self.at(reset);
                [0, 1, 2, 3].map(|n| all[n] - before[n])
            }
            _ => all,
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// An Access-Request for MAC authentication bypass; the number names the login.
    Login { login: usize, attributes: Vec<u8> },
    /// An Accounting-Request. Class is that of the login, if it was accepted.
    Accounting { attributes: Vec<u8>, class: Option<usize>, delay: u32 },
}

/// What reaches the server.
#[derive(Clone, Debug)]
pub struct Message {
    /// When, in microseconds.
    pub at: i64,
    pub source: [u8; 4],
    pub endpoint: u32,
    /// Of the packet. The same octets may come again, as the network or an impatient
    /// NAS repeats them.
    pub identifier: u8,
    pub content: Content,
}

/// The whole day.
pub struct Day {
    pub nases: Vec<Nas>,
    pub registered: Vec<u32>,
    pub sessions: Vec<Truth>,
    pub messages: Vec<Message>,
    /// For questions who had an address: address and seconds since 1970.
    pub told: Vec<([u8; 4], i64)>,
    pub figures: BTreeMap<&'static str, u64>,
}

/// The MAC address of an endpoint.
pub fn mac(endpoint: u32) -> [u8; 6] {
    let [_, a, b, c] = endpoint.to_be_bytes();
    [0x00, 0x00, 0x5e, a, b, c]
}

fn spelled(endpoint: u32) -> String {
    mac(endpoint).map(|b| format!("{b:02X}")).join("-")
}

struct Maker {
    random: Random,
    day: Day,
    /// When each device went down, and whether it says so when it is up again.
    reboots: BTreeMap<Device, (i64, bool)>,
    logins: usize,
    identifier: u8,
}

/// A day of so many endpoints.
pub fn day(seed: u64, endpoints: u32) -> Day {
    let mut random = Random(seed);
    let nases = Nas::all(&mut random);
    let registered = (0..endpoints).filter(|_| random.below(REGISTERED_IN) == 0).collect();
    let day = Day {
        nases,
        registered,
        sessions: Vec::new(),
        messages: Vec::new(),
        told: Vec::new(),
        figures: BTreeMap::new(),
    };
    let mut maker = Maker { random, day, reboots: BTreeMap::new(), logins: 0, identifier: 0 };
    maker.go_down();
    for endpoint in 0..endpoints {
        maker.live(endpoint);
    }
    maker.number();
    for n in 0..maker.day.sessions.len() {
        maker.tell(n);
    }
    maker.come_up();
    let mut day = maker.day;
    day.messages.sort_by_key(|m| m.at);
    day
}

impl Maker {
    fn count(&mut self, what: &'static str) {
        *self.day.figures.entry(what).or_default() += 1;
    }

    fn go_down(&mut self) {
        for nas in 0..self.day.nases.len() {
            let (wireless, devices) =
                (self.day.nases[nas].wireless, if nas < SWITCHES as usize { 1 } else { ACCESS_POINTS });
            for device in 0..devices {
                if self.random.per_mille(if wireless { 150 } else { 400 }) {
                    let at = DAY_BEGIN + self.random.between(3 * 3600, 22 * 3600);
                    let says = self.random.per_mille(600);
                    self.reboots.insert((nas, device), (at, says));
                }
            }
        }
    }

    fn duration(&mut self) -> i64 {
        match self.random.below(100) {
            0..25 => self.random.between(120, 1200),
            25..75 => self.random.between(1800, 3 * 3600),
            75..95 => self.random.between(3 * 3600, 8 * 3600),
            _ => DAY,
        }
    }

    /// What one endpoint does all day.
    fn live(&mut self, endpoint: u32) {
        let wireless = self.random.below(10) >= 3;
        let nas = if wireless { SWITCHES + endpoint % CONTROLLERS } else { endpoint % SWITCHES } as usize;
        let logs_in = self.day.registered.binary_search(&endpoint).is_ok();
        let port = format!("Gi{}/0/{}", 1 + endpoint / 48 % 16, 1 + endpoint % 48);
        let mut at = DAY_BEGIN + self.random.between(60, 20 * 3600);
        let visits = 1 + u32::from(self.random.per_mille(120));
        for visit in 0..visits {
            let end = at + self.duration();
            let first = self.logins;
            let mut login = logs_in.then_some(first);
            self.logins += usize::from(logs_in);
            let multi = (wireless && self.day.nases[nas].multi).then(|| format!("{endpoint:08x}-{visit}"));
            let mut access_point = endpoint / CONTROLLERS % ACCESS_POINTS;
            let roams = if wireless && self.random.per_mille(120) { self.random.between(1, 4) } else { 0 };
            let heavy = self.random.per_mille(15);
            let mut begins_here = true;
            let mut from = at;
            for leg in 0..=roams {
                if from + 60 > end {
                    break;
                }
                let until = if leg == roams { end } else { (from + self.random.between(400, 4000)).min(end) };
                let device = (nas, if wireless { access_point } else { 0 });
                let mut session = Truth {
                    nas,
                    device,
                    endpoint,
                    session_id: String::new(),
                    begin: from,
                    end: until,
                    ending: if until >= DAY_BEGIN + DAY { Ending::GoesOn } else { Ending::Stop },
                    port: (!wireless).then(|| port.clone()),
                    login,
                    logs_in: logs_in && begins_here,
                    multi: multi.clone(),
                    rates: self.rates(nas, heavy),
                    reset: None,
                    complete: true,
                };
                begins_here = false;
                if let Some(&(down, _)) = self.reboots.get(&device)
                    && (from + 5..until).contains(&down)
                {
                    let mut after = session.clone();
                    (session.end, session.ending) = (down, Ending::Cut);
                    self.put(session);
                    after.begin = down + self.random.between(150, 600);
                    if after.begin + 60 < until {
                        if logs_in {
                            login = Some(self.logins);
                            self.logins += 1;
                            (after.login, after.logs_in) = (login, true);
                        }
                        self.put(after);
                    }
                } else {
                    self.put(session);
                }
                from = until + self.random.between(0, 2);
                access_point = (access_point + 1 + self.random.below(3) as u32) % ACCESS_POINTS;
                if until >= end || until >= DAY_BEGIN + DAY {
                    break;
                }
            }
            at = end + self.random.between(400, 2 * 3600);
            if at > DAY_BEGIN + DAY - 600 {
                break;
            }
        }
    }

    /// As much as a counter of 32 bits can be followed over two intervals.
    fn rates(&mut self, nas: usize, heavy: bool) -> [u64; 2] {
        let most = (1_u64 << 31) / (2 * self.day.nases[nas].interim as u64 + 10);
        if heavy {
            return [most / 4 + self.random.below(most / 2), most / 2 + self.random.below(most / 2)];
        }
        [self.random.below(6_000), self.random.below(30_000)]
    }

    fn put(&mut self, mut session: Truth) {
        let long = session.end.min(DAY_BEGIN + DAY) - session.begin > 2 * self.day.nases[session.nas].interim;
        // One that could have run over as well cannot be told from one that did.
        let small = session.rates.iter().all(|rate| rate * (DAY as u64) < 1 << 31);
        if self.day.nases[session.nas].resets && long && small && self.random.per_mille(250) {
            session.reset = Some(self.random.between(session.begin + 60, session.end.min(DAY_BEGIN + DAY)));
            self.count("sessions whose counters were set back");
        }
        self.day.sessions.push(session);
    }

    /// Each device numbers its sessions in the order in which they begin.
    fn number(&mut self) {
        let mut order: Vec<usize> = (0..self.day.sessions.len()).collect();
        order.sort_by_key(|n| self.day.sessions[*n].begin);
        let mut counters: BTreeMap<(Device, bool, Option<u32>), u32> = BTreeMap::new();
        for n in order {
            let session = &mut self.day.sessions[n];
            let rebooted = self.reboots.get(&session.device).is_some_and(|(at, _)| session.begin > *at);
            // Those that count from 1 again do so for each station, so that the same
            // names come back.
            let from_one = self.day.nases[session.nas].from_one;
            let counter = counters.entry((session.device, rebooted, from_one.then_some(session.endpoint))).or_default();
            *counter += 1;
            session.session_id = match from_one {
                true => format!("{counter:08X}"),
                false => format!("{:X}-{counter:05X}", u8::from(rebooted) + 1),
            };
        }
    }

    /// All that the NAS sends of a session.
    fn tell(&mut self, n: usize) {
        let session = self.day.sessions[n].clone();
        let nas = self.day.nases[session.nas].clone();
        let down = |t: i64| nas.outage.is_some_and(|(a, b)| (DAY_BEGIN + a..DAY_BEGIN + b).contains(&t));
        let mut class = session.login;
        if session.logs_in {
            if down(session.begin) {
                class = None;
            } else if let Some(login) = session.login {
                let before = self.random.between(1, 3);
                self.ask(&session, &nas, login, session.begin - before);
                if self.random.per_mille(60) {
                    // It was let in, and nothing was ever told of it.
                    self.day.sessions[n].complete = false;
                    self.day.sessions[n].session_id.clear();
                    self.count("logins without accounting");
                    return;
                }
            }
        }
        let end = session.end.min(DAY_BEGIN + DAY);
        let mut address = self.address(session.nas);
        let mut changes = self.random.per_mille(80);
        let knows_at_once = self.random.per_mille(500);
        let mut known = 0;
        let mut lossy = true;
        if session.rates[1] > 30_000 && !nas.gigawords {
            lossy = false;
        }
        let mut last = (0, true);
        if self.lost(10) {
            self.count("Starts lost");
        } else {
            let framed = knows_at_once.then_some(address);
            self.send(&session, &nas, 1, session.begin, class, framed);
            last = (session.begin, false);
            known += 1;
        }
        let mut at = session.begin + nas.interim;
        while at < end - 5 {
            if changes && self.random.per_mille(400) {
                address = self.address(session.nas);
                changes = false;
            }
            if lossy && self.lost(30) {
                self.count("Interim-Updates lost");
            } else {
                self.send(&session, &nas, 3, at, class, Some(address));
                last = (at, false);
                known += 1;
            }
            if session.login.is_some() && session.logs_in && !nas.wireless && self.random.per_mille(60) && !down(at + 9)
            {
                let login = self.logins;
                self.logins += 1;
                self.ask(&session, &nas, login, at + 9);
                self.count("logins again");
            }
            at += nas.interim;
        }
        match session.ending {
            Ending::Stop if lossy && self.lost(25) => self.count("Stops lost"),
            Ending::Stop => {
                self.send(&session, &nas, 2, end, class, Some(address));
                last = (end, true);
                known += 1;
            }
            Ending::Cut => self.count("sessions cut by a restart"),
            Ending::GoesOn => {}
        }
        self.day.sessions[n].complete =
            last.1 && known > 0 && session.reset.is_none() && session.ending == Ending::Stop;
        if known == 0 {
            self.day.sessions[n].session_id.clear();
            self.count("sessions of which nothing came");
        }
    }

    fn lost(&mut self, per_mille: u64) -> bool {
        self.random.per_mille(per_mille)
    }

    fn address(&mut self, nas: usize) -> [u8; 4] {
        let host = self.random.below(3_000) as u32 + 10;
        [172, 16 + (nas / 8) as u8, (nas % 8) as u8 * 16 + (host / 250) as u8, (host % 250) as u8]
    }

    fn names(session: &Truth, nas: &Nas) -> Vec<u8> {
        let mut out = Vec::new();
        let source = nas.source(session.device.1);
        push(&mut out, attr::NAS_IP_ADDRESS, &source);
        if nas.wireless {
            push(&mut out, attr::NAS_IDENTIFIER, format!("ap-{}-{}", nas.number, session.device.1).as_bytes());
        }
        push(&mut out, attr::CALLING_STATION_ID, spelled(session.endpoint).as_bytes());
        if let Some(port) = &session.port {
            push(&mut out, attr::NAS_PORT_ID, port.as_bytes());
        }
        push(&mut out, attr::NAS_PORT_TYPE, &[0, 0, 0, if nas.wireless { 19 } else { 15 }]);
        out
    }

    fn ask(&mut self, session: &Truth, nas: &Nas, login: usize, at: i64) {
        let mut attributes = Self::names(session, nas);
        if nas.named_login {
            push(&mut attributes, attr::ACCT_SESSION_ID, session.session_id.as_bytes());
        }
        if let Some(multi) = &session.multi {
            push(&mut attributes, attr::ACCT_MULTI_SESSION_ID, multi.as_bytes());
        }
        let at = at * 1_000_000 + self.random.between(5_000, 400_000);
        let source = nas.source(session.device.1);
        let content = Content::Login { login, attributes };
        self.identifier = self.identifier.wrapping_add(1);
        let identifier = self.identifier;
        self.day.messages.push(Message { at, source, endpoint: session.endpoint, identifier, content });
        self.count("logins");
    }

    fn send(&mut self, session: &Truth, nas: &Nas, status: u8, at: i64, class: Option<usize>, framed: Option<[u8; 4]>) {
        let mut attributes = Vec::new();
        push(&mut attributes, attr::ACCT_STATUS_TYPE, &[0, 0, 0, status]);
        push(&mut attributes, attr::ACCT_SESSION_ID, session.session_id.as_bytes());
        attributes.extend(Self::names(session, nas));
        if let Some(multi) = &session.multi {
            push(&mut attributes, attr::ACCT_MULTI_SESSION_ID, multi.as_bytes());
        }
        if let Some(ip) = framed {
            push(&mut attributes, attr::FRAMED_IP_ADDRESS, &ip);
            if self.random.per_mille(20) {
                let then = at + self.random.between(1, 3600);
                self.day.told.push((ip, then));
            }
        }
        if status != 1 {
            let [input, output, packets_in, packets_out] = session.shown(at);
            push(&mut attributes, attr::ACCT_SESSION_TIME, &((at - session.begin) as u32).to_be_bytes());
            push(&mut attributes, attr::ACCT_INPUT_OCTETS, &(input as u32).to_be_bytes());
            push(&mut attributes, attr::ACCT_OUTPUT_OCTETS, &(output as u32).to_be_bytes());
            push(&mut attributes, attr::ACCT_INPUT_PACKETS, &(packets_in as u32).to_be_bytes());
            push(&mut attributes, attr::ACCT_OUTPUT_PACKETS, &(packets_out as u32).to_be_bytes());
            if nas.gigawords {
                push(&mut attributes, attr::ACCT_INPUT_GIGAWORDS, &((input >> 32) as u32).to_be_bytes());
                push(&mut attributes, attr::ACCT_OUTPUT_GIGAWORDS, &((output >> 32) as u32).to_be_bytes());
            } else if input.max(output) >> 32 > 0 {
                self.count("records of counters that had run over");
            }
        }
        if status == 2 {
            push(&mut attributes, attr::ACCT_TERMINATE_CAUSE, &[0, 0, 0, 1]);
        }
        if nas.dated {
            push(&mut attributes, attr::EVENT_TIMESTAMP, &(at as u32).to_be_bytes());
        }
        self.deliver(nas, nas.source(session.device.1), session.endpoint, at, attributes, class);
    }

    /// When it arrives, and how often.
    fn deliver(
        &mut self,
        nas: &Nas,
        source: [u8; 4],
        endpoint: u32,
        at: i64,
        attributes: Vec<u8>,
        class: Option<usize>,
    ) {
        let mut arrives = at * 1_000_000 + self.random.between(5_000, 1_900_000);
        if let Some((from, until)) = nas.outage
            && (DAY_BEGIN + from..DAY_BEGIN + until).contains(&at)
        {
            arrives = (DAY_BEGIN + until) * 1_000_000 + self.random.between(5_000, 240_000_000);
            self.count("records kept during an outage");
        } else if self.random.per_mille(10) {
            arrives += self.random.between(60, 1_800) * 1_000_000;
            self.count("records late by minutes");
        }
        let again = self.random.per_mille(15).then_some(arrives + 1_500_000);
        self.arrive(source, endpoint, [Some(arrives), again], at, &attributes, class);
        if again.is_some() {
            self.count("records repeated octet by octet");
        }
        if self.random.per_mille(15) {
            let after = if self.random.per_mille(100) { 4 * 3600 } else { 60 };
            let later = arrives + self.random.between(3, after) * 1_000_000;
            self.arrive(source, endpoint, [Some(later), None], at, &attributes, class);
            self.count("records sent again with another delay");
        }
    }

    /// The same octets at these times.
    fn arrive(
        &mut self,
        source: [u8; 4],
        endpoint: u32,
        times: [Option<i64>; 2],
        at: i64,
        attributes: &[u8],
        class: Option<usize>,
    ) {
        self.identifier = self.identifier.wrapping_add(1);
        let delay = times[0].map_or(0, |first| (first / 1_000_000 - at).max(0) as u32);
        for arrives in times.into_iter().flatten() {
            let content = Content::Accounting { attributes: attributes.to_vec(), class, delay };
            self.day.messages.push(Message { at: arrives, source, endpoint, identifier: self.identifier, content });
        }
    }

    /// Devices that say that they were down.
    fn come_up(&mut self) {
        for (device, (at, says)) in self.reboots.clone() {
            if !says {
                self.count("restarts without a word");
                continue;
            }
            let nas = self.day.nases[device.0].clone();
            let at = at + 60;
            let mut attributes = Vec::new();
            push(&mut attributes, attr::ACCT_STATUS_TYPE, &[0, 0, 0, 7]);
            push(&mut attributes, attr::NAS_IP_ADDRESS, &nas.source(device.1));
            if nas.wireless {
                push(&mut attributes, attr::NAS_IDENTIFIER, format!("ap-{}-{}", nas.number, device.1).as_bytes());
            }
            if nas.dated {
                push(&mut attributes, attr::EVENT_TIMESTAMP, &(at as u32).to_be_bytes());
            }
            self.deliver(&nas, nas.source(device.1), u32::MAX, at, attributes, None);
            self.count("restarts with Accounting-On");
        }
    }
}

fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.extend_from_slice(&[kind, value.len() as u8 + 2]);
    out.extend_from_slice(value);
}
