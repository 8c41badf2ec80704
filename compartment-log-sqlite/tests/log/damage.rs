//! Files that end too early, or are not what they were: whatever is read is what was written.

use std::fs;
use std::path::Path;

use compartment_core::Record;
use compartment_log_sqlite::{
    Finding, OpenError, ReadError, Reader, SqliteLog, backup, is_log, salvage, unwatched,
};
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::records;
use futures::TryStreamExt;
use futures::executor::block_on;

use crate::common::{lines, log_of, place, verified};

const PAGE: usize = 4096;

/// What a damaged log still gives, checked to be nothing but what was written. `None` where it does not open.
fn read(path: &Path, written: &[String]) -> Option<Result<u64, ReadError>> {
    read_and_salvage(path, written, true)
}

/// The same; salvage takes its time, and may be left out.
fn read_and_salvage(path: &Path, written: &[String], salvaging: bool) -> Option<Result<u64, ReadError>> {
    let reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(error.to_string().contains("log.sqlite"), "{error}");
            return None;
        }
    };
    let (mut read, mut found) = (Vec::new(), None);
    for line in reader.lines() {
        match line {
            Ok(line) => read.push(line.line),
            Err(error) => found = Some(error),
        }
    }
    assert!(written.starts_with(&read), "what is read is the beginning of what was written");
    if salvaging {
        check_salvage(&reader, written, read.len() as u64);
    }
    Some(found.map_or(Ok(read.len() as u64), Err))
}

fn check_salvage(reader: &Reader, written: &[String], read: u64) {
    let mut out = Vec::new();
    let salvaged = salvage(reader, &mut out, &mut unwatched).unwrap();
    let out = String::from_utf8(out).unwrap();
    let mut rest = written.iter();
    for line in out.lines() {
        assert!(rest.any(|written| written == line), "what is salvaged was written, and is in order: {line}");
    }
    assert!(salvaged.records >= read, "salvage gives no less");
}

/// Opens it to write, and reads it through that: a prefix, or a clear error.
fn open(path: &Path, written: &[Record]) {
    match SqliteLog::open(path) {
        Err(OpenError::Held { .. }) => panic!("it is not held"),
        Err(error) => assert!(error.to_string().contains("log.sqlite"), "{error}"),
        Ok(log) => {
            let read = block_on(log.read(1, u64::MAX).try_collect::<Vec<_>>());
            if let Ok(read) = read {
                assert!(written.starts_with(&read.concat()));
            }
            block_on(log.close()).unwrap();
        }
    }
}

/// The same log, changed.
fn changed(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, path) = place();
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_log_that_was_cut_off_is_torn_and_gives_what_is_before() {
    const COUNT: u64 = 60;
    let (_folder, path) = log_of(COUNT);
    let (whole, written, all) = (fs::read(&path).unwrap(), lines(COUNT), records(1, COUNT));
    assert!(whole.len() >= 9 * PAGE, "{}", whole.len() / PAGE);
    // Every byte of the last pages, and everything around where a page begins.
    let ends = (whole.len() - 3 * PAGE..whole.len())
        .chain((1..whole.len() / PAGE).flat_map(|page| [page * PAGE - 1, page * PAGE, page * PAGE + 1]))
        .chain([0, 1, 15, 16, 27, 28, 31, 60, 72, 99, 100, 101, 111, 511, 512, 513, 1000]);
    let ends: Vec<usize> = ends.collect();
    let halves = [&ends[..ends.len() / 2], &ends[ends.len() / 2..]];
    let (torn, most) = std::thread::scope(|scope| {
        let threads = halves.map(|ends| scope.spawn(|| cut_at(ends, &whole, &written, &all)));
        let seen = threads.map(|thread| thread.join().unwrap());
        (seen[0].0 + seen[1].0, seen[0].1.max(seen[1].1))
    });
    assert!(torn > 3 * PAGE, "{torn}");
    assert!(most > COUNT / 2, "all but the last pages is there: {most}");
    fs::write(&path, &whole[..whole.len() - PAGE]).unwrap();
    let found = verified(&path).unwrap_err().to_string();
    assert!(found.contains("torn") && found.contains("records are whole"), "{found}");
}

/// Cuts a log at each of `ends`. Gives how often it was torn, and how many records were whole at most.
fn cut_at(ends: &[usize], whole: &[u8], written: &[String], all: &[Record]) -> (usize, u64) {
    let (_folder, path) = place();
    let (mut torn, mut most) = (0, 0);
    for end in ends {
        fs::write(&path, &whole[..*end]).unwrap();
        // Every byte of the last page, and some of the others.
        let salvaging = *end >= whole.len() - PAGE || end % 7 == 0 || end % PAGE < 2;
        match read_and_salvage(&path, written, salvaging) {
            None => assert!(*end < 6 * PAGE, "only without its first pages it does not open: {end}"),
            Some(Err(ReadError::Damaged { finding: Finding::Torn { whole, .. }, .. })) => {
                assert!(whole < all.len() as u64);
                torn += 1;
                most = most.max(whole);
            }
            Some(found) => panic!("cut at {end}: {found:?}"),
        }
        // One in a few: it takes a moment.
        if end % 127 < 2 || *end < PAGE {
            open(&path, all);
            for left in fs::read_dir(path.parent().unwrap()).unwrap() {
                fs::remove_file(left.unwrap().path()).unwrap();
            }
        }
    }
    (torn, most)
}

