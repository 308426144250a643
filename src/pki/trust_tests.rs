use super::*;
use crate::pki::testing::{DAY, END, NOW, TestCa, ca_params, crl_params, leaf_params};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, CustomExtension,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, RsaKeySize,
    SanType, date_time_ymd,
};

fn refused(store: &TrustStore, chain: &[CertificateDer<'_>]) -> ChainError {
    store.verify(chain, NOW).unwrap_err()
}

#[test]
fn a_good_chain_is_accepted_and_described() {
    let root = TestCa::new("Root");
    let middle = root.intermediate("Middle");
    let verified = root.store().verify(&[middle.leaf("laptop"), middle.certificate.clone()], NOW).unwrap();
    assert_eq!(verified.leaf.subject, "CN=laptop");
    assert_eq!(verified.issuers, ["CN=Middle", "CN=Root"]);
    assert_eq!(verified.anchor, "corp");
    assert!(verified.warnings.is_empty());
}

#[test]
fn intermediates_come_in_any_order_with_strangers_among_them() {
    let root = TestCa::new("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let (leaf, stranger) = (lower.leaf("x"), TestCa::new("Stranger").certificate);
    let (upper, lower, top) = (upper.certificate, lower.certificate, root.certificate.clone());
    let store = root.store();
    for rest in
        [[&upper, &lower, &top, &stranger], [&stranger, &top, &lower, &upper], [&lower, &stranger, &upper, &lower]]
    {
        let chain: Vec<_> = std::iter::once(&leaf).chain(rest).cloned().collect();
        assert_eq!(store.verify(&chain, NOW).unwrap().issuers, ["CN=Lower", "CN=Upper", "CN=Root"]);
    }
    assert_eq!(refused(&store, &[leaf, lower]), ChainError::UnknownCa { issuer: "CN=Upper".to_owned() });
}

#[test]
fn every_kind_of_key_works_for_clients_and_for_cas() {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let keys = [
        (KeyPair::generate().unwrap(), "EC-P256"),
        (KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(), "EC-P384"),
        (KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), "Ed25519"),
        (rsa(RsaKeySize::_2048), "RSA-2048"),
        (rsa(RsaKeySize::_3072), "RSA-3072"),
        (rsa(RsaKeySize::_4096), "RSA-4096"),
    ];
    for (key, kind) in keys {
        let client = TestCa::new("Root");
        let leaf = client.sign_key(&leaf_params("x"), &key);
        assert_eq!(client.store().verify(&[leaf], NOW).unwrap().leaf.key_type, kind);
        let ca = TestCa::with_key("Root", key);
        ca.store_with_crls(&[ca.crl(&[1])]).verify(&[ca.leaf("x")], NOW).expect(kind);
    }
}

#[test]
fn nothing_and_nonsense() {
    let ca = TestCa::new("Root");
    let store = ca.store();
    assert_eq!(refused(&store, &[]), ChainError::Empty);
    assert_eq!(refused(&store, &[CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])]), ChainError::Malformed);
    let mut cut = ca.leaf("x").to_vec();
    cut.pop();
    assert_eq!(refused(&store, &[cut.into()]), ChainError::Malformed);
    let many = vec![ca.leaf("x"); MAX_PRESENTED + 1];
    assert!(matches!(refused(&store, &many), ChainError::Other(_)));
    let nobody = TrustStore::new(Vec::new(), 0).unwrap();
    assert_eq!(refused(&nobody, &[ca.leaf("x")]), ChainError::UnknownCa { issuer: "CN=Root".to_owned() });
}

#[test]
fn validity_is_inclusive_at_both_ends() {
    let ca = TestCa::new("Root");
    let start = Timestamp::from_unix_secs(1_735_689_600);
    let chain = [ca.leaf("x")];
    for store in [ca.store(), ca.store()] {
        store.verify(&chain, start).unwrap();
        store.verify(&chain, END).unwrap();
        let early = store.verify(&chain, start - Duration::from_secs(1)).unwrap_err();
        assert_eq!(early, ChainError::NotYetValid { not_before: start, subject: "CN=x".to_owned() });
        let late = store.verify(&chain, END + Duration::from_secs(1)).unwrap_err();
        assert_eq!(late, ChainError::Expired { not_after: END, subject: "CN=x".to_owned() });
    }
}

