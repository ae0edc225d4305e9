//! Which samples of the training split are kept, set aside for validation, or given a wrong label.
//! All of it depends on the seed and the sample's number only.

use crate::error::{DataError, Kind, Result};
use crate::random::{Generator, Place, sites};

/// Purposes of the draws here, as steps of one site.
const VALIDATION: u64 = 0;
const SUBSET: u64 = 1;
const NOISE: u64 = 2;

/// The numbers of samples for training and validation, both ascending.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// To train on.
    pub training: Vec<u32>,
    /// To validate with.
    pub validation: Vec<u32>,
}

impl Partition {
    /// Those for training and, if there are any, for validation.
    #[must_use]
    pub fn lists(&self) -> Vec<&[u32]> {
        let both = [&self.training[..], &self.validation[..]];
        both.into_iter().enumerate().filter(|(i, list)| *i == 0 || !list.is_empty()).map(|(_, list)| list).collect()
    }
}

/// Sets aside `share` of `count` samples for validation, and keeps `subset` of the rest (a number,
/// or a share if below one).
///
/// # Errors
/// If either part would be empty.
pub fn partition(count: usize, share: Option<f64>, subset: Option<f64>, seed: u64) -> Result<Partition> {
    let all: Vec<u32> = (0..count as u32).collect();
    let (validation, mut training) = match share {
        None => (vec![], all),
        Some(share) => choose(&all, amount(share, count, "valid")?, seed, VALIDATION),
    };
    if let Some(subset) = subset {
        training = choose(&training, amount(subset, training.len(), "subset")?, seed, SUBSET).0;
    }
    if training.is_empty() {
        return Err(DataError::new(Kind::Request, "no sample is left to train on")
            .help("set a smaller share aside for validation"));
    }
    Ok(Partition { training, validation })
}

/// How many of `count` a setting means: a share below one, a number from one on.
fn amount(setting: f64, count: usize, what: &str) -> Result<usize> {
    let wanted = if setting < 1.0 { (setting * count as f64).round() } else { setting };
    if wanted >= 1.0 && wanted <= count as f64 && wanted.fract() == 0.0 {
        return Ok(wanted as usize);
    }
    Err(DataError::new(Kind::Request, format!("`{what}` asks for {setting} of {count} samples"))
        .help("give a share between 0 and 1, or a number of samples that are there"))
}

/// The `wanted` samples with the smallest draws, and the others; both keep their order.
fn choose(samples: &[u32], wanted: usize, seed: u64, purpose: u64) -> (Vec<u32>, Vec<u32>) {
    let place = Place { seed, site: sites::SPLIT, step: purpose };
    let mut ranked: Vec<(u64, u32)> = samples.iter().map(|s| (Generator::new(place, *s).long(), *s)).collect();
    ranked.sort_unstable();
    let in_order = |part: &[(u64, u32)]| {
        let mut samples: Vec<u32> = part.iter().map(|(_, s)| *s).collect();
        samples.sort_unstable();
        samples
    };
    (in_order(&ranked[..wanted]), in_order(&ranked[wanted..]))
}

/// Draws a `share` of labels anew, all classes equally likely; `samples` are their numbers.
pub fn disturb(labels: &mut [i32], samples: &[u32], classes: usize, share: f64, seed: u64) {
    let place = Place { seed, site: sites::SPLIT, step: NOISE };
    let per_sample = labels.len() / samples.len().max(1);
    for (row, sample) in labels.chunks_exact_mut(per_sample.max(1)).zip(samples) {
        let mut random = Generator::new(place, *sample);
        for label in row {
            let hit = random.uniform() < share;
            let fresh = random.below(classes as u64) as i32;
            *label = if hit { fresh } else { *label };
        }
    }
}
