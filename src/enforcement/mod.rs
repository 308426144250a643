//! How a switch or controller is told what a profile grants: NAS profiles, which
//! are data, and the spelling of a profile in their words.
//!
//! | file | what it does |
//! |---|---|
//! | [`acl`] | access rules in neutral words, and their dialects |
//! | [`coa`] | changes to a session that is there |
//! | [`download`] | access lists that a NAS downloads by name |
//! | [`nas_profile`] | the files of `nas-profiles/` |
//! | [`profile`] | what a rule grants, in neutral words |
//! | [`repeated`] | attributes that a profile would send twice |
//! | [`setup`] | what is entered on gear, so that it asks here |
//! | [`spelling`] | a profile in the words of a NAS profile |
//! | [`vlan`] | which VLAN, by pool and by site |
//! | [`words`] | all profiles in the words of one kind of gear |

pub mod acl;
pub mod coa;
pub mod download;
pub mod nas_profile;
pub mod profile;
pub mod repeated;
pub mod setup;
pub mod spelling;
pub mod ticket;
pub mod vlan;
pub mod words;
