//! SQLite's write-ahead log, looked at before SQLite does: that takes the first frame which is not whole for the end, says
//! nothing, and writes over what comes after it.
//!
//! A process that is killed, and a power cut, leave at most one transaction that is not whole, because each is synced before
//! the next begins. So a transaction that is followed by another one was acknowledged, and frames of it that do not read any
//! more were damaged. Of the last one that can be told only where a single bit differs from what was written.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The length of what comes before the first frame.
const HEADER: usize = 32;

/// The length of what comes before the page in a frame.
const FRAME: usize = 24;

/// How often a log is looked at anew that is written meanwhile.
const LOOKS: usize = 5;

/// Frames that were written, and do not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The number of the first one, from 1; 0 where it is what comes before the frames.
    pub(crate) frame: u64,
    /// How many whole or broken ones of the same log follow it.
    pub(crate) later: u64,
}

/// What is lost of a write-ahead log. `None` where all is there that was acknowledged, as far as that can be told, and
/// where there is none. It may be written meanwhile.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn lost(wal: &Path) -> io::Result<Option<Lost>> {
    let mut before = None;
    for _ in 0..LOOKS {
        let found = match look(wal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        // What is being written does not read twice as the same.
        match found {
            None => return Ok(None),
            Some(lost) if before.is_some_and(|before: Lost| before.frame == lost.frame) => {
                return Ok(Some(lost));
            }
            Some(lost) => before = Some(lost),
        }
    }
    Ok(None)
}

/// The sums under which frames stand: each is over all that comes before it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sums(u32, u32);

/// How a log reads its words.
#[derive(Clone, Copy)]
struct Words {
    big_endian: bool,
}

impl Words {
    fn of(self, bytes: &[u8]) -> impl DoubleEndedIterator<Item = (u32, u32)> + '_ {
        let word = move |bytes: &[u8]| {
            let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
            if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        bytes.chunks_exact(8).map(move |pair| (word(&pair[..4]), word(&pair[4..])))
    }

    fn sums(self, bytes: &[u8], Sums(mut one, mut two): Sums) -> Sums {
        for (a, b) in self.of(bytes) {
            one = one.wrapping_add(a).wrapping_add(two);
            two = two.wrapping_add(b).wrapping_add(one);
        }
        Sums(one, two)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn stored(bytes: &[u8], at: usize) -> Sums {
    Sums(number(bytes, at), number(bytes, at + 4))
}

fn look(wal: &Path) -> io::Result<Option<Lost>> {
    let mut file = BufReader::new(File::open(wal)?);
    let mut header = [0; HEADER];
    if !filled(&mut file, &mut header)? {
        return Ok(None);
    }
    let words = Words { big_endian: number(&header, 0) & 1 == 1 };
    let page = usize::try_from(number(&header, 8)).unwrap_or_default();
    let mut sums = words.sums(&header[..24], Sums(0, 0));
    let salt = &header[16..24];
    let sound = stored(&header, 24) == sums && page.is_power_of_two() && (512..=65536).contains(&page);
    if !sound {
        // It is synced before the first frame is written.
        let mut rest = Vec::new();
        file.read_to_end(&mut rest)?;
        let own = rest.get(8..16).is_some_and(|first| first[..4] == salt[..4] || first[4..] == salt[4..]);
        return Ok(own.then(|| Lost { frame: 0, later: headers(&rest, &rest[8..16]).len() as u64 }));
    }
    let mut frame = vec![0; FRAME + page];
    for count in 1.. {
        if !filled(&mut file, &mut frame)? {
            return Ok(None);
        }
        let own = words.sums(&frame[FRAME..], words.sums(&frame[..8], sums));
        if frame[8..16] == *salt && number(&frame, 0) != 0 && stored(&frame, 16) == own {
            sums = own;
            continue;
        }
        let start = HEADER as u64 + (count - 1) * (FRAME + page) as u64;
        file.seek(SeekFrom::Start(start))?;
        let mut rest = Vec::new();
        file.read_to_end(&mut rest)?;
        let headers = headers(&rest, salt);
        // A transaction ends with a frame that says how long the database is.
        let ends = |at: &usize| rest[at + 4..at + 8] != [0; 4];
        let synced = headers.iter().rev().skip(1).any(ends);
        let later = headers.iter().filter(|at| **at > 0).count() as u64;
        let flipped = is_one_bit_off(words, &frame, salt, sums);
        return Ok((synced || flipped).then_some(Lost { frame: count, later }));
    }
    Ok(None)
}

/// Reads until it is full. False where the file ends before.
fn filled(file: &mut impl Read, to: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(to) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// Where frames of this log begin, wherever they were moved to.
fn headers(bytes: &[u8], salt: &[u8]) -> Vec<usize> {
    let salted = bytes.windows(salt.len()).enumerate().skip(8).filter(|(_, window)| *window == salt);
    salted.map(|(at, _)| at - 8).collect()
}

/// Whether a frame is what was written but for one bit.
fn is_one_bit_off(words: Words, frame: &[u8], salt: &[u8], before: Sums) -> bool {
    let summed: Vec<u8> = [&frame[..8], &frame[FRAME..]].concat();
    let (own, said) = (words.sums(&summed, before), stored(frame, 16));
    let bits = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    let off_salt = bits(&frame[8..16], salt);
    let off_sums = (own.0 ^ said.0).count_ones() + (own.1 ^ said.1).count_ones();
    if off_salt + off_sums <= 1 {
        return true;
    }
    if off_salt > 0 {
        return false;
    }
    let (one, two) = (said.0.wrapping_sub(own.0), said.1.wrapping_sub(own.1));
    // By how much a word that is one larger changes both sums, from the last pair of words to the first.
    let (mut first, mut second) = ((1_u32, 1_u32), (0_u32, 1_u32));
    for (a, b) in words.of(&summed).rev() {
        for (word, weight) in [(a, first), (b, second)] {
            for bit in 0..32 {
                let change = if word >> bit & 1 == 1 { (1_u32 << bit).wrapping_neg() } else { 1 << bit };
                if change.wrapping_mul(weight.0) == one && change.wrapping_mul(weight.1) == two {
                    return true;
                }
            }
        }
        let earlier = |(one, two): (u32, u32)| {
            let one = one.wrapping_add(two);
            (one, two.wrapping_add(one))
        };
        (first, second) = (earlier(first), earlier(second));
    }
    false
}
