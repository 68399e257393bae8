//! Alterations of rows and of their codes.

use nuee_keys::{RowBuilder, RowMacKey};

use crate::{
    Tally,
    support::{Platform, Seeded, environment, organisation},
};

#[derive(Clone, PartialEq)]
enum Field {
    Bytes(Vec<u8>),
    Integer(i64),
}

use Field::{Bytes, Integer};

fn row(table: &'static str, fields: &[Field]) -> RowBuilder {
    fields.iter().fold(RowBuilder::new(table), |row, field| match field {
        Bytes(bytes) => row.bytes(bytes),
        Integer(number) => row.integer(*number),
    })
}

/// A row such as an object's.
fn fields() -> Vec<Field> {
    let random = Seeded::new(61);
    let bytes = |text: &str| Bytes(text.into());
    let numbers = [0, 1, -1, 1_700_000_000_000_000].map(Integer);
    let texts =
        [bytes("photos/été.jpg"), bytes(""), bytes("a"), Bytes(random.bytes(16)), Bytes(random.bytes(118))];
    texts.into_iter().chain(numbers).collect()
}

struct Original {
    key: RowMacKeyOf,
    mac: [u8; 32],
}

type RowMacKeyOf = std::sync::Arc<RowMacKey>;

impl Original {
    fn refuse(&self, tally: &mut Tally, kind: &'static str, fields: &[Field]) {
        tally.refused(kind, &row("objects", fields).verify(&self.key, &self.mac), String::new);
    }
}

pub(crate) fn tamper(tally: &mut Tally) {
    let platform = Platform::new(environment(60));
    let key = platform.ring().row_mac_key(organisation(1)).unwrap();
    let (fields, random) = (fields(), Seeded::new(62));
    let mac = row("objects", &fields).mac(&key);
    row("objects", &fields).verify(&key, &mac).unwrap();
    let original = Original { key, mac };

    for bit in 0..256 {
        let mut altered = mac;
        altered[bit / 8] ^= 1 << (bit % 8);
        let result = row("objects", &fields).verify(&original.key, &altered);
        tally.refused("row: a bit of its code flipped", &result, || format!("bit {bit}"));
    }
    let other = platform.ring().row_mac_key(organisation(2)).unwrap();
    tally.refused("row: another organisation", &row("objects", &fields).verify(&other, &mac), String::new);
    for table in ["object", "objectsp", "uploads", ""] {
        tally.refused("row: another table", &row(table, &fields).verify(&original.key, &mac), String::new);
    }
    for number in 0..50 {
        let mut another = fields.clone();
        another[3] = Bytes(random.bytes(16));
        let foreign = row("objects", &another).mac(&original.key);
        let result = row("objects", &fields).verify(&original.key, &foreign);
        tally.refused("row: the code of another row", &result, || format!("row {number}"));
    }
    change_fields(tally, &original, &fields);
    move_borders(tally, &original, &fields);
}

fn change_fields(tally: &mut Tally, original: &Original, fields: &[Field]) {
    for one in 0..fields.len() {
        let changed = |field| {
            let mut changed = fields.to_vec();
            changed[one] = field;
            changed
        };
        match &fields[one] {
            Bytes(bytes) => {
                for bit in 0..bytes.len() * 8 {
                    let mut altered = bytes.clone();
                    altered[bit / 8] ^= 1 << (bit % 8);
                    original.refuse(tally, "row: a bit of a field flipped", &changed(Bytes(altered)));
                }
                if let Ok(same_bytes) = <[u8; 8]>::try_from(bytes.get(..8).unwrap_or_default()) {
                    let integer = Integer(i64::from_be_bytes(same_bytes));
                    original.refuse(tally, "row: a field of another type", &changed(integer));
                }
            }
            Integer(number) => {
                for bit in 0..64 {
                    let altered = Integer(number ^ 1 << bit);
                    original.refuse(tally, "row: a bit of a field flipped", &changed(altered));
                }
                let same_bytes = Bytes(number.to_be_bytes().to_vec());
                original.refuse(tally, "row: a field of another type", &changed(same_bytes));
            }
        }
        let (mut dropped, mut doubled) = (fields.to_vec(), fields.to_vec());
        dropped.remove(one);
        doubled.insert(one, fields[one].clone());
        original.refuse(tally, "row: a field dropped", &dropped);
        original.refuse(tally, "row: a field doubled", &doubled);
        for other in one + 1..fields.len() {
            let mut swapped = fields.to_vec();
            swapped.swap(one, other);
            original.refuse(tally, "row: two fields swapped", &swapped);
        }
    }
    for extra in [Bytes(Vec::new()), Integer(0)] {
        original.refuse(tally, "row: a field added", &[fields, &[extra]].concat());
    }
}

/// The same bytes after each other, with the borders of the fields elsewhere.
fn move_borders(tally: &mut Tally, original: &Original, fields: &[Field]) {
    for one in 0..fields.len() - 1 {
        let (Bytes(left), Bytes(right)) = (&fields[one], &fields[one + 1]) else { continue };
        let all = [&left[..], right].concat();
        for border in (0..=all.len()).filter(|border| *border != left.len()) {
            let mut moved = fields.to_vec();
            moved[one] = Bytes(all[..border].to_vec());
            moved[one + 1] = Bytes(all[border..].to_vec());
            original.refuse(tally, "row: a border moved", &moved);
        }
        let mut joined = fields.to_vec();
        joined[one] = Bytes(all);
        joined.remove(one + 1);
        original.refuse(tally, "row: two fields joined", &joined);
    }
}
