use super::super::binding::BindingField;
use super::*;
use crate::ids::IdentityId;

fn identity(name: &str, credentials: Vec<Credential>) -> Arc<Identity> {
    let id = IdentityId::new(Timestamp::default());
    Arc::new(Identity { credentials: credentials.into(), ..Identity::new(id, IdentityKind::Device, name) })
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        subject: "CN=laptop-1".into(),
        common_name: Some("laptop-1".into()),
        issuer: "CN=Corp CA".into(),
        serial: "0a1b".into(),
        fingerprint: "aa".repeat(32),
        key_fingerprint: "bb".repeat(32),
        not_before: Timestamp::default(),
        not_after: Timestamp::default(),
        san_dns: vec!["Laptop-1.Example".into()],
        san_email: Vec::new(),
        san_uri: vec!["spiffe://example/laptop-1".into()],
        san_upn: Vec::new(),
        san_ip: Vec::new(),
        sid: None,
        key_type: "EC-P256".into(),
    }
}

#[test]
fn each_field_binds_by_itself() {
    for credential in [
        Credential::SanDns("laptop-1.example.".into()),
        Credential::SanUri("spiffe://example/laptop-1".into()),
        Credential::CommonName("laptop-1".into()),
        Credential::IssuerSerial { issuer: "CN=Corp CA".into(), serial: "A:1B".into() },
        Credential::IssuerSerial { issuer: "CN=Corp CA".into(), serial: "00:0a:1b".into() },
        Credential::Fingerprint(["AA"; 32].join(":")),
        Credential::KeyFingerprint("BB".repeat(32)),
    ] {
        let index = index(vec![identity("laptop-1", vec![credential.clone()])]).unwrap();
        let found = index.by_certificate(&certificate(), None).unwrap();
        assert_eq!(found.map(|(i, _)| &*i.name), Some("laptop-1"), "{credential}");
    }
    for credential in [
        Credential::SanUri("spiffe://example/LAPTOP-1".into()),
        Credential::SanEmail("laptop-1.example".into()),
        Credential::SanDns("laptop-1".into()),
        Credential::CommonName("laptop-1.example".into()),
    ] {
        let index = index(vec![identity("other", vec![credential.clone()])]).unwrap();
        assert_eq!(index.by_certificate(&certificate(), None).unwrap(), None, "{credential}");
    }
}

#[test]
fn lay_1_a_credential_has_one_identity() {
    let same = || vec![Credential::SanDns("laptop-1.example".into())];
    let error = index(vec![identity("one", same()), identity("two", same())]).unwrap_err();
    assert_eq!(error.to_string(), "SAN DNS laptop-1.example is bound to one and to two");
}

#[test]
fn a_certificate_that_two_claim_is_nobodys() {
    let index = index(vec![
        identity("one", vec![Credential::SanDns("laptop-1.example".into())]),
        identity("two", vec![Credential::CommonName("laptop-1".into())]),
    ])
    .unwrap();
    let error = index.by_certificate(&certificate(), None).unwrap_err();
    assert_eq!((error.first.as_str(), error.second.as_str()), ("one", "two"));
}

fn index(all: Vec<Arc<Identity>>) -> Result<IdentityIndex, IdentityError> {
    IdentityIndex::new(all, Vec::new())
}

fn binding(field: BindingField, pattern: &str, ca: Option<&str>) -> Binding {
    Binding::new("b".into(), field, pattern, IdentityKind::Device, ca.map(Into::into)).unwrap()
}

