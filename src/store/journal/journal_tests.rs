use super::*;

fn contents(dir: &Path, from: Position) -> Vec<Vec<u8>> {
    let journal = Journal::open(dir).unwrap();
    let (mut reader, mut all) = (journal.reader(from), Vec::new());
    while let Some((_, content)) = reader.next(journal.end()).unwrap() {
        all.push(content);
    }
    all
}

fn record(content: &[u8]) -> Framed<'_> {
    Framed { kind: b'x', content }
}

#[test]
fn what_was_appended_is_read_again_from_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let id = journal.id();
    journal.append(&[record(b"one"), record(b"two")]).unwrap();
    let place = journal.end();
    journal.append(&[record(b"three")]).unwrap();
    drop(journal);
    assert_eq!(contents(dir.path(), Position::default()), [b"xone".to_vec(), b"xtwo".to_vec(), b"xthree".to_vec()]);
    assert_eq!(contents(dir.path(), place), [b"xthree".to_vec()]);
    assert_eq!(Journal::open(dir.path()).unwrap().id(), id);
}

#[test]
fn a_file_that_was_only_begun_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[record(b"one")]).unwrap();
    drop(journal);
    std::fs::write(path(dir.path(), 2), b"CORD").unwrap();
    assert_eq!(contents(dir.path(), Position::default()), [b"xone".to_vec()]);
    assert!(!path(dir.path(), 2).exists());
}

#[test]
fn only_one_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Journal::open(dir.path()).unwrap();
    let error = Journal::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("another server"), "{error}");
}

#[test]
fn an_unfinished_frame_is_cut_off_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[record(b"kept")]).unwrap();
    let (kept, file) = (journal.end().offset, path(dir.path(), 1));
    journal.append(&[record(b"lost with the power")]).unwrap();
    drop(journal);
    let whole = std::fs::read(&file).unwrap();
    for length in kept..whole.len() as u64 {
        std::fs::write(&file, &whole[..length as usize]).unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.end().offset, kept, "{length}");
        journal.append(&[record(b"next")]).unwrap();
        drop(journal);
        assert_eq!(contents(dir.path(), Position::default()), [b"xkept".to_vec(), b"xnext".to_vec()]);
    }
    // A flipped bit is no frame either.
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    assert_eq!(contents(dir.path(), Position::default()), [b"xkept".to_vec()]);
}

#[test]
fn files_end_and_are_deleted_when_all_of_them_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let long = vec![7; MAX_FRAME - 1];
    let per_file = FILE_LEN as usize / MAX_FRAME;
    for _ in 0..per_file * 2 {
        journal.append(&[record(&long)]).unwrap();
    }
    let end = journal.end();
    assert_eq!(end.file, 2);
    let before = journal.size();
    journal.forget_before(Position { file: 2, offset: FILE_HEADER });
    assert!(journal.size() < before / 2 + FILE_HEADER && !path(dir.path(), 1).exists());
    journal.forget_before(Position { file: 9, offset: 0 });
    assert!(path(dir.path(), 2).exists(), "the file that is written stays");
    drop(journal);
    assert_eq!(contents(dir.path(), Position::default()).len(), per_file);
}

#[test]
fn after_a_failure_nothing_of_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[record(b"one")]).unwrap();
    // A file that cannot be written stands for a disk that is full.
    journal.open = Some(File::open(path(dir.path(), 1)).unwrap());
    journal.append(&[record(b"refused")]).unwrap_err();
    journal.append(&[record(b"two")]).unwrap();
    assert_eq!(journal.end().file, 2);
    drop(journal);
    assert_eq!(contents(dir.path(), Position::default()), [b"xone".to_vec(), b"xtwo".to_vec()]);
}

#[test]
fn a_journal_is_in_use_until_whoever_reads_it_on_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let reader = journal.reader(Position::default());
    drop(journal);
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::InUse(_))));
    drop(reader);
    assert!(Journal::open(dir.path()).is_ok());
}
