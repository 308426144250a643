//! `cordon load`: work for any RADIUS server, measured from outside.

use super::auth::ClientArgs;
use super::exchange::Exchange;
use crate::access::Service;
use crate::client::{AccountingEvent, Login, Port};
use crate::eap::tls::adapter::ClientTlsConfig;
use crate::inventory::mac::MacAddress;
use crate::radius::packet::{Code, Packet};
use crate::session::accounting::AccountingStatus;
use crate::time::Timestamp;
use crate::transport::clock::Clock;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Accounting requests of one session: Start, three Interim-Updates and Stop.
const RECORDS_PER_SESSION: u64 = 5;
/// Clock ticks per second in /proc (`getconf CLK_TCK`; 100 on every Linux).
const TICKS_PER_SEC: u64 = 100;

/// Arguments of `cordon load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// What to do over and over
    #[arg(value_enum)]
    pub work: Work,
    #[command(flatten)]
    pub client: ClientArgs,
    /// How often in all
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub count: u64,
    /// How many at a time
    #[arg(long, short = 'c', default_value_t = 16)]
    pub concurrency: usize,
    /// The server's process, if it runs here: tells its CPU time for each
    #[arg(long)]
    pub pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl LoadArgs {
    fn service(&self) -> Service {
        if self.work == Work::Accounting { Service::Accounting } else { Service::Authentication }
    }

    /// The supplicant's side of TLS, where the work needs it.
    fn tls(&self) -> Result<Option<ClientTlsConfig>, String> {
        match self.work {
            Work::EapTls => self.client.client_tls(false).map(Some),
            Work::EapTlsResumed => self.client.client_tls(true).map(Some),
            Work::Mab | Work::Accounting => Ok(None),
        }
    }
}

/// Kinds of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Logins by certificate, each with a full handshake
    EapTls,
    /// Logins by certificate that resume a TLS session
    EapTlsResumed,
    /// Logins by MAC address
    Mab,
    /// Accounting requests
    Accounting,
}

#[derive(Debug, Serialize)]
struct Report {
    work: Work,
    done: u64,
    failed: u64,
    concurrency: usize,
    seconds: f64,
    per_second: f64,
    latency_us: Latency,
    /// Microseconds of the server's CPU time for each.
    server_cpu_us: Option<f64>,
    /// Why the first that failed did.
    first_failure: Option<String>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

/// What all threads share.
struct Shared<'a> {
    args: &'a LoadArgs,
    port: Port,
    clock: Clock,
    /// How many have been begun.
    begun: AtomicU64,
    ready: Barrier,
    results: Mutex<Results>,
}

#[derive(Default)]
struct Results {
    latencies: Vec<u64>,
    failures: u64,
    first_failure: Option<String>,
}

/// Puts load on the server and prints what was seen.
///
/// # Errors
/// When an argument is wrong or nothing succeeded.
pub fn run(args: &LoadArgs) -> Result<(), String> {
    let report = measure(args)?;
    if args.json {
        println!("{}", serde_json::to_string(&report).map_err(|e| e.to_string())?);
    } else {
        println!(
            "{} done, {} failed, {} at a time, in {:.2} s: {:.0} per second",
            report.done, report.failed, report.concurrency, report.seconds, report.per_second
        );
        let Latency { p50, p90, p99, max } = report.latency_us;
        println!("latency: 50% {p50} us, 90% {p90} us, 99% {p99} us, longest {max} us");
        if let Some(cpu) = report.server_cpu_us {
            println!("server CPU: {cpu:.1} us each");
        }
    }
    match report.first_failure {
        Some(why) => {
            Err(format!("{} of {} failed, the first since: {why}", report.failed, report.done + report.failed))
        }
        None => Ok(()),
    }
}

fn measure(args: &LoadArgs) -> Result<Report, String> {
    args.client.address(args.service())?;
    args.tls()?;
    let threads = args.concurrency.max(1);
    let shared = Shared {
        args,
        port: args.client.port()?,
        clock: Clock::start(),
        begun: AtomicU64::new(0),
        ready: Barrier::new(threads + 1),
        results: Mutex::default(),
    };
    let (elapsed, cpu) = thread::scope(|scope| {
        for number in 0..threads {
            let shared = &shared;
            scope.spawn(move || shared.work(number));
        }
        shared.ready.wait();
        let (started, cpu) = (shared.clock.now(), args.pid.map(cpu_ticks));
        shared.ready.wait();
        let elapsed = shared.clock.now().since(started);
        (elapsed, cpu.zip(args.pid.map(cpu_ticks)))
    });
    let results = shared.results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut latencies = results.latencies;
    latencies.sort_unstable();
    let done = latencies.len() as u64;
    let at = |percent: usize| latencies.get((latencies.len() * percent / 100).min(latencies.len().saturating_sub(1)));
    let server_cpu_us = match cpu {
        None => None,
        Some((before, after)) => {
            let micros = after?.saturating_sub(before?) * 1_000_000 / TICKS_PER_SEC;
            Some(micros as f64 / done.max(1) as f64)
        }
    };
    Ok(Report {
        work: args.work,
        done,
        failed: results.failures,
        concurrency: threads,
        seconds: elapsed.as_secs_f64(),
        per_second: done as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
        latency_us: Latency {
            p50: at(50).copied().unwrap_or(0),
            p90: at(90).copied().unwrap_or(0),
            p99: at(99).copied().unwrap_or(0),
            max: latencies.last().copied().unwrap_or(0),
        },
        server_cpu_us,
        first_failure: results.first_failure,
    })
}

