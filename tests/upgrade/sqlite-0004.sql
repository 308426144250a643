-- A database of SQLite as Cordon left it that knew the steps up to 0004: what was applied to it, three logins,
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
INSERT INTO _sqlx_migrations VALUES(1,'records','2026-11-26 10:31:34',1,X'0fc313fb5c0a277b0fc7f7dd70cb414bab07a5b15049ae3715f168ce7522dabf96645ba468b00d407aaf1792fcb64176',7228278);
INSERT INTO _sqlx_migrations VALUES(2,'inventory','2026-11-26 10:31:34',1,X'26c9abc30e585898ca26b54a7c4ab6ebc36b9b0188c8a586dd556bf556b2276c82cf8d28b3041a888cd667d8e5e140d8',1190442);
INSERT INTO _sqlx_migrations VALUES(3,'endpoints','2026-11-26 10:31:34',1,X'9d7cf2ddba3d76538cec0e1f9b3b0c03d5f424d9c7620f273d315344762d7915ad8e2bb121a2fb1160383bb467178a6e',1490919);
INSERT INTO _sqlx_migrations VALUES(4,'nas behaviour','2026-11-26 10:31:34',1,X'681645b5c78527e7c62d4aca9c90a596a4cec2236badb1a8cf3f3ba1b5e438ce3208483f335b6181214f8a4fa72972ba',2145373);
CREATE TABLE decision (
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
INSERT INTO decision VALUES(X'01a217692d247a769897e992122c500b',1795689098532353,'accept','accepted','sw1','p256','02-00-5E-01-00-01',1,'{"id":"01a21769-2d24-7a76-9897-e992122c500b","at":"2026-11-26T10:31:38.532353Z","outcome":"accept","reason":"accepted","detail":"p256 gets the profile corp","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"calling_station":"02-00-5E-01-00-01","mac":"02-00-5E-01-00-01","called_station":null,"outer_identity":"anonymous@corp.example","identity":{"id":"01a21769-1e3e-7c00-a2e2-01d0863cab59","name":"p256","kind":"device"},"profile":"corp","policies":["laptops"],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689098516445,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689098516445,{"nas.address":"127.0.0.1"}],["not known",1795689098516445,{"nas.port_id":null}],["nas",1795689098516445,{"nas.port_type":"wireless"}],["not known",1795689098516445,{"nas.ssid":null}],["nas",1795689098516445,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-01","method":"eap-tls"}],["tls handshake",1795689098516445,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689098516445,{"certificate.subject":"CN=p256.corp.example","certificate.common_name":"p256.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"697b7ad8eac0b1949c35335f50ff9c82","certificate.fingerprint":"0672c937e86ab695ac341d92d61b7cbe246c503f28986d2d6b8f47bd6ffc942c","certificate.key_fingerprint":"bc437726dc54d557de709bbfcdf275391d5f268279e9b37cdeb967d923197254","certificate.not_before":"2026-11-26T10:30:34.000000Z","certificate.not_after":"2027-11-26T10:31:34.000000Z","certificate.san_dns":["p256.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"]}],["inventory",1795689098516445,{"certificate.ca":"corp","identity.matched_by":"SAN DNS p256.corp.example","identity.name":"p256","identity.kind":"device","identity.groups":["laptops"],"identity.owner":"alice","identity.purpose":"work"}],["not known",1795689098516445,{"identity.autonomy":null,"identity.environment":null}],["inventory",1795689098516445,{"identity.status":"active"}],["clock",1795689098516445,{"time.hour":10,"time.minute":31,"time.weekday":4}],["not known",1795689098516445,{"posture":null,"risk":null}]],"reply":[["Tunnel-Type","VLAN"],["Tunnel-Medium-Type","IEEE-802"],["Tunnel-Private-Group-Id","20"],["User-Name","p256"],["Class","cordon:01a21769-2d24-7a76-9897-e992122c500b"]],"warnings":[],"rounds":5,"duration_us":15908,"class":"cordon:01a21769-2d24-7a76-9897-e992122c500b"}');
INSERT INTO decision VALUES(X'01a217692d4171e6bfe0b7dc67640269',1795689098561078,'accept','accepted','sw1','p256','02-00-5E-01-00-02',1,'{"id":"01a21769-2d41-71e6-bfe0-b7dc67640269","at":"2026-11-26T10:31:38.561078Z","outcome":"accept","reason":"accepted","detail":"p256 gets the profile corp","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"calling_station":"02-00-5E-01-00-02","mac":"02-00-5E-01-00-02","called_station":null,"outer_identity":"anonymous@corp.example","identity":{"id":"01a21769-1e3e-7c00-a2e2-01d0863cab59","name":"p256","kind":"device"},"profile":"corp","policies":["laptops"],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689098555078,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689098555078,{"nas.address":"127.0.0.1"}],["not known",1795689098555078,{"nas.port_id":null}],["nas",1795689098555078,{"nas.port_type":"wireless"}],["not known",1795689098555078,{"nas.ssid":null}],["nas",1795689098555078,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-02","method":"eap-tls"}],["tls handshake",1795689098555078,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689098555078,{"certificate.subject":"CN=p256.corp.example","certificate.common_name":"p256.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"697b7ad8eac0b1949c35335f50ff9c82","certificate.fingerprint":"0672c937e86ab695ac341d92d61b7cbe246c503f28986d2d6b8f47bd6ffc942c","certificate.key_fingerprint":"bc437726dc54d557de709bbfcdf275391d5f268279e9b37cdeb967d923197254","certificate.not_before":"2026-11-26T10:30:34.000000Z","certificate.not_after":"2027-11-26T10:31:34.000000Z","certificate.san_dns":["p256.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"]}],["inventory",1795689098555078,{"certificate.ca":"corp","identity.matched_by":"SAN DNS p256.corp.example","identity.name":"p256","identity.kind":"device","identity.groups":["laptops"],"identity.owner":"alice","identity.purpose":"work"}],["not known",1795689098555078,{"identity.autonomy":null,"identity.environment":null}],["inventory",1795689098555078,{"identity.status":"active"}],["clock",1795689098555078,{"time.hour":10,"time.minute":31,"time.weekday":4}],["not known",1795689098555078,{"posture":null,"risk":null}]],"reply":[["Tunnel-Type","VLAN"],["Tunnel-Medium-Type","IEEE-802"],["Tunnel-Private-Group-Id","20"],["User-Name","p256"],["Class","cordon:01a21769-2d41-71e6-bfe0-b7dc67640269"]],"warnings":[],"rounds":5,"duration_us":6000,"class":"cordon:01a21769-2d41-71e6-bfe0-b7dc67640269"}');
INSERT INTO decision VALUES(X'01a217692d5971908cbfe51f8a8c3fde',1795689098585100,'reject','identity_unknown','sw1',NULL,'02-00-5E-01-00-03',1,'{"id":"01a21769-2d59-7190-8cbf-e51f8a8c3fde","at":"2026-11-26T10:31:38.585100Z","outcome":"reject","reason":"identity_unknown","detail":"no identity is bound to this certificate, and no rule admits unbound ones","method":"eap-tls","nas_name":"sw1","nas_address":"127.0.0.1","nas_port":null,"calling_station":"02-00-5E-01-00-03","mac":"02-00-5E-01-00-03","called_station":null,"outer_identity":"anonymous@corp.example","identity":null,"profile":null,"policies":[],"policy_revision":"c714e7e4d1b3","facts":[["inventory",1795689098580385,{"nas.name":"sw1","nas.groups":[],"nas.site":"hq"}],["nas",1795689098580385,{"nas.address":"127.0.0.1"}],["not known",1795689098580385,{"nas.port_id":null}],["nas",1795689098580385,{"nas.port_type":"wireless"}],["not known",1795689098580385,{"nas.ssid":null}],["nas",1795689098580385,{"randomized_mac":true,"calling_station":"02-00-5E-01-00-03","method":"eap-tls"}],["tls handshake",1795689098580385,{"tls.version":"1.3","tls.cipher_suite":"TLS13_AES_256_GCM_SHA384","tls.key_exchange":"X25519","tls.resumed":false}],["certificate",1795689098580385,{"certificate.subject":"CN=stranger.corp.example","certificate.common_name":"stranger.corp.example","certificate.issuer":"CN=Corp CA","certificate.serial":"702eee565c889f6224cf2184edeb3c7c","certificate.fingerprint":"e51074cf26025be1d7b176d8449010850579f026be8d2eec8f8f3ce6d9ec50da","certificate.key_fingerprint":"e92f1a228fb310c9d9fcd7ade6a69722a629c28340b5f59a43a93011d0ce7074","certificate.not_before":"2026-11-26T10:30:34.000000Z","certificate.not_after":"2027-11-26T10:31:34.000000Z","certificate.san_dns":["stranger.corp.example"],"certificate.key_type":"EC-P256","certificate.chain":["CN=Corp CA"]}],["inventory",1795689098580385,{"certificate.ca":"corp"}],["not known",1795689098580385,{"identity.matched_by":null}],["clock",1795689098580385,{"time.hour":10,"time.minute":31,"time.weekday":4}],["not known",1795689098580385,{"identity.name":null,"identity.kind":null,"identity.groups":null,"identity.owner":null,"identity.purpose":null,"identity.autonomy":null,"identity.environment":null,"identity.status":null,"posture":null,"risk":null}]],"reply":[],"warnings":[],"rounds":3,"duration_us":4715,"class":null}');
CREATE TABLE accounting (
    digest          BLOB    NOT NULL PRIMARY KEY,
    received_us     INTEGER NOT NULL,
    event_us        INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    status          INTEGER NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    session_time    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO accounting VALUES(X'0000000074945834183de31b2a5aeba511c7627084ab1bac7fb84286cef5b641',1795689110602187,1795689110602187,'sw1','127.0.0.1',1,'S2','02-00-5E-01-00-02',0,0,0);
INSERT INTO accounting VALUES(X'00000000e27b83c69f9a992886b64f4efb8832f6526fd6d619c26074cf25c5f6',1795689110541421,1795689110541421,'sw1','127.0.0.1',1,'S1','02-00-5E-01-00-01',0,0,0);
INSERT INTO accounting VALUES(X'00000000e37512edafd61ad74da280bfa667f5b7eca85866f3c7c24267391a40',1795689110829484,1795689110829484,'sw1','127.0.0.1',2,'S2','02-00-5E-01-00-02',5000,7000,90);
INSERT INTO accounting VALUES(X'00000000f94a1c1473c442ff7235d2db2aeb75e9027cd5c498edffd3b2d5afaf',1795689110561612,1795689110561612,'sw1','127.0.0.1',3,'S1','02-00-5E-01-00-01',1000,2000,60);
CREATE TABLE session (
    id              BLOB    NOT NULL PRIMARY KEY,
    nas_name        TEXT    NOT NULL,
    -- which device of that NAS, since one entry of the configuration may stand
    -- for many
    device          TEXT    NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    -- how many earlier stays had the same names: some NAS count from 1
    -- again when they restart
    reuse           INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    started_us      INTEGER NOT NULL,
    last_us         INTEGER NOT NULL,
    restarted_us    INTEGER,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    input_packets   INTEGER NOT NULL,
    output_packets  INTEGER NOT NULL,
    session_time    INTEGER NOT NULL,
    mac             TEXT,
    user_name       TEXT,
    details         TEXT    NOT NULL
) STRICT;
INSERT INTO session VALUES(X'01a217695c0d7053bbb418815f566efe','sw1','127.0.0.1','S1','02-00-5E-01-00-01',0,'active',1795689110541421,1795689110561612,NULL,1000,2000,0,0,60,'02-00-5E-01-00-01','p256','{"start_us":1795689110541421,"implied_us":1795689050561612,"stop_us":null,"nas_address":{"at_us":1795689110561612,"value":"127.0.0.1"},"nas_port":{"at_us":1795689110561612,"value":"Gi1/0/1"},"user_name":{"at_us":1795689110561612,"value":"p256"},"mac":{"at_us":1795689110561612,"value":"02-00-5E-01-00-01"},"calling_station":{"at_us":1795689110561612,"value":"02-00-5E-01-00-01"},"framed_ip":{"at_us":1795689110561612,"value":"10.20.0.1"}}');
INSERT INTO session VALUES(X'01a217695c4a77acbeeb2b2551ed3a6f','sw1','127.0.0.1','S2','02-00-5E-01-00-02',0,'stopped',1795689110602187,1795689110829484,NULL,5000,7000,0,0,90,'02-00-5E-01-00-02','p256','{"start_us":1795689110602187,"implied_us":1795689020829484,"stop_us":1795689110829484,"nas_address":{"at_us":1795689110829484,"value":"127.0.0.1"},"nas_port":{"at_us":1795689110829484,"value":"Gi1/0/2"},"user_name":{"at_us":1795689110829484,"value":"p256"},"mac":{"at_us":1795689110829484,"value":"02-00-5E-01-00-02"},"calling_station":{"at_us":1795689110829484,"value":"02-00-5E-01-00-02"},"framed_ip":{"at_us":1795689110829484,"value":"10.20.0.2"}}');
CREATE TABLE probe (one INTEGER NOT NULL PRIMARY KEY, at_us INTEGER NOT NULL) STRICT;
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
INSERT INTO object VALUES('group','laptops',replace('[[group]]\nname = "laptops"\n','\n',char(10)),NULL,1795689094770908);
INSERT INTO object VALUES('nas','sw1',replace('[[nas]]\naddress = "127.0.0.1"\nname = "sw1"\nsite = "hq"\n','\n',char(10)),X'017d07ac774f849a66471338dbeb87a5bc490fcee1556093eb17c45ac123bf605c1a872b78f9a6d0b34b8a8adb2e0ddbf39222f3',1795689094770908);
INSERT INTO object VALUES('profile','corp',replace('[[profile]]\nname = "corp"\nvlan = 20\n','\n',char(10)),NULL,1795689094770908);
INSERT INTO object VALUES('site','hq',replace('[[site]]\nname = "hq"\n','\n',char(10)),NULL,1795689094770908);
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
INSERT INTO identity VALUES(X'01a217691e3e7b699543634ad8b78a2c','user','alice','active',NULL,NULL,NULL,NULL,NULL,'[]','{}','[]',1795689094770908,1795689094770908);
INSERT INTO identity VALUES(X'01a217691e3e7c00a2e201d0863cab59','device','p256','active','alice','work',NULL,NULL,NULL,'["laptops"]','{}','[{"san_dns":"p256.corp.example"}]',1795689094770908,1795689094770908);
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
INSERT INTO policy_revision VALUES(1,'c714e7e4d1b3',replace('@id("laptops") @order("10") @profile("corp")\npermit (principal in Group::"laptops", action == Network::Action::"connect", resource);\n','\n',char(10)),NULL,'laptops alone','root',1795689094885935);
CREATE TABLE policy_activation (
    number   INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL REFERENCES policy_revision (number),
    -- 'activate'; 'rollback', which undoes one; 'pin', which adds a test to one
    how      TEXT    NOT NULL,
    author   TEXT    NOT NULL,
    at_us    INTEGER NOT NULL
) STRICT;
INSERT INTO policy_activation VALUES(1,1,'activate','root',1795689094885935);
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
INSERT INTO change VALUES(X'01a217691e727d78b93945c7ea6ee5e4',1795689094770908,'elena','site','hq','create','{}');
INSERT INTO change VALUES(X'01a217691e7279ffba2eff9805c66731',1795689094770908,'elena','group','laptops','create','{}');
INSERT INTO change VALUES(X'01a217691e727a9ca6877b67e32155d7',1795689094770908,'elena','nas','sw1','create','{"address":{"old":null,"new":"127.0.0.1"},"site":{"old":null,"new":"hq"}}');
INSERT INTO change VALUES(X'01a217691e727b2e9279e7140f665633',1795689094770908,'elena','profile','corp','create','{"vlan":{"old":null,"new":20}}');
INSERT INTO change VALUES(X'01a217691e7271b494d0f5ac53e76b29',1795689094770908,'elena','identity','device p256','create','{"credentials":{"old":null,"new":[{"san_dns":"p256.corp.example"}]},"groups":{"old":null,"new":["laptops"]},"kind":{"old":null,"new":"device"},"owner":{"old":null,"new":"alice"},"purpose":{"old":null,"new":"work"}}');
INSERT INTO change VALUES(X'01a217691e727af5aa6a0bb3c2667956',1795689094770908,'elena','identity','user alice','create','{"kind":{"old":null,"new":"user"}}');
INSERT INTO change VALUES(X'01a217691ee57d33acafc7dcebec91fb',1795689094885935,'root','policy','the policy','activate','{"digest":"c714e7e4d1b3","comment":"laptops alone"}');
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
INSERT INTO endpoint VALUES(X'01a217692d247ba5ac448e957b62ebca','certificate:0672c937e86ab695ac341d92d61b7cbe246c503f28986d2d6b8f47bd6ffc942c',0,1795689098532353,1795689110829484,20783,1,NULL,NULL,'{"macs":["02-00-5E-01-00-02","02-00-5E-01-00-01"],"identity":{"id":"01a21769-1e3e-7c00-a2e2-01d0863cab59","name":"p256","kind":"device"},"certificate":{"fingerprint":"0672c937e86ab695ac341d92d61b7cbe246c503f28986d2d6b8f47bd6ffc942c","subject":"CN=p256.corp.example","issuer":"CN=Corp CA"},"places":[{"mac":"02-00-5E-01-00-02","nas":"sw1","address":"127.0.0.1","port":"Gi1/0/2","ssid":null,"wireless":false,"first_at":"2026-11-26T10:31:50.602187Z","last_at":"2026-11-26T10:31:50.829484Z","here_at":"2026-11-26T10:31:50.602187Z","left_at":"2026-11-26T10:31:50.829484Z","decision":null},{"mac":"02-00-5E-01-00-01","nas":"sw1","address":"127.0.0.1","port":"Gi1/0/1","ssid":null,"wireless":false,"first_at":"2026-11-26T10:31:50.541421Z","last_at":"2026-11-26T10:31:50.561612Z","here_at":"2026-11-26T10:31:50.561612Z","left_at":null,"decision":null},{"mac":"02-00-5E-01-00-02","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:31:38.561078Z","last_at":"2026-11-26T10:31:38.561078Z","here_at":"2026-11-26T10:31:38.561078Z","left_at":null,"decision":"01a21769-2d41-71e6-bfe0-b7dc67640269"},{"mac":"02-00-5E-01-00-01","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:31:38.532353Z","last_at":"2026-11-26T10:31:38.532353Z","here_at":"2026-11-26T10:31:38.532353Z","left_at":null,"decision":"01a21769-2d24-7a76-9897-e992122c500b"}],"ips":[{"ip":"10.20.0.2","first_at":"2026-11-26T10:31:50.602187Z","last_at":"2026-11-26T10:31:50.829484Z"},{"ip":"10.20.0.1","first_at":"2026-11-26T10:31:50.541421Z","last_at":"2026-11-26T10:31:50.561612Z"}],"fingerprint":{"category":null,"os":null,"evidence":[]},"clues":[{"kind":"method","value":"eap-tls","at":"2026-11-26T10:31:38.532353Z"},{"kind":"certificate-issuer","value":"CN=Corp CA","at":"2026-11-26T10:31:38.532353Z"}],"login_at":"2026-11-26T10:31:38.561078Z","logins":["01a21769-2d41-71e6-bfe0-b7dc67640269","01a21769-2d24-7a76-9897-e992122c500b"],"signalled":[]}');
INSERT INTO endpoint VALUES(X'01a217692d597bfabec625fb5fd99878','certificate:e51074cf26025be1d7b176d8449010850579f026be8d2eec8f8f3ce6d9ec50da',0,1795689098585100,1795689098585100,20783,1,NULL,NULL,'{"macs":["02-00-5E-01-00-03"],"identity":null,"certificate":{"fingerprint":"e51074cf26025be1d7b176d8449010850579f026be8d2eec8f8f3ce6d9ec50da","subject":"CN=stranger.corp.example","issuer":"CN=Corp CA"},"places":[{"mac":"02-00-5E-01-00-03","nas":"sw1","address":"127.0.0.1","port":null,"ssid":null,"wireless":true,"first_at":"2026-11-26T10:31:38.585100Z","last_at":"2026-11-26T10:31:38.585100Z","here_at":null,"left_at":null,"decision":null}],"ips":[],"fingerprint":{"category":null,"os":null,"evidence":[]},"clues":[{"kind":"method","value":"eap-tls","at":"2026-11-26T10:31:38.585100Z"},{"kind":"certificate-issuer","value":"CN=Corp CA","at":"2026-11-26T10:31:38.585100Z"}],"login_at":"2026-11-26T10:31:38.585100Z","logins":["01a21769-2d59-7190-8cbf-e51f8a8c3fde"],"signalled":[]}');
CREATE TABLE endpoint_mac (
    mac         TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (mac, endpoint_id)
) STRICT, WITHOUT ROWID;
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-01',X'01a217692d247ba5ac448e957b62ebca');
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-02',X'01a217692d247ba5ac448e957b62ebca');
INSERT INTO endpoint_mac VALUES('02-00-5E-01-00-03',X'01a217692d597bfabec625fb5fd99878');
CREATE TABLE endpoint_place (
    nas_name    TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (nas_name, endpoint_id)
) STRICT, WITHOUT ROWID;
INSERT INTO endpoint_place VALUES('sw1',X'01a217692d247ba5ac448e957b62ebca');
INSERT INTO endpoint_place VALUES('sw1',X'01a217692d597bfabec625fb5fd99878');
CREATE TABLE nas_behaviour (
    address  TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    -- what it says, as JSON
    learned  TEXT    NOT NULL
) STRICT;
INSERT INTO nas_behaviour VALUES('127.0.0.1','sw1',1795689098516445,1795689098585100,13,'{"identifiers":[],"addresses":["127.0.0.1"],"port_types":[19],"methods":["eap-tls"],"service_types":[2],"vendors":[],"message_authenticator":{"total":13,"in_a_row":13,"since_us":1795689098516445},"raised":[]}');
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
CREATE INDEX decision_by_mac      ON decision (mac, id)           WHERE mac IS NOT NULL;
CREATE INDEX decision_by_identity ON decision (identity_name, id) WHERE identity_name IS NOT NULL;
CREATE INDEX decision_by_nas      ON decision (nas_name, id);
CREATE INDEX decision_by_reason   ON decision (reason, id);
CREATE INDEX decision_observed    ON decision (id) WHERE enforced = 0;
CREATE UNIQUE INDEX session_by_key ON session (nas_name, device, acct_session_id, station, reuse);
CREATE INDEX session_by_mac   ON session (mac, id) WHERE mac IS NOT NULL;
CREATE INDEX session_by_state ON session (state, id);
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
COMMIT;