#[test]
fn a_binding_captures_the_name() {
    let find = |binding, facts: &CertificateFacts, ca| {
        let index = IdentityIndex::new(vec![identity("laptop-1", vec![])], vec![binding]).unwrap();
        index.by_certificate(facts, ca).unwrap().map(|(identity, _)| identity.name.to_string())
    };
    let facts = certificate();
    let found = Some("laptop-1".to_owned());
    assert_eq!(find(binding(BindingField::SanDns, "{name}.example", None), &facts, None), found);
    assert_eq!(find(binding(BindingField::SanDns, "(.*).EXAMPLE", None), &facts, None), found);
    assert_eq!(find(binding(BindingField::SanUri, "spiffe://example/{name}", None), &facts, None), found);
    assert_eq!(find(binding(BindingField::CommonName, "lap{name}", None), &facts, None), None);
    assert_eq!(find(binding(BindingField::SanDns, "{name}.example", Some("corp")), &facts, Some("corp")), found);
    assert_eq!(find(binding(BindingField::SanDns, "{name}.example", Some("corp")), &facts, Some("guests")), None);
    // A dot is a dot, and a name has none.
    let other = CertificateFacts { san_dns: vec!["laptop-1xexample".into()], ..certificate() };
    assert_eq!(find(binding(BindingField::SanDns, "{name}.example", None), &other, None), None);
    let deeper = CertificateFacts { san_dns: vec!["evil.laptop-1.example".into()], ..certificate() };
    assert_eq!(find(binding(BindingField::SanDns, "{name}.example", None), &deeper, None), None);
    // Where case counts, it counts in the name too.
    let upper = CertificateFacts { san_uri: vec!["spiffe://example/LAPTOP-1".into()], ..certificate() };
    assert_eq!(find(binding(BindingField::SanUri, "spiffe://example/{name}", None), &upper, None), None);
    for pattern in ["example", "{name}", "(.*)", "{name}.{name}.example", "{name}(.*)x"] {
        assert!(Binding::new("b".into(), BindingField::SanDns, pattern, IdentityKind::Device, None).is_err());
    }
}

#[test]
fn a_binding_and_a_credential_that_differ_are_ambiguous() {
    let all = vec![identity("laptop-1", vec![]), identity("two", vec![Credential::CommonName("laptop-1".into())])];
    let index = IdentityIndex::new(all, vec![binding(BindingField::SanDns, "{name}.example", None)]).unwrap();
    let error = index.by_certificate(&certificate(), None).unwrap_err();
    assert_eq!((error.first.as_str(), error.second.as_str()), ("two", "laptop-1"));
}

#[test]
fn who_is_retired_gives_way() {
    let mac = || vec![Credential::CommonName("laptop-1".into())];
    let gone = Arc::new(Identity { status: IdentityStatus::Retired, ..identity("old", mac()).as_ref().clone() });
    let of = |all: Vec<Arc<Identity>>| {
        let index = index(all).unwrap();
        index.by_certificate(&certificate(), None).unwrap().map(|(i, _)| i.name.to_string())
    };
    assert_eq!(of(vec![gone.clone(), identity("new", mac())]).as_deref(), Some("new"));
    assert_eq!(of(vec![gone]).as_deref(), Some("old"), "nobody else has it: the record still says who it was");
}

#[test]
fn names_differ_by_more_than_case() {
    assert!(index(vec![identity("a", vec![]), identity("A", vec![])]).is_err());
}

#[test]
fn who_loses_the_owner_is_an_orphan() {
    let person = |name: &str, status| {
        Arc::new(Identity { kind: IdentityKind::User, status, ..identity(name, vec![]).as_ref().clone() })
    };
    let owned = |name: &str, owner: Option<&str>| {
        Arc::new(Identity { owner: owner.map(Into::into), ..identity(name, vec![]).as_ref().clone() })
    };
    let all = vec![
        person("alice", IdentityStatus::Active),
        person("bob", IdentityStatus::Retired),
        owned("one", Some("alice")),
        owned("two", Some("bob")),
        owned("three", Some("carol")),
        owned("four", None),
    ];
    let index = index(all).unwrap();
    let orphans: Vec<_> = index.all().iter().map(|i| index.orphaned(i, Timestamp::default())).collect();
    let expected = [
        None,
        None,
        None,
        Some(Orphaned::OwnerGone(IdentityStatus::Retired)),
        Some(Orphaned::UnknownOwner),
        Some(Orphaned::NoOwner),
    ];
    assert_eq!(orphans, expected);
}
