-- A database of SQLite as Cordon left it that knew the steps up to 0010: what was applied to it, three logins,
-- and the accounting of two stays. It is what it wrote itself, and is never made anew.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'records','2026-11-26 10:32:34',1,X'0fc313fb5c0a277b0fc7f7dd70cb414bab07a5b15049ae3715f168ce7522dabf96645ba468b00d407aaf1792fcb64176',1791136);
INSERT INTO _sqlx_migrations VALUES(2,'inventory','2026-11-26 10:32:34',1,X'26c9abc30e585898ca26b54a7c4ab6ebc36b9b0188c8a586dd556bf556b2276c82cf8d28b3041a888cd667d8e5e140d8',1396979);
INSERT INTO _sqlx_migrations VALUES(3,'endpoints','2026-11-26 10:32:34',1,X'9d7cf2ddba3d76538cec0e1f9b3b0c03d5f424d9c7620f273d315344762d7915ad8e2bb121a2fb1160383bb467178a6e',1542165);
INSERT INTO _sqlx_migrations VALUES(4,'nas behaviour','2026-11-26 10:32:34',1,X'681645b5c78527e7c62d4aca9c90a596a4cec2236badb1a8cf3f3ba1b5e438ce3208483f335b6181214f8a4fa72972ba',5991678);
INSERT INTO _sqlx_migrations VALUES(5,'partitions','2026-11-26 10:32:34',1,X'ee36a37992b819e17e365fe0088c7ae93f73300ef6190668861ed284fbd025aed36e0f0f8e6b71acb95e578031c993b1',7949542);
INSERT INTO _sqlx_migrations VALUES(10,'changes','2026-11-26 10:32:34',1,X'a7258330ba68ea62873a1fc284def2f9af2d83245656e8f12197cef1044d14b5e549bff56463192d2256bf8e0e2d34eb',948672);
CREATE TABLE inventory_state (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO inventory_state VALUES(1,2);
CREATE TABLE object (
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    -- a shared secret, sealed with the key that lies beside the database
    secret     BLOB,
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
INSERT INTO object VALUES('group','laptops',replace('[[group]]\nname = "laptops"\n','\n',char(10)),NULL,1795689154908334);
INSERT INTO object VALUES('nas','sw1',replace('[[nas]]\naddress = "127.0.0.1"\nname = "sw1"\nsite = "hq"\n','\n',char(10)),X'012cf764df5450d1a4763253287abeacc39057d7e1935cc5c492be597b6f1f80bdc4c8797e43eca6d439533da13daebce341d8fa',1795689154908334);
INSERT INTO object VALUES('profile','corp',replace('[[profile]]\nname = "corp"\nvlan = 20\n','\n',char(10)),NULL,1795689154908334);
INSERT INTO object VALUES('site','hq',replace('[[site]]\nname = "hq"\n','\n',char(10)),NULL,1795689154908334);
CREATE TABLE identity (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    owner       TEXT,
    purpose     TEXT,
    autonomy    INTEGER,
    environment TEXT,
    expires_us  INTEGER,
    groups      TEXT    NOT NULL,
    attributes  TEXT    NOT NULL,
    credentials TEXT    NOT NULL,
    created_us  INTEGER NOT NULL,
    updated_us  INTEGER NOT NULL,
    UNIQUE (kind, name)
) STRICT;
INSERT INTO identity VALUES(X'01a2176a09097a3c89cf6b29c0027d18','user','alice','active',NULL,NULL,NULL,NULL,NULL,'[]','{}','[]',1795689154908334,1795689154908334);
INSERT INTO identity VALUES(X'01a2176a09097052ab156201aeff350c','device','p256','active','alice','work',NULL,NULL,NULL,'["laptops"]','{}','[{"san_dns":"p256.corp.example"}]',1795689154908334,1795689154908334);
CREATE TABLE policy_revision (
    number     INTEGER NOT NULL PRIMARY KEY,
    -- of the text, as decisions name it
    digest     TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    tests      TEXT,
    comment    TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
INSERT INTO policy_revision VALUES(1,'c714e7e4d1b3',replace('@id("laptops") @order("10") @profile("corp")\npermit (principal in Group::"laptops", action == Network::Action::"connect", resource);\n','\n',char(10)),NULL,'laptops alone','root',1795689154982133);
CREATE TABLE policy_activation (
    number   INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL REFERENCES policy_revision (number),
    -- 'activate'; 'rollback', which undoes one; 'pin', which adds a test to one
    how      TEXT    NOT NULL,
    author   TEXT    NOT NULL,
    at_us    INTEGER NOT NULL
) STRICT;
INSERT INTO policy_activation VALUES(1,1,'activate','root',1795689154982133);
CREATE TABLE change (
    id     BLOB    NOT NULL PRIMARY KEY,
    at_us  INTEGER NOT NULL,
    author TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    action TEXT    NOT NULL,
    -- field by field, what it was and what it is
    fields TEXT    NOT NULL
) STRICT;
INSERT INTO change VALUES(X'01a2176a095c70dd84ccdeb3e1f90904',1795689154908334,'elena','site','hq','create','{}');
INSERT INTO change VALUES(X'01a2176a095c7301acc50b1c5485115a',1795689154908334,'elena','group','laptops','create','{}');
INSERT INTO change VALUES(X'01a2176a095c7fbd916e3fa2c48f7682',1795689154908334,'elena','nas','sw1','create','{"address":{"old":null,"new":"127.0.0.1"},"site":{"old":null,"new":"hq"}}');
INSERT INTO change VALUES(X'01a2176a095c7693a92c2041204a1512',1795689154908334,'elena','profile','corp','create','{"vlan":{"old":null,"new":20}}');
INSERT INTO change VALUES(X'01a2176a095c7e24858453262b5b33e5',1795689154908334,'elena','identity','device p256','create','{"credentials":{"old":null,"new":[{"san_dns":"p256.corp.example"}]},"groups":{"old":null,"new":["laptops"]},"kind":{"old":null,"new":"device"},"owner":{"old":null,"new":"alice"},"purpose":{"old":null,"new":"work"}}');
INSERT INTO change VALUES(X'01a2176a095c79f8ab662d236026bd93',1795689154908334,'elena','identity','user alice','create','{"kind":{"old":null,"new":"user"}}');
INSERT INTO change VALUES(X'01a2176a09a6750a9b1edca67950a611',1795689154982133,'root','policy','the policy','activate','{"digest":"c714e7e4d1b3","comment":"laptops alone"}');
CREATE TABLE unknown_nas (
    address  TEXT    NOT NULL PRIMARY KEY,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    packets  INTEGER NOT NULL,
    -- its latest packet: what it says of itself, and what a secret is tried on
    packet   BLOB    NOT NULL
) STRICT;
CREATE TABLE endpoint (
    id         BLOB    NOT NULL PRIMARY KEY,
    -- certificate:..., mac:... or login:...; what the next contact is met by
    key        TEXT    NOT NULL,
    ephemeral  INTEGER NOT NULL,
    first_us   INTEGER NOT NULL,
    last_us    INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    randomized INTEGER NOT NULL,
    vendor     TEXT,
    category   TEXT,
    -- the rest as JSON: addresses, places, fingerprint with evidence
    details    TEXT    NOT NULL
) STRICT;
INSERT INTO endpoint VALUES(X'01a2176a11a079939905508115ab9a53','certificate:9c4cf870d6977b21d6a310146221ee9bddc5c183d8a241f5a47aeb204bd48aa9',0,1795689157024683,1795689157382297,20783,1,NULL,NULL,'{"macs":["02-00-5E-01-00-02","02-00-5E-01-00-01"],"identity":{"id":"01a2176a-0909-7052-ab15-6201aeff350c","name":"p256","kind":"device"},"certificate":{"fingerprint":"9c4cf870d6977b21d6a310146221ee9bddc5c183d8a241f5a47aeb204bd48aa9","subject":"CN=p256.corp.example","issuer":"CN=Corp CA"},"places":[{"mac":"02-00-5E-01-00-02","nas":"sw1","address":"127.0.0.1","port":"Gi1/0/2","ssid":null,"wireless":false,"first_at":"2026-11-26T10:32:37.162126Z","last_at":"2026-11-26T10:32:37.382297Z","here_at":"2026-11-26T10:32:37.162126Z","left_at":"2026-11-26T10:32:37.382297Z","decision":null},{"mac":"02-00-5E-01-00-01","nas":"sw1","address":"127.0.0.1","port":"Gi1/0/1","ssid":null,"wireless":false,"first_at":"2026-11-26T10:32:37.118490Z","last_at":"2026-11-26T10:32:37.140010Z","here_at":"2026-11-26T10:32:37.140010Z","left_at":null,"decision":null},{"mac":"02-00-5E-01-00-02","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:32:37.052030Z","last_at":"2026-11-26T10:32:37.052030Z","here_at":"2026-11-26T10:32:37.052030Z","left_at":null,"decision":"01a2176a-11bc-755e-8438-04fdd8133bb7"},{"mac":"02-00-5E-01-00-01","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:32:37.024683Z","last_at":"2026-11-26T10:32:37.024683Z","here_at":"2026-11-26T10:32:37.024683Z","left_at":null,"decision":"01a2176a-11a0-7a60-819b-e05aa975c8ea"}],"ips":[{"ip":"10.20.0.2","first_at":"2026-11-26T10:32:37.162126Z","last_at":"2026-11-26T10:32:37.382297Z"},{"ip":"10.20.0.1","first_at":"2026-11-26T10:32:37.118490Z","last_at":"2026-11-26T10:32:37.140010Z"}],"fingerprint":{"category":null,"os":null,"evidence":[]},"clues":[{"kind":"method","value":"eap-tls","at":"2026-11-26T10:32:37.024683Z"},{"kind":"certificate-issuer","value":"CN=Corp CA","at":"2026-11-26T10:32:37.024683Z"}],"login_at":"2026-11-26T10:32:37.052030Z","logins":["01a2176a-11bc-755e-8438-04fdd8133bb7","01a2176a-11a0-7a60-819b-e05aa975c8ea"],"signalled":[]}');
INSERT INTO endpoint VALUES(X'01a2176a11e07d14a69f66cd0a0b18a9','certificate:cc29744c483034a38b6cc6e5f9802443800d700c9e167a211e759809d888a25c',0,1795689157088523,1795689157088523,20783,1,NULL,NULL,'{"macs":["02-00-5E-01-00-03"],"identity":null,"certificate":{"fingerprint":"cc29744c483034a38b6cc6e5f9802443800d700c9e167a211e759809d888a25c","subject":"CN=stranger.corp.example","issuer":"CN=Corp CA"},"places":[{"mac":"02-00-5E-01-00-03","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:32:37.088523Z","last_at":"2026-11-26T10:32:37.088523Z","here_at":null,"left_at":null,"decision":null}],"ips":[],"fingerprint":{"category":null,"os":null,"evidence":[]},"clues":[{"kind":"method","value":"eap-tls","at":"2026-11-26T10:32:37.088523Z"},{"kind":"certificate-issuer","value":"CN=Corp CA","at":"2026-11-26T10:32:37.088523Z"}],"login_at":"2026-11-26T10:32:37.088523Z","logins":["01a2176a-11e0-7558-bcb9-613ac6aa9dbd"],"signalled":[]}');
CREATE TABLE endpoint_mac (
    mac         TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (mac, endpoint_id)
) STRICT, WITHOUT ROWID;
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-01',X'01a2176a11a079939905508115ab9a53');
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-02',X'01a2176a11a079939905508115ab9a53');
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-03',X'01a2176a11e07d14a69f66cd0a0b18a9');
CREATE TABLE endpoint_place (
    nas_name    TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (nas_name, endpoint_id)
) STRICT, WITHOUT ROWID;
INSERT INTO endpoint_place VALUES('sw1',X'01a2176a11a079939905508115ab9a53');
INSERT INTO endpoint_place VALUES('sw1',X'01a2176a11e07d14a69f66cd0a0b18a9');
CREATE TABLE nas_behaviour (
    address  TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    -- what it says, as JSON
    learned  TEXT    NOT NULL
) STRICT;
INSERT INTO nas_behaviour VALUES('127.0.0.1','sw1',1795689157008068,1795689157088523,13,'{"identifiers":[],"addresses":["127.0.0.1"],"port_types":[19],"methods":["eap-tls"],"service_types":[2],"vendors":[],"message_authenticator":{"total":13,"in_a_row":13,"since_us":1795689157008068},"raised":[]}');
CREATE TABLE IF NOT EXISTS "signal" (
    id          BLOB    NOT NULL PRIMARY KEY,
    endpoint_id BLOB    REFERENCES endpoint (id) ON DELETE CASCADE,
    nas_name    TEXT,
    -- where that NAS sends from
    nas_address TEXT,
    at_us       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    CHECK ((endpoint_id IS NULL) = (nas_name IS NOT NULL) AND (nas_name IS NULL) = (nas_address IS NULL))
) STRICT;
CREATE TABLE partitions (
    family   TEXT    NOT NULL,
    from_us  INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    -- the end of its tables' names
    suffix   TEXT    NOT NULL,
    PRIMARY KEY (family, from_us)
) STRICT, WITHOUT ROWID;
INSERT INTO partitions VALUES('accounting',1795392000000000,1795996800000000,'20261123');
INSERT INTO partitions VALUES('decision',1795392000000000,1795996800000000,'20261123');
INSERT INTO partitions VALUES('session',1795392000000000,1795996800000000,'20261123');
INSERT INTO partitions VALUES('usage_5min',1795392000000000,1795996800000000,'5min_20261123');
INSERT INTO partitions VALUES('usage_day',1761523200000000,1824422400000000,'day_20251027');
INSERT INTO partitions VALUES('usage_hour',1795392000000000,1800230400000000,'hour_20261123');
CREATE TABLE journal_place (
    journal BLOB    NOT NULL PRIMARY KEY,
    file    INTEGER NOT NULL,
    place   INTEGER NOT NULL
) STRICT;
INSERT INTO journal_place VALUES(X'01a2176a08a470198b84637f87080253',1,7852);
CREATE TABLE change_wave (
    id   BLOB NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE change_order (
    id         BLOB    NOT NULL PRIMARY KEY,
    session_id BLOB    NOT NULL,
    nas_name   TEXT    NOT NULL,
    wave_id    BLOB,
    -- the decision that had let it in
    decision_id BLOB,
    -- 'waiting', or how it ended
    state      TEXT    NOT NULL,
    -- 1 while it is to be tried: what a server that starts goes on with
    pending    INTEGER NOT NULL,
    -- 1 where it goes at the pace of waves, after all others
    bulk       INTEGER NOT NULL,
    due_us     INTEGER NOT NULL,
    -- the whole record as JSON; the columns above repeat what is searched by
    body       TEXT    NOT NULL
) STRICT;
CREATE TABLE decision_20261123 (
    id            BLOB    NOT NULL PRIMARY KEY,
    at_us         INTEGER NOT NULL,
    outcome       TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    nas_name      TEXT    NOT NULL,
    identity_name TEXT,
    mac           TEXT,
    -- 0: the NAS is only observed, and it was not carried out
    enforced      INTEGER NOT NULL,
    -- the whole record as JSON; the columns above repeat what is searched by
    body          TEXT    NOT NULL
) STRICT;
INSERT INTO decision_20261123 VALUES(X'01a2176a11a07a60819be05aa975c8ea',1795689157024683,'accept','accepted','sw1','p256','02-00-5E-01-00-01',1,'{"id":"01a2176a-11a0-7a60-819b-e05aa975c8ea","at":"2026-11-26T10:32:37.024683Z","outcome":"accept","reason":"accepted","detail":"p256 gets the profile corp","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"names":{"device":"127.0.0.1","nas_ip":"127.0.0.1"},"calling_station":"02-00-5E-01-00-01","mac":"02-00-5E-01-00-01","called_station":null,"outer_identity":"anonymous@corp.example","identity":{"id":"01a2176a-0909-7052-ab15-6201aeff350c","name":"p256","kind":"device"},"profile":"corp","policies":["laptops"],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689157008068,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689157008068,{"nas.address":"127.0.0.1"}],["not known",1795689157008068,{"nas.port_id":null}],["nas",1795689157008068,{"nas.port_type":"wireless"}],["not known",1795689157008068,{"nas.ssid":null}],["nas",1795689157008068,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-01","method":"eap-tls"}],["tls handshake",1795689157008068,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689157008068,{"certificate.subject":"CN=p256.corp.example","certificate.common_name":"p256.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"607745ae756e1d37d96c692bcaa762d8","certificate.fingerprint":"9c4cf870d6977b21d6a310146221ee9bddc5c183d8a241f5a47aeb204bd48aa9","certificate.key_fingerprint":"35a60902c5c2f627b2860f214db6582fe2357765e00ccadc1380f76d5d2bbbcd","certificate.not_before":"2026-11-26T10:31:34.000000Z","certificate.not_after":"2027-11-26T10:32:34.000000Z","certificate.san_dns":["p256.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"],"certificate.chain_serials":[]}],["inventory",1795689157008068,{"certificate.ca":"corp","identity.matched_by":"SAN DNS p256.corp.example","identity.name":"p256","identity.kind":"device","identity.groups":["laptops"],"identity.owner":"alice","identity.purpose":"work"}],["not known",1795689157008068,{"identity.autonomy":null,"identity.environment":null}],["inventory",1795689157008068,{"identity.status":"active"}],["clock",1795689157008068,{"time.hour":10,"time.minute":32,"time.weekday":4}],["not known",1795689157008068,{"posture":null,"risk":null}]],"reply":[["Tunnel-Type","VLAN"],["Tunnel-Medium-Type","IEEE-802"],["Tunnel-Private-Group-Id","20"],["User-Name","p256"],["Class","cordon:01a2176a-11a0-7a60-819b-e05aa975c8ea"]],"warnings":[],"rounds":5,"duration_us":16615,"class":"cordon:01a2176a-11a0-7a60-819b-e05aa975c8ea"}');
INSERT INTO decision_20261123 VALUES(X'01a2176a11bc755e843804fdd8133bb7',1795689157052030,'accept','accepted','sw1','p256','02-00-5E-01-00-02',1,'{"id":"01a2176a-11bc-755e-8438-04fdd8133bb7","at":"2026-11-26T10:32:37.052030Z","outcome":"accept","reason":"accepted","detail":"p256 gets the profile corp","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"names":{"device":"127.0.0.1","nas_ip":"127.0.0.1"},"calling_station":"02-00-5E-01-00-02","mac":"02-00-5E-01-00-02","called_station":null,"outer_identity":"anonymous@corp.example","identity":{"id":"01a2176a-0909-7052-ab15-6201aeff350c","name":"p256","kind":"device"},"profile":"corp","policies":["laptops"],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689157044213,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689157044213,{"nas.address":"127.0.0.1"}],["not known",1795689157044213,{"nas.port_id":null}],["nas",1795689157044213,{"nas.port_type":"wireless"}],["not known",1795689157044213,{"nas.ssid":null}],["nas",1795689157044213,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-02","method":"eap-tls"}],["tls handshake",1795689157044213,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689157044213,{"certificate.subject":"CN=p256.corp.example","certificate.common_name":"p256.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"607745ae756e1d37d96c692bcaa762d8","certificate.fingerprint":"9c4cf870d6977b21d6a310146221ee9bddc5c183d8a241f5a47aeb204bd48aa9","certificate.key_fingerprint":"35a60902c5c2f627b2860f214db6582fe2357765e00ccadc1380f76d5d2bbbcd","certificate.not_before":"2026-11-26T10:31:34.000000Z","certificate.not_after":"2027-11-26T10:32:34.000000Z","certificate.san_dns":["p256.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"],"certificate.chain_serials":[]}],["inventory",1795689157044213,{"certificate.ca":"corp","identity.matched_by":"SAN DNS p256.corp.example","identity.name":"p256","identity.kind":"device","identity.groups":["laptops"],"identity.owner":"alice","identity.purpose":"work"}],["not known",1795689157044213,{"identity.autonomy":null,"identity.environment":null}],["inventory",1795689157044213,{"identity.status":"active"}],["clock",1795689157044213,{"time.hour":10,"time.minute":32,"time.weekday":4}],["not known",1795689157044213,{"posture":null,"risk":null}]],"reply":[["Tunnel-Type","VLAN"],["Tunnel-Medium-Type","IEEE-802"],["Tunnel-Private-Group-Id","20"],["User-Name","p256"],["Class","cordon:01a2176a-11bc-755e-8438-04fdd8133bb7"]],"warnings":[],"rounds":5,"duration_us":7817,"class":"cordon:01a2176a-11bc-755e-8438-04fdd8133bb7"}');
INSERT INTO decision_20261123 VALUES(X'01a2176a11e07558bcb9613ac6aa9dbd',1795689157088523,'reject','identity_unknown','sw1',NULL,'02-00-5E-01-00-03',1,'{"id":"01a2176a-11e0-7558-bcb9-613ac6aa9dbd","at":"2026-11-26T10:32:37.088523Z","outcome":"reject","reason":"identity_unknown","detail":"no identity is bound to this certificate, and no rule admits unbound ones","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"names":{"device":"127.0.0.1","nas_ip":"127.0.0.1"},"calling_station":"02-00-5E-01-00-03","mac":"02-00-5E-01-00-03","called_station":null,"outer_identity":"anonymous@corp.example","identity":null,"profile":null,"policies":[],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689157078239,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689157078239,{"nas.address":"127.0.0.1"}],["not known",1795689157078239,{"nas.port_id":null}],["nas",1795689157078239,{"nas.port_type":"wireless"}],["not known",1795689157078239,{"nas.ssid":null}],["nas",1795689157078239,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-03","method":"eap-tls"}],["tls handshake",1795689157078239,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689157078239,{"certificate.subject":"CN=stranger.corp.example","certificate.common_name":"stranger.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"6bb4f08d16da377df29218122d643850","certificate.fingerprint":"cc29744c483034a38b6cc6e5f9802443800d700c9e167a211e759809d888a25c","certificate.key_fingerprint":"fe6935bc16d7db3d1272be12f5af786d02c19ad92d4d08c45bba37caa636f202","certificate.not_before":"2026-11-26T10:31:34.000000Z","certificate.not_after":"2027-11-26T10:32:34.000000Z","certificate.san_dns":["stranger.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"],"certificate.chain_serials":[]}],["inventory",1795689157078239,{"certificate.ca":"corp"}],["not known",1795689157078239,{"identity.matched_by":null}],["clock",1795689157078239,{"time.hour":10,"time.minute":32,"time.weekday":4}],["not known",1795689157078239,{"identity.name":null,"identity.kind":null,"identity.groups":null,"identity.owner":null,"identity.purpose":null,"identity.autonomy":null,"identity.environment":null,"identity.status":null,"posture":null,"risk":null}]],"reply":[],"warnings":[],"rounds":3,"duration_us":10284,"class":null}');
CREATE TABLE session_20261123 (
    id              BLOB    NOT NULL PRIMARY KEY,
    -- the first session of the same stay
    stay_id         BLOB    NOT NULL,
    -- of NAS, device, Acct-Session-Id and station, which are of any length
    key             BLOB    NOT NULL,
    -- how many earlier stays had the same names: some NAS count from 1
    -- again when they restart
    reuse           INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    -- which device of that NAS, since one entry of the configuration may stand
    -- for many
    device          TEXT    NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    started_us      INTEGER NOT NULL,
    last_us         INTEGER NOT NULL,
    -- nothing while it goes on
    ended_us        INTEGER,
    mac             TEXT,
    identity_name   TEXT,
    user_name       TEXT,
    nas_port        TEXT,
    decision_id     BLOB,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    details         TEXT    NOT NULL
) STRICT;
INSERT INTO session_20261123 VALUES(X'01a2176a11a0731c86bed668226db90b',X'01a2176a11a0731c86bed668226db90b',X'aff1739fa3d302962628a332d0e910b7',0,'sw1','127.0.0.1','S1','02-00-5E-01-00-01','active',1795689157118490,1795689157140010,NULL,'02-00-5E-01-00-01','p256','p256','Gi1/0/1',X'01a2176a11a07a60819be05aa975c8ea',1000,2000,'{"start_us":1795689157118490,"implied_us":1795689097140010,"stop_us":null,"interim_us":1795689157140010,"granted":{"at_us":1795689157024683,"value":{"decision":"01a2176a-11a0-7a60-819b-e05aa975c8ea","identity":"p256","profile":"corp","session_timeout":null}},"counters":{"input_octets":{"shown":1000},"output_octets":{"shown":2000},"input_packets":{"shown":0},"output_packets":{"shown":0},"session_time":60,"at_us":1795689157140010},"nas_address":{"at_us":1795689157140010,"value":"127.0.0.1"},"names":{"at_us":1795689157140010,"value":{"device":"127.0.0.1","acct_session_id":"S1","nas_port_id":"Gi1/0/1"}},"user_name":{"at_us":1795689157140010,"value":"p256"},"mac":{"at_us":1795689157140010,"value":"02-00-5E-01-00-01"},"calling_station":{"at_us":1795689157140010,"value":"02-00-5E-01-00-01"},"addresses":[{"value":"10.20.0.1","first_us":1795689157118490,"last_us":1795689157140010}]}');
INSERT INTO session_20261123 VALUES(X'01a2176a11bc7adb908f7eceb6f85519',X'01a2176a11bc7adb908f7eceb6f85519',X'0575998f782c846af33f89180704edb4',0,'sw1','127.0.0.1','S2','02-00-5E-01-00-02','stopped',1795689157162126,1795689157382297,1795689157382297,'02-00-5E-01-00-02','p256','p256','Gi1/0/2',X'01a2176a11bc755e843804fdd8133bb7',5000,7000,'{"start_us":1795689157162126,"implied_us":1795689067382297,"stop_us":1795689157382297,"granted":{"at_us":1795689157052030,"value":{"decision":"01a2176a-11bc-755e-8438-04fdd8133bb7","identity":"p256","profile":"corp","session_timeout":null}},"counters":{"input_octets":{"shown":5000},"output_octets":{"shown":7000},"input_packets":{"shown":0},"output_packets":{"shown":0},"session_time":90,"at_us":1795689157382297},"nas_address":{"at_us":1795689157382297,"value":"127.0.0.1"},"names":{"at_us":1795689157382297,"value":{"device":"127.0.0.1","acct_session_id":"S2","nas_port_id":"Gi1/0/2"}},"user_name":{"at_us":1795689157382297,"value":"p256"},"mac":{"at_us":1795689157382297,"value":"02-00-5E-01-00-02"},"calling_station":{"at_us":1795689157382297,"value":"02-00-5E-01-00-02"},"addresses":[{"value":"10.20.0.2","first_us":1795689157162126,"last_us":1795689157382297}]}');
CREATE TABLE session_address_20261123 (
    address    TEXT    NOT NULL,
    first_us   INTEGER NOT NULL,
    session_id BLOB    NOT NULL,
    PRIMARY KEY (address, session_id)
) STRICT, WITHOUT ROWID;
INSERT INTO session_address_20261123 VALUES('10.20.0.1',1795689157118490,X'01a2176a11a0731c86bed668226db90b');
INSERT INTO session_address_20261123 VALUES('10.20.0.2',1795689157162126,X'01a2176a11bc7adb908f7eceb6f85519');
CREATE TABLE accounting_20261123 (
    digest          BLOB    NOT NULL PRIMARY KEY,
    received_us     INTEGER NOT NULL,
    event_us        INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    status          INTEGER NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    input_octets    INTEGER,
    output_octets   INTEGER,
    session_time    INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO accounting_20261123 VALUES(X'0000000074945834183de31b2a5aeba511c7627084ab1bac7fb84286cef5b641',1795689157162126,1795689157162126,'sw1','127.0.0.1',1,'S2','02-00-5E-01-00-02',NULL,NULL,NULL);
INSERT INTO accounting_20261123 VALUES(X'00000000e27b83c69f9a992886b64f4efb8832f6526fd6d619c26074cf25c5f6',1795689157118490,1795689157118490,'sw1','127.0.0.1',1,'S1','02-00-5E-01-00-01',NULL,NULL,NULL);
INSERT INTO accounting_20261123 VALUES(X'00000000e37512edafd61ad74da280bfa667f5b7eca85866f3c7c24267391a40',1795689157382297,1795689157382297,'sw1','127.0.0.1',2,'S2','02-00-5E-01-00-02',5000,7000,90);
INSERT INTO accounting_20261123 VALUES(X'00000000f94a1c1473c442ff7235d2db2aeb75e9027cd5c498edffd3b2d5afaf',1795689157140010,1795689157140010,'sw1','127.0.0.1',3,'S1','02-00-5E-01-00-01',1000,2000,60);
CREATE TABLE usage_5min_20261123 (
    begin_us      INTEGER NOT NULL,
    nas_name      TEXT    NOT NULL,
    input_octets  INTEGER NOT NULL,
    output_octets INTEGER NOT NULL,
    -- accounting records that told something of a session
    records       INTEGER NOT NULL,
    -- sessions that began
    sessions      INTEGER NOT NULL,
    PRIMARY KEY (nas_name, begin_us)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_5min_20261123 VALUES(1795689000000000,'sw1',6000,9000,4,2);
CREATE TABLE usage_hour_20261123 (
    begin_us      INTEGER NOT NULL,
    nas_name      TEXT    NOT NULL,
    input_octets  INTEGER NOT NULL,
    output_octets INTEGER NOT NULL,
    -- accounting records that told something of a session
    records       INTEGER NOT NULL,
    -- sessions that began
    sessions      INTEGER NOT NULL,
    PRIMARY KEY (nas_name, begin_us)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_hour_20261123 VALUES(1795687200000000,'sw1',6000,9000,4,2);
CREATE TABLE usage_day_20251027 (
    begin_us      INTEGER NOT NULL,
    nas_name      TEXT    NOT NULL,
    input_octets  INTEGER NOT NULL,
    output_octets INTEGER NOT NULL,
    -- accounting records that told something of a session
    records       INTEGER NOT NULL,
    -- sessions that began
    sessions      INTEGER NOT NULL,
    PRIMARY KEY (nas_name, begin_us)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_day_20251027 VALUES(1795651200000000,'sw1',6000,9000,4,2);
CREATE INDEX change_by_object ON change (kind, name, id);
CREATE UNIQUE INDEX endpoint_by_key ON endpoint (key);
CREATE INDEX endpoint_by_vendor   ON endpoint (vendor, id)   WHERE vendor IS NOT NULL;
CREATE INDEX endpoint_by_category ON endpoint (category, id) WHERE category IS NOT NULL;
CREATE INDEX endpoint_by_day ON endpoint (ephemeral, last_day);
CREATE INDEX endpoint_mac_by_endpoint ON endpoint_mac (endpoint_id);
CREATE INDEX endpoint_place_by_endpoint ON endpoint_place (endpoint_id);
CREATE INDEX signal_by_endpoint ON signal (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX signal_by_nas      ON signal (nas_name, id)    WHERE nas_name IS NOT NULL;
CREATE INDEX signal_by_kind     ON signal (kind, id);
CREATE INDEX change_order_due        ON change_order (bulk, due_us, id) WHERE pending = 1;
CREATE UNIQUE INDEX change_order_one ON change_order (session_id) WHERE pending = 1;
CREATE INDEX change_order_by_session ON change_order (session_id, id);
CREATE INDEX change_order_by_decision ON change_order (decision_id, id) WHERE decision_id IS NOT NULL;
CREATE INDEX change_order_by_wave    ON change_order (wave_id, state) WHERE wave_id IS NOT NULL;
CREATE INDEX decision_20261123_by_mac      ON decision_20261123 (mac, id)           WHERE mac IS NOT NULL;
CREATE INDEX decision_20261123_by_identity ON decision_20261123 (identity_name, id) WHERE identity_name IS NOT NULL;
CREATE INDEX decision_20261123_by_nas      ON decision_20261123 (nas_name, id);
CREATE INDEX decision_20261123_by_reason   ON decision_20261123 (reason, id);
CREATE INDEX decision_20261123_observed    ON decision_20261123 (id) WHERE enforced = 0;
CREATE UNIQUE INDEX session_20261123_by_key ON session_20261123 (key, reuse);
CREATE INDEX session_20261123_by_mac      ON session_20261123 (mac, started_us)                WHERE mac IS NOT NULL;
CREATE INDEX session_20261123_by_port     ON session_20261123 (nas_name, nas_port, started_us);
CREATE INDEX session_20261123_by_identity ON session_20261123 (identity_name, id)              WHERE identity_name IS NOT NULL;
CREATE INDEX session_20261123_live        ON session_20261123 (id)                             WHERE state <> 'stopped';
CREATE INDEX session_address_20261123_by_time ON session_address_20261123 (address, first_us);
CREATE INDEX accounting_20261123_restarts ON accounting_20261123 (event_us) WHERE status IN (7, 8);
CREATE INDEX usage_5min_20261123_by_time ON usage_5min_20261123 (begin_us);
CREATE INDEX usage_hour_20261123_by_time ON usage_hour_20261123 (begin_us);
CREATE INDEX usage_day_20251027_by_time ON usage_day_20251027 (begin_us);
COMMIT;