/// User and system time of a process so far (proc(5), fields 14 and 15 of stat).
fn cpu_ticks(pid: u32) -> Result<u64, String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|e| format!("--pid {pid}: {e}"))?;
    // The second field is the program's name, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    field(11).zip(field(12)).map(|(user, system)| user + system).ok_or(format!("--pid {pid}: cannot be read"))
}

impl Shared<'_> {
    fn work(&self, number: usize) {
        // TLS of its own, and with it tickets of its own.
        let made = self.args.client.exchange(self.args.service()).and_then(|exchange| Ok((exchange, self.args.tls()?)));
        let mut worker = match made {
            Ok((exchange, tls)) => Some(Worker { exchange, tls, port: self.port.clone(), number }),
            Err(why) => {
                self.failed(why);
                None
            }
        };
        if let Some(worker) = &mut worker {
            // The first login of a thread is full; it brings the ticket.
            if self.args.work == Work::EapTlsResumed
                && let Err(why) = worker.login(false)
            {
                self.failed(why);
            }
        }
        self.ready.wait();
        let mut latencies = Vec::new();
        if let Some(worker) = &mut worker {
            loop {
                let turn = self.begun.fetch_add(1, Ordering::Relaxed);
                if turn >= self.args.count {
                    break;
                }
                let started = self.clock.now();
                match worker.once(self.args.work, turn, started) {
                    Ok(()) => latencies.push(self.clock.now().since(started).as_micros() as u64),
                    Err(why) => self.failed(why),
                }
            }
        }
        self.results.lock().unwrap_or_else(PoisonError::into_inner).latencies.extend(latencies);
        self.ready.wait();
    }

    fn failed(&self, why: String) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.failures += 1;
        results.first_failure.get_or_insert(why);
    }
}

/// One thread with its socket.
struct Worker {
    exchange: Exchange,
    tls: Option<ClientTlsConfig>,
    port: Port,
    number: usize,
}

impl Worker {
    fn once(&mut self, work: Work, turn: u64, now: Timestamp) -> Result<(), String> {
        match work {
            Work::EapTls => self.login(false),
            Work::EapTlsResumed => self.login(true),
            Work::Mab => self.mab(),
            Work::Accounting => self.accounting(turn, now),
        }
    }

    fn login(&mut self, must_resume: bool) -> Result<(), String> {
        let tls = self.tls.clone().ok_or("no TLS")?;
        let mut login = Login::new(self.port.clone(), "load", tls, 1300);
        let ending = self.exchange.login(&mut login, |_| {}).map_err(|e| e.to_string())?;
        let resumed = ending.established.as_ref().is_some_and(|e| e.resumed);
        match (ending.code, ending.keys_match) {
            (Code::AccessAccept, true) if must_resume && !resumed => {
                Err("the server did not resume the session".into())
            }
            (Code::AccessAccept, true) => Ok(()),
            (Code::AccessAccept, false) => Err("accepted, but the server's keys are not ours".into()),
            (code, _) => Err(ending.why().map_or_else(|| code.to_string(), |why| format!("{code}: {why}"))),
        }
    }

    fn mab(&mut self) -> Result<(), String> {
        let request = self.port.mab(self.exchange.next_identifier()).map_err(|e| e.to_string())?;
        match self.answer(&request)? {
            Code::AccessAccept => Ok(()),
            code => Err(code.to_string()),
        }
    }

    fn accounting(&mut self, turn: u64, now: Timestamp) -> Result<(), String> {
        let (session, step) = (turn / RECORDS_PER_SESSION, turn % RECORDS_PER_SESSION);
        let status = match step {
            0 => AccountingStatus::Start,
            n if n == RECORDS_PER_SESSION - 1 => AccountingStatus::Stop,
            _ => AccountingStatus::Interim,
        };
        let [.., a, b, c] = session.to_be_bytes();
        self.port.mac = MacAddress::new([0x02, 0x00, 0x5e, a, b, c]);
        let event = AccountingEvent {
            status,
            session_id: &format!("{:08X}-{session:08X}", std::process::id()),
            at: now + Duration::from_secs(step * 60),
            session_time: u32::try_from(step * 60).unwrap_or(0),
            octets: u32::try_from(step * 100_000 + self.number as u64).unwrap_or(0),
        };
        let request = self.port.accounting(self.exchange.next_identifier(), &event).map_err(|e| e.to_string())?;
        match self.answer(&request)? {
            Code::AccountingResponse => Ok(()),
            code => Err(code.to_string()),
        }
    }

    fn answer(&self, request: &[u8]) -> Result<Code, String> {
        let reply = self.exchange.answer(request, &self.port.secret).map_err(|e| e.to_string())?;
        Packet::parse(&reply).map(|packet| packet.code()).map_err(|e| e.to_string())
    }
}
