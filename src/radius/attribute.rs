//! Numbers of the attributes that code handles by name. All others are data:
//! see `dictionaries/`.

macro_rules! attributes {
    ($($name:ident = $number:literal, $what:literal;)*) => {
        $(#[doc = $what] pub const $name: u8 = $number;)*
    };
}

attributes! {
    USER_NAME = 1, "RFC 2865, section 5.1.";
    USER_PASSWORD = 2, "RFC 2865, section 5.2: hidden with the secret.";
    CHAP_PASSWORD = 3, "RFC 2865, section 5.3.";
    NAS_IP_ADDRESS = 4, "RFC 2865, section 5.4.";
    NAS_PORT = 5, "RFC 2865, section 5.5.";
    SERVICE_TYPE = 6, "RFC 2865, section 5.6.";
    FRAMED_IP_ADDRESS = 8, "RFC 2865, section 5.8.";
    FILTER_ID = 11, "RFC 2865, section 5.11.";
    FRAMED_MTU = 12, "RFC 2865, section 5.12; for EAP, RFC 3579, section 2.4.";
    REPLY_MESSAGE = 18, "RFC 2865, section 5.18.";
    STATE = 24, "RFC 2865, section 5.24.";
    CLASS = 25, "RFC 2865, section 5.25: comes back in accounting.";
    VENDOR_SPECIFIC = 26, "RFC 2865, section 5.26.";
    SESSION_TIMEOUT = 27, "RFC 2865, section 5.27, seconds.";
    TERMINATION_ACTION = 29, "RFC 2865, section 5.29.";
    CALLED_STATION_ID = 30, "RFC 2865, section 5.30; form in RFC 3580, section 3.20.";
    CALLING_STATION_ID = 31, "RFC 2865, section 5.31; form in RFC 3580, section 3.21.";
    NAS_IDENTIFIER = 32, "RFC 2865, section 5.32.";
    PROXY_STATE = 33, "RFC 2865, section 5.33: returned as it came.";
    ACCT_STATUS_TYPE = 40, "RFC 2866, section 5.1.";
    ACCT_DELAY_TIME = 41, "RFC 2866, section 5.2, seconds.";
    ACCT_INPUT_OCTETS = 42, "RFC 2866, section 5.3.";
    ACCT_OUTPUT_OCTETS = 43, "RFC 2866, section 5.4.";
    ACCT_SESSION_ID = 44, "RFC 2866, section 5.5.";
    ACCT_SESSION_TIME = 46, "RFC 2866, section 5.7, seconds.";
    ACCT_INPUT_PACKETS = 47, "RFC 2866, section 5.8.";
    ACCT_OUTPUT_PACKETS = 48, "RFC 2866, section 5.9.";
    ACCT_TERMINATE_CAUSE = 49, "RFC 2866, section 5.10.";
    ACCT_MULTI_SESSION_ID = 50, "RFC 2866, section 5.11.";
    ACCT_INPUT_GIGAWORDS = 52, "RFC 2869, section 5.1: multiples of 2^32 octets.";
    ACCT_OUTPUT_GIGAWORDS = 53, "RFC 2869, section 5.2: multiples of 2^32 octets.";
    EVENT_TIMESTAMP = 55, "RFC 2869, section 5.3, seconds since 1970.";
    CHAP_CHALLENGE = 60, "RFC 2865, section 5.40.";
    NAS_PORT_TYPE = 61, "RFC 2865, section 5.41.";
    TUNNEL_TYPE = 64, "RFC 2868, section 3.1, tagged.";
    TUNNEL_MEDIUM_TYPE = 65, "RFC 2868, section 3.2, tagged.";
    TUNNEL_PASSWORD = 69, "RFC 2868, section 3.5, tagged, salted.";
    EAP_MESSAGE = 79, "RFC 3579, section 3.1: concatenated.";
    MESSAGE_AUTHENTICATOR = 80, "RFC 3579, section 3.2.";
    TUNNEL_PRIVATE_GROUP_ID = 81, "RFC 2868, section 3.6, tagged: the VLAN.";
    ACCT_INTERIM_INTERVAL = 85, "RFC 2869, section 5.16, seconds.";
    NAS_PORT_ID = 87, "RFC 2869, section 5.17.";
    NAS_IPV6_ADDRESS = 95, "RFC 3162, section 2.1.";
    ERROR_CAUSE = 101, "RFC 5176, section 3.5.";
    EAP_KEY_NAME = 102, "RFC 4072, section 2.2.3; use in RFC 7268, section 2.2.";
    FRAMED_IPV6_ADDRESS = 168, "RFC 6911, section 3.1.";
    EXTENDED_1 = 241, "RFC 6929, section 3.1: first of the extended types.";
    LONG_EXTENDED_1 = 245, "RFC 6929, section 3.5: first of the long extended types.";
    LONG_EXTENDED_2 = 246, "RFC 6929, section 3.6: last of the extended types.";
}

/// Original-Packet-Code, an extended type of [`EXTENDED_1`] (RFC 7930, section 4).
pub const ORIGINAL_PACKET_CODE: u8 = 4;
/// Cisco's number as a vendor.
pub const VENDOR_CISCO: u32 = 9;
/// Cisco-AVPair: `name=value`.
pub const CISCO_AVPAIR: u8 = 1;
/// Microsoft's number as a vendor (RFC 2548).
pub const VENDOR_MICROSOFT: u32 = 311;
/// MS-MPPE-Send-Key (RFC 2548, section 2.4.2).
pub const MS_MPPE_SEND_KEY: u8 = 16;
/// MS-MPPE-Recv-Key (RFC 2548, section 2.4.3).
pub const MS_MPPE_RECV_KEY: u8 = 17;
