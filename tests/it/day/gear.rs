//! The NASes of a campus, each with its habits.

pub const SWITCHES: u32 = 24;
pub const CONTROLLERS: u32 = 16;

/// SplitMix64: enough chance for a simulation, the same for the same seed.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from).max(1) as u64) as i64
    }

    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// One entry of the configuration, and how its gear behaves.
#[derive(Clone, Debug)]
pub struct Nas {
    pub name: String,
    pub wireless: bool,
    pub number: u32,
    /// Sends gigawords; otherwise counters run over.
    pub gigawords: bool,
    /// Sends Event-Timestamp; otherwise Acct-Delay-Time alone.
    pub dated: bool,
    /// Sets counters back in the middle of sessions at times.
    pub resets: bool,
    /// Numbers sessions from 1 again when it restarts.
    pub from_one: bool,
    /// Sends Acct-Multi-Session-Id.
    pub multi: bool,
    /// Names the session when it asks for a login.
    pub named_login: bool,
    /// Seconds between Interim-Updates.
    pub interim: i64,
    /// When it cannot reach the server, in seconds of the day.
    pub outage: Option<(i64, i64)>,
}

impl Nas {
    /// All of the campus.
    pub fn all(random: &mut Random) -> Vec<Nas> {
        let one = |random: &mut Random, i: u32| {
            let wireless = i >= SWITCHES;
            let number = if wireless { i - SWITCHES } else { i };
            let begin = random.between(2, 18) * 3600;
            Nas {
                name: if wireless { format!("wlc-{number}") } else { format!("sw-{number}") },
                wireless,
                number,
                gigawords: i.is_multiple_of(3),
                dated: i % 4 != 3,
                resets: i % 5 == 2,
                from_one: i.is_multiple_of(4),
                multi: i.is_multiple_of(2),
                named_login: i % 4 == 1,
                interim: [3600, 5400, 7200][(i % 3) as usize],
                outage: (i % 13 == 5).then(|| (begin, begin + random.between(1800, 3 * 3600))),
            }
        };
        (0..SWITCHES + CONTROLLERS).map(|i| one(random, i)).collect()
    }

    /// The addresses that it sends from.
    pub fn prefix(&self) -> String {
        format!("10.{}.{}.0/24", 1 + u8::from(self.wireless), self.number)
    }

    pub fn source(&self, device: u32) -> [u8; 4] {
        [10, 1 + u8::from(self.wireless), self.number as u8, if self.wireless { 10 + device as u8 } else { 1 }]
    }
}