#[test]
fn an_expired_intermediate_is_named() {
    let root = TestCa::new("Root");
    let mut params = ca_params("Middle");
    params.not_after = date_time_ymd(2025, 6, 1);
    let middle = root.intermediate_with(params, KeyPair::generate().unwrap());
    let error = refused(&root.store(), &[middle.leaf("x"), middle.certificate.clone()]);
    assert!(matches!(error, ChainError::Expired { subject, .. } if subject == "CN=Middle"));
}

#[test]
fn a_foreign_ca_is_unknown_even_under_our_name() {
    let (ours, theirs) = (TestCa::new("Cordon CA"), TestCa::new("Cordon CA"));
    let unknown = ChainError::UnknownCa { issuer: "CN=Cordon CA".to_owned() };
    assert_eq!(refused(&ours.store(), &[theirs.leaf("x")]), unknown);
    // Without a key identifier it cannot be told from an altered certificate.
    let mut params = leaf_params("x");
    params.use_authority_key_identifier_extension = false;
    assert_eq!(refused(&ours.store(), &[theirs.sign(&params)]), ChainError::BadSignature);
}

#[test]
fn a_self_signed_certificate_leads_nowhere() {
    let ca = TestCa::new("Root");
    let own = TestCa::new("laptop").certificate;
    assert_eq!(refused(&ca.store(), &[own]), ChainError::UnknownCa { issuer: "CN=laptop".to_owned() });
}

#[test]
fn an_altered_certificate_has_a_bad_signature() {
    let ca = TestCa::new("Root");
    let mut altered = ca.leaf("victim").to_vec();
    let at = altered.windows(6).position(|w| w == b"victim").unwrap();
    altered[at] = b'V';
    assert_eq!(refused(&ca.store(), &[altered.into()]), ChainError::BadSignature);
}

#[test]
fn usage_is_client_authentication_or_unsaid() {
    let ca = TestCa::new("Root");
    let with = |usages: &[ExtendedKeyUsagePurpose]| {
        let mut params = leaf_params("x");
        params.extended_key_usages = usages.to_vec();
        ca.store().verify(&[ca.sign(&params)], NOW).map(|_| ())
    };
    let (client, server) = (ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth);
    assert_eq!(with(&[]), Ok(()));
    assert_eq!(with(&[server.clone(), client]), Ok(()));
    assert_eq!(with(&[server]), Err(ChainError::WrongUsage));
}

#[test]
fn a_ca_is_no_client_and_a_client_is_no_ca() {
    let root = TestCa::new("Root");
    let middle = root.intermediate("Middle");
    let error = refused(&root.store(), std::slice::from_ref(&middle.certificate));
    assert_eq!(error, ChainError::CaAsClient { subject: "CN=Middle".to_owned() });
    let mut params = ca_params("impostor");
    params.is_ca = IsCa::NoCa;
    let impostor = root.intermediate_with(params, KeyPair::generate().unwrap());
    let error = refused(&root.store(), &[impostor.leaf("x"), impostor.certificate.clone()]);
    assert_eq!(error, ChainError::NotACa { subject: "CN=impostor".to_owned() });
}

#[test]
fn constraints_of_a_ca_are_kept() {
    let root = TestCa::new("Root");
    let mut params = ca_params("Middle");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let middle = root.intermediate_with(params, KeyPair::generate().unwrap());
    let with = |name: &str| {
        let mut params = leaf_params("x");
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        root.store().verify(&[middle.sign(&params), middle.certificate.clone()], NOW).map(|_| ())
    };
    assert_eq!(with("pc.example.org"), Ok(()));
    assert_eq!(with("pc.example.com"), Err(ChainError::NameConstraint));

    let mut params = ca_params("Narrow");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let narrow = root.intermediate_with(params, KeyPair::generate().unwrap());
    let below = narrow.intermediate("Below");
    let chain = [below.leaf("x"), below.certificate.clone(), narrow.certificate.clone()];
    assert!(matches!(refused(&root.store(), &chain), ChainError::Other(text) if text.contains("path length")));
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let ca = TestCa::new("Root");
    let mut params = leaf_params("x");
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    assert!(matches!(refused(&ca.store(), &[ca.sign(&params)]), ChainError::Other(text) if text.contains("critical")));
}