#[test]
fn damage_in_the_middle_is_told_from_a_torn_end() {
    const COUNT: u64 = 200;
    let (_folder, path) = log_of(COUNT);
    let (whole, written) = (fs::read(&path).unwrap(), lines(COUNT));
    let (pages, mut middle, mut tail) = (whole.len() / PAGE, 0, 0);
    for page in 1..pages {
        let mut bytes = whole.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0);
        let (_folder, path) = changed(&bytes);
        match read(&path, &written) {
            None => {}
            Some(Ok(records)) => assert_eq!(records, COUNT, "the page held no record"),
            Some(Err(ReadError::Damaged { finding: Finding::Unreadable { first, last, .. }, .. })) => {
                assert!((1..=last).contains(&first) && last < COUNT);
                middle += 1;
            }
            Some(Err(ReadError::Damaged { finding: Finding::Torn { .. }, .. })) => tail += 1,
            Some(Err(ReadError::Damaged { finding: Finding::Table { .. }, .. })) => {}
            Some(other) => panic!("page {page}: {other:?}"),
        }
        open(&path, &records(1, COUNT));
    }
    assert!(middle > pages / 2 && tail >= 1, "{middle} {tail}");
}

#[test]
fn no_flipped_bit_makes_a_record_that_was_not_written() {
    let (_folder, path) = log_of(40);
    let (whole, written) = (fs::read(&path).unwrap(), lines(40));
    let mut noticed = 0;
    // In every page its head and a stride of the rest.
    for at in (0..whole.len()).filter(|at| at % PAGE < 24 || at % 97 == 0) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let (_folder, path) = changed(&bytes);
        noticed += usize::from(!matches!(read(&path, &written), Some(Ok(40))));
        if at % 5 == 0 {
            open(&path, &records(1, 40));
        }
    }
    assert!(noticed > 100, "{noticed}");
}

#[test]
fn a_write_ahead_log_that_was_cut_off_gives_a_prefix() {
    let (folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    let all = records(1, 12);
    for batch in all.chunks(3) {
        block_on(log.append(batch)).unwrap();
    }
    // As a process that is killed leaves it: nobody closes anything.
    let (main, wal) = (fs::read(&path).unwrap(), fs::read(path.with_extension("sqlite-wal")).unwrap());
    block_on(log.close()).unwrap();
    drop(folder);
    let frame = PAGE + 24;
    let (written, mut seen) = (lines(12), std::collections::BTreeSet::new());
    // Every byte of the last commit, which is two frames, and some of those before.
    let last = wal.len() - 2 * frame;
    for end in (0..100).chain((last - 2 * frame..last).step_by(23)).chain(last..=wal.len()) {
        let (_folder, path) = changed(&main);
        let beside = path.with_extension("sqlite-wal");
        fs::write(&beside, &wal[..end]).unwrap();
        let count = read(&path, &written).unwrap().unwrap();
        assert_eq!(count % 3, 0, "a batch is there whole or not at all");
        seen.insert(count);
        if end % 97 == 0 || end == wal.len() {
            let log = SqliteLog::open(&path).unwrap();
            assert_eq!(block_on(log.head()).unwrap().position, count);
            let next = records(count + 1, 5);
            block_on(log.append(&next)).unwrap();
            block_on(log.close()).unwrap();
            assert_eq!(verified(&path).unwrap().records, count + 5, "and it goes on from there");
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 6, 9, 12]);
}

#[test]
fn a_log_that_was_emptied_is_not_begun_anew() {
    let (_folder, path) = log_of(5);
    block_on(SqliteLog::open(&path).unwrap().close()).unwrap();
    let identity = path.with_extension("sqlite.id");
    assert!(identity.exists());
    for gone in [false, true] {
        match gone {
            false => fs::write(&path, "").unwrap(),
            true => fs::remove_file(&path).unwrap(),
        }
        let error = SqliteLog::open(&path).unwrap_err();
        assert!(matches!(&error, OpenError::Left { left, .. } if *left == identity), "{error}");
    }
    fs::remove_file(identity).unwrap();
    block_on(SqliteLog::open(&path).unwrap().close()).unwrap();
}

#[test]
fn what_is_left_of_a_log_that_is_gone_is_not_written_over() {
    let (_folder, path) = log_of(5);
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.append(&records(6, 1))).unwrap();
    let wal = fs::read(path.with_extension("sqlite-wal")).unwrap();
    block_on(log.close()).unwrap();
    for empty in [false, true] {
        let (_folder, path) = place();
        if empty {
            fs::write(&path, "").unwrap();
        }
        fs::write(path.with_extension("sqlite-wal"), &wal).unwrap();
        let error = SqliteLog::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Left { .. }), "{error}");
        assert_eq!(fs::read(path.with_extension("sqlite-wal")).unwrap(), wal, "it is as it was");
        assert_eq!(path.exists(), empty);
        assert!(!is_log(&path));
        // Whoever only reads changes nothing either.
        for file in [path.as_path(), path.parent().unwrap()] {
            let error = Reader::open(file).unwrap_err();
            assert!(matches!(error, OpenError::Left { .. }) || !empty, "{error}");
            assert!(matches!(error, OpenError::Missing(_)) || empty, "{error}");
        }
        assert!(backup(&path, &path.with_extension("copy"), &mut unwatched).is_err());
        assert_eq!(fs::read(path.with_extension("sqlite-wal")).unwrap(), wal, "it is as it was");
    }
}
