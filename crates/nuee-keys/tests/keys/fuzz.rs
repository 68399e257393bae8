//! Sealed bytes that were changed anywhere: they open to what was sealed, or not at all.

use std::{
    env,
    time::{Duration, Instant},
};

use nuee_keys::{CHUNK_SIZE, HEADER_SIZE, Opener, Sealer, WrappedDataKey};

use crate::support::{Platform, Seeded, environment, identity};

/// Cases, unless a time is given.
const CASES: u64 = 3_000;

#[test]
fn changed_headers_keys_and_chunks_open_to_nothing_else() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (minutes, seed) = (number("NUEE_FUZZ_MINUTES"), number("NUEE_FUZZ_SEED").unwrap_or(1));
    let (begun, mut cases) = (Instant::now(), 0);
    let platform = Platform::new(environment(11));
    let key = platform.project_key(1, 1, 1);
    let goes_on = |cases| match minutes {
        Some(minutes) => begun.elapsed() < Duration::from_mins(minutes),
        None => cases < CASES,
    };
    while goes_on(cases) {
        let random = Seeded::new(seed << 32 | cases);
        let below = |limit: usize| usize::try_from(random.next() % limit as u64).unwrap();
        let plain = random.bytes(below(2 * CHUNK_SIZE));
        let size = plain.len() as u64;
        let (data_key, wrapped) = key.fresh_data_key(&platform.environment, identity(1, 1)).unwrap();
        let mut sealed = Sealer::new(data_key).seal_whole(&plain).unwrap();
        let mut kept = wrapped.to_bytes().to_vec();
        let target = if below(3) == 0 { &mut kept } else { &mut sealed };
        // The header and the first bytes more often than their share.
        let end = if below(2) == 0 { HEADER_SIZE.min(target.len()) } else { target.len() };
        match below(3) {
            0 => target[below(end)] ^= 1 << below(8),
            1 => target.truncate(below(target.len())),
            _ => target.splice(0..0, vec![0; below(64)]).for_each(drop),
        }
        let claimed = if below(4) == 0 { below(1 << 40) as u64 } else { size };
        let opened = WrappedDataKey::from_bytes(&kept).and_then(|wrapped| {
            let data_key = key.open_data_key(identity(1, 1), &wrapped)?;
            let header = sealed.get(..HEADER_SIZE).unwrap_or(&sealed);
            let opener = Opener::new(data_key, &wrapped, header)?;
            let mut chunks = sealed.get(HEADER_SIZE..).unwrap_or_default().to_vec();
            let places = opener.open_range(claimed, &(0..claimed), &mut chunks)?;
            Ok(places.into_iter().flat_map(|place| chunks[place].to_vec()).collect::<Vec<_>>())
        });
        if let Ok(opened) = opened {
            assert!(opened == plain, "case {cases}: other bytes were opened");
        }
        cases += 1;
    }
    println!("sealed bytes: {cases} cases from seed {seed} in {} s", begun.elapsed().as_secs());
}