#[test]
fn weak_keys_and_hashes_are_named() {
    // Made with OpenSSL, since rcgen makes no such thing: an RSA-2048 root, a
    // client key of 1024 bits, a SHA-1 signature, and an intermediate of 1024 bits.
    let file = |text: &str| crate::pki::pem::certificates(text.as_bytes()).unwrap();
    let root = CaSettings::from_pem("weak", include_bytes!("testdata/weak-root.pem"), &[]).unwrap();
    let store = TrustStore::new(vec![root], 1).unwrap();
    let weak = |chain: &str| match refused(&store, &file(chain)) {
        ChainError::Weak { what } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        weak(include_str!("testdata/weak-key.pem")),
        "the key of CN=short is RSA with 1024 bits; at least 2048 are needed"
    );
    assert_eq!(weak(include_str!("testdata/weak-hash.pem")), "the certificate of CN=sha1 is signed with SHA-1");
    assert_eq!(
        weak(include_str!("testdata/weak-issuer.pem")),
        "the key of CN=Short CA is RSA with 1024 bits; at least 2048 are needed"
    );
    match refused(&store, &file(include_str!("testdata/odd-key.pem"))) {
        ChainError::UnsupportedAlgorithm { what } => {
            assert_eq!(what, "the key of CN=odd is of type EC-1.3.132.0.10")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revoked_certificate_is_refused_at_any_level() {
    let root = TestCa::new("Root");
    let middle = {
        let mut params = ca_params("Middle");
        params.serial_number = Some(7.into());
        root.intermediate_with(params, KeyPair::generate().unwrap())
    };
    let chain = [middle.leaf("x"), middle.certificate.clone()];
    let at = Timestamp::from_unix_secs(1_764_547_200);
    let store = |of_root: &[u64], of_middle: &[u64]| root.store_with_crls(&[root.crl(of_root), middle.crl(of_middle)]);
    store(&[0x100], &[7]).verify(&chain, NOW).unwrap();
    assert_eq!(
        refused(&store(&[], &[0x100]), &chain),
        ChainError::Revoked { serial: "0100".to_owned(), issuer: "CN=Middle".to_owned(), at }
    );
    assert_eq!(
        refused(&store(&[7], &[]), &chain),
        ChainError::Revoked { serial: "07".to_owned(), issuer: "CN=Root".to_owned(), at }
    );
}

#[test]
fn a_missing_crl_fails_or_warns() {
    let root = TestCa::new("Root");
    let middle = root.intermediate("Middle");
    let chain = [middle.leaf("x"), middle.certificate.clone()];
    let missing = ChainError::CrlMissing { issuer: "CN=Root".to_owned() };
    assert_eq!(refused(&root.store_with_crls(&[middle.crl(&[])]), &chain), missing);
    let settings =
        CaSettings { crls: vec![middle.crl(&[])], crl_check: true, crl_missing: CrlPolicy::Warn, ..root.settings() };
    let verified = TrustStore::new(vec![settings], 1).unwrap().verify(&chain, NOW).unwrap();
    assert_eq!(verified.warnings, [missing.to_string()]);
}

#[test]
fn a_crl_signed_by_another_key_or_by_a_ca_that_may_not_is_no_crl() {
    let (ca, impostor) = (TestCa::new("Root"), TestCa::new("Root"));
    let missing = ChainError::CrlMissing { issuer: "CN=Root".to_owned() };
    let store = ca.store_with_crls(&[impostor.crl(&[0x100])]);
    assert_eq!(refused(&store, &[ca.leaf("x")]), missing);
    assert_eq!(store.warnings(NOW), ["the CRL of CN=Root is signed by another key than its CA certificate's"]);

    let mut params = ca_params("Root");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let silent = TestCa { issuer: Issuer::new(params, key), certificate };
    assert_eq!(refused(&silent.store_with_crls(&[silent.crl(&[])]), &[silent.leaf("x")]), missing);
}

#[test]
fn an_outdated_crl_fails_or_warns_but_still_revokes() {
    let ca = TestCa::new("Root");
    let chain = [ca.leaf("x")];
    let later = NOW + DAY * 20;
    let next_update = NOW + DAY * 10;
    let outdated = ChainError::CrlOutdated { issuer: "CN=Root".to_owned(), next_update };
    assert_eq!(ca.store_with_crls(&[ca.crl(&[])]).verify(&chain, later).unwrap_err(), outdated);
    let lenient = |serials: &[u64]| {
        let settings =
            CaSettings { crls: vec![ca.crl(serials)], crl_check: true, crl_outdated: CrlPolicy::Warn, ..ca.settings() };
        TrustStore::new(vec![settings], 1).unwrap()
    };
    assert_eq!(lenient(&[]).verify(&chain, later).unwrap().warnings, [outdated.to_string()]);
    assert!(matches!(lenient(&[0x100]).verify(&chain, later), Err(ChainError::Revoked { .. })));
    assert_eq!(lenient(&[]).warnings(later).len(), 1);
}

#[test]
fn the_newest_crl_counts() {
    let ca = TestCa::new("Root");
    let mut newer = crl_params(&[]);
    newer.this_update = date_time_ymd(2026, 1, 1);
    let newer = newer.signed_by(&ca.issuer).unwrap().into();
    ca.store_with_crls(&[ca.crl(&[0x100]), newer]).verify(&[ca.leaf("x")], NOW).unwrap();
}

#[test]
fn a_partitioned_crl_covers_only_its_part() {
    let root = TestCa::new("Root");
    let of = |scope, uri: &str, serials: &[u64]| {
        let mut params = crl_params(serials);
        let distribution_point = CrlDistributionPoint { uris: vec![uri.to_owned()] };
        params.issuing_distribution_point = Some(CrlIssuingDistributionPoint { distribution_point, scope });
        params.signed_by(&root.issuer).unwrap().into()
    };
    let mut params = leaf_params("x");
    params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec!["http://crl/1".to_owned()] }];
    let chain = [root.sign(&params)];
    let missing = ChainError::CrlMissing { issuer: "CN=Root".to_owned() };
    assert_eq!(refused(&root.store_with_crls(&[of(None, "http://crl/2", &[])]), &chain), missing);
    assert_eq!(
        refused(&root.store_with_crls(&[of(Some(CrlScope::CaCertsOnly), "http://crl/1", &[])]), &chain),
        missing
    );
    root.store_with_crls(&[of(Some(CrlScope::UserCertsOnly), "http://crl/1", &[])]).verify(&chain, NOW).unwrap();
    // Who is listed is revoked, whatever else the list covers.
    let listed = root.store_with_crls(&[of(None, "http://crl/2", &[0x100])]);
    assert!(matches!(refused(&listed, &chain), ChainError::Revoked { .. }));
}

#[test]
fn settings_are_those_of_the_anchor_the_path_ends_in() {
    let (strict, lax) = (TestCa::new("Strict"), TestCa::new("Lax"));
    let store = TrustStore::new(
        vec![
            CaSettings { name: "strict".to_owned(), crl_check: true, ..strict.settings() },
            CaSettings { name: "lax".to_owned(), ..lax.settings() },
        ],
        1,
    )
    .unwrap();
    assert_eq!(refused(&store, &[strict.leaf("x")]), ChainError::CrlMissing { issuer: "CN=Strict".to_owned() });
    assert_eq!(store.verify(&[lax.leaf("x")], NOW).unwrap().anchor, "lax");
    // The same intermediate under both: what one path refuses the other may allow.
    let key = KeyPair::generate().unwrap();
    let params: CertificateParams = ca_params("Cross");
    let crosses = [&strict, &lax].map(|ca| params.signed_by(&key, &ca.issuer).unwrap().der().clone());
    let cross = TestCa { issuer: Issuer::new(params, key), certificate: crosses[0].clone() };
    let [by_strict, by_lax] = crosses;
    let verified = store.verify(&[cross.leaf("x"), by_strict, by_lax], NOW).unwrap();
    assert_eq!(verified.issuers, ["CN=Cross", "CN=Lax"]);
}

#[test]
fn a_remembered_chain_is_still_checked() {
    let root = TestCa::new("Root");
    let mut params = ca_params("Middle");
    params.not_after = date_time_ymd(2026, 1, 5);
    let middle = root.intermediate_with(params, KeyPair::generate().unwrap());
    let chain = [middle.leaf("x"), middle.certificate.clone()];
    let store = root.store();
    store.verify(&chain, NOW).unwrap();
    store.verify(&chain, NOW).unwrap();
    // Not only the client's own certificate can expire.
    let error = store.verify(&chain, NOW + DAY * 5).unwrap_err();
    assert!(matches!(error, ChainError::Expired { subject, .. } if subject == "CN=Middle"));

    let store = root.store_with_crls(&[root.crl(&[]), middle.crl(&[])]);
    store.verify(&chain, NOW).unwrap();
    let error = store.verify(&chain, NOW + DAY * 11).unwrap_err();
    assert!(matches!(error, ChainError::Expired { .. } | ChainError::CrlOutdated { .. }));
    let direct = [root.leaf("y")];
    store.verify(&direct, NOW).unwrap();
    assert!(matches!(store.verify(&direct, NOW + DAY * 11), Err(ChainError::CrlOutdated { .. })));

    // A new CRL means a new store, which remembers nothing.
    let revoked = root.store_with_crls(&[root.crl(&[0x100])]);
    assert!(matches!(revoked.verify(&direct, NOW), Err(ChainError::Revoked { .. })));
}

#[test]
fn only_good_chains_are_remembered_and_by_all_that_was_presented() {
    let ca = TestCa::new("Root");
    let store = ca.store();
    let good = ca.leaf("x");
    store.verify(std::slice::from_ref(&good), NOW).unwrap();
    let _ = store.verify(&[TestCa::new("Other").leaf("x")], NOW);
    assert!(store.forget(std::slice::from_ref(&good)).is_some());
    assert!(store.forget(std::slice::from_ref(&good)).is_none());
    store.verify(&[good.clone(), ca.certificate.clone()], NOW).unwrap();
    assert!(store.forget(&[good]).is_none());
}

#[test]
fn an_expired_anchor_is_a_warning() {
    let mut params = ca_params("Old");
    params.not_after = date_time_ymd(2025, 6, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let ca = TestCa { issuer: Issuer::new(params, key), certificate };
    let store = ca.store();
    assert_eq!(store.verify(&[ca.leaf("x")], NOW).unwrap().warnings, store.warnings(NOW));
    assert_eq!(store.warnings(NOW).len(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let ca = TestCa::new("Root");
    let error = |settings: Vec<CaSettings>| TrustStore::new(settings, 1).unwrap_err();
    let corp = || "corp".to_owned();
    assert_eq!(
        error(vec![CaSettings { certificates: Vec::new(), ..ca.settings() }]),
        TrustError::NoCertificate { ca: corp() }
    );
    assert_eq!(error(vec![ca.settings(), TestCa::new("B").settings()]), TrustError::SameName { ca: corp() });
    assert_eq!(
        error(vec![ca.settings(), CaSettings { name: "other".to_owned(), ..ca.settings() }]),
        TrustError::SharedCertificate { first: corp(), second: "other".to_owned(), subject: "CN=Root".to_owned() }
    );
    let error = error(vec![CaSettings { certificates: vec![ca.certificate.clone(), ca.leaf("x")], ..ca.settings() }]);
    assert_eq!(
        error.to_string(),
        "CA \"corp\", certificate 2: CN=x is not a CA (basicConstraints does not say CA:TRUE)"
    );
    // The same certificate twice in one bundle is harmless.
    let twice = CaSettings { certificates: vec![ca.certificate.clone(); 2], ..ca.settings() };
    assert_eq!(TrustStore::new(vec![twice], 1).unwrap().hints().len(), 1);
}

#[test]
fn an_issuer_without_a_crl_is_warned_about_before_clients_come() {
    let root = TestCa::new("Root");
    let middle = root.intermediate("Middle");
    let chain = [middle.leaf("server"), middle.certificate.clone()];
    let both = |crl_missing, crls: Vec<_>| {
        let certificates = vec![root.certificate.clone(), middle.certificate.clone()];
        let settings = CaSettings { certificates, crls, crl_check: true, crl_missing, ..root.settings() };
        TrustStore::new(vec![settings], 1).unwrap().warnings(NOW)
    };
    let [warning] = &both(CrlPolicy::Fail, vec![root.crl(&[])])[..] else { panic!("one warning") };
    assert!(warning.contains("no CRL of CN=Middle") && warning.contains("will be refused"), "{warning}");
    let [warning] = &both(CrlPolicy::Warn, vec![root.crl(&[])])[..] else { panic!("one warning") };
    assert!(warning.contains("will be accepted with a warning"), "{warning}");
    assert!(both(CrlPolicy::Fail, vec![root.crl(&[]), middle.crl(&[])]).is_empty());

    // An intermediate that only the server's chain tells of.
    let [warning] = &root.store_with_crls(&[root.crl(&[])]).unlisted_intermediates(&chain)[..] else { panic!("one") };
    assert!(warning.contains("no CRL of CN=Middle"), "{warning}");
    assert!(root.store_with_crls(&[root.crl(&[]), middle.crl(&[])]).unlisted_intermediates(&chain).is_empty());
    assert!(root.store().unlisted_intermediates(&chain).is_empty(), "revocation is not looked at");
    let stranger = TestCa::new("Stranger");
    assert!(stranger.store_with_crls(&[stranger.crl(&[])]).unlisted_intermediates(&chain).is_empty());
}
